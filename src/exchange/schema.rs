//! The JSON Schema of a patch set, generated from the declarations of the records.

use serde_json::{Map, Value, json};

use crate::domain::patch::{Op, PatchSet};
use crate::domain::record::{Access, Entity, Field, Stream};
use crate::domain::value::Kind;

/// Ops that make sense for an entity.
fn ops(entity: Entity) -> &'static [Op] {
    match entity {
        Entity::Lake => &[Op::Update],
        Entity::Task => &[Op::Create, Op::Update, Op::Move, Op::Delete, Op::Restore],
        Entity::Project | Entity::User | Entity::Requirement => {
            &[Op::Create, Op::Update, Op::Delete, Op::Restore]
        }
        Entity::TaskLink => &[Op::Link, Op::Update, Op::Unlink, Op::Restore],
        Entity::TaskRequirement => &[Op::Link, Op::Unlink, Op::Restore],
        Entity::Sync(_) => &[],
    }
}

/// Returns the schema (2020-12) of a patch set as `lakeplan apply` accepts it.
pub fn patch_set() -> Value {
    let authored = Entity::ALL.iter().filter(|entity| entity.stream() == Stream::Work);
    let patches: Vec<Value> = authored.map(|entity| patch(*entity)).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Patch set",
        "description": "What an author asks for: all of it happens, or nothing does.",
        "type": "object",
        "properties": {
            "id": {"type": "string", "format": "uuid", "description": "UUIDv7 of the set; sending the same set again under the same id is safe. Made by Lakeplan where absent."},
            "actor": {"type": "string", "description": "Who asks."},
            "reason": {"type": "string", "description": "Why, kept with the change."},
            "patches": {"type": "array", "minItems": 1, "maxItems": PatchSet::MAX_CHANGES, "items": {"oneOf": patches}},
        },
        "required": ["patches"],
        "additionalProperties": false,
    })
}

fn patch(entity: Entity) -> Value {
    let words: Vec<&str> = ops(entity).iter().map(|op| op.as_str()).collect();
    let authored = entity.fields().iter().filter(|field| field.access.is_authored());
    let fields: Map<String, Value> =
        authored.map(|field| (field.name.to_owned(), property(field))).collect();
    let expect: Map<String, Value> =
        entity.fields().iter().map(|field| (field.name.to_owned(), json!(true))).collect();
    let mut properties = Map::new();
    properties.insert("op".to_owned(), json!({ "enum": words }));
    properties.insert("entity".to_owned(), json!({ "const": entity.as_str() }));
    properties.insert("id".to_owned(), json!({"type": "string", "description": "A UUID, a key (PAY-42), a handle (@ana) or a local name ($design). A create or link may leave it out."}));
    properties.insert(
        "fields".to_owned(),
        json!({"type": "object", "properties": fields, "additionalProperties": false}),
    );
    properties.insert("expect".to_owned(), json!({"type": "object", "properties": expect, "additionalProperties": false, "description": "Values that must still stand, else the set is answered as a conflict."}));
    if entity == Entity::Task {
        properties.insert(
            "place".to_owned(),
            json!({"description": "Where among its siblings a created or moved task goes; last where absent.", "oneOf": [
                {"enum": ["first", "last"]},
                {"type": "object", "properties": {"after": {"type": "string"}}, "required": ["after"], "additionalProperties": false},
                {"type": "object", "properties": {"before": {"type": "string"}}, "required": ["before"], "additionalProperties": false},
            ]}),
        );
    }
    json!({"type": "object", "title": entity.noun(), "properties": properties, "required": ["op", "entity"], "additionalProperties": false})
}

fn property(field: &Field) -> Value {
    let mut schema = match field.kind {
        Kind::Text { max } => {
            json!({"type": "string", "description": format!("At most {max} bytes.")})
        }
        Kind::String { max } => json!({"type": "string", "maxLength": max}),
        Kind::Enum(words) => json!({ "enum": words }),
        Kind::Integer { min, max } if min == i64::MIN && max == i64::MAX => {
            json!({"type": "integer"})
        }
        Kind::Integer { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Kind::Date => json!({"type": "string", "format": "date"}),
        Kind::Instant => json!({"type": "string", "format": "date-time"}),
        Kind::Id(_) => json!({"type": "string"}),
        Kind::StringList { max } => {
            json!({"type": "array", "items": {"type": "string", "maxLength": max}, "maxItems": max})
        }
        Kind::Object { .. } => json!({"type": "object"}),
    };
    if field.access != Access::RequiredOnCreate {
        schema = json!({"anyOf": [schema, {"type": "null"}]});
    }
    if let Value::Object(schema) = &mut schema {
        schema.insert("description".to_owned(), Value::from(field.doc.trim()));
    }
    schema
}
