//! A change of one record.

use uuid::Uuid;

use crate::domain::id::{EntityId, TaskId};
use crate::domain::patch::Placement;
use crate::domain::record::{Entity, Fields, Record};
use crate::planning::replan::report::Report;

/// Result of the comparison.
#[derive(Debug, Default)]
pub struct Diff {
    pub changes: Vec<Change>,
    pub report: Report,
}

/// A change of one record. Values in `expected` and `before` must still be current. An update with
/// the values that a delete depends on precedes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    Create { entity: Entity, id: Uuid, fields: Fields, place: Option<Placement> },
    Update { entity: Entity, id: Uuid, before: Fields, after: Fields },
    Move { task: TaskId, from: Option<TaskId>, to: Option<TaskId>, place: Placement },
    Delete { entity: Entity, id: Uuid },
    Link { entity: Entity, id: Uuid, fields: Fields },
    Unlink { entity: Entity, id: Uuid, expected: Fields },
}

impl Change {
    /// Returns the update that gives these fields to a record; `None` if it has them.
    pub fn update<R: Record>(record: &R, fields: Fields) -> Option<Self> {
        let (mut before, mut after) = (Fields::new(), Fields::new());
        for (field, to) in fields {
            let from = record.get(&field).unwrap_or_default();
            if from != to {
                before.insert(field.clone(), from);
                after.insert(field, to);
            }
        }
        let id = record.id().uuid();
        (!after.is_empty()).then_some(Self::Update { entity: R::ENTITY, id, before, after })
    }

    /// Whether the change is an update that sets only this field.
    pub fn sets_only(&self, field: &str) -> bool {
        matches!(self, Self::Update { after, .. } if after.keys().all(|name| name == field))
    }

    /// Whether an update sets a field.
    pub fn sets(&self, field: &str) -> bool {
        matches!(self, Self::Update { after, .. } if after.contains_key(field))
    }
}

/// Returns the fields with these names and values.
pub fn fields<const N: usize>(pairs: [(&str, serde_json::Value); N]) -> Fields {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
