//! Reads a Delta log of Lakeplan: the newest checkpoint and the entries after it become the live
//! files and transactions.
//!
//! delta-rs can do this too and does it for SQL. Here it is done for every command, some ten times,
//! so it takes one read per object and runs them concurrently. It knows what Lakeplan writes,
//! single-file checkpoints and no table features. In tables with only Lakeplan's commits trusted,
//! it ignores the changes of others and starts from a checkpoint of Lakeplan; elsewhere it rejects
//! everything that only another writer can have made.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::pin::pin;

use bytes::Bytes;
use deltalake::arrow::array::{Array, AsArray, MapArray, RecordBatch, StringArray};
use deltalake::arrow::datatypes::Int64Type;
use deltalake::parquet::arrow::ProjectionMask;
use futures::{Stream, StreamExt, TryStreamExt};
use serde::Deserialize;

use super::action::CREATED_BY;
use super::entry::LogEntry;
use super::paths::{HINT, checkpoint_path, entry_path, version_of};
use super::protocol::protocol_in;
use super::table::{LiveFile, Table, TableMetadata};
use super::table_log::{TableLog, Trust};
use crate::store::decode::{self, guarded};
use crate::store::error::StoreError;

pub const FOREIGN_WRITER: &str = "another writer changed the table; only Lakeplan may write it";

/// Number of objects read concurrently.
const CONCURRENCY: usize = 16;

#[derive(Deserialize)]
struct Hint {
    version: u64,
}

/// Returns the version in the log's checkpoint hint, if any. A broken hint is ignored.
async fn last_checkpoint_version(log: &TableLog) -> Result<Option<u64>, StoreError> {
    let hint = log.get(HINT).await?;
    Ok(hint.and_then(|bytes| serde_json::from_slice::<Hint>(&bytes).ok()).map(|hint| hint.version))
}

impl TableLog {
    /// Loads the table at the head of its log; `None` if there is no table.
    pub async fn load(&self) -> Result<Option<Table>, StoreError> {
        replay(self).await
    }

    /// Returns the version of the head without reading the table's content; `None` if there is no
    /// table.
    pub async fn head(&self) -> Result<Option<u64>, StoreError> {
        head(self).await
    }
}

/// Returns the version of a log's head; `None` if there is no log.
async fn head(log: &TableLog) -> Result<Option<u64>, StoreError> {
    let newest = |names: Vec<String>| {
        let version = |name: &String| {
            version_of(name, ".json").or_else(|| version_of(name, ".checkpoint.parquet"))
        };
        names.iter().filter_map(version).max()
    };
    // A hint to a missing checkpoint proves nothing.
    if let Some(before) =
        last_checkpoint_version(log).await?.and_then(|version| version.checked_sub(1))
        && let Some(version) = newest(log.list(Some(before)).await?)
    {
        return Ok(Some(version));
    }
    log.list(None).await.map(newest)
}

/// Replays a log to its head; `None` if there is no log.
async fn replay(log: &TableLog) -> Result<Option<Table>, StoreError> {
    let (checkpoint, names) = read_checkpoint(log).await?;
    let mut replay = LogReplay::of(log, log.belief());
    let mut next = 0;
    if let Some((version, bytes)) = checkpoint {
        let read = replay.checkpoint(version, bytes);
        if log.belief() == Trust::Own && !matches!(read, Ok(true)) {
            // Another writer's checkpoint may contain untrusted changes.
            return before(log, version, read.map(|_| replay)).await.map(Some);
        }
        read?;
        next = version + 1;
    }
    let last = names
        .iter()
        .filter_map(|name| version_of(name, ".json"))
        .filter(|version| *version >= next)
        .max();
    let Some(last) = last else {
        return Ok((next > 0).then_some(replay.table));
    };
    Ok(Some(follow(log, replay, next..=last).await?))
}

/// Replays a log to its head, from the newest checkpoint of Lakeplan before another writer's, or
/// from the first entry. If the entries since are gone, it starts from the other writer's
/// checkpoint.
async fn before(
    log: &TableLog,
    foreign: u64,
    read: Result<LogReplay, StoreError>,
) -> Result<Table, StoreError> {
    let names = log.list(None).await?;
    let entries: BTreeSet<u64> =
        names.iter().filter_map(|name| version_of(name, ".json")).collect();
    let last = entries.last().copied().unwrap_or(foreign).max(foreign);
    let is_whole = |from: u64| (from..=last).all(|version| entries.contains(&version));
    let mut earlier: Vec<u64> =
        names.iter().filter_map(|name| version_of(name, ".checkpoint.parquet")).collect();
    earlier.sort_unstable();
    while let Some(version) = earlier.pop().filter(|version| is_whole(version + 1)) {
        let mut replay = LogReplay::of(log, Trust::Own);
        if version < foreign
            && let Some(bytes) = log.get(&checkpoint_path(version)).await?
            && matches!(replay.checkpoint(version, bytes), Ok(true))
        {
            return follow(log, replay, version + 1..=last).await;
        }
    }
    if is_whole(0) {
        return follow(log, LogReplay::of(log, Trust::Own), 0..=last).await;
    }
    let mut replay = read?;
    replay.table.others.unverified_checkpoint = Some(foreign);
    if last > foreign { follow(log, replay, foreign + 1..=last).await } else { Ok(replay.table) }
}

/// A listing concurrent with a writer may omit an entry below one that it shows, so each version is
/// requested.
async fn follow(
    log: &TableLog,
    mut replay: LogReplay,
    versions: RangeInclusive<u64>,
) -> Result<Table, StoreError> {
    let mut entries = pin!(entries(log, versions));
    while let Some((version, bytes)) = entries.try_next().await? {
        replay.entry(version, &bytes)?;
    }
    Ok(replay.table)
}

/// Returns the newest checkpoint with its version, if any, and the names in the log after the
/// hinted checkpoint.
pub async fn read_checkpoint(
    log: &TableLog,
) -> Result<(Option<(u64, Bytes)>, Vec<String>), StoreError> {
    let last_checkpoint_version = match last_checkpoint_version(log).await? {
        Some(version) => log.get(&checkpoint_path(version)).await?.map(|bytes| (version, bytes)),
        None => None,
    };
    let names = log.list(last_checkpoint_version.as_ref().map(|(version, _)| *version)).await?;
    // A writer that slept may have set the hint back, to before entries that were cleaned up since.
    let found = match names.iter().filter_map(|name| version_of(name, ".checkpoint.parquet")).max()
    {
        Some(newer)
            if last_checkpoint_version.as_ref().is_none_or(|(version, _)| *version < newer) =>
        {
            Some((newer, log.get_live(&checkpoint_path(newer)).await?))
        }
        _ => last_checkpoint_version,
    };
    Ok((found, names))
}

/// Reads the entries of these versions in order; each must exist.
pub fn entries(
    log: &TableLog,
    versions: RangeInclusive<u64>,
) -> impl Stream<Item = Result<(u64, Bytes), StoreError>> {
    let one = move |version| async move {
        let missing = || {
            StoreError::damaged(
                format!("{}/{}", log.folder(), entry_path(version)),
                "the entry is missing",
            )
        };
        Ok((version, log.get_entry(version).await?.ok_or_else(missing)?))
    };
    futures::stream::iter(versions).map(one).buffered(CONCURRENCY)
}

/// State of a table replayed from its log.
pub struct LogReplay {
    place: String,
    belief: Trust,
    pub table: Table,
}

impl LogReplay {
    pub fn of(log: &TableLog, belief: Trust) -> Self {
        Self { place: format!("{}/_delta_log", log.folder()), belief, table: Table::default() }
    }

    /// Applies the next entry.
    pub fn entry(&mut self, version: u64, bytes: &Bytes) -> Result<(), StoreError> {
        let place = format!("{}/{version:020}.json", self.place);
        let entry =
            LogEntry::read(bytes).map_err(|what| StoreError::damaged(place.clone(), what))?;
        self.table.version = version;
        if self.belief == Trust::Own {
            return self.table.apply_trusted(version, &place, entry);
        }
        if let Some(protocol) = &entry.protocol {
            self.table.others.features =
                (!protocol.is_known()).then_some((place, protocol.asks_for()));
        }
        self.table.apply(entry);
        Ok(())
    }

    /// Starts from a checkpoint; returns whether Lakeplan wrote it.
    pub fn checkpoint(&mut self, version: u64, bytes: Bytes) -> Result<bool, StoreError> {
        let place =
            format!("{}/{}", self.place.trim_end_matches("/_delta_log"), checkpoint_path(version));
        let builder = decode::open(&place, bytes)?;
        let wanted = [
            "add.path",
            "add.size",
            "add.partitionValues",
            "add.stats",
            "txn.appId",
            "txn.version",
            "metaData.id",
            "metaData.schemaString",
            "protocol.minReaderVersion",
            "protocol.minWriterVersion",
            "protocol.readerFeatures",
            "protocol.writerFeatures",
            "add.deletionVector.storageType",
            "sidecar.path",
        ];
        let is_own = builder
            .metadata()
            .file_metadata()
            .created_by()
            .is_some_and(|by| by.starts_with(CREATED_BY));
        let mask = ProjectionMask::columns(builder.parquet_schema(), wanted);
        for batch in decode::batches(&place, builder.with_projection(mask))? {
            let batch = batch?;
            let read = guarded(&place, || Ok(self.checkpoint_rows(&batch)))?;
            read.ok_or_else(|| StoreError::damaged(place.clone(), FOREIGN_WRITER))?;
        }
        self.table.version = version;
        Ok(is_own)
    }

    fn checkpoint_rows(&mut self, batch: &RecordBatch) -> Option<()> {
        let add = batch.column_by_name("add")?.as_struct_opt()?;
        let (path, stats) = (
            add.column_by_name("path")?.as_string_opt()?,
            add.column_by_name("stats")?.as_string_opt()?,
        );
        let size = add.column_by_name("size")?.as_primitive_opt::<Int64Type>()?;
        let partitions = add.column_by_name("partitionValues")?.as_map_opt()?;
        let txn = batch.column_by_name("txn")?.as_struct_opt()?;
        let app = txn.column_by_name("appId")?.as_string_opt::<i32>()?;
        let version = txn.column_by_name("version")?.as_primitive_opt::<Int64Type>()?;
        let described = batch.column_by_name("metaData")?.as_struct_opt()?;
        let id = described.column_by_name("id")?.as_string_opt()?;
        let schema = described.column_by_name("schemaString")?.as_string_opt()?;
        let protocol = batch.column_by_name("protocol")?.as_struct_opt()?;
        let vector = add.column_by_name("deletionVector");
        let sidecar = batch.column_by_name("sidecar");
        for row in 0..batch.num_rows() {
            let has_vector = vector.is_some_and(|vector| vector.is_valid(row));
            if has_vector || sidecar.is_some_and(|sidecar| sidecar.is_valid(row)) {
                return None;
            }
            if protocol.is_valid(row) {
                let protocol = protocol_in(batch, row)?;
                let place = || self.place.clone();
                self.table.others.features =
                    (!protocol.is_known()).then(|| (place(), protocol.asks_for()));
            }
            if txn.is_valid(row) && app.is_valid(row) {
                self.table.txns.insert(app.value(row).to_owned(), version.value(row));
            }
            if described.is_valid(row) && schema.is_valid(row) {
                self.table.described =
                    Some(TableMetadata { id: text(id, row)?, schema: text(schema, row)? });
            }
            if add.is_valid(row) && path.is_valid(row) {
                let stats: &StringArray = stats;
                self.add(LiveFile {
                    path: text(path, row)?,
                    size: size.value(row),
                    partitions: pairs(partitions, row)?,
                    stats: text(stats, row),
                    vector: None,
                });
            }
        }
        Some(())
    }

    fn add(&mut self, file: LiveFile) {
        self.table.files.insert(file.path.clone(), file);
    }
}

fn text(column: &StringArray, row: usize) -> Option<String> {
    column.is_valid(row).then(|| column.value(row).to_owned())
}

fn pairs(map: &MapArray, row: usize) -> Option<BTreeMap<String, Option<String>>> {
    let entries = map.value(row);
    let (keys, values) =
        (entries.column(0).as_string_opt::<i32>()?, entries.column(1).as_string_opt::<i32>()?);
    (0..entries.len()).map(|at| Some((text(keys, at)?, text(values, at)))).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use deltalake::DeltaTable;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use serde_json::{Value, json};

    use super::*;
    use crate::runtime::{Random, SeededRandom, random_bytes};
    use crate::store::delta_log::action::parsed;
    use crate::store::delta_log::spec::TableSpec;
    use crate::store::tables::TABLES;
    use crate::store::tables::definition::columns;

    fn below(limit: usize, random: &dyn Random) -> usize {
        let [byte] = random_bytes(random);
        usize::from(byte) % limit
    }

    fn log() -> TableLog {
        TableLog::new(Arc::new(InMemory::new()), "tasks")
    }

    fn create() -> Vec<Value> {
        let entity = TABLES[2].entity;
        let table = TableSpec {
            name: "tasks",
            doc: "Tasks.",
            columns: columns(entity),
            partitions: &["bucket"],
        };
        let actions = table.create(uuid::Uuid::nil(), chrono::DateTime::UNIX_EPOCH);
        actions.iter().map(|action| serde_json::to_value(action).unwrap()).collect()
    }

    fn add(path: &str) -> Value {
        json!({"add": {
            "path": path, "partitionValues": {"bucket": "7"}, "size": 11, "modificationTime": 1, "dataChange": true,
            "stats": json!({"numRecords": 3}).to_string(),
        }})
    }

    fn remove(path: &str) -> Value {
        json!({"remove": {"path": path, "deletionTimestamp": 1, "dataChange": true, "partitionValues": {"bucket": "7"}, "size": 11}})
    }

    async fn same_as_delta_rs(log: &TableLog) -> Table {
        let ours = replay(log).await.unwrap().unwrap();
        let mut theirs = DeltaTable::new(log.delta().unwrap());
        theirs.load().await.unwrap();
        let mut paths: Vec<String> = theirs
            .get_file_uris()
            .unwrap()
            .map(|uri| uri.rsplit("tasks/").next().unwrap().to_owned())
            .collect();
        paths.sort();
        assert_eq!(ours.files.keys().cloned().collect::<Vec<_>>(), paths);
        assert_eq!(Some(ours.version), theirs.version());
        ours
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn it_reads_what_delta_rs_reads() {
        for seed in 0..8 {
            let (log, random) = (log(), SeededRandom::new(seed));
            assert_eq!(replay(&log).await.unwrap().map(|table| table.version), None);
            let mut live: Vec<String> = Vec::new();
            for version in 0..40_u64 {
                let mut actions =
                    vec![json!({"txn": {"appId": "lakeplan", "version": version * 3}})];
                if version == 0 {
                    actions.extend(create());
                }
                if live.len() > 4 {
                    actions.push(remove(&live.swap_remove(below(live.len(), &random))));
                }
                for number in 0..below(3, &random) {
                    let path = format!("bucket=7/{version}-{number}.parquet");
                    actions.push(add(&path));
                    live.push(path);
                }
                log.put_commit(version, &parsed(&actions)).await.unwrap();
                if below(5, &random) == 0 {
                    log.checkpoint(version).await.unwrap();
                    for old in 0..version {
                        let _ = log.store().delete(&Path::from(entry_path(old))).await;
                    }
                }
                if below(5, &random) == 0 {
                    let hint = Path::from("_delta_log/_last_checkpoint");
                    let broken = [r#"{"version":7777}"#, "", "{"][below(3, &random)];
                    log.store().put(&hint, broken.into()).await.unwrap();
                } else {
                    let table = same_as_delta_rs(&log).await;
                    assert_eq!(table.txns["lakeplan"], version as i64 * 3);
                    assert!(
                        table.files.values().all(|file| file.size == 11
                            && file.partitions["bucket"].as_deref() == Some("7"))
                    );
                    assert!(table.files.values().all(|file| {
                        file.stats
                            .as_deref()
                            .is_some_and(|stats| stats.contains("\"numRecords\":3"))
                    }));
                }
                assert_eq!(
                    head(&log).await.unwrap(),
                    Some(version),
                    "the head is not what a replay finds"
                );
                let mut known: Vec<String> =
                    replay(&log).await.unwrap().unwrap().files.into_keys().collect();
                live.sort();
                known.sort();
                assert_eq!(known, live);
            }
        }
    }

    #[tokio::test]
    async fn what_is_missing_or_foreign_is_stated() {
        let log = log();
        log.put_commit(0, &parsed(&create())).await.unwrap();
        log.put_commit(1, &parsed(&[add("a")])).await.unwrap();
        log.put_commit(3, &parsed(&[add("b")])).await.unwrap();
        assert!(replay(&log).await.unwrap_err().to_string().contains("00000000000000000002.json"));
        log.put_commit(
            2,
            &parsed(&[json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7}})]),
        )
        .await
        .unwrap();
        let table = replay(&log).await.unwrap().unwrap();
        assert!(table.others.may_write().unwrap_err().to_string().contains("another writer"));
        log.store().put(&Path::from(entry_path(2)), "{\"add\":".into()).await.unwrap();
        assert!(matches!(replay(&log).await, Err(StoreError::Damaged { .. })));
    }
}
