//! Values of the journal that their fields cannot hold, such as a day that an earlier version accepted. They are read as
//! absent, so that they keep nobody from the lake, until a change says that they stand no more.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::row::Row;
use crate::domain::any::AnyRecord;
use crate::domain::patch::Op;
use crate::domain::record::Entity;
use crate::domain::value::Misfit;

/// One that stands: no later change has replaced it.
#[derive(Clone, Debug, PartialEq)]
pub struct UnreadableValue {
    pub entity: Entity,
    pub id: Uuid,
    pub field: String,
    pub value: Value,
    /// Why the field cannot hold it.
    pub why: Misfit,
    /// The row that set it.
    pub seq: u64,
    pub ordinal: u32,
}

/// Those of the journal, whose rows are noted in their order.
#[derive(Default)]
pub struct UnreadableValues(BTreeMap<(Uuid, String), UnreadableValue>);

impl UnreadableValues {
    /// Notes what a row sets.
    pub fn note(&mut self, row: &Row) {
        // A payload that is no JSON does not fit its digest either, which is the check-up's to name.
        let Some(fields) = row.after_fields().ok().filter(|_| row.op != Op::Erase) else { return };
        let mut record = AnyRecord::blank(row.entity, row.entity_id);
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

    /// Those that stand, in the order of the journal.
    pub fn standing(self) -> Vec<UnreadableValue> {
        let mut values: Vec<_> = self.0.into_values().collect();
        values.sort_by(|a, b| (a.seq, a.ordinal, &a.field).cmp(&(b.seq, b.ordinal, &b.field)));
        values
    }
}
