//! Defines which fields an erase clears and which neutral values replace them.
//!
//! The neutral values follow from the record's id alone. A second erase of the record therefore
//! changes nothing, and every masked payload of its past is consistent with the others: replayed in
//! order, they give a valid record.

use serde_json::Value;
use uuid::Uuid;

use super::any_record::AnyRecord;
use super::record::{Entity, Fields};

/// Text that replaces an erased text that must be present.
pub const ERASED: &str = "erased";

/// Fields that an erase clears in records of an entity. Empty if nothing can be erased.
pub fn fields(entity: Entity) -> &'static [&'static str] {
    match entity {
        // Time zone and working hours are personal data too, and no plan of others depends on them.
        Entity::User => &["handle", "name", "email", "time_zone", "day_minutes", "metadata"],
        Entity::Task => &["title", "description", "tags", "source", "metadata", "plan_base"],
        Entity::Project => &["name", "description", "source", "metadata", "plan_base"],
        Entity::Lake
        | Entity::TaskLink
        | Entity::Requirement
        | Entity::TaskRequirement
        | Entity::Sync(_) => &[],
    }
}

/// Neutral value for each erased field.
pub fn neutral(entity: Entity, id: Uuid) -> Vec<(&'static str, Value)> {
    let empty = AnyRecord::empty(entity, id);
    let value = |field: &str| match (entity, field) {
        (Entity::User, "handle") => Value::from(neutral_handle(id)),
        (Entity::Task, "title") | (Entity::Project, "name") => Value::from(ERASED),
        _ => empty.get(field).unwrap_or_default(),
    };
    fields(entity).iter().map(|field| (*field, value(field))).collect()
}

/// Returns a handle that reveals nothing and is unique. It uses the last digits of the id, which
/// are random; the first digits are a time, which two users added together share.
fn neutral_handle(id: Uuid) -> String {
    let digits = id.simple().to_string();
    format!("{ERASED}-{}", digits.get(digits.len().saturating_sub(12)..).unwrap_or_default())
}

/// Returns the neutral values that a record does not have yet.
pub fn missing(record: &AnyRecord) -> Vec<(&'static str, Value)> {
    let mut neutral = neutral(record.entity(), record.id());
    neutral.retain(|(field, value)| record.get(field).as_ref() != Some(value));
    neutral
}

/// Replaces the values to be erased in a payload with neutral ones; `None` if it holds none of
/// them.
pub fn mask(entity: Entity, id: Uuid, payload: &Fields) -> Option<Fields> {
    let mut masked = payload.clone();
    for (field, value) in neutral(entity, id) {
        // Null means that the field was absent, which reveals nothing.
        if let Some(held) = masked.get_mut(field).filter(|held| !held.is_null()) {
            *held = value;
        }
    }
    (masked != *payload).then_some(masked)
}
