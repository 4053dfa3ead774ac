//! A table as its Delta log describes it, and the changes of other writers that are kept apart.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::action::{Action, Add, PartitionValues, Remove};
use crate::domain::time::Instant;
use crate::store::error::StoreError;

/// A table as its log describes it.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub version: u64,
    /// Live files by path.
    pub files: BTreeMap<String, LiveFile>,
    /// Last transaction of each application.
    pub txns: BTreeMap<String, i64>,
    /// Content of its last metadata action.
    pub described: Option<TableMetadata>,
    /// Changes of other writers that are not trusted.
    pub others: ForeignChanges,
}

/// Id of the table, and its columns as Delta's JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableMetadata {
    pub id: String,
    pub schema: String,
}

/// A file that belongs to the table.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveFile {
    pub path: String,
    pub size: i64,
    pub partitions: PartitionValues,
    pub stats: Option<String>,
    /// Rows that another writer deleted, as Delta's JSON.
    pub vector: Option<Value>,
}

impl LiveFile {
    /// Returns the number of rows that the log states.
    pub fn rows(&self) -> Option<u64> {
        serde_json::from_str::<Value>(self.stats.as_deref()?).ok()?["numRecords"].as_u64()
    }

    /// Returns the action that adds the file again.
    pub fn add(&self, at: Instant) -> Add {
        Add {
            data_change: true,
            modification_time: Some(at.timestamp_millis()),
            partition_values: self.partitions.clone(),
            path: self.path.clone(),
            size: self.size,
            stats: self.stats.clone(),
            ..Add::default()
        }
    }

    /// Returns the action that removes the file, with its rows.
    pub fn remove(&self, at: Instant) -> Remove {
        Remove {
            data_change: true,
            deletion_timestamp: Some(at.timestamp_millis()),
            deletion_vector: self.vector.clone(),
            extended_file_metadata: Some(true),
            partition_values: Some(self.partitions.clone()),
            path: self.path.clone(),
            size: Some(self.size),
            ..Remove::default()
        }
    }
}

impl From<Add> for LiveFile {
    fn from(add: Add) -> Self {
        Self {
            path: add.path,
            size: add.size,
            partitions: add.partition_values,
            stats: add.stats,
            vector: add.deletion_vector,
        }
    }
}

/// Size of a table at a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableSize {
    pub version: u64,
    pub files: usize,
    pub bytes: u64,
}

impl Table {
    pub fn size(&self) -> TableSize {
        let bytes = self.files.values().map(|file| file.size.unsigned_abs()).sum();
        TableSize { version: self.version, files: self.files.len(), bytes }
    }
}

impl TableSize {
    /// Returns the size at the version that a commit of these actions made.
    pub fn after(self, version: u64, actions: &[Action]) -> Self {
        let (mut files, mut bytes, mut gone) = (self.files, self.bytes, (0, 0));
        for action in actions {
            if let Some(add) = action.as_add() {
                (files, bytes) = (files + 1, bytes + add.size.unsigned_abs());
            } else if let Some(remove) = action.as_remove() {
                gone = (gone.0 + 1, gone.1 + remove.size.unwrap_or_default().unsigned_abs());
            }
        }
        Self { version, files: files.saturating_sub(gone.0), bytes: bytes.saturating_sub(gone.1) }
    }
}

/// An untrusted commit of another writer, which changed the table's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    pub version: u64,
    pub operation: String,
    pub engine: String,
    /// Number of files that it added; `removed` lists those that it removed.
    pub added: usize,
    pub removed: Vec<String>,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or = |text: &str, other: &str| {
            if text.is_empty() { other.to_owned() } else { text.to_owned() }
        };
        write!(
            f,
            "{} by {} at version {}",
            or(&self.operation, "a change"),
            or(&self.engine, "another writer"),
            self.version
        )
    }
}

/// Differences between the log and the trusted state of the table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ForeignChanges {
    pub commits: Vec<Foreign>,
    /// Files of the table that another writer removed from its log.
    pub removed_files: BTreeMap<String, LiveFile>,
    /// Files that another writer added.
    pub added_files: BTreeMap<String, LiveFile>,
    /// Whether another writer changed the table's columns.
    pub has_other_columns: bool,
    /// Compactions of others that do not state the row counts of their files: the version, the
    /// previous number of rows, and the new files.
    pub unsettled: Vec<(u64, u64, BTreeSet<String>)>,
    /// Features from another writer that Lakeplan does not write: the entry, and the features.
    pub features: Option<(String, String)>,
    /// Version of another writer's checkpoint, if nothing is left that proves whether it can be
    /// trusted.
    pub unverified_checkpoint: Option<u64>,
}

impl ForeignChanges {
    /// Returns whether there are changes to take back.
    pub fn is_any(&self) -> bool {
        self.has_other_columns || !self.removed_files.is_empty() || !self.added_files.is_empty()
    }

    /// Applies a commit of Lakeplan to these files.
    pub fn settle<'p>(&mut self, paths: impl IntoIterator<Item = &'p str>) {
        for path in paths {
            self.removed_files.remove(path);
            self.added_files.remove(path);
        }
        self.forget();
    }

    pub(super) fn forget(&mut self) {
        if !self.is_any() {
            self.commits.clear();
        }
    }

    /// Logs a warning about the untrusted changes.
    pub fn warn(&self, table: &str) {
        if let Some((_, features)) = &self.features {
            tracing::warn!(
                "another writer enabled on {table} the table features {features}: it is read but not written; run lakeplan doctor for advice"
            );
        }
        if let Some(last) = self.commits.last() {
            let earlier = match self.commits.len() - 1 {
                0 => String::new(),
                count => format!(" and {count} before it"),
            };
            tracing::warn!(
                "{last}{earlier} changed {table}, which only Lakeplan may change; this is ignored, and the next change to the lake reverts it; run lakeplan doctor for details"
            );
        }
    }

    /// Fails if the table requires features that Lakeplan does not write.
    pub fn may_write(&self) -> Result<(), StoreError> {
        match self.features.clone() {
            Some((path, features)) => Err(StoreError::Features { path, features }),
            None => Ok(()),
        }
    }
}
