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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::change::Change;
    use crate::domain::id::{EntityId, PatchSetId};
    use crate::domain::patch::Source;
    use crate::domain::record::Entity;
    use crate::domain::time::Instant;
    use crate::store::row::{Envelope, Stream};

    fn named(days: &[Value]) -> Vec<String> {
        let mut values = UnreadableValues::default();
        for (seq, day) in (1..).zip(days) {
            let envelope = Envelope {
                seq,
                patch_set_id: PatchSetId::of(Uuid::from_u128(u128::from(seq))),
                request_hash: [0; 32],
                v: 1,
                actor: "ana",
                source: Source::Cli,
                reason: None,
                at: Instant::default(),
                stream: Stream::Work,
            };
            let after = json!({"due_date": day, "title": "t"}).as_object().cloned().unwrap();
            let change = Change {
                entity: Entity::Task,
                id: Uuid::from_u128(7),
                project: None,
                op: Op::Update,
                before: serde_json::Map::new(),
                after,
            };
            Row::chain_set(&envelope, &[change], [0; 32], || [0; 16]).iter().for_each(|row| values.note(row));
        }
        let mut checkup = Checkup::default();
        values.finish(&mut checkup);
        checkup.findings.into_iter().map(|finding| finding.place).collect()
    }

    #[test]
    fn a_value_is_named_until_a_later_change_replaces_it() {
        assert_eq!(named(&[json!("2026-01-01")]), [""; 0]);
        assert_eq!(named(&[json!("-0001-01-01")]), ["journal, row 1.0"]);
        assert_eq!(named(&[json!("-0001-01-01"), json!("+99999-01-01")]), ["journal, row 2.0"]);
        assert_eq!(named(&[json!("-0001-01-01"), json!("2026-01-01")]), [""; 0]);
        assert_eq!(named(&[json!("-0001-01-01"), Value::Null]), [""; 0]);
    }
}
