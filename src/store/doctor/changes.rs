//! Compares the rows of `field_changes` with those that the journal's rows make.
//!
//! A row is identified by its set, its task and its field, and a set may change a field of a task
//! more than once. So rows that exist on both sides are removed first; then the remaining rows with
//! the same identity are compared.

use std::collections::BTreeMap;

use deltalake::arrow::array::RecordBatch;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::store::error::StoreError;
use crate::store::row::Row;
use crate::store::tables::field_changes::{self, Change};

type ChangeKey = (u64, Uuid, &'static str);

/// Changes that the table should hold and that were not found in it yet, and rows found that it
/// should not hold.
#[derive(Default)]
pub struct Changes {
    wanted: BTreeMap<ChangeKey, Vec<Change>>,
    strange: Vec<Change>,
}

impl Changes {
    /// Records the changes that a row of the journal makes.
    pub fn note(&mut self, row: &Row) -> Result<(), StoreError> {
        for change in field_changes::changes(row)? {
            self.wanted.entry(place(&change)).or_default().push(change);
        }
        Ok(())
    }

    /// Takes rows of the table; [`Self::rest`] reports their errors.
    pub fn take(&mut self, batch: &RecordBatch, path: &str) -> Result<(), StoreError> {
        for change in field_changes::decode(batch, path)? {
            let place = place(&change);
            let known = self.wanted.get_mut(&place);
            let same = known.and_then(|known| {
                let at = known.iter().position(|known| *known == change)?;
                known.swap_remove(at);
                Some(known.is_empty())
            });
            match same {
                Some(true) => drop(self.wanted.remove(&place)),
                Some(false) => {}
                None => self.strange.push(change),
            }
        }
        Ok(())
    }

    /// Describes the rows of the table that differ, are superfluous, or are missing.
    pub fn rest(mut self) -> Vec<String> {
        let mut wrong = Vec::new();
        for found in &self.strange {
            let name = name(found);
            wrong.push(match self.wanted.get_mut(&place(found)).and_then(Vec::pop) {
                Some(known) => {
                    let (found, journal) = differing(found, &known);
                    format!("{name} has {found}, but the journal has {journal}")
                }
                None => format!("{name} is missing from the journal or appears twice"),
            });
        }
        wrong.extend(
            self.wanted.values().flatten().map(|known| format!("{} is missing", name(known))),
        );
        wrong
    }
}

fn place(change: &Change) -> ChangeKey {
    (change.seq, change.task, change.field)
}

fn name(change: &Change) -> String {
    format!("the change of {} of the task {} in seq {}", change.field, change.task, change.seq)
}

/// Returns the columns in which two rows with the same identity differ, with both values.
fn differing(found: &Change, known: &Change) -> (Value, Value) {
    let columns = |change: &Change| {
        [
            ("project_id", json!(change.project)),
            ("from_value", json!(change.from)),
            ("to_value", json!(change.to)),
            ("at", json!(change.at.to_rfc3339())),
            ("at_minute", json!(change.minute)),
            ("actor", json!(change.actor)),
        ]
    };
    let (mut found_in, mut known_in) = (serde_json::Map::new(), serde_json::Map::new());
    for ((name, found), (_, known)) in columns(found).into_iter().zip(columns(known)) {
        if found != known {
            found_in.insert(name.to_owned(), found);
            known_in.insert(name.to_owned(), known);
        }
    }
    (Value::Object(found_in), Value::Object(known_in))
}
