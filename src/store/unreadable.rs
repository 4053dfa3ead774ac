//! Finds values of the journal that their fields cannot hold, for example a day that an earlier
//! version accepted. They are read as absent, so that they do not make the lake unreadable, until a
//! later change replaces them.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::row::Row;
use crate::domain::any_record::AnyRecord;
use crate::domain::patch::Op;
use crate::domain::record::Entity;
use crate::domain::value::InvalidValue;

/// A current value, not replaced by a later change.
#[derive(Clone, Debug, PartialEq)]
pub struct UnreadableValue {
    pub entity: Entity,
    pub id: Uuid,
    pub field: String,
    pub value: Value,
    /// Reason why the field cannot hold it.
    pub why: InvalidValue,
    /// Row that set the value.
    pub seq: u64,
    pub ordinal: u32,
}

/// Unreadable values of the journal, whose rows are recorded in order.
#[derive(Default)]
pub struct UnreadableValues(BTreeMap<(Uuid, String), UnreadableValue>);

impl UnreadableValues {
    /// Records the values that a row sets.
    pub fn note(&mut self, row: &Row) {
        // A payload that is not JSON does not match its digest either, and the check-up reports
        // that.
        let Some(fields) = row.after_fields().ok().filter(|_| row.op != Op::Erase) else { return };
        let mut record = AnyRecord::empty(row.entity, row.entity_id);
        for (field, value) in fields {
            match record.restore(&field, &value) {
                Ok(()) if self.0.is_empty() => {}
                Ok(()) => drop(self.0.remove(&(row.entity_id, field))),
                Err(why) => {
                    let (entity, id, seq, ordinal) =
                        (row.entity, row.entity_id, row.seq, row.ordinal);
                    let found = UnreadableValue {
                        entity,
                        id,
                        field: field.clone(),
                        value,
                        why,
                        seq,
                        ordinal,
                    };
                    self.0.insert((id, field), found);
                }
            }
        }
    }

    /// Returns the current values, in the order of the journal.
    pub fn standing(self) -> Vec<UnreadableValue> {
        let mut values: Vec<_> = self.0.into_values().collect();
        values.sort_by(|a, b| (a.seq, a.ordinal, &a.field).cmp(&(b.seq, b.ordinal, &b.field)));
        values
    }
}
