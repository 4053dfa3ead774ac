//! Writes a checkpoint of a Delta log of Lakeplan: the last action of every file, transaction and
//! metadata.
//!
//! delta-rs can do this too, but holds the whole log and every file's parsed statistics meanwhile,
//! half a gigabyte for the fourteen thousand files of a busy journal. Here the rows of the previous
//! checkpoint are copied batch by batch, except those that a later entry replaces, and the actions
//! of the entries follow.

mod rows;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use chrono::TimeDelta;
use deltalake::arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StructArray};
use deltalake::arrow::compute::filter_record_batch;
use deltalake::arrow::datatypes::Int64Type;
use deltalake::arrow::error::ArrowError;
use deltalake::arrow::json::ReaderBuilder;
use deltalake::parquet::arrow::ArrowWriter;
use deltalake::parquet::arrow::arrow_writer::ArrowWriterOptions;
use deltalake::parquet::basic::Compression;
use deltalake::parquet::file::properties::WriterProperties;
use futures::TryStreamExt;
use serde_json::json;

use super::action::{Action, Add, CREATED_BY, Remove, decode};
use super::paths::{HINT, checkpoint_path, version_of};
use super::protocol::{Protocol, protocol_in};
use super::replay::{FOREIGN_WRITER, LogReplay, entries, read_checkpoint};
use super::table_log::{TableLog, Trust};
use crate::domain::time::Instant;
use crate::store::error::StoreError;
use rows::{BATCH, ROWS};

/// Commits to a table between two checkpoints of its log. Without checkpoints, opening the table
/// would read the whole log. Every command reads some ten tables, with one request for each entry
/// since the checkpoint: in a cloud these requests dominate a command's time.
pub const EVERY: u64 = 20;
/// Number of files per additional commit between two checkpoints.
const FILES_A_COMMIT: u64 = 16;
/// Retention of tombstones: the time for which a vacuum keeps removed files for readers of older
/// versions. It is the default of Delta tables.
const TOMBSTONE: TimeDelta = TimeDelta::days(7);

/// Rows per row group.
const GROUP: usize = 8192;

impl TableLog {
    /// Writes a checkpoint of a version, unless there is one of it or of a later version.
    pub async fn checkpoint(&self, version: u64) -> Result<(), StoreError> {
        write(self, version).await
    }

    /// Writes a checkpoint if one is due at a version. A failure is only logged: without a
    /// checkpoint the table merely opens more slowly.
    pub async fn checkpoint_if_due(&self, version: u64) {
        if version > 0
            && version.is_multiple_of(EVERY)
            && let Err(err) = self.checkpoint(version).await
        {
            tracing::warn!(table = self.folder(), %err, "no checkpoint was written; opening the table stays slower until the next one");
        }
    }

    /// Writes the checkpoint of a version whose entry alone describes the whole table, so that
    /// nobody needs earlier entries.
    pub async fn begin_at(&self, version: u64, entry: &[Action]) -> Result<(), StoreError> {
        write_of(self, version, entry).await
    }
}

/// Writes a checkpoint of a version, unless there is one of it or of a later version. An unreadable
/// checkpoint does not count: its content is rebuilt from an earlier one and the entries since, or
/// from all entries, and the new checkpoint replaces it.
pub async fn write(log: &TableLog, version: u64) -> Result<(), StoreError> {
    write_at(log, version, None).await
}

/// Writes a checkpoint like [`write()`], as of `now`, by default the entry's own time. The time
/// must come from the storage: with a wrong clock, tombstones that readers still need would count
/// as expired.
async fn write_at(log: &TableLog, version: u64, now: Option<Instant>) -> Result<(), StoreError> {
    let (newest, _) = read_checkpoint(log).await?;
    let Some((before, bytes)) = newest else {
        return put(log, version, merge(log, None, version, now).await?).await;
    };
    if before > version {
        return Ok(());
    }
    let err = if before == version {
        match is_sound(log, before, bytes) {
            Ok(()) => return Ok(()),
            Err(err) => err,
        }
    } else {
        match merge(log, Some((before, bytes.clone())), version, now).await {
            Ok(merged) => return put(log, version, merged).await,
            Err(err) => match is_sound(log, before, bytes) {
                Ok(()) => return Err(err),
                Err(err) => err,
            },
        }
    };
    let Some(earlier) = earlier(log, before).await? else { return Err(err) };
    let merged = merge(log, earlier, version, now).await?;
    tracing::warn!(%err, "the checkpoint is rewritten from the log entries");
    if before == version {
        let (bytes, hint) = merged.end(log, version)?;
        log.replace(&checkpoint_path(version), bytes).await?;
        return log.replace(HINT, hint).await;
    }
    put(log, version, merged).await?;
    log.remove(&checkpoint_path(before)).await
}

/// Checks that every row of a checkpoint is readable.
fn is_sound(log: &TableLog, version: u64, bytes: Bytes) -> Result<(), StoreError> {
    rows::read(&format!("{}/{}", log.folder(), checkpoint_path(version)), bytes)?
        .try_for_each(|batch| batch.map(drop))
}

/// Returns a base that replaces an unreadable checkpoint: an earlier one, or nothing if the log is
/// complete from its first entry. `None` if a later entry is missing.
async fn earlier(log: &TableLog, broken: u64) -> Result<Option<Option<(u64, Bytes)>>, StoreError> {
    let names = log.list(None).await?;
    let entries: BTreeSet<u64> =
        names.iter().filter_map(|name| version_of(name, ".json")).collect();
    let checkpoints = names.iter().filter_map(|name| version_of(name, ".checkpoint.parquet"));
    let mut checkpoints: Vec<u64> = checkpoints.filter(|version| *version < broken).collect();
    checkpoints.sort_unstable();
    let is_whole = |from: u64| (from..=broken).all(|version| entries.contains(&version));
    while let Some(version) = checkpoints.pop().filter(|version| is_whole(version + 1)) {
        let Some(bytes) = log.get(&checkpoint_path(version)).await? else { continue };
        // If only Lakeplan's commits are trusted, another writer's checkpoint may hold untrusted
        // actions.
        let read = LogReplay::of(log, log.belief()).checkpoint(version, bytes.clone());
        if read.is_ok_and(|is_own| is_own || log.belief() == Trust::All)
            && is_sound(log, version, bytes.clone()).is_ok()
        {
            return Ok(Some(Some((version, bytes))));
        }
    }
    Ok(is_whole(0).then_some(None))
}

/// Builds the checkpoint of a version from the previous one and the entries since.
async fn merge(
    log: &TableLog,
    before: Option<(u64, Bytes)>,
    version: u64,
    now: Option<Instant>,
) -> Result<Output, StoreError> {
    let now = match now {
        Some(now) => now,
        None => log.entry_time(version).await?,
    };
    let first = before.as_ref().map_or(0, |(before, _)| before + 1);
    let mut since = Since { oldest: (now - TOMBSTONE).timestamp_millis(), ..Since::default() };
    let mut entries = pin!(entries(log, first..=version));
    while let Some((version, bytes)) = entries.try_next().await? {
        let place = || format!("{}/_delta_log/{version:020}.json", log.folder());
        since.entry(&bytes).map_err(|what| StoreError::damaged(place(), what))?;
    }
    if !since.vectors.is_empty()
        || since.protocol.as_ref().is_some_and(|protocol| !protocol.is_known())
    {
        return Err(StoreError::damaged(format!("{}/_delta_log", log.folder()), FOREIGN_WRITER));
    }
    let mut output = Output::new().map_err(|err| encoding(log, err))?;
    if let Some((before, bytes)) = before {
        let damaged = |what: String| {
            StoreError::damaged(format!("{}/{}", log.folder(), checkpoint_path(before)), what)
        };
        let place = format!("{}/{}", log.folder(), checkpoint_path(before));
        for batch in rows::read(&place, bytes)? {
            let batch = batch?;
            let stays = since.stays(&batch).ok_or_else(|| damaged(FOREIGN_WRITER.to_owned()))?;
            let left = filter_record_batch(&batch, &stays).map_err(|err| encoding(log, err))?;
            output.write(&left).await.map_err(|err| encoding(log, err))?;
        }
    }
    for batch in since.into_batches() {
        output
            .write(&batch.map_err(|err| encoding(log, err))?)
            .await
            .map_err(|err| encoding(log, err))?;
    }
    Ok(output)
}

/// Writes the checkpoint of a version from its entry alone, which must describe the whole table.
/// Earlier entries are ignored.
pub async fn write_of(log: &TableLog, version: u64, entry: &[Action]) -> Result<(), StoreError> {
    let mut since = Since { oldest: i64::MAX, ..Since::default() };
    entry.iter().for_each(|action| since.action(action.clone()));
    let mut output = Output::new().map_err(|err| encoding(log, err))?;
    for batch in since.into_batches() {
        output
            .write(&batch.map_err(|err| encoding(log, err))?)
            .await
            .map_err(|err| encoding(log, err))?;
    }
    put(log, version, output).await
}

/// Puts a checkpoint and its hint.
async fn put(log: &TableLog, version: u64, output: Output) -> Result<(), StoreError> {
    let (bytes, hint) = output.end(log, version)?;
    // If another process wrote the checkpoint, or the storage wrongly says so, do not write the
    // hint. A hint from a writer that slept, to a checkpoint older than the newest, could lead to
    // cleaned-up entries.
    let is_checkpoint = |name: &String| version_of(name, ".checkpoint.parquet").is_some();
    if log.put_if_absent(&checkpoint_path(version), bytes).await?
        && !log.list(Some(version)).await?.iter().any(is_checkpoint)
    {
        log.replace(HINT, hint).await?;
    }
    Ok(())
}

/// Returns the number of commits between two checkpoints of a log with `files` files, all of which
/// each checkpoint rewrites. Every interval is twice the previous one, so that a changing count
/// never skips a boundary.
pub fn interval(files: usize) -> u64 {
    EVERY * (files as u64 / (FILES_A_COMMIT * EVERY)).max(1).next_power_of_two()
}

fn encoding(log: &TableLog, err: ArrowError) -> StoreError {
    StoreError::storage("checkpointing", log.folder(), err)
}

/// Last actions of the entries since the previous checkpoint.
#[derive(Default)]
struct Since {
    /// Last action on each file: an add or a remove.
    files: BTreeMap<String, Action>,
    txns: BTreeMap<String, Action>,
    protocol: Option<Protocol>,
    /// Files from which another writer deleted rows.
    vectors: BTreeSet<String>,
    described: Option<Action>,
    /// Minimum removal time of a tombstone to keep, in milliseconds.
    oldest: i64,
}

impl Since {
    /// Adds the next entry; returns the problem with an invalid one.
    fn entry(&mut self, bytes: &Bytes) -> Result<(), String> {
        decode(bytes)?.into_iter().for_each(|action| self.action(action));
        Ok(())
    }

    fn action(&mut self, action: Action) {
        match &action {
            Action::Remove(Remove { path, .. }) => {
                self.vectors.remove(path);
                self.files.insert(path.clone(), action);
            }
            Action::Add(Add { path, deletion_vector, .. }) => {
                if deletion_vector.is_some() {
                    self.vectors.insert(path.clone());
                } else {
                    self.vectors.remove(path);
                }
                self.files.insert(path.clone(), action);
            }
            Action::Txn(txn) => drop(self.txns.insert(txn.app_id.clone(), action)),
            Action::Protocol(protocol) => self.protocol = Some(protocol.clone()),
            Action::MetaData(_) => self.described = Some(action),
            // A checkpoint has no row for these.
            Action::CommitInfo(_)
            | Action::Cdc(_)
            | Action::DomainMetadata(_)
            | Action::CheckpointMetadata(_)
            | Action::Sidecar(_) => {}
        }
    }

    /// Returns which rows of the previous checkpoint remain; `None` if it holds a row that Lakeplan
    /// does not write.
    fn stays(&self, rows: &RecordBatch) -> Option<BooleanArray> {
        let kind = |name: &str| rows.column_by_name(name)?.as_struct_opt();
        let text =
            |of: &StructArray, name: &str| of.column_by_name(name)?.as_string_opt::<i32>().cloned();
        let (add, remove, txn) = (kind("add")?, kind("remove")?, kind("txn")?);
        let (protocol, described) = (kind("protocol")?, kind("metaData")?);
        let (added, removed, app) =
            (text(add, "path")?, text(remove, "path")?, text(txn, "appId")?);
        let since = remove.column_by_name("deletionTimestamp")?.as_primitive_opt::<Int64Type>()?;
        let stays = |row: usize| {
            if add.is_valid(row) {
                Some(!self.files.contains_key(added.value(row)))
            } else if remove.is_valid(row) {
                let is_expired = since.is_valid(row) && since.value(row) < self.oldest;
                Some(!is_expired && !self.files.contains_key(removed.value(row)))
            } else if txn.is_valid(row) {
                Some(!self.txns.contains_key(app.value(row)))
            } else if protocol.is_valid(row) {
                match self.protocol {
                    Some(_) => Some(false),
                    None => protocol_in(rows, row)?.is_known().then_some(true),
                }
            } else {
                described.is_valid(row).then_some(self.described.is_none())
            }
        };
        (0..rows.num_rows()).map(stays).collect::<Option<Vec<bool>>>().map(BooleanArray::from)
    }

    /// Returns the actions as rows.
    fn into_batches(self) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> {
        let oldest = self.oldest;
        let stays = move |action: &Action| {
            let removed = action.as_remove().and_then(|remove| remove.deletion_timestamp);
            removed.is_none_or(|at| at >= oldest)
        };
        let protocol = self.protocol.map(Action::Protocol);
        let mut actions = protocol
            .into_iter()
            .chain(self.described)
            .chain(self.txns.into_values())
            .chain(self.files.into_values().filter(stays));
        std::iter::from_fn(move || {
            let part: Vec<Action> = actions.by_ref().take(BATCH).collect();
            let decoder =
                ReaderBuilder::new(Arc::clone(&ROWS)).with_batch_size(BATCH).build_decoder();
            let rows = decoder.and_then(|mut decoder| {
                decoder.serialize(&part)?;
                decoder.flush()
            });
            rows.transpose()
        })
    }
}

/// A checkpoint being written.
struct Output {
    writer: ArrowWriter<Vec<u8>>,
    rows: usize,
    files: usize,
}

impl Output {
    fn new() -> Result<Self, ArrowError> {
        let properties = WriterProperties::builder()
            .set_created_by(format!("{CREATED_BY} {}", env!("CARGO_PKG_VERSION")))
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(GROUP))
            .build();
        let options =
            ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&ROWS), options)?;
        Ok(Self { writer, rows: 0, files: 0 })
    }

    async fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.writer.write(batch)?;
        self.rows += batch.num_rows();
        self.files += batch.column_by_name("add").map_or(0, |add| add.len() - add.null_count());
        // Let other tasks of the thread run in between.
        tokio::task::yield_now().await;
        Ok(())
    }

    /// Returns the bytes of the checkpoint of a version, and of its hint.
    fn end(self, log: &TableLog, version: u64) -> Result<(Bytes, Bytes), StoreError> {
        let (rows, files) = (self.rows, self.files);
        let bytes: Bytes =
            self.writer.into_inner().map_err(|err| encoding(log, err.into()))?.into();
        let hint = json!({"version": version, "size": rows, "sizeInBytes": bytes.len(), "numOfAddFiles": files});
        Ok((bytes, hint.to_string().into()))
    }
}
