//! Writing a checkpoint of a Delta log of ours: the last action of every file, transaction and description there is.
//!
//! delta-rs can do this too, but holds the whole log and every file's parsed statistics while it does, half a gigabyte for
//! the fourteen thousand files of a busy journal. Here the rows of the checkpoint before are taken over batch by batch,
//! less those that an entry since has overruled, and the entries' own actions follow.

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
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::error::StoreError;
use super::log_entry::protocol_in;
use super::log_replay::{self, FOREIGN, Protocol, Replaying, checkpoint_path};
use super::table_log::{Belief, TableLog};
use crate::domain::time::Instant;
use rows::{BATCH, ROWS};

/// Commits to a table between two checkpoints of its log, without which opening it would read the whole of it. Every command
/// reads some ten tables, each entry since the checkpoint a request of its own: in a cloud that is what a command waits for.
pub const EVERY: u64 = 20;
/// Files for which one more commit lies between two checkpoints.
const FILES_A_COMMIT: u64 = 16;
/// How long a file that was removed stays noted: the time for which a vacuum leaves it to readers of older versions. It is
/// the default of Delta tables.
const TOMBSTONE: TimeDelta = TimeDelta::days(7);
/// What a checkpoint of Lakeplan says of who wrote it, begins so.
pub const CREATED_BY: &str = "lakeplan";
/// Rows of a row group.
const GROUP: usize = 8192;

/// Writes a checkpoint of a version, unless there is one of it or of a later one. One that cannot be read is none: what it
/// said is taken from an earlier one and the entries since, or from all entries, and this one comes in its place.
pub async fn write(log: &TableLog, version: u64) -> Result<(), StoreError> {
    write_at(log, version, None).await
}

/// The same at a time, the entry's own where none is given. The storage must have told it: by a wrong clock, what readers
/// still need would count as expired.
async fn write_at(log: &TableLog, version: u64, now: Option<Instant>) -> Result<(), StoreError> {
    let (newest, _) = log_replay::begin(log).await?;
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
    tracing::warn!(%err, "the checkpoint is written again from the entries of the log");
    if before == version {
        let (bytes, hint) = merged.end(log, version)?;
        log.replace(&checkpoint_path(version), bytes).await?;
        return log.replace(log_replay::HINT, hint).await;
    }
    put(log, version, merged).await?;
    log.remove(&checkpoint_path(before)).await
}

/// Every row of a checkpoint can be read.
fn is_sound(log: &TableLog, version: u64, bytes: Bytes) -> Result<(), StoreError> {
    rows::read(&format!("{}/{}", log.folder(), checkpoint_path(version)), bytes)?
        .try_for_each(|batch| batch.map(drop))
}

/// What a checkpoint may begin with in place of one that cannot be read: an earlier one, or nothing where the log is there
/// from its first entry. `None` where an entry since is gone.
async fn earlier(log: &TableLog, broken: u64) -> Result<Option<Option<(u64, Bytes)>>, StoreError> {
    let names = log_replay::list(log, None).await?;
    let entries: BTreeSet<u64> =
        names.iter().filter_map(|name| log_replay::version_of(name, ".json")).collect();
    let checkpoints =
        names.iter().filter_map(|name| log_replay::version_of(name, ".checkpoint.parquet"));
    let mut checkpoints: Vec<u64> = checkpoints.filter(|version| *version < broken).collect();
    checkpoints.sort_unstable();
    let is_whole = |from: u64| (from..=broken).all(|version| entries.contains(&version));
    while let Some(version) = checkpoints.pop().filter(|version| is_whole(version + 1)) {
        let Some(bytes) = log.get(&checkpoint_path(version)).await? else { continue };
        // Where only Lakeplan's commits count, another writer's may hold what does not.
        let read = Replaying::of(log, log.belief()).checkpoint(version, bytes.clone());
        if read.is_ok_and(|is_own| is_own || log.belief() == Belief::All)
            && is_sound(log, version, bytes.clone()).is_ok()
        {
            return Ok(Some(Some((version, bytes))));
        }
    }
    Ok(is_whole(0).then_some(None))
}

/// The checkpoint of a version: what the one before says, and the entries since.
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
    let mut entries = pin!(log_replay::entries(log, first..=version));
    while let Some((version, bytes)) = entries.try_next().await? {
        let place = || format!("{}/_delta_log/{version:020}.json", log.folder());
        since.entry(&bytes).map_err(|what| StoreError::damaged(place(), what))?;
    }
    if !since.vectors.is_empty() || (since.protocol.is_some() && !since.is_known) {
        return Err(StoreError::damaged(format!("{}/_delta_log", log.folder()), FOREIGN));
    }
    let mut output = Output::new().map_err(|fault| encoding(log, fault))?;
    if let Some((before, bytes)) = before {
        let damaged = |what: String| {
            StoreError::damaged(format!("{}/{}", log.folder(), checkpoint_path(before)), what)
        };
        let place = format!("{}/{}", log.folder(), checkpoint_path(before));
        for batch in rows::read(&place, bytes)? {
            let batch = batch?;
            let stays = since.stays(&batch).ok_or_else(|| damaged(FOREIGN.to_owned()))?;
            let left = filter_record_batch(&batch, &stays).map_err(|fault| encoding(log, fault))?;
            output.write(&left).await.map_err(|fault| encoding(log, fault))?;
        }
    }
    for batch in since.into_batches() {
        output
            .write(&batch.map_err(|fault| encoding(log, fault))?)
            .await
            .map_err(|fault| encoding(log, fault))?;
    }
    Ok(output)
}

/// Writes the checkpoint of a version from its entry alone, which says all there is. What is before it is not looked at.
pub async fn write_of(log: &TableLog, version: u64, entry: &Bytes) -> Result<(), StoreError> {
    let mut since = Since { oldest: i64::MAX, ..Since::default() };
    since.entry(entry).map_err(|what| encoding(log, ArrowError::JsonError(what)))?;
    let mut output = Output::new().map_err(|fault| encoding(log, fault))?;
    for batch in since.into_batches() {
        output
            .write(&batch.map_err(|fault| encoding(log, fault))?)
            .await
            .map_err(|fault| encoding(log, fault))?;
    }
    put(log, version, output).await
}

/// Puts a checkpoint and the hint to it.
async fn put(log: &TableLog, version: u64, output: Output) -> Result<(), StoreError> {
    let (bytes, hint) = output.end(log, version)?;
    // Where another wrote it, or the storage says so falsely, the hint is not ours to give. A hint to an earlier
    // checkpoint than there is, from a writer that slept, could lead to entries that were cleaned up.
    let is_checkpoint =
        |name: &String| log_replay::version_of(name, ".checkpoint.parquet").is_some();
    if log.put_if_absent(&checkpoint_path(version), bytes).await?
        && !log_replay::list(log, Some(version)).await?.iter().any(is_checkpoint)
    {
        log.replace(log_replay::HINT, hint).await?;
    }
    Ok(())
}

/// Commits between two checkpoints of a log with so many files, all of which each checkpoint writes again. Every interval
/// is twice the one before, so that where the count changes on the way no boundary is stepped over.
pub fn interval(files: usize) -> u64 {
    EVERY * (files as u64 / (FILES_A_COMMIT * EVERY)).max(1).next_power_of_two()
}

fn encoding(log: &TableLog, fault: ArrowError) -> StoreError {
    StoreError::storage("checkpointing", log.folder(), fault)
}

/// The last actions of the entries since the checkpoint before, as their JSON.
#[derive(Default)]
struct Since {
    /// What was last done with each file, added or removed, and when it was removed.
    files: BTreeMap<String, (String, Option<i64>)>,
    txns: BTreeMap<String, String>,
    protocol: Option<String>,
    /// Whether that asks for nothing that Lakeplan does not write.
    is_known: bool,
    /// Files of which another writer deleted rows.
    vectors: BTreeSet<String>,
    described: Option<String>,
    /// Since when, in milliseconds, a file must have been removed to stay noted.
    oldest: i64,
}

/// What of an action tells which others it overrules.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Action {
    add: Option<Added>,
    remove: Option<Removed>,
    txn: Option<Txn>,
    protocol: Option<Protocol>,
    meta_data: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Added {
    path: String,
    deletion_vector: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Removed {
    path: String,
    deletion_timestamp: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Txn {
    app_id: String,
}

impl Since {
    /// Takes in the next entry; what is wrong with it otherwise.
    fn entry(&mut self, bytes: &Bytes) -> Result<(), String> {
        let text = std::str::from_utf8(bytes).map_err(|fault| fault.to_string())?;
        for line in text.lines().filter(|line| !line.is_empty()) {
            let action: Action = serde_json::from_str(line).map_err(|fault| fault.to_string())?;
            let line = || line.to_owned();
            if let Some(removed) = action.remove {
                self.vectors.remove(&removed.path);
                self.files.insert(removed.path, (line(), removed.deletion_timestamp));
            } else if let Some(added) = action.add {
                if added.deletion_vector.is_some() {
                    self.vectors.insert(added.path.clone());
                } else {
                    self.vectors.remove(&added.path);
                }
                self.files.insert(added.path, (line(), None));
            } else if let Some(txn) = action.txn {
                self.txns.insert(txn.app_id, line());
            } else if let Some(protocol) = action.protocol {
                self.is_known = protocol.is_known();
                self.protocol = Some(line());
            } else if action.meta_data.is_some() {
                self.described = Some(line());
            }
        }
        Ok(())
    }

    /// Which rows of the checkpoint before still stand; `None` where there is one that Lakeplan does not write.
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

    /// The actions as rows.
    fn into_batches(self) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> {
        let oldest = self.oldest;
        let stays = move |(line, removed): (String, Option<i64>)| {
            removed.is_none_or(|at| at >= oldest).then_some(line)
        };
        let described = self.protocol.into_iter().chain(self.described);
        let mut lines = described
            .chain(self.txns.into_values())
            .chain(self.files.into_values().filter_map(stays));
        std::iter::from_fn(move || {
            let part: String =
                lines.by_ref().take(BATCH).flat_map(|line| [line, "\n".to_owned()]).collect();
            let rows =
                ReaderBuilder::new(Arc::clone(&ROWS)).with_batch_size(BATCH).build(part.as_bytes());
            rows.and_then(|mut rows| rows.next().transpose()).transpose()
        })
    }
}

/// The checkpoint as it is written.
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
        // Others on the thread go on in between.
        tokio::task::yield_now().await;
        Ok(())
    }

    /// The bytes of the checkpoint of a version, and of the hint to it.
    fn end(self, log: &TableLog, version: u64) -> Result<(Bytes, Bytes), StoreError> {
        let (rows, files) = (self.rows, self.files);
        let bytes: Bytes =
            self.writer.into_inner().map_err(|fault| encoding(log, fault.into()))?.into();
        let hint = json!({"version": version, "size": rows, "sizeInBytes": bytes.len(), "numOfAddFiles": files});
        Ok((bytes, hint.to_string().into()))
    }
}
