//! Values of the journal that their fields cannot hold, such as a day that an earlier version accepted. They are read as
//! absent, so that they keep nobody from the lake; the check-up names those that no later change has replaced.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::Checkup;
use crate::domain::any::AnyRecord;
use crate::domain::patch::Op;
use crate::store::row::Row;

const CLEAR: &str =
    "give the field another value, or take the change back with lakeplan undo and this seq; both keep the history";

/// The values that cannot be held, by record and field: where each is, and what is wrong with it.
#[derive(Default)]
pub struct UnreadableValues(BTreeMap<(Uuid, String), (u64, u32, String)>);

impl UnreadableValues {
    /// Notes what a row sets.
    pub fn note(&mut self, row: &Row) {
        // A payload that is no JSON does not fit its digest either, which is named there.
        let Some(fields) = row.after_fields().ok().filter(|_| row.op != Op::Erase) else { return };
        let mut record = AnyRecord::blank(row.entity, row.entity_id);
        for (name, value) in &fields {
            match record.restore(name, value) {
                Ok(()) if self.0.is_empty() => {}
                Ok(()) => drop(self.0.remove(&(row.entity_id, name.clone()))),
                Err(err) => {
                    let what = format!("{name} of the {} {} {err}; it is read as absent", row.entity.noun(), row.entity_id);
                    self.0.insert((row.entity_id, name.clone()), (row.seq, row.ordinal, what));
                }
            }
        }
    }

    /// Names those that stand.
    pub fn finish(self, checkup: &mut Checkup) {
        let mut values: Vec<_> = self.0.into_values().collect();
        values.sort();
        for (seq, ordinal, what) in values {
            checkup.find(format!("journal, row {seq}.{ordinal}"), what, CLEAR);
        }
    }
}
