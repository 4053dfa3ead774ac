//! A patch set as its author writes it: JSON whose references may be keys, handles and local names.
//!
//! Reading finds every fault of the form at once. What the references mean is resolved by `service`, against the lake.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::domain::id::PatchSetId;
use crate::domain::patch::{Op, PatchSet};
use crate::domain::record::{Entity, Fields};
use crate::domain::value::{FieldValue, Kind, LongText, Name};
use crate::domain::violation::{Rule, Violation};

/// A patch set whose references are still words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// Made by Lakeplan where absent; given, it makes a repeat safe.
    pub id: Option<PatchSetId>,
    pub actor: Option<Name>,
    pub reason: Option<LongText>,
    pub patches: Vec<RawPatch>,
}

/// One change, with references as words.
#[derive(Clone, Debug, PartialEq)]
pub struct RawPatch {
    pub op: Op,
    pub entity: Entity,
    /// A UUID, a key such as PAY-42, a handle such as @ana, or a local name such as $design.
    pub id: Option<String>,
    pub fields: Fields,
    pub place: Option<RawPlace>,
    pub expect: Fields,
}

/// Where among its siblings a task goes.
#[derive(Clone, Debug, PartialEq)]
pub enum RawPlace {
    First,
    Last,
    After(String),
    Before(String),
}

impl RawPatch {
    pub fn new(op: Op, entity: Entity) -> Self {
        Self { op, entity, id: None, fields: Fields::new(), place: None, expect: Fields::new() }
    }

    pub fn of(op: Op, entity: Entity, id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..Self::new(op, entity) }
    }

    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    pub fn expecting(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.expect.insert(field.to_owned(), value.into());
        self
    }
}

impl Request {
    pub fn of(patches: Vec<RawPatch>) -> Self {
        Self { patches, ..Self::default() }
    }

    /// SHA-256 of what is asked for, whatever its spelling: actor, reason and patches, with sorted keys.
    pub fn hash(&self) -> [u8; 32] {
        let mut value = self.to_json();
        if let Value::Object(object) = &mut value {
            object.remove("id");
        }
        Sha256::digest(value.to_string()).into()
    }

    /// Every record the request refers to: its entity and the word for it, local names left out.
    pub fn references(&self) -> impl Iterator<Item = (Entity, &str)> {
        self.patches
            .iter()
            .flat_map(RawPatch::references)
            .filter(|(_, word)| !word.starts_with('$'))
    }

    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        if let Some(id) = self.id {
            object.insert("id".to_owned(), id.json());
        }
        if let Some(actor) = &self.actor {
            object.insert("actor".to_owned(), actor.json());
        }
        if let Some(reason) = &self.reason {
            object.insert("reason".to_owned(), reason.json());
        }
        object.insert("patches".to_owned(), self.patches.iter().map(RawPatch::to_json).collect());
        Value::Object(object)
    }

    /// Reads a request, or says everything that is wrong with its form.
    pub fn from_json(value: &Value) -> Result<Self, Vec<Violation>> {
        let mut reader = Reader::default();
        let request = reader.request(value);
        if reader.faults.is_empty() { Ok(request) } else { Err(reader.faults) }
    }
}

impl RawPatch {
    /// Every record the patch refers to: its entity and the word for it.
    pub fn references(&self) -> impl Iterator<Item = (Entity, &str)> {
        let own = self.id.as_deref().map(|id| (self.entity, id));
        let place = match &self.place {
            Some(RawPlace::After(name) | RawPlace::Before(name)) => {
                Some((Entity::Task, name.as_str()))
            }
            Some(RawPlace::First | RawPlace::Last) | None => None,
        };
        let fields =
            self.fields.iter().chain(&self.expect).filter_map(|(name, value)| {
                match self.entity.field(name).map(|field| field.kind) {
                    Some(Kind::Id(of)) => Some((of.parse().ok()?, value.as_str()?)),
                    _ => None,
                }
            });
        own.into_iter().chain(place).chain(fields)
    }

    fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("op".to_owned(), self.op.json());
        object.insert("entity".to_owned(), self.entity.json());
        if let Some(id) = &self.id {
            object.insert("id".to_owned(), Value::from(id.as_str()));
        }
        for (name, fields) in [("fields", &self.fields), ("expect", &self.expect)] {
            if !fields.is_empty() {
                object.insert(name.to_owned(), Value::Object(fields.clone()));
            }
        }
        let place = self.place.as_ref().map(|place| match place {
            RawPlace::First => Value::from("first"),
            RawPlace::Last => Value::from("last"),
            RawPlace::After(id) => serde_json::json!({ "after": id }),
            RawPlace::Before(id) => serde_json::json!({ "before": id }),
        });
        if let Some(place) = place {
            object.insert("place".to_owned(), place);
        }
        Value::Object(object)
    }
}

/// A part was not read; the reason is among the faults.
struct Misread(());

#[derive(Default)]
struct Reader {
    patch: usize,
    faults: Vec<Violation>,
}

impl Reader {
    fn fault(&mut self, field: &str, message: impl Into<String>) -> Misread {
        self.faults.push(Violation::new(self.patch, Rule::Shape, message).field(field));
        Misread(())
    }

    fn request(&mut self, value: &Value) -> Request {
        let Some(object) = value.as_object() else {
            self.fault("patch set", "must be a JSON object with a list of patches");
            return Request::default();
        };
        self.known_keys(object, &["id", "actor", "reason", "patches"], "patch set");
        let mut request = Request {
            id: self.value(object, "id"),
            actor: self.actor(object),
            reason: self.value(object, "reason"),
            patches: Vec::new(),
        };
        match object.get("patches").and_then(Value::as_array) {
            None => {
                self.fault("patches", "must be a list of patches");
            }
            Some(patches) if patches.len() > PatchSet::MAX_CHANGES => {
                self.fault(
                    "patches",
                    format!(
                        "holds {} patches, at most {} are allowed",
                        patches.len(),
                        PatchSet::MAX_CHANGES
                    ),
                );
            }
            Some(patches) => {
                for (index, patch) in patches.iter().enumerate() {
                    self.patch = index;
                    // The rest is read too, so that every error of the form is found at once.
                    if let Ok(patch) = self.patch(patch) {
                        request.patches.push(patch);
                    }
                }
            }
        }
        request
    }

    fn actor(&mut self, object: &Map<String, Value>) -> Option<Name> {
        let name: Name = self.value(object, "actor")?;
        Name::of_actor(name.as_str()).map_err(|misfit| self.fault("actor", misfit.0)).ok()
    }

    fn patch(&mut self, value: &Value) -> Result<RawPatch, Misread> {
        let Some(object) = value.as_object() else {
            return Err(self.fault("patch", "must be a JSON object with op and entity"));
        };
        self.known_keys(object, &["op", "entity", "id", "fields", "place", "expect"], "patch");
        let op: Result<Op, Misread> = self.required(object, "op");
        let entity: Result<Entity, Misread> = self.required(object, "entity");
        let id = match object.get("id") {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => {
                self.fault(
                    "id",
                    "must be text: a UUID, a key, a handle or a local name such as $a",
                );
                None
            }
        };
        let fields = self.object(object, "fields");
        let expect = self.object(object, "expect");
        let place = object.get("place").and_then(|place| self.place(place));
        Ok(RawPatch { op: op?, entity: entity?, id, fields, place, expect })
    }

    fn place(&mut self, value: &Value) -> Option<RawPlace> {
        let side = |name: &str| {
            value
                .as_object()
                .filter(|object| object.len() == 1)?
                .get(name)?
                .as_str()
                .map(str::to_owned)
        };
        let place = match value.as_str() {
            Some("first") => Some(RawPlace::First),
            Some("last") => Some(RawPlace::Last),
            _ => {
                side("after").map(RawPlace::After).or_else(|| side("before").map(RawPlace::Before))
            }
        };
        if place.is_none() {
            self.fault("place", r#"must be "first", "last", {"after": TASK} or {"before": TASK}"#);
        }
        place
    }

    fn known_keys(&mut self, object: &Map<String, Value>, known: &[&str], of: &str) {
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            self.fault(key, format!("is no part of a {of}, which has {}", known.join(", ")));
        }
    }

    fn object(&mut self, object: &Map<String, Value>, key: &str) -> Fields {
        match object.get(key) {
            None => Fields::new(),
            Some(Value::Object(fields)) => fields.clone(),
            Some(_) => {
                self.fault(key, "must be a JSON object of fields and values");
                Fields::new()
            }
        }
    }

    fn required<T: FieldValue>(
        &mut self,
        object: &Map<String, Value>,
        key: &str,
    ) -> Result<T, Misread> {
        match object.get(key).filter(|value| !value.is_null()) {
            None => Err(self.fault(key, "must be given")),
            Some(value) => T::read(value).map_err(|misfit| self.fault(key, misfit.0)),
        }
    }

    fn value<T: FieldValue>(&mut self, object: &Map<String, Value>, key: &str) -> Option<T> {
        let value = object.get(key).filter(|value| !value.is_null())?;
        match T::read(value) {
            Ok(value) => Some(value),
            Err(misfit) => {
                self.fault(key, misfit.0);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_fault_of_the_form_is_told_at_once() {
        let faults = Request::from_json(&json!({
            "colour": 1, "id": "x",
            "patches": [{"op": "paint", "entity": "task", "when": 1}, 7, {"op": "update", "entity": "task", "place": 3}]
        }))
        .unwrap_err();
        let told: Vec<(usize, Option<&str>)> =
            faults.iter().map(|fault| (fault.patch, fault.field.as_deref())).collect();
        assert_eq!(
            told,
            [
                (0, Some("colour")),
                (0, Some("id")),
                (0, Some("when")),
                (0, Some("op")),
                (1, Some("patch")),
                (2, Some("place"))
            ]
        );
    }

    #[test]
    fn the_hash_is_of_the_content_and_not_of_the_spelling() {
        let read = |text: &str| {
            Request::from_json(&crate::exchange::json::parse(text.as_bytes()).unwrap()).unwrap()
        };
        let one = read(
            r#"{"patches":[{"op":"update","entity":"task","id":"PAY-1","fields":{"title":"a","status":"review"}}]}"#,
        );
        let same = read(
            r#"{ "id":"019c0000-0000-7000-8000-000000000001", "patches":[{"entity":"task","fields":{"status":"review","title":"\u0061"},"id":"PAY-1","op":"update"}]}"#,
        );
        assert_eq!(one.hash(), same.hash());
        let other = read(
            r#"{"patches":[{"op":"update","entity":"task","id":"PAY-1","fields":{"title":"b"}}]}"#,
        );
        assert_ne!(one.hash(), other.hash());
        assert_eq!(Request::from_json(&same.to_json()).unwrap(), same);
    }
}
