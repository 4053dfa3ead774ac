//! Reading a Delta log of ours: the newest checkpoint and the entries after it become the live files and transactions.
//!
//! delta-rs can do this too and does it for SQL; here it is done for every command, some ten times, so it takes as few
//! reads as there are objects and all of them at once. It knows what Lakeplan writes, single-file checkpoints and no
//! table features. Of the tables in which only Lakeplan's commits count it passes over what others did, and begins with a
//! checkpoint of Lakeplan's; elsewhere it refuses what only another writer can have made.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::pin::pin;

use bytes::Bytes;
use deltalake::arrow::array::{Array, AsArray, MapArray, RecordBatch, StringArray};
use deltalake::arrow::datatypes::Int64Type;
use deltalake::parquet::arrow::ProjectionMask;
use futures::{Stream, StreamExt, TryStreamExt};
use object_store::path::Path;
use serde::Deserialize;

use super::catalog::features::called;
use super::checkpoint;
use super::decode::{self, guarded};
use super::error::StoreError;
use super::log_entry::{LogEntry, protocol_in};
use super::table_log::{Belief, Described, LAST_VERSION, LiveFile, Table, TableLog, entry_path};

pub const FOREIGN: &str = "another writer changed the table; only Lakeplan may write it";
/// Where a log says which checkpoint is its newest.
pub const HINT: &str = "_delta_log/_last_checkpoint";
/// Objects read at once.
const AT_ONCE: usize = 16;
/// Features for writers that change nothing for one that adds its own files and removes them.
const HARMLESS: [&str; 5] =
    ["appendOnly", "invariants", "checkConstraints", "changeDataFeed", "generatedColumns"];

#[derive(Deserialize)]
struct Hint {
    version: u64,
}

/// What a reader and a writer must know to work on the table.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Protocol {
    pub min_reader_version: i32,
    pub min_writer_version: i32,
    #[serde(default)]
    pub reader_features: Vec<String>,
    #[serde(default)]
    pub writer_features: Vec<String>,
}

impl Protocol {
    /// Whether it asks for nothing that Lakeplan would have to do and does not: no feature that says how rows are read or
    /// files are kept.
    pub fn is_known(&self) -> bool {
        let is_harmless = |name: &String| HARMLESS.contains(&name.as_str());
        self.min_reader_version <= 1
            && self.reader_features.is_empty()
            && match self.min_writer_version {
                ..=6 => true,
                7 => self.writer_features.iter().all(is_harmless),
                _ => false,
            }
    }

    /// What it asks for, by name.
    pub fn asks_for(&self) -> String {
        let names: BTreeSet<&str> = self
            .reader_features
            .iter()
            .chain(&self.writer_features)
            .map(|name| called(name))
            .collect();
        if names.is_empty() {
            return format!("of protocol {}.{}", self.min_reader_version, self.min_writer_version);
        }
        names.into_iter().collect::<Vec<_>>().join(", ")
    }
}

/// The version of the last checkpoint, if the log gives a hint. One that is broken or leads nowhere is passed over.
async fn hinted(log: &TableLog) -> Result<Option<u64>, StoreError> {
    let hint = log.get(HINT).await?;
    Ok(hint.and_then(|bytes| serde_json::from_slice::<Hint>(&bytes).ok()).map(|hint| hint.version))
}

/// The version of the head of a log; `None` where there is no log.
pub async fn head(log: &TableLog) -> Result<Option<u64>, StoreError> {
    let newest = |names: Vec<String>| {
        let version = |name: &String| {
            version_of(name, ".json").or_else(|| version_of(name, ".checkpoint.parquet"))
        };
        names.iter().filter_map(version).max()
    };
    // What the hint leads to must be there itself, else it says nothing.
    if let Some(before) = hinted(log).await?.and_then(|version| version.checked_sub(1))
        && let Some(version) = newest(list(log, Some(before)).await?)
    {
        return Ok(Some(version));
    }
    list(log, None).await.map(newest)
}

/// The table at the head of its log; `None` where there is no log.
pub async fn replay(log: &TableLog) -> Result<Option<Table>, StoreError> {
    let (checkpoint, names) = begin(log).await?;
    let mut replaying = Replaying::of(log, log.belief());
    let mut next = 0;
    if let Some((version, bytes)) = checkpoint {
        let read = replaying.checkpoint(version, bytes);
        if log.belief() == Belief::Own && !matches!(read, Ok(true)) {
            // Into a checkpoint of another writer may have gone what does not count.
            return before(log, version, read.map(|_| replaying)).await.map(Some);
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
        return Ok((next > 0).then_some(replaying.table));
    };
    Ok(Some(follow(log, replaying, next..=last).await?))
}

/// The table at the head of a log, from the newest checkpoint of Lakeplan before another writer's, or from the first entry.
/// Where the entries since are gone, from that checkpoint as it was read.
async fn before(
    log: &TableLog,
    foreign: u64,
    read: Result<Replaying, StoreError>,
) -> Result<Table, StoreError> {
    let names = list(log, None).await?;
    let entries: BTreeSet<u64> =
        names.iter().filter_map(|name| version_of(name, ".json")).collect();
    let last = entries.last().copied().unwrap_or(foreign).max(foreign);
    let is_whole = |from: u64| (from..=last).all(|version| entries.contains(&version));
    let mut earlier: Vec<u64> =
        names.iter().filter_map(|name| version_of(name, ".checkpoint.parquet")).collect();
    earlier.sort_unstable();
    while let Some(version) = earlier.pop().filter(|version| is_whole(version + 1)) {
        let mut replaying = Replaying::of(log, Belief::Own);
        if version < foreign
            && let Some(bytes) = log.get(&checkpoint_path(version)).await?
            && matches!(replaying.checkpoint(version, bytes), Ok(true))
        {
            return follow(log, replaying, version + 1..=last).await;
        }
    }
    if is_whole(0) {
        return follow(log, Replaying::of(log, Belief::Own), 0..=last).await;
    }
    let mut replaying = read?;
    replaying.table.others.unsure = Some(foreign);
    if last > foreign {
        follow(log, replaying, foreign + 1..=last).await
    } else {
        Ok(replaying.table)
    }
}

/// A listing that ran beside a writer may leave out an entry below one that it shows, so each is asked for.
async fn follow(
    log: &TableLog,
    mut replaying: Replaying,
    versions: RangeInclusive<u64>,
) -> Result<Table, StoreError> {
    let mut entries = pin!(entries(log, versions));
    while let Some((version, bytes)) = entries.try_next().await? {
        replaying.entry(version, &bytes)?;
    }
    Ok(replaying.table)
}

/// The newest checkpoint with its version, if there is one, and the names in the log after what the hint leads to.
pub async fn begin(log: &TableLog) -> Result<(Option<(u64, Bytes)>, Vec<String>), StoreError> {
    let hinted = match hinted(log).await? {
        Some(version) => log.get(&checkpoint_path(version)).await?.map(|bytes| (version, bytes)),
        None => None,
    };
    let names = list(log, hinted.as_ref().map(|(version, _)| *version)).await?;
    // A writer that slept may have put the hint back, to before entries that were cleaned up since.
    let found = match names.iter().filter_map(|name| version_of(name, ".checkpoint.parquet")).max()
    {
        Some(newer) if hinted.as_ref().is_none_or(|(version, _)| *version < newer) => {
            Some((newer, log.get_live(&checkpoint_path(newer)).await?))
        }
        _ => hinted,
    };
    Ok((found, names))
}

/// The entries of these versions in order, each of which must be there.
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
    futures::stream::iter(versions).map(one).buffered(AT_ONCE)
}

/// A table as far as its log was read.
pub struct Replaying {
    place: String,
    belief: Belief,
    pub table: Table,
}

impl Replaying {
    pub fn of(log: &TableLog, belief: Belief) -> Self {
        Self { place: format!("{}/_delta_log", log.folder()), belief, table: Table::default() }
    }

    /// Takes in the next entry.
    pub fn entry(&mut self, version: u64, bytes: &Bytes) -> Result<(), StoreError> {
        let place = format!("{}/{version:020}.json", self.place);
        let entry =
            LogEntry::read(bytes).map_err(|what| StoreError::damaged(place.clone(), what))?;
        self.table.version = version;
        if self.belief == Belief::Own {
            return self.table.believe(version, &place, entry);
        }
        if let Some(protocol) = &entry.protocol {
            self.table.others.features =
                (!protocol.is_known()).then_some((place, protocol.asks_for()));
        }
        self.table.apply(entry);
        Ok(())
    }

    /// Begins with a checkpoint; whether Lakeplan wrote it.
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
            .is_some_and(|by| by.starts_with(checkpoint::CREATED_BY));
        let mask = ProjectionMask::columns(builder.parquet_schema(), wanted);
        for batch in decode::batches(&place, builder.with_projection(mask))? {
            let batch = batch?;
            let read = guarded(&place, || Ok(self.checkpoint_rows(&batch)))?;
            read.ok_or_else(|| StoreError::damaged(place.clone(), FOREIGN))?;
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
                    Some(Described { id: text(id, row)?, schema: text(schema, row)? });
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

/// The names in the log, after those of a version's entry and checkpoint where one is given.
pub async fn list(log: &TableLog, after: Option<u64>) -> Result<Vec<String>, StoreError> {
    let folder = Path::from("_delta_log");
    let listed = match after {
        Some(version) => {
            log.store().list_with_offset(Some(&folder), &Path::from(entry_path(version)))
        }
        None => log.store().list(Some(&folder)),
    };
    let names =
        listed.map_ok(|meta| meta.location.filename().unwrap_or_default().to_owned()).try_collect();
    names.await.map_err(|fault| {
        StoreError::storage("listing", format!("{}/_delta_log", log.folder()), fault)
    })
}

/// The version in a name of twenty digits and this ending. A number that is no version of Delta is none.
pub fn version_of(name: &str, ending: &str) -> Option<u64> {
    version_in(name).filter(|_| name.get(20..) == Some(ending))
}

/// The version that a name in the log begins with.
pub fn version_in(name: &str) -> Option<u64> {
    let digits =
        name.get(..20).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().filter(|version| *version <= LAST_VERSION)
}

pub fn checkpoint_path(version: u64) -> String {
    format!("_delta_log/{version:020}.checkpoint.parquet")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use deltalake::DeltaTable;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use serde_json::{Value, json};

    use super::*;
    use crate::runtime::{Random, SeededRandom, random_bytes};
    use crate::store::table_log::entry_bytes;
    use crate::store::tables::TABLES;
    use crate::store::tables::definition::{Description, columns};

    fn below(limit: usize, random: &dyn Random) -> usize {
        let [byte] = random_bytes(random);
        usize::from(byte) % limit
    }

    fn log() -> TableLog {
        TableLog::new(Arc::new(InMemory::new()), "tasks")
    }

    fn create() -> Vec<Value> {
        let entity = TABLES[2].entity;
        let table = Description {
            name: "tasks",
            doc: "Tasks.",
            columns: columns(entity),
            partitions: &["bucket"],
        };
        table.create(uuid::Uuid::nil(), chrono::DateTime::UNIX_EPOCH).to_vec()
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
                log.put_entry(version, entry_bytes(&actions)).await.unwrap();
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
    async fn what_is_missing_or_foreign_is_said() {
        let log = log();
        log.put_entry(0, entry_bytes(&create())).await.unwrap();
        log.put_entry(1, entry_bytes(&[add("a")])).await.unwrap();
        log.put_entry(3, entry_bytes(&[add("b")])).await.unwrap();
        assert!(replay(&log).await.unwrap_err().to_string().contains("00000000000000000002.json"));
        log.put_entry(
            2,
            entry_bytes(&[json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7}})]),
        )
        .await
        .unwrap();
        let table = replay(&log).await.unwrap().unwrap();
        assert!(table.others.may_write().unwrap_err().to_string().contains("another writer"));
        log.store().put(&Path::from(entry_path(2)), "{\"add\":".into()).await.unwrap();
        assert!(matches!(replay(&log).await, Err(StoreError::Damaged { .. })));
    }
}
