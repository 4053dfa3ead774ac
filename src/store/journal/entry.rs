//! One entry of the journal's Delta log: what a commit writes, and what is parsed from another
//! writer's entry.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::record::Entity;
use crate::domain::time::{Instant, rfc3339};
use crate::store::delta_log::action::{Action, Add, CommitInfo};
use crate::store::delta_log::entry::LogEntry;
use crate::store::delta_log::table::LiveFile;
use crate::store::error::StoreError;
use crate::store::mark::Mark;
pub use crate::store::mark::{CHAIN, TXN};
use crate::store::row::{Row, Stream};
use crate::store::stream_seqs::StreamSeqs;

/// Returns the app id whose transaction version is the seq up to which every current table of a
/// stream is folded.
const fn folded_app(stream: Stream) -> &'static str {
    match stream {
        Stream::Work => "fold-work",
        Stream::Sync => "fold-sync",
    }
}

/// App id prefix, followed by a table name, whose transaction version is the mark of the position
/// at which that table was last written.
const MARK: &str = "fold-mark";

/// Metadata of a journal file, known without opening it.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalFile {
    pub path: String,
    pub size: i64,
    pub stream: Stream,
    pub rows: usize,
    pub seq: (u64, u64),
    /// Lowest and highest patch set id, as text.
    pub ids: (String, String),
    /// Lowest and highest entity, by name; `None` if the file's author did not state them.
    pub entities: Option<(String, String)>,
}

impl JournalFile {
    /// Returns whether the rows are sorted by seq and ordinal. Lakeplan writes them sorted; an
    /// engine that compacted or clustered files may not have.
    pub fn is_sorted(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.split_once('-').is_some_and(|(version, _)| {
            version.len() == 20 && version.bytes().all(|byte| byte.is_ascii_digit())
        })
    }

    /// Returns whether the file may hold changes of an entity.
    pub fn may_hold(&self, entity: Entity) -> bool {
        let is_between = |(low, high): &(String, String)| {
            (low.as_str()..=high.as_str()).contains(&entity.as_str())
        };
        self.stream == entity.stream() && self.entities.as_ref().is_none_or(is_between)
    }
}

/// Parsed content of a log entry.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    pub attempt: Option<Uuid>,
    /// Whether the effect on the table follows only from the whole log: another writer made the
    /// entry, or it does not state what its files hold.
    pub is_unclear: bool,
    /// Whether the entry defines the table's columns.
    pub is_described: bool,
    pub added: Vec<JournalFile>,
    pub removed: Vec<String>,
    /// Seq up to which the current tables of each stream are folded, as stated by the commit; 0 if
    /// it states none.
    pub folded: StreamSeqs,
    /// Seq at which each table was last written, as far as the commit states it.
    pub written: Vec<(String, u64)>,
    /// Mark of each of these positions, as stored in the commit.
    pub marks: Vec<(String, i64)>,
}

/// Returns the action that adds a file with these rows.
pub fn add(path: &str, size: usize, rows: &[&Row], at: Instant) -> Add {
    let seqs = rows.iter().map(|row| row.seq);
    let ids = || rows.iter().map(|row| row.patch_set_id);
    let date = rows.first().map(|row| row.date().to_string());
    let stream = rows.first().map(|row| row.stream.as_str().to_owned());
    let text = |id: Option<_>| id.map(|id: crate::domain::id::PatchSetId| id.to_string());
    let entities = || rows.iter().map(|row| row.entity.as_str());
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
    Add {
        data_change: true,
        modification_time: Some(at.timestamp_millis()),
        partition_values: [("stream".to_owned(), stream), ("date".to_owned(), date)].into(),
        path: path.to_owned(),
        size: size as i64,
        stats: Some(stats.to_string()),
        ..Add::default()
    }
}

/// Returns the commit info: the operation, the attempt and the time (always `at`, never the clock's
/// own reading).
pub fn commit_info(operation: &str, attempt: Uuid, at: Instant) -> CommitInfo {
    CommitInfo::new(operation, at)
        .with("operationParameters", json!({"mode": "Append"}))
        .with("isBlindAppend", operation == "WRITE")
        .with_attempt(attempt)
}

/// Returns the commit info of a commit that continues from a position. An entry of another copy of
/// the lake continues from another position.
pub fn commit_after(before: Mark, operation: &str, attempt: Uuid, at: Instant) -> CommitInfo {
    commit_info(operation, attempt, at).with_follows(before.version())
}

/// Returns the transaction that states the history that a commit ends.
pub fn chain_txn(mark: Mark) -> Action {
    Action::txn(CHAIN, mark.version())
}

pub fn txn(app: &str, seq: u64) -> Action {
    Action::txn(app, seq as i64)
}

/// Returns the seqs up to which transactions state that the tables of each stream are folded; 0 if
/// they do not state it. Versions without records of the stream `sync` state only that of `work`.
pub fn folded(txns: &BTreeMap<String, i64>) -> StreamSeqs {
    let mut seqs = StreamSeqs::default();
    for stream in Stream::ALL {
        let stated = txns.get(folded_app(*stream)).and_then(|seq| u64::try_from(*seq).ok());
        seqs.set(*stream, stated.unwrap_or(0));
    }
    seqs
}

/// Returns the transaction that [`folded()`] reads.
pub fn folded_txn(stream: Stream, seq: u64) -> Action {
    txn(folded_app(stream), seq)
}

/// Parses a transaction that states the seq at which a table was last written.
pub fn written(app: &str, version: i64) -> Option<(String, u64)> {
    let table = Stream::ALL
        .iter()
        .find_map(|stream| app.strip_prefix(folded_app(*stream))?.strip_prefix('/'))?;
    Some((table.to_owned(), u64::try_from(version).ok()?))
}

/// Returns the transaction that [`written()`] parses.
pub fn written_txn(stream: Stream, table: &str, seq: u64) -> Action {
    txn(&format!("{}/{table}", folded_app(stream)), seq)
}

/// Parses a transaction with the mark of the position at which a table was last written; the mark
/// is returned as stored.
pub fn mark(app: &str, version: i64) -> Option<(String, i64)> {
    Some((app.strip_prefix(MARK)?.strip_prefix('/')?.to_owned(), version))
}

/// Returns the transaction that [`mark()`] parses.
pub fn mark_txn(table: &str, mark: Mark) -> Action {
    Action::txn(format!("{MARK}/{table}"), mark.version())
}

pub fn read(version: u64, bytes: &Bytes) -> Result<Entry, StoreError> {
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
    let files: Vec<Option<JournalFile>> =
        added.into_iter().map(|add| file(&LiveFile::from(add))).collect();
    Ok(Entry {
        attempt,
        is_described: described.is_some(),
        is_unclear: files.iter().any(Option::is_none),
        added: files.into_iter().flatten().collect(),
        removed: removed.into_iter().map(|remove| remove.path).collect(),
        folded: folded(&txns),
        written: txns.iter().filter_map(|(app, version)| written(app, *version)).collect(),
        marks: txns.iter().filter_map(|(app, version)| mark(app, *version)).collect(),
    })
}

/// Parses a journal file from its add action; `None` if that lacks what Lakeplan states about its
/// own files.
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

/// Returns the journal file that an action adds.
pub fn added(add: &Add) -> Option<JournalFile> {
    file(&LiveFile::from(add.clone()))
}

/// Returns the stream whose rows a file holds.
pub fn stream(file: &LiveFile) -> Option<Stream> {
    file.partitions.get("stream")?.as_deref()?.parse().ok()
}
