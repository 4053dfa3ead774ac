//! One entry of the journal's Delta log: what a commit writes, and what is learnt from one that another wrote.

use std::collections::HashMap;

use bytes::Bytes;
use deltalake::kernel::{Action, Add, CommitInfo, Transaction, Version};
use deltalake::logstore::get_actions;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::record::Entity;
use crate::domain::time::{Instant, rfc3339};
use crate::store::error::StoreError;
use crate::store::row::{Row, Stream};

/// The app id whose transaction version is the last `seq`.
pub const TXN: &str = "lakeplan";
/// The app id whose transaction version is the seq up to which every current table of stream `work` is folded.
pub const FOLDED: &str = "fold-work";
/// The name under which a commit carries the id that tells it from every other attempt.
const ATTEMPT: &str = "lakeplanAttempt";

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
        name.split_once('-').is_some_and(|(version, _)| version.len() == 20 && version.bytes().all(|byte| byte.is_ascii_digit()))
    }

    /// Whether the file may hold changes of an entity.
    pub fn may_hold(&self, entity: Entity) -> bool {
        self.entities.as_ref().is_none_or(|(low, high)| (low.as_str()..=high.as_str()).contains(&entity.word()))
    }
}

/// What is read from a log entry.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    pub attempt: Option<Uuid>,
    pub added: Vec<JournalFile>,
    pub removed: Vec<String>,
    /// How far the commit says the current tables are folded.
    pub folded: Option<u64>,
    /// The seq that each table was last written at, as far as the commit says.
    pub written: Vec<(String, u64)>,
}

/// The action that adds a file of these rows.
pub fn add(path: &str, size: usize, rows: &[&Row], at: Instant) -> Action {
    let seqs = rows.iter().map(|row| row.seq);
    let ids = || rows.iter().map(|row| row.patch_set_id);
    let date = rows.first().map(|row| row.date().to_string());
    let stream = rows.first().map(|row| row.stream.word().to_owned());
    let text = |id: Option<_>| id.map(|id: crate::domain::id::PatchSetId| id.to_string());
    let entities = || rows.iter().map(|row| row.entity.word());
    let bounds = |seq: Option<u64>, id: Option<String>, entity: Option<&str>, at: Option<Instant>| json!({"seq": seq, "patch_set_id": id, "entity": entity, "at": at.map(rfc3339)});
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
        is_blind_append: Some(true),
        engine_info: Some(concat!("lakeplan/", env!("CARGO_PKG_VERSION")).to_owned()),
        info: HashMap::from([(ATTEMPT.to_owned(), Value::from(attempt.to_string()))]),
        ..CommitInfo::default()
    })
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

pub fn json_of(actions: &[Action]) -> Result<Vec<Value>, StoreError> {
    actions
        .iter()
        .map(|action| serde_json::to_value(action).map_err(|fault| StoreError::storage("writing", "_delta_log", fault)))
        .collect()
}

pub fn read(version: Version, bytes: &Bytes) -> Result<Entry, StoreError> {
    let name = || format!("journal/_delta_log/{version:020}.json");
    let mut entry = Entry::default();
    for action in get_actions(version, bytes).map_err(|fault| StoreError::damaged(name(), fault.to_string()))? {
        match action {
            Action::CommitInfo(info) => {
                entry.attempt = info.info.get(ATTEMPT).and_then(Value::as_str).and_then(|id| Uuid::try_parse(id).ok());
            }
            Action::Add(add) => {
                let stream = add.partition_values.get("stream").cloned().flatten();
                entry.added.push(file(&add.path, add.size, stream.as_deref(), add.stats.as_deref())?);
            }
            Action::Remove(remove) => entry.removed.push(remove.path),
            Action::Txn(txn) if txn.app_id == FOLDED => entry.folded = u64::try_from(txn.version).ok(),
            Action::Txn(txn) => entry.written.extend(written(&txn.app_id, txn.version)),
            _ => {}
        }
    }
    Ok(entry)
}

/// A journal file as its add action describes it. A file without our statistics was not written by Lakeplan.
pub fn file(path: &str, size: i64, stream: Option<&str>, stats: Option<&str>) -> Result<JournalFile, StoreError> {
    let foreign = || {
        StoreError::damaged(
            format!("journal/{path}"),
            "another writer put rows into it, and only Lakeplan writes this table; RESTORE TABLE journal to the version before that commit, with the engine that made it",
        )
    };
    let stats: Value = serde_json::from_str(stats.ok_or_else(foreign)?).map_err(|_| foreign())?;
    let seq = |side: &str| stats[side]["seq"].as_u64().ok_or_else(foreign);
    let text = |side: &str, column: &str| stats[side][column].as_str().map(str::to_owned);
    let id = |side: &str| text(side, "patch_set_id").ok_or_else(foreign);
    Ok(JournalFile {
        path: path.to_owned(),
        size,
        stream: stream.and_then(|stream| stream.parse().ok()).ok_or_else(foreign)?,
        rows: stats["numRecords"].as_u64().ok_or_else(foreign)? as usize,
        seq: (seq("minValues")?, seq("maxValues")?),
        ids: (id("minValues")?, id("maxValues")?),
        entities: text("minValues", "entity").zip(text("maxValues", "entity")),
    })
}
