//! The actions of a Delta log. The same types are read and written.
//!
//! delta-rs has such types too. They refuse an entry with an unknown isolation level or kind of
//! deletion vector, and lose fields that they do not know. These types keep every field, and
//! refuse only what Lakeplan could not use. The fields are declared in alphabetical order, in which
//! they are written: the same action always gives the same bytes.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::protocol::Protocol;
use crate::domain::time::Instant;

/// Prefix of the creator in a checkpoint of Lakeplan.
pub const CREATED_BY: &str = "lakeplan";

/// Prefix of the engine info in Lakeplan's commits.
const ENGINE: &str = "lakeplan/";
/// `commitInfo` key of the id that identifies the commit attempt.
const ATTEMPT: &str = "lakeplanAttempt";
/// `commitInfo` key of the mark of the position that the commit was prepared for. The value is text
/// because not every JSON reader keeps such large numbers.
const FOLLOWS: &str = "lakeplanFollows";

/// One line of an entry. A line with anything else is not a Delta action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    Add(Add),
    Remove(Remove),
    Txn(Txn),
    MetaData(MetaData),
    Protocol(Protocol),
    CommitInfo(CommitInfo),
    Cdc(Value),
    DomainMetadata(Value),
    CheckpointMetadata(Value),
    Sidecar(Value),
}

/// Values of the partition columns, as text.
pub type PartitionValues = BTreeMap<String, Option<String>>;

/// Adds a file to the table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Add {
    /// Whether the file holds other rows than the files that the same entry removes.
    #[serde(default = "yes")]
    pub data_change: bool,
    /// Rows of the file that do not belong to the table, as Delta's JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_vector: Option<Value>,
    /// Milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modification_time: Option<i64>,
    pub partition_values: PartitionValues,
    pub path: String,
    /// Size in bytes.
    pub size: i64,
    /// Statistics of the columns, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats: Option<String>,
    /// Fields that Lakeplan does not use, such as tags and row ids.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Removes a file from the table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remove {
    /// Whether the file's rows are not in the files that the same entry adds.
    #[serde(default = "yes")]
    pub data_change: bool,
    /// Milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_vector: Option<Value>,
    /// Whether the action states the partition values and the size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extended_file_metadata: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition_values: Option<PartitionValues>,
    pub path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// Fields that Lakeplan does not use.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// States the last transaction of an application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Txn {
    pub app_id: String,
    pub version: i64,
    /// Fields that Lakeplan does not use.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Describes the table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetaData {
    #[serde(default)]
    pub configuration: BTreeMap<String, Value>,
    /// Milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default)]
    pub format: Map<String, Value>,
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default)]
    pub partition_columns: Vec<String>,
    /// The columns, as JSON.
    pub schema_string: String,
    /// Fields that Lakeplan does not use.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// States the origin of an entry. Delta allows any fields here, so any value is read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CommitInfo(Map<String, Value>);

fn yes() -> bool {
    true
}

impl Action {
    /// Returns the action that states a transaction.
    pub fn txn(app: impl Into<String>, version: i64) -> Self {
        Self::Txn(Txn { app_id: app.into(), version, other: Map::new() })
    }

    /// Returns the added file, if the action adds one.
    pub fn as_add(&self) -> Option<&Add> {
        if let Self::Add(add) = self { Some(add) } else { None }
    }

    /// Returns the removed file, if the action removes one.
    pub fn as_remove(&self) -> Option<&Remove> {
        if let Self::Remove(remove) = self { Some(remove) } else { None }
    }
}

impl From<Add> for Action {
    fn from(add: Add) -> Self {
        Self::Add(add)
    }
}

impl From<Remove> for Action {
    fn from(remove: Remove) -> Self {
        Self::Remove(remove)
    }
}

impl From<CommitInfo> for Action {
    fn from(info: CommitInfo) -> Self {
        Self::CommitInfo(info)
    }
}

impl CommitInfo {
    /// Returns the commit info of Lakeplan.
    pub fn new(operation: &str, at: Instant) -> Self {
        let engine = format!("{ENGINE}{}", env!("CARGO_PKG_VERSION"));
        Self(Map::new())
            .with("timestamp", at.timestamp_millis())
            .with("operation", operation)
            .with("operationParameters", Map::new())
            .with("engineInfo", engine)
    }

    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    pub fn with_attempt(self, attempt: Uuid) -> Self {
        self.with(ATTEMPT, attempt.to_string())
    }

    /// Adds the mark of the position that the commit continues from, as it is stored.
    pub fn with_follows(self, mark: i64) -> Self {
        self.with(FOLLOWS, mark.to_string())
    }

    pub fn operation(&self) -> &str {
        self.text("operation").unwrap_or_default()
    }

    pub fn engine(&self) -> &str {
        self.text("engineInfo").unwrap_or_default()
    }

    /// Returns the attempt id of a commit of the journal.
    pub fn attempt(&self) -> Option<&str> {
        self.text(ATTEMPT)
    }

    /// Returns the mark of the position that the commit was prepared for, as it is stored.
    pub fn follows(&self) -> Option<i64> {
        self.text(FOLLOWS)?.parse().ok()
    }

    /// Returns whether Lakeplan wrote the entry. Either of two fields suffices, so that a single
    /// corrupt byte never turns the entry into another writer's.
    pub fn is_own(&self) -> bool {
        self.attempt().is_some() || self.engine().starts_with(ENGINE)
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }
}

/// Parses an entry; returns the problem with an invalid one.
pub fn decode(bytes: &[u8]) -> Result<Vec<Action>, String> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let actions: Vec<Action> = lines
        .map(|line| serde_json::from_slice(line).map_err(|err| err.to_string()))
        .collect::<Result<_, _>>()?;
    // No writer commits nothing: the content is lost, for example after a power cut.
    if actions.is_empty() { Err("it is empty".to_owned()) } else { Ok(actions) }
}

/// Encodes an entry: one action per line.
pub fn encode(actions: &[Action]) -> Result<Bytes, serde_json::Error> {
    let mut text = Vec::new();
    for action in actions {
        serde_json::to_writer(&mut text, action)?;
        text.push(b'\n');
    }
    Ok(text.into())
}

/// Parses actions that a test states as JSON.
#[cfg(test)]
pub fn parsed(actions: &[Value]) -> Vec<Action> {
    actions.iter().map(|action| serde_json::from_value(action.clone()).unwrap()).collect()
}

#[cfg(test)]
mod tests;
