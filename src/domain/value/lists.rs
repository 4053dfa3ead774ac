//! Values with parts: tags and metadata.

use serde_json::Value;

use super::texts::{line, text};
use super::{FieldValue, InvalidValue, Kind, invalid};

/// Labels in the given order, without duplicates: at most 100, each of at most 100 characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(pub Vec<String>);

impl FieldValue for Tags {
    const KIND: Kind = Kind::StringList { max: 100 };
    fn absent() -> Self {
        Self::default()
    }
    fn read(value: &Value) -> Result<Self, InvalidValue> {
        let Some(items) = value.as_array() else { return invalid("a list of texts", value) };
        if items.len() > 100 {
            return Err(InvalidValue(format!(
                "must be at most 100 texts, these are {}",
                items.len()
            )));
        }
        let mut tags: Vec<String> = Vec::with_capacity(items.len());
        for item in items {
            let tag = line(text(item, "a list of texts")?, 100)?;
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        Ok(Self(tags))
    }
    fn read_stored(value: &Value) -> Result<Self, InvalidValue> {
        let texts = value
            .as_array()
            .and_then(|items| items.iter().map(|item| item.as_str().map(str::to_owned)).collect());
        texts.map_or_else(|| invalid("a list of texts", value), |texts| Ok(Self(texts)))
    }
    fn json(&self) -> Value {
        Value::from(self.0.clone())
    }
}

/// A JSON object of at most 64 KiB: free-form data, which Lakeplan stores and never interprets, or
/// the values that a plan set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata(pub serde_json::Map<String, Value>);

impl FieldValue for Metadata {
    const KIND: Kind = Kind::Object { max: 64 << 10 };
    fn absent() -> Self {
        Self::default()
    }
    fn read(value: &Value) -> Result<Self, InvalidValue> {
        let Some(object) = value.as_object() else { return invalid("a JSON object", value) };
        let bytes = value.to_string();
        if bytes.len() > 64 << 10 {
            return Err(InvalidValue(format!(
                "must be at most {} bytes of JSON, this has {}",
                64 << 10,
                bytes.len()
            )));
        }
        if holds_nul(value) {
            return Err(InvalidValue("must not hold a NUL character".to_owned()));
        }
        Ok(Self(object.clone()))
    }
    fn read_stored(value: &Value) -> Result<Self, InvalidValue> {
        value
            .as_object()
            .map_or_else(|| invalid("a JSON object", value), |object| Ok(Self(object.clone())))
    }
    fn json(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(object) => {
            object.iter().any(|(key, value)| key.contains('\0') || holds_nul(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
