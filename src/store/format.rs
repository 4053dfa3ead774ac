//! Defines the lake's format: which binaries may read and write it, and how newer binaries read
//! older payloads.
//!
//! The format is stored in the lake's own row, the journal's first, so raising it is ordered with
//! respect to every writer. Each row carries the version of its payload; pure functions upgrade an
//! older payload, one per step.

mod plan_in_metadata;

use super::error::StoreError;
use super::row::Row;
use crate::domain::any_record::AnyRecord;
use crate::domain::change::Change;
use crate::domain::lake::Lake;
use crate::domain::patch::Op;
use crate::domain::record::{Entity, Fields};

/// Upgrades the fields of one change from one version to the next.
pub type Upcast = fn(Entity, Fields) -> Fields;

/// The format that a binary knows.
#[derive(Clone, Debug)]
pub struct Format {
    /// Version that it writes, which is the highest it reads.
    current: u32,
    /// Step from version i+1 to i+2, for every i below `current`.
    upcasts: Vec<Upcast>,
}

impl Default for Format {
    /// Returns the format of this binary.
    fn default() -> Self {
        Self::with(vec![plan_in_metadata::upcast])
    }
}

impl Format {
    /// Returns a format that follows version 1 by these steps.
    pub fn with(upcasts: Vec<Upcast>) -> Self {
        Self { current: upcasts.len() as u32 + 1, upcasts }
    }

    /// Returns the format after this one, with the step to it.
    pub fn followed_by(mut self, upcast: Upcast) -> Self {
        self.upcasts.push(upcast);
        Self::with(self.upcasts)
    }

    pub fn current(&self) -> u32 {
        self.current
    }

    /// Applies a journal row to the record before it. A row that changes a record which no row has
    /// created is skipped: the result is `None`, like `before`.
    pub(super) fn replay(
        &self,
        row: &Row,
        before: Option<AnyRecord>,
    ) -> Result<Option<AnyRecord>, StoreError> {
        let record = match before {
            Some(record) => record,
            None if matches!(row.op, Op::Create | Op::Link) => {
                AnyRecord::empty(row.entity, row.entity_id)
            }
            None => {
                tracing::warn!(
                    "journal row {}.{} changes the {} {}, which no row created; it is ignored, and lakeplan doctor reports it",
                    row.seq,
                    row.ordinal,
                    row.entity.noun(),
                    row.entity_id
                );
                return Ok(None);
            }
        };
        if row.op == Op::Erase {
            // The payload of an erase is about rows, not about the record.
            return Ok(Some(record));
        }
        self.set(row, &self.changes(row)?, record).map(Some)
    }

    /// Sets the fields of a journal row in a record. A value that its field cannot hold leaves the
    /// field absent.
    pub(super) fn set(
        &self,
        row: &Row,
        changes: &Fields,
        mut record: AnyRecord,
    ) -> Result<AnyRecord, StoreError> {
        let damaged = |what: String| {
            StoreError::damaged(format!("journal row {}.{}", row.seq, row.ordinal), what)
        };
        for (field, value) in changes {
            if let Err(err) = record.restore(field, value) {
                tracing::warn!(
                    "journal row {}.{}: {field} of the {} {} {err}; it is read as absent, and lakeplan doctor reports it",
                    row.seq,
                    row.ordinal,
                    row.entity.noun(),
                    row.entity_id
                );
            }
        }
        if record.project() != row.project_id && !matches!(row.entity, Entity::User | Entity::Lake)
        {
            return Err(damaged(
                "its record belongs to another project than the row says".to_owned(),
            ));
        }
        Ok(record)
    }

    /// Returns the fields that a journal row sets in its record.
    pub(super) fn changes(&self, row: &Row) -> Result<Fields, StoreError> {
        if row.op == Op::Erase {
            return Ok(Fields::new());
        }
        Ok(self.read(row.v, row.entity, row.after_fields().map_err(|err| not_json(row, &err))?))
    }

    /// Returns the change that a journal row records.
    pub fn change(&self, row: &Row) -> Result<Change, StoreError> {
        let (old, new) = (
            row.before_fields().map_err(|err| not_json(row, &err))?,
            row.after_fields().map_err(|err| not_json(row, &err))?,
        );
        let (mut before, mut after) =
            (self.read(row.v, row.entity, old.clone()), self.read(row.v, row.entity, new.clone()));
        if row.v < self.current && row.op == Op::Update {
            // A step may divide a field of which the change touched only one part.
            let is_untouched = |field: &String| {
                let was_equal = old.contains_key(field) && old.get(field) == new.get(field);
                !was_equal && before.get(field) == after.get(field)
            };
            let untouched: Vec<String> =
                before.keys().filter(|field| is_untouched(field)).cloned().collect();
            for field in untouched {
                before.remove(&field);
                after.remove(&field);
            }
        }
        Ok(Change {
            entity: row.entity,
            id: row.entity_id,
            project: row.project_id,
            op: row.op,
            before,
            after,
        })
    }

    /// Upgrades the fields of a payload of version `v` to the current version.
    fn read(&self, v: u32, entity: Entity, fields: Fields) -> Fields {
        let steps = self.upcasts.iter().skip(v.max(1) as usize - 1);
        steps.fold(fields, |fields, step| step(entity, fields))
    }

    pub(super) fn may_read(&self, lake: &Lake, root: &str) -> Result<(), StoreError> {
        self.check(lake.format_reader, root, "read")
    }

    pub(super) fn may_write(&self, lake: &Lake, root: &str) -> Result<(), StoreError> {
        self.check(lake.format_writer, root, "write")
    }

    fn check(&self, needed: u32, root: &str, verb: &'static str) -> Result<(), StoreError> {
        if needed <= self.current {
            return Ok(());
        }
        Err(StoreError::NewerFormat { root: root.to_owned(), verb, needed, known: self.current })
    }
}

fn not_json(row: &Row, err: &serde_json::Error) -> StoreError {
    StoreError::damaged(format!("journal row {}.{}", row.seq, row.ordinal), err.to_string())
}
