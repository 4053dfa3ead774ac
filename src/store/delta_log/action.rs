//! Parses an entry of a Delta log, and detects whether Lakeplan wrote it.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::protocol::Protocol;
use super::table::{LiveFile, TableMetadata};

/// Prefix of the engine info in Lakeplan's commits.
const ENGINE: &str = "lakeplan/";

/// Prefix of the creator in a checkpoint of Lakeplan.
pub const CREATED_BY: &str = "lakeplan";

/// Parsed content of a log entry.
#[derive(Clone, Debug, Default)]
pub struct LogEntry {
    /// Whether Lakeplan wrote the entry.
    pub is_own: bool,
    /// Attempt id of a commit of the journal.
    pub attempt: Option<String>,
    /// Mark of the journal position that the commit was prepared for, as stored in the entry.
    pub follows: Option<i64>,
    pub operation: String,
    pub engine: String,
    pub added: Vec<Added>,
    pub removed: Vec<Removed>,
    pub txns: BTreeMap<String, i64>,
    pub described: Option<TableMetadata>,
    pub protocol: Option<Protocol>,
}

/// A file that an entry adds.
#[derive(Clone, Debug)]
pub struct Added {
    pub file: LiveFile,
    pub changes_rows: bool,
}

/// A file that an entry removes.
#[derive(Clone, Debug)]
pub struct Removed {
    pub path: String,
    pub changes_rows: bool,
}

/// The action of one line. Anything else is not a Delta log entry.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Action {
    Add(Add),
    Remove(Remove),
    Txn(Txn),
    MetaData(MetaData),
    Protocol(Protocol),
    CommitInfo(CommitInfo),
    Cdc(IgnoredAny),
    DomainMetadata(IgnoredAny),
    CheckpointMetadata(IgnoredAny),
    Sidecar(IgnoredAny),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CommitInfo {
    operation: Option<Value>,
    engine_info: Option<Value>,
    lakeplan_attempt: Option<Value>,
    lakeplan_follows: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Add {
    path: String,
    size: i64,
    partition_values: BTreeMap<String, Option<String>>,
    stats: Option<String>,
    #[serde(default = "yes")]
    data_change: bool,
    deletion_vector: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Remove {
    path: String,
    #[serde(default = "yes")]
    data_change: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Txn {
    app_id: String,
    version: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetaData {
    id: String,
    schema_string: String,
}

fn yes() -> bool {
    true
}

impl LogEntry {
    /// Parses an entry; returns the problem with an invalid one.
    pub fn read(bytes: &Bytes) -> Result<Self, String> {
        let (mut entry, mut is_empty) = (Self::default(), true);
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            entry.take(serde_json::from_slice(line).map_err(|err| err.to_string())?);
            is_empty = false;
        }
        // No writer commits nothing: the content is lost, for example after a power cut.
        if is_empty {
            return Err("it is empty".to_owned());
        }
        Ok(entry)
    }

    fn take(&mut self, action: Action) {
        match action {
            Action::Add(Add {
                path,
                size,
                partition_values,
                stats,
                data_change,
                deletion_vector,
            }) => {
                let file = LiveFile {
                    path,
                    size,
                    partitions: partition_values,
                    stats,
                    vector: deletion_vector,
                };
                self.added.push(Added { file, changes_rows: data_change });
            }
            Action::Remove(Remove { path, data_change }) => {
                self.removed.push(Removed { path, changes_rows: data_change })
            }
            Action::Txn(Txn { app_id, version }) => drop(self.txns.insert(app_id, version)),
            Action::MetaData(MetaData { id, schema_string }) => {
                self.described = Some(TableMetadata { id, schema: schema_string })
            }
            Action::Protocol(protocol) => self.protocol = Some(protocol),
            Action::CommitInfo(info) => {
                let text = |value: Option<Value>| {
                    value.as_ref().and_then(Value::as_str).map(str::to_owned)
                };
                self.operation = text(info.operation).unwrap_or_default();
                self.engine = text(info.engine_info).unwrap_or_default();
                self.attempt = text(info.lakeplan_attempt);
                self.follows = text(info.lakeplan_follows).and_then(|mark| mark.parse().ok());
                // Either of the two suffices, so that a single corrupt byte never turns the entry
                // into another writer's.
                self.is_own = self.attempt.is_some() || self.engine.starts_with(ENGINE);
            }
            Action::Cdc(_)
            | Action::DomainMetadata(_)
            | Action::CheckpointMetadata(_)
            | Action::Sidecar(_) => {}
        }
    }

    /// Returns whether the entry adds or removes files.
    pub fn has_files(&self) -> bool {
        !self.added.is_empty() || !self.removed.is_empty()
    }
}
