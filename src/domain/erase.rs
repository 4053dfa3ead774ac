//! What an erase takes out of a record, and what stands in its place.
//!
//! The values that stand in place follow from the record's id alone. So a record that is erased twice is changed once, and
//! every payload of its past, masked by itself, fits the others: replayed in order they give a valid record.

use serde_json::Value;
use uuid::Uuid;

use super::any::AnyRecord;
use super::record::{Entity, Fields};

/// What stands where a text must stand and was erased.
pub const ERASED: &str = "erased";

/// The fields that an erase takes out of records of an entity. Empty where nothing of an entity can be erased.
pub fn fields(entity: Entity) -> &'static [&'static str] {
    match entity {
        // Where and how long someone works is theirs too, and no plan of others rests on it.
        Entity::User => &["handle", "name", "email", "time_zone", "day_minutes", "metadata"],
        Entity::Task => &["title", "description", "tags", "source", "metadata"],
        Entity::Project => &["name", "description", "source", "metadata"],
        Entity::Lake | Entity::TaskLink | Entity::Requirement | Entity::TaskRequirement => &[],
    }
}

/// What stands in place of each field that is erased.
pub fn neutral(entity: Entity, id: Uuid) -> Vec<(&'static str, Value)> {
    let blank = AnyRecord::blank(entity, id);
    let value = |field: &str| match (entity, field) {
        (Entity::User, "handle") => Value::from(neutral_handle(id)),
        (Entity::Task, "title") | (Entity::Project, "name") => Value::from(ERASED),
        _ => blank.get(field).unwrap_or_default(),
    };
    fields(entity).iter().map(|field| (*field, value(field))).collect()
}

/// A handle that tells nothing and is no one else's: the first digits of an id are its time, which two users added
/// together share, the last ones are random.
fn neutral_handle(id: Uuid) -> String {
    let digits = id.simple().to_string();
    format!("{ERASED}-{}", digits.get(digits.len().saturating_sub(12)..).unwrap_or_default())
}

/// The neutral values that a record does not have yet.
pub fn missing(record: &AnyRecord) -> Vec<(&'static str, Value)> {
    let mut neutral = neutral(record.entity(), record.id());
    neutral.retain(|(field, value)| record.get(field).as_ref() != Some(value));
    neutral
}

/// A payload with neutral values in place of those to be erased; `None` where it holds none of them.
pub fn mask(entity: Entity, id: Uuid, payload: &Fields) -> Option<Fields> {
    let mut masked = payload.clone();
    for (field, value) in neutral(entity, id) {
        // Null says that nothing stood there, which tells nothing of anyone.
        if let Some(held) = masked.get_mut(field).filter(|held| !held.is_null()) {
            *held = value;
        }
    }
    (masked != *payload).then_some(masked)
}
