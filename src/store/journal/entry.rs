//! One entry of the journal's Delta log: what a commit writes, and what is learnt from one that another wrote.

use std::collections::HashMap;

use bytes::Bytes;
use deltalake::kernel::{Action, Add, CommitInfo, Remove, Transaction, Version};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::record::Entity;
use crate::domain::time::{Instant, rfc3339};
use crate::store::error::StoreError;
use crate::store::log_entry::LogEntry;
use crate::store::mark::Mark;
use crate::store::row::{Row, Stream};
use crate::store::table_log::LiveFile;

/// The app id whose transaction version is the last `seq`.
pub const TXN: &str = "lakeplan";
/// The app id whose transaction version is the seq up to which every current table of stream `work` is folded.
pub const FOLDED: &str = "fold-work";
/// The app id whose transaction version is the mark of the last `seq`: a part of the hash chain up to it.
pub const CHAIN: &str = "lakeplan-chain";
/// With the name of a table behind it, the app id whose transaction version is the mark of the position that the table was
/// last written at.
const MARK: &str = "fold-mark";
/// The name under which a commit carries the id that tells it from every other attempt.
pub const ATTEMPT: &str = "lakeplanAttempt";
/// The name under which a commit carries the mark of the position that it was prepared for, as text: not every reader of JSON
/// keeps such large numbers.
const FOLLOWS: &str = "lakeplanFollows";

/// A file of the journal: what is known of it without opening it.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalFile {
    pub path: String,
    pub size: i64,
    pub stream: Stream,
    pub rows: usize,
    pub seq: (u64, u64),
    /// The lowest and highest patch set id, as text.
    pub ids: (String, String),
    /// The lowest and highest entity, by their words; absent where the file's author did not say.
    pub entities: Option<(String, String)>,
}

impl JournalFile {
    /// Whether the rows are in the order of seq and ordinal. Lakeplan writes them so; an engine that joined or clustered
    /// files may not have.
    pub fn is_sorted(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.split_once('-').is_some_and(|(version, _)| {
            version.len() == 20 && version.bytes().all(|byte| byte.is_ascii_digit())
        })
    }

    /// Whether the file may hold changes of an entity.
    pub fn may_hold(&self, entity: Entity) -> bool {
        self.entities
            .as_ref()
            .is_none_or(|(low, high)| (low.as_str()..=high.as_str()).contains(&entity.word()))
    }
}

/// What is read from a log entry.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    pub attempt: Option<Uuid>,
    /// What it does to the table follows only from the whole log: another writer made it, or does not say what is in its files.
    pub is_unclear: bool,
    /// Whether it says which columns the table has.
    pub is_described: bool,
    pub added: Vec<JournalFile>,
    pub removed: Vec<String>,
    /// How far the commit says the current tables are folded.
    pub folded: Option<u64>,
    /// The seq that each table was last written at, as far as the commit says.
    pub written: Vec<(String, u64)>,
    /// The mark of each of these positions, as it stands in the commit.
    pub marks: Vec<(String, i64)>,
}

/// The action that adds a file of these rows.
pub fn add(path: &str, size: usize, rows: &[&Row], at: Instant) -> Action {
    let seqs = rows.iter().map(|row| row.seq);
    let ids = || rows.iter().map(|row| row.patch_set_id);
    let date = rows.first().map(|row| row.date().to_string());
    let stream = rows.first().map(|row| row.stream.word().to_owned());
    let text = |id: Option<_>| id.map(|id: crate::domain::id::PatchSetId| id.to_string());
    let entities = || rows.iter().map(|row| row.entity.word());
    let bounds = |seq: Option<u64>,
                  id: Option<String>,
                  entity: Option<&str>,
                  at: Option<Instant>| json!({"seq": seq, "patch_set_id": id, "entity": entity, "at": at.map(rfc3339)});
    let stats = json!({
        "numRecords": rows.len(),
        "minValues": bounds(seqs.clone().min(), text(ids().min()), entities().min(), rows.iter().map(|row| row.at).min()),
        "maxValues": bounds(seqs.max(), text(ids().max()), entities().max(), rows.iter().map(|row| row.at).max()),
        "nullCount": {"seq": 0, "patch_set_id": 0, "entity": 0, "at": 0},
    });
    Action::Add(Add {
        path: path.to_owned(),
        partition_values: HashMap::from([("stream".to_owned(), stream), ("date".to_owned(), date)]),
        size: size as i64,
        modification_time: at.timestamp_millis(),
        data_change: true,
        stats: Some(stats.to_string()),
        ..Add::default()
    })
}

/// The actions of a commit besides its files: who made it, when (never the clock's own reading), and the last `seq`.
pub fn commit_info(operation: &str, attempt: Uuid, at: Instant) -> Action {
    Action::CommitInfo(CommitInfo {
        timestamp: Some(at.timestamp_millis()),
        operation: Some(operation.to_owned()),
        operation_parameters: Some(HashMap::from([("mode".to_owned(), Value::from("Append"))])),
        is_blind_append: Some(operation == "WRITE"),
        engine_info: Some(concat!("lakeplan/", env!("CARGO_PKG_VERSION")).to_owned()),
        info: HashMap::from([(ATTEMPT.to_owned(), Value::from(attempt.to_string()))]),
        ..CommitInfo::default()
    })
}

/// The same of a commit that goes on from a position. An entry of another copy of the lake goes on from another one.
pub fn commit_after(before: Mark, operation: &str, attempt: Uuid, at: Instant) -> Action {
    let mut action = commit_info(operation, attempt, at);
    if let Action::CommitInfo(info) = &mut action {
        info.info.insert(FOLLOWS.to_owned(), Value::from(before.version().to_string()));
    }
    action
}

/// The transaction that says which history ends with a commit.
pub fn chain_txn(mark: Mark) -> Action {
    Action::Txn(Transaction::new(CHAIN, mark.version()))
}

pub fn txn(app: &str, seq: u64) -> Action {
    Action::Txn(Transaction::new(app, seq as i64))
}

/// The table and seq of a transaction that says at which seq a table was last written.
pub fn written(app: &str, version: i64) -> Option<(String, u64)> {
    let table = app.strip_prefix(FOLDED)?.strip_prefix('/')?;
    Some((table.to_owned(), u64::try_from(version).ok()?))
}

/// The transaction that says so.
pub fn written_txn(table: &str, seq: u64) -> Action {
    txn(&format!("{FOLDED}/{table}"), seq)
}

/// The table of a transaction that holds the mark of where it was last written, and the mark as it stands there.
pub fn mark(app: &str, version: i64) -> Option<(String, i64)> {
    Some((app.strip_prefix(MARK)?.strip_prefix('/')?.to_owned(), version))
}

/// The transaction that says so.
pub fn mark_txn(table: &str, mark: Mark) -> Action {
    Action::Txn(Transaction::new(format!("{MARK}/{table}"), mark.version()))
}

pub fn json_of(actions: &[Action]) -> Result<Vec<Value>, StoreError> {
    actions
        .iter()
        .map(|action| {
            serde_json::to_value(action)
                .map_err(|fault| StoreError::storage("writing", "_delta_log", fault))
        })
        .collect()
}

pub fn read(version: Version, bytes: &Bytes) -> Result<Entry, StoreError> {
    let damaged =
        |what: String| StoreError::damaged(format!("journal/_delta_log/{version:020}.json"), what);
    let LogEntry { is_own, attempt, added, removed, txns, protocol, described, .. } =
        LogEntry::read(bytes).map_err(damaged)?;
    let attempt = attempt.and_then(|id| Uuid::try_parse(&id).ok());
    if !is_own {
        let is_unclear =
            !added.is_empty() || !removed.is_empty() || protocol.is_some() || described.is_some();
        return Ok(Entry { attempt, is_unclear, ..Entry::default() });
    }
    let files: Vec<Option<JournalFile>> = added.iter().map(|add| file(&add.file)).collect();
    Ok(Entry {
        attempt,
        is_described: described.is_some(),
        is_unclear: files.iter().any(Option::is_none),
        added: files.into_iter().flatten().collect(),
        removed: removed.into_iter().map(|remove| remove.path).collect(),
        folded: txns.get(FOLDED).and_then(|seq| u64::try_from(*seq).ok()),
        written: txns.iter().filter_map(|(app, version)| written(app, *version)).collect(),
        marks: txns.iter().filter_map(|(app, version)| mark(app, *version)).collect(),
    })
}

/// A journal file as its add action describes it; `None` where that does not say what Lakeplan says of its own.
pub fn file(file: &LiveFile) -> Option<JournalFile> {
    let stats: Value = serde_json::from_str(file.stats.as_deref()?).ok()?;
    let seq = |side: &str| stats[side]["seq"].as_u64();
    let text = |side: &str, column: &str| stats[side][column].as_str().map(str::to_owned);
    Some(JournalFile {
        path: file.path.clone(),
        size: file.size,
        stream: stream(file)?,
        rows: usize::try_from(stats["numRecords"].as_u64()?).ok()?,
        seq: (seq("minValues")?, seq("maxValues")?),
        ids: (text("minValues", "patch_set_id")?, text("maxValues", "patch_set_id")?),
        entities: text("minValues", "entity").zip(text("maxValues", "entity")),
    })
}

/// The file that an action adds.
pub fn added(action: &Action) -> Option<JournalFile> {
    let Action::Add(add) = action else { return None };
    let partitions =
        add.partition_values.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    file(&LiveFile {
        path: add.path.clone(),
        size: add.size,
        partitions,
        stats: add.stats.clone(),
        vector: None,
    })
}

/// The stream whose rows a file holds.
pub fn stream(file: &LiveFile) -> Option<Stream> {
    file.partitions.get("stream")?.as_deref()?.parse().ok()
}

/// The action that adds a file again that another writer removed.
pub fn add_again(file: &LiveFile, at: Instant) -> Action {
    Action::Add(Add {
        path: file.path.clone(),
        partition_values: file
            .partitions
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        size: file.size,
        modification_time: at.timestamp_millis(),
        data_change: true,
        stats: file.stats.clone(),
        ..Add::default()
    })
}

/// The action that removes a file which another writer added.
pub fn remove_strange(file: &LiveFile, at: Instant) -> Action {
    Action::Remove(Remove {
        path: file.path.clone(),
        data_change: true,
        deletion_timestamp: Some(at.timestamp_millis()),
        extended_file_metadata: Some(true),
        partition_values: Some(
            file.partitions.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        ),
        size: Some(file.size),
        ..Remove::default()
    })
}
