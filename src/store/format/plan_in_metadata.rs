//! From format 1 to 2. In format 1, the values that the last plan set lay among a person's data, as
//! the key `plan` of `metadata`. In format 2, they have the field `plan_base`.
//!
//! The rules here are those of format 1 and never change.

use serde_json::{Map, Value};

use crate::domain::record::{Entity, Fields};

const SHARED: &str = "metadata";
const KEY: &str = "plan";
const BASE: &str = "plan_base";

/// Names of the texts that a plan remembered about a task.
const TEXTS: &[&str] =
    &["title", "description", "priority", "assignee_id", "not_before", "due_date", "parent"];
const MINUTES: &[&str] = &["estimate_low", "estimate_likely", "estimate_high"];
const FLAGS: &[&str] = &["done", "started", "gone", "cancelled"];
const IDS: &[&str] = &["after", "answers"];

/// Moves the plan's values of one payload into their own field. Metadata without such values means
/// that no plan knows the record: a person who replaced the metadata removed them too.
pub fn upcast(entity: Entity, mut fields: Fields) -> Fields {
    let is_base = match entity {
        Entity::Task => is_base_of_task,
        Entity::Project => is_base_of_project,
        _ => return fields,
    };
    let Some(metadata) = fields.get_mut(SHARED) else { return fields };
    let base = metadata.as_object_mut().and_then(|metadata| {
        metadata.get(KEY).and_then(Value::as_object).filter(|base| is_base(base))?;
        metadata.remove(KEY)
    });
    fields.insert(BASE.to_owned(), base.unwrap_or_default());
    fields
}

/// Whether a plan wrote these values of a task. An object that a person wrote under the same key
/// stays in the metadata.
fn is_base_of_task(base: &Map<String, Value>) -> bool {
    let fits = |(name, value): (&String, &Value)| match name.as_str() {
        name if TEXTS.contains(&name) => value.is_string(),
        name if MINUTES.contains(&name) => value.is_u64(),
        name if FLAGS.contains(&name) => *value == Value::Bool(true),
        name if IDS.contains(&name) => {
            value.as_array().is_some_and(|ids| ids.iter().all(Value::is_string))
        }
        _ => false,
    };
    base.contains_key("title") && base.iter().all(fits)
}

fn is_base_of_project(base: &Map<String, Value>) -> bool {
    base.len() == 1 && base.get("title").is_some_and(Value::is_string)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn moved(entity: Entity, payload: Value) -> Value {
        Value::Object(upcast(entity, payload.as_object().cloned().unwrap()))
    }

    #[test]
    fn the_values_of_a_plan_leave_the_metadata() {
        let base = json!({"title": "Dig", "estimate_likely": 60, "after": ["x"], "gone": true});
        let payload = json!({"title": "Dig", "metadata": {"plan": base, "mine": 1}});
        let expected = json!({"title": "Dig", "metadata": {"mine": 1}, "plan_base": base});
        assert_eq!(moved(Entity::Task, payload), expected);
        let payload = json!({"metadata": {"plan": {"title": "Shed"}}});
        let expected = json!({"metadata": {}, "plan_base": {"title": "Shed"}});
        assert_eq!(moved(Entity::Project, payload), expected);
    }

    #[test]
    fn the_data_of_a_person_stays() {
        for plan in [
            json!("before winter"),
            json!({"budget": 5}),
            json!({"title": "Dig", "budget": 5}),
            json!({"title": 7}),
            json!({"title": "Dig", "gone": "yes"}),
            json!({"title": "Dig", "after": [1]}),
            json!({}),
            json!(null),
        ] {
            let metadata = json!({ "plan": plan });
            for entity in [Entity::Task, Entity::Project] {
                let expected = json!({"metadata": metadata, "plan_base": null});
                assert_eq!(moved(entity, json!({ "metadata": metadata })), expected, "{plan}");
            }
        }
        let of_task = json!({"title": "Shed", "gone": true});
        let payload = json!({"metadata": {"plan": of_task}});
        let expected = json!({"metadata": {"plan": of_task}, "plan_base": null});
        assert_eq!(moved(Entity::Project, payload), expected);
    }

    #[test]
    fn metadata_without_a_plan_forgets_the_plan() {
        for metadata in [json!({"mine": 1}), json!({}), json!(null), json!([1])] {
            let expected = json!({"metadata": metadata, "plan_base": null});
            assert_eq!(moved(Entity::Task, json!({ "metadata": metadata })), expected);
        }
        assert_eq!(moved(Entity::Task, json!({"title": "Dig"})), json!({"title": "Dig"}));
        let of_user = json!({"metadata": {"plan": {"title": "Shed"}}});
        assert_eq!(moved(Entity::User, of_user.clone()), of_user);
    }
}
