//! What other writers did to a table that only Lakeplan writes, and what is believed of it.
//!
//! Of the journal and of the appended tables a commit counts that Lakeplan made. Another engine's commit counts where it
//! says that it changes no rows, as a compaction does: the same rows then lie in other files. What it adds or removes
//! otherwise is kept apart, so that the table goes on to hold what Lakeplan wrote; the next commit of Lakeplan takes it
//! back, after which other readers see the same table again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::Bytes;
use deltalake::arrow::array::RecordBatch;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::error::StoreError;
use super::log_replay::Protocol;
use super::table_log::{Described, LiveFile, Table};

/// How the engine of a commit of Lakeplan begins.
const ENGINE: &str = "lakeplan/";

/// An entry of a log: all that it says.
#[derive(Clone, Debug, Default)]
pub struct LogEntry {
    /// Whether Lakeplan made it.
    pub is_own: bool,
    /// The attempt of a commit of the journal.
    pub attempt: Option<String>,
    pub operation: String,
    pub engine: String,
    pub added: Vec<Added>,
    pub removed: Vec<Removed>,
    pub txns: BTreeMap<String, i64>,
    pub described: Option<Described>,
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

/// An action, of which a line holds one. What is none of these is no entry of Delta.
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
    /// Reads an entry; what is wrong with it otherwise.
    pub fn read(bytes: &Bytes) -> Result<Self, String> {
        let (mut entry, mut is_empty) = (Self::default(), true);
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            entry.take(serde_json::from_slice(line).map_err(|fault| fault.to_string())?);
            is_empty = false;
        }
        // Nobody commits nothing at all: what was in it is gone, such as after a power cut.
        if is_empty {
            return Err("it is empty".to_owned());
        }
        Ok(entry)
    }

    fn take(&mut self, action: Action) {
        match action {
            Action::Add(Add { path, size, partition_values, stats, data_change, deletion_vector }) => {
                let file = LiveFile { path, size, partitions: partition_values, stats, vector: deletion_vector };
                self.added.push(Added { file, changes_rows: data_change });
            }
            Action::Remove(Remove { path, data_change }) => self.removed.push(Removed { path, changes_rows: data_change }),
            Action::Txn(Txn { app_id, version }) => drop(self.txns.insert(app_id, version)),
            Action::MetaData(MetaData { id, schema_string }) => self.described = Some(Described { id, schema: schema_string }),
            Action::Protocol(protocol) => self.protocol = Some(protocol),
            Action::CommitInfo(info) => {
                let text = |value: Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
                self.operation = text(info.operation).unwrap_or_default();
                self.engine = text(info.engine_info).unwrap_or_default();
                self.attempt = text(info.lakeplan_attempt);
                // Each of the two tells, so that no one broken byte makes an entry another writer's.
                self.is_own = self.attempt.is_some() || self.engine.starts_with(ENGINE);
            }
            Action::Cdc(_) | Action::DomainMetadata(_) | Action::CheckpointMetadata(_) | Action::Sidecar(_) => {}
        }
    }

    /// Whether it says anything of files.
    pub fn has_files(&self) -> bool {
        !self.added.is_empty() || !self.removed.is_empty()
    }

    /// Whether it puts rows of a table that are believed into other files and says that they stay the same.
    fn is_rewrite(&self, table: &Table) -> bool {
        let is_quiet = self.added.iter().all(|add| !add.changes_rows && add.file.vector.is_none())
            && self.removed.iter().all(|remove| !remove.changes_rows);
        let is_known = |remove: &Removed| table.files.contains_key(&remove.path) && !table.others.lost.contains_key(&remove.path);
        is_quiet && !self.removed.is_empty() && self.removed.iter().all(is_known)
    }

    /// How many rows the files say it takes away, where all say so, and how many it adds.
    fn rows(&self, table: &Table) -> (Option<u64>, Option<u64>) {
        let removed = self.removed.iter().map(|remove| table.files.get(&remove.path).and_then(LiveFile::rows)).sum();
        (removed, self.added.iter().map(|add| add.file.rows()).sum())
    }
}

/// A commit of another writer that changed what the table holds, and so does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    pub version: u64,
    pub operation: String,
    pub engine: String,
    /// How many files it added, and which it removed.
    pub added: usize,
    pub removed: Vec<String>,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
        write!(f, "{} by {} at version {}", or(&self.operation, "a change"), or(&self.engine, "another writer"), self.version)
    }
}

/// How what the log says differs from what is believed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Others {
    pub commits: Vec<Foreign>,
    /// Files of the table that another writer removed from its log.
    pub lost: BTreeMap<String, LiveFile>,
    /// Files that another writer added.
    pub strange: BTreeMap<String, LiveFile>,
    /// Whether another writer gave the table other columns.
    pub has_other_columns: bool,
    /// Compactions of others that do not say how many rows their files hold: the version, the rows that there were, and
    /// the new files.
    pub unsettled: Vec<(u64, u64, BTreeSet<String>)>,
    /// What of another writer the table asks for that Lakeplan does not write: the entry, and the features.
    pub features: Option<(String, String)>,
    /// The version of another writer's checkpoint, where nothing is left that tells whether it is to be believed.
    pub unsure: Option<u64>,
}

impl Others {
    /// Whether something is to be taken back.
    pub fn is_any(&self) -> bool {
        self.has_other_columns || !self.lost.is_empty() || !self.strange.is_empty()
    }

    /// Notes what a commit of Lakeplan did to files.
    pub fn settle<'p>(&mut self, paths: impl IntoIterator<Item = &'p str>) {
        for path in paths {
            self.lost.remove(path);
            self.strange.remove(path);
        }
        self.forget();
    }

    fn forget(&mut self) {
        if !self.is_any() {
            self.commits.clear();
        }
    }

    /// Says in the log of the process what does not count.
    pub fn warn(&self, table: &str) {
        if let Some((_, features)) = &self.features {
            tracing::warn!(
                "another writer gave {table} the table features {features}: it is read and not written; lakeplan doctor says what to do"
            );
        }
        if let Some(last) = self.commits.last() {
            tracing::warn!(
                "{} of another writer changed {table} and do not count, the last is {last}; lakeplan doctor names them, and the next change takes them back",
                self.commits.len()
            );
        }
    }

    /// Refuses to write to a table that asks for what Lakeplan does not write.
    pub fn may_write(&self) -> Result<(), StoreError> {
        match self.features.clone() {
            Some((path, features)) => Err(StoreError::Features { path, features }),
            None => Ok(()),
        }
    }
}

impl Table {
    /// Takes in the next entry, of which only what Lakeplan wrote is believed.
    pub fn believe(&mut self, version: u64, place: &str, entry: LogEntry) {
        if let Some(protocol) = &entry.protocol {
            self.others.features = (!protocol.is_known()).then(|| (place.to_owned(), protocol.asks_for()));
        }
        if entry.is_own {
            let paths = entry.removed.iter().map(|remove| remove.path.as_str());
            self.others.has_other_columns &= entry.described.is_none();
            self.others.settle(paths.chain(entry.added.iter().map(|add| add.file.path.as_str())));
            self.apply(entry);
            return;
        }
        let columns = |of: &Option<Described>| of.as_ref().map(|described| described.schema.clone());
        let has_columns = entry.described.is_some();
        if has_columns {
            self.others.has_other_columns = columns(&entry.described) != columns(&self.described);
        }
        if !entry.has_files() {
            match has_columns && self.others.has_other_columns {
                true => self.note(version, entry),
                false => self.others.forget(),
            }
            return;
        }
        if entry.is_rewrite(self) {
            let (before, after) = entry.rows(self);
            if before.is_none() || after.is_none() || before == after {
                if let (Some(before), None) = (before, after) {
                    let paths = entry.added.iter().map(|add| add.file.path.clone()).collect();
                    self.others.unsettled.push((version, before, paths));
                }
                self.apply(LogEntry { txns: BTreeMap::new(), described: None, ..entry });
                return;
            }
        }
        self.note(version, entry);
    }

    /// Takes in an entry, whoever made it.
    pub fn apply(&mut self, entry: LogEntry) {
        for remove in entry.removed {
            self.files.remove(&remove.path);
        }
        for add in entry.added {
            self.files.insert(add.file.path.clone(), add.file);
        }
        self.txns.extend(entry.txns);
        self.described = entry.described.or(self.described.take());
    }

    /// Keeps apart what another writer did.
    fn note(&mut self, version: u64, entry: LogEntry) {
        let others = &mut self.others;
        others.commits.push(Foreign {
            version,
            operation: entry.operation,
            engine: entry.engine,
            added: entry.added.len(),
            removed: entry.removed.iter().map(|remove| remove.path.clone()).collect(),
        });
        for Removed { path, .. } in entry.removed {
            if others.strange.remove(&path).is_none()
                && let Some(file) = self.files.get(&path)
            {
                others.lost.insert(path, file.clone());
            }
        }
        for Added { file, .. } in entry.added {
            if self.files.contains_key(&file.path) && file.vector.is_none() {
                others.lost.remove(&file.path);
            } else {
                others.strange.insert(file.path.clone(), file);
            }
        }
        others.forget();
    }
}

impl LiveFile {
    /// How many rows the log says that it holds.
    pub fn rows(&self) -> Option<u64> {
        serde_json::from_str::<Value>(self.stats.as_deref()?).ok()?["numRecords"].as_u64()
    }
}

/// What the protocol in a row of a checkpoint asks for.
pub fn protocol_in(rows: &RecordBatch, row: usize) -> Option<Protocol> {
    use deltalake::arrow::array::{Array, AsArray};
    use deltalake::arrow::datatypes::Int32Type;
    let protocol = rows.column_by_name("protocol")?.as_struct_opt()?;
    let number = |name: &str| Some(protocol.column_by_name(name)?.as_primitive_opt::<Int32Type>()?.value(row));
    let names = |name: &str| {
        let lists = protocol.column_by_name(name).and_then(|lists| lists.as_list_opt::<i32>());
        let list = lists.filter(|lists| lists.is_valid(row)).map(|lists| lists.value(row))?;
        Some(list.as_string_opt::<i32>()?.iter().flatten().map(str::to_owned).collect::<Vec<_>>())
    };
    Some(Protocol {
        min_reader_version: number("minReaderVersion")?,
        min_writer_version: number("minWriterVersion")?,
        reader_features: names("readerFeatures").unwrap_or_default(),
        writer_features: names("writerFeatures").unwrap_or_default(),
    })
}
