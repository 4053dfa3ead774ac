//! Committed changes as JSON.

use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::domain::id::PatchSetId;
use crate::domain::patch::{Op, Source};
use crate::domain::record::{Entity, Fields};
use crate::domain::time::{Instant, rfc3339};

/// A committed patch set.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeSetView {
    pub seq: u64,
    pub patch_set_id: PatchSetId,
    #[serde(serialize_with = "instant")]
    pub at: Instant,
    pub actor: String,
    pub source: Source,
    pub reason: Option<String>,
    pub changes: Vec<ChangeView>,
}

/// A change of one record.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeView {
    pub op: Op,
    pub entity: Entity,
    pub id: Uuid,
    /// Name of the record for people, such as `PAY-3`.
    pub name: String,
    /// Whether an erase removed the values.
    pub erased: bool,
    /// Previous values of the touched fields.
    pub before: Fields,
    pub after: Fields,
}

fn instant<S: Serializer>(at: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::EntityId;
    use serde_json::{Value, json};

    #[test]
    fn a_change_has_its_record_and_its_values() {
        let fields = |status: &str| Fields::from_iter([("status".to_owned(), Value::from(status))]);
        let change = ChangeView {
            op: Op::Update,
            entity: Entity::TaskLink,
            id: Uuid::from_u128(1),
            name: "PAY-3".to_owned(),
            erased: false,
            before: fields("pending"),
            after: fields("review"),
        };
        let set = ChangeSetView {
            seq: 7,
            patch_set_id: PatchSetId::of(Uuid::from_u128(2)),
            at: chrono::DateTime::from_timestamp(0, 5_000).unwrap(),
            actor: "ana".to_owned(),
            source: Source::Cli,
            reason: None,
            changes: vec![change],
        };
        let expected = json!({
            "seq": 7, "patch_set_id": "00000000-0000-0000-0000-000000000002",
            "at": "1970-01-01T00:00:00.000005Z", "actor": "ana", "source": "cli", "reason": null,
            "changes": [{
                "op": "update", "entity": "task_link", "id": "00000000-0000-0000-0000-000000000001",
                "name": "PAY-3", "erased": false,
                "before": {"status": "pending"}, "after": {"status": "review"},
            }],
        });
        assert_eq!(json!(set), expected);
    }
}
