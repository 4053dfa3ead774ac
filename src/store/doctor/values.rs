//! Reports values of the journal that their fields cannot hold and that no later change has
//! replaced.

use super::checkup::Checkup;
use crate::domain::hint::{Hint, Repair};
use crate::store::unreadable::UnreadableValues;

const CLEAR: Hint = Hint::Repair(Repair::ClearValue);

/// Reports the values that are still current.
pub fn find(values: UnreadableValues, checkup: &mut Checkup) {
    for value in values.standing() {
        let (field, noun, id, why) = (&value.field, value.entity.noun(), value.id, &value.why);
        let what = format!("{field} of the {noun} {id} {why}; it is read as absent");
        checkup.find(format!("journal, row {}.{}", value.seq, value.ordinal), what, CLEAR);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use uuid::Uuid;

    use super::*;
    use crate::domain::change::Change;
    use crate::domain::id::{EntityId, PatchSetId};
    use crate::domain::patch::{Op, Source};
    use crate::domain::record::Entity;
    use crate::domain::time::Instant;
    use crate::store::row::{Envelope, Row};

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
            Row::chain_set(&envelope, &[change], [0; 32], || [0; 16])
                .iter()
                .for_each(|row| values.note(row));
        }
        let mut checkup = Checkup::default();
        find(values, &mut checkup);
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
