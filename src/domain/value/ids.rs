//! Values that name a record: ids and keys.

use serde_json::Value;
use uuid::Uuid;

use super::texts::text;
use super::{FieldValue, InvalidValue, Kind, invalid};
use crate::domain::id::EntityId;
use crate::domain::key::{ProjectKey, TaskKey};

macro_rules! id_values {
    ($($type:ident: $of:literal),+ $(,)?) => {$(
        impl FieldValue for crate::domain::id::$type {
            const KIND: Kind = Kind::Id($of);
            fn absent() -> Self {
                Self::default()
            }
            fn read(value: &Value) -> Result<Self, InvalidValue> {
                let id = value.as_str().and_then(|text| Uuid::try_parse(text).ok());
                id.map_or_else(|| invalid(concat!("the id of a ", $of), value), |id| Ok(Self::of(id)))
            }
            fn json(&self) -> Value {
                Value::String(self.to_string())
            }
        }
    )+};
}

id_values! {
    ProjectId: "project", TaskId: "task", UserId: "user", RequirementId: "requirement",
    PatchSetId: "patch set", LakeId: "lake",
}

macro_rules! key_values {
    ($($type:ty: $max:literal),+) => {$(
        impl FieldValue for $type {
            const KIND: Kind = Kind::String { max: $max };
            fn absent() -> Self {
                Self::default()
            }
            fn read(value: &Value) -> Result<Self, InvalidValue> {
                text(value, "a key")?.parse().map_err(|err| InvalidValue(format!("is wrong: {err}")))
            }
            fn json(&self) -> Value {
                Value::String(self.to_string())
            }
        }
    )+};
}

key_values! { ProjectKey: 10, TaskKey: 21 }
