//! Accesses the Delta log of one of the lake's tables: finds its head, reads and puts entries and
//! files.
//!
//! Entries are put only if their version does not exist, and delta-rs never writes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use deltalake::logstore::{LogStoreRef, StorageConfig, default_logstore};
use deltalake::operations::vacuum::VacuumMode;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde_json::Value;
use url::Url;

use super::catalog::JOURNAL;
use super::error::{NameTaken, StoreError};
use super::event_tables::APPENDED;
use super::foreign::ForeignChanges;
use super::{checkpoint, log_replay};
use crate::domain::time::Instant;

/// Highest version of a log. Delta counts on to 2^63, which nobody reaches; a file with a greater
/// number is stray, and no commit could follow it.
pub const LAST_VERSION: u64 = 1 << 53;
/// Waits before retrying a name that is taken although no entry is there.
const WAITS: [Duration; 4] = [
    Duration::from_millis(10),
    Duration::from_millis(40),
    Duration::from_millis(160),
    Duration::from_millis(640),
];

/// The log of a table below the lake's root.
#[derive(Clone)]
pub struct TableLog {
    folder: String,
    root: Arc<dyn ObjectStore>,
    store: Arc<dyn ObjectStore>,
    belief: Trust,
}

/// Which commits of a log are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    All,
    /// Commits of Lakeplan, and commits of others that change no rows.
    Own,
}

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
    pub partitions: BTreeMap<String, Option<String>>,
    pub stats: Option<String>,
    /// Rows that another writer deleted, as Delta's JSON.
    pub vector: Option<Value>,
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
    pub fn after(self, version: u64, actions: &[Value]) -> Self {
        let sizes = |kind: &str| {
            actions.iter().filter_map(|action| action[kind]["size"].as_u64()).collect::<Vec<_>>()
        };
        let (added, removed) = (sizes("add"), sizes("remove"));
        let files = (self.files + added.len()).saturating_sub(removed.len());
        let bytes = (self.bytes + added.iter().sum::<u64>()).saturating_sub(removed.iter().sum());
        Self { version, files, bytes }
    }
}

/// Time of a vacuum.
#[derive(Debug)]
struct At(Instant);

impl deltalake::operations::vacuum::Clock for At {
    fn current_timestamp_millis(&self) -> i64 {
        self.0.timestamp_millis()
    }
}

/// Position of a version relative to the end of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogPosition {
    /// The version exists and nothing follows it.
    Here,
    /// The version exists and others follow.
    Behind,
    /// The version is gone: entries up to some later one have been cleaned up.
    Cleaned,
}

impl TableLog {
    /// `root` is the store of the whole lake, `folder` the table's folder in it.
    pub fn new(root: Arc<dyn ObjectStore>, folder: &str) -> Self {
        // A current table itself shows whether others changed it, and others write the inbox.
        let is_own = folder == JOURNAL || APPENDED.iter().any(|table| table.name == folder);
        let belief = if is_own { Trust::Own } else { Trust::All };
        Self {
            folder: folder.to_owned(),
            store: Arc::new(PrefixStore::new(Arc::clone(&root), folder)),
            root,
            belief,
        }
    }

    /// Returns the log of a table elsewhere, through the store of the table itself.
    pub fn rooted(store: Arc<dyn ObjectStore>, name: &str) -> Self {
        Self { folder: name.to_owned(), root: Arc::clone(&store), store, belief: Trust::All }
    }

    /// Returns which commits are trusted.
    pub fn belief(&self) -> Trust {
        self.belief
    }

    pub fn folder(&self) -> &str {
        &self.folder
    }

    /// Returns the store of the table's own folder.
    pub fn store(&self) -> &dyn ObjectStore {
        self.store.as_ref()
    }

    /// Loads the table at the head of its log; `None` if there is no table.
    pub async fn load(&self) -> Result<Option<Table>, StoreError> {
        log_replay::replay(self).await
    }

    /// Returns the version of the head without reading the table's content; `None` if there is no
    /// table.
    pub async fn head(&self) -> Result<Option<u64>, StoreError> {
        log_replay::head(self).await
    }

    /// Returns the last version that has anything in the log, readable or not.
    pub async fn last(&self) -> Result<u64, StoreError> {
        let names = log_replay::list(self, None).await?;
        Ok(names.iter().filter_map(|name| log_replay::version_in(name)).max().unwrap_or(0))
    }

    /// Returns the version after `version`; fails if none can follow.
    pub fn after(&self, version: u64) -> Result<u64, StoreError> {
        let what = "no version can follow this one, which Lakeplan cannot have written; move the file away";
        let place = || format!("{}/{}", self.folder, entry_path(version));
        if version < LAST_VERSION {
            Ok(version + 1)
        } else {
            Err(StoreError::damaged(place(), what))
        }
    }

    /// Writes the checkpoint of a version whose entry alone describes the whole table, so that
    /// nobody needs earlier entries.
    pub async fn begin_at(&self, version: u64, entry: &Bytes) -> Result<(), StoreError> {
        checkpoint::write_of(self, version, entry).await
    }

    /// Returns the table for delta-rs. The URL is only a name: every read goes through the store.
    pub fn delta(&self) -> Result<LogStoreRef, StoreError> {
        let url = Url::parse(&format!("memory:///{}/", self.folder))
            .map_err(|err| StoreError::storage("naming", &self.folder, err))?;
        Ok(default_logstore(
            Arc::clone(&self.store),
            Arc::clone(&self.root),
            &url,
            &StorageConfig::default(),
        ))
    }

    /// Returns the version of the head, and the files that neither it nor any version of the
    /// retention needs. Readers of earlier versions need the files that were removed within the
    /// retention.
    pub async fn vacuum_candidates(
        &self,
        retention: TimeDelta,
        now: Instant,
    ) -> Result<Option<(u64, BTreeSet<String>)>, StoreError> {
        let failed =
            |err: deltalake::DeltaTableError| StoreError::storage("examining", &self.folder, err);
        if self.load().await?.is_none() {
            return Ok(None);
        }
        let mut table = deltalake::DeltaTable::new(self.delta()?);
        table.load().await.map_err(failed)?;
        let version = table.version().unwrap_or_default();
        let listed = table
            .vacuum()
            .with_dry_run(true)
            .with_mode(VacuumMode::Full)
            .with_enforce_retention_duration(false)
            .with_retention_period(retention)
            .with_clock(Arc::new(At(now)))
            .await;
        let (_, metrics) = listed.map_err(failed)?;
        Ok(Some((version, metrics.files_deleted.into_iter().collect())))
    }

    /// Writes a checkpoint of a version, unless there is one of it or of a later version.
    pub async fn checkpoint(&self, version: u64) -> Result<(), StoreError> {
        checkpoint::write(self, version).await
    }

    /// Writes a checkpoint if one is due at a version. A failure is only logged: without a
    /// checkpoint the table merely opens more slowly.
    pub async fn checkpoint_if_due(&self, version: u64) {
        if version > 0
            && version.is_multiple_of(checkpoint::EVERY)
            && let Err(err) = self.checkpoint(version).await
        {
            tracing::warn!(table = self.folder, %err, "no checkpoint was written; opening the table stays slower until the next one");
        }
    }

    /// Reads a file or entry; `None` if it does not exist.
    pub async fn get(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        let failed =
            |err: Error| StoreError::storage("reading", format!("{}/{path}", self.folder), err);
        match self.store.get(&Path::from(path)).await {
            Ok(found) => found.bytes().await.map(Some).map_err(failed),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(err) => Err(failed(err)),
        }
    }

    /// Puts a file if its name does not exist; returns whether it was put.
    pub async fn put_if_absent(&self, path: &str, bytes: Bytes) -> Result<bool, StoreError> {
        match self.create(path, bytes).await {
            Ok(()) => Ok(true),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(false),
            Err(err) => Err(StoreError::storage("writing", format!("{}/{path}", self.folder), err)),
        }
    }

    /// Puts a file, and replaces an existing one.
    pub async fn replace(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        let put = self.store.put(&Path::from(path), bytes.into()).await;
        put.map(drop)
            .map_err(|err| StoreError::storage("writing", format!("{}/{path}", self.folder), err))
    }

    /// Deletes a file if it exists.
    pub async fn remove(&self, path: &str) -> Result<(), StoreError> {
        match self.store.delete(&Path::from(path)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(err) => {
                Err(StoreError::storage("deleting", format!("{}/{path}", self.folder), err))
            }
        }
    }

    /// Returns whether a file exists.
    pub async fn has(&self, path: &str) -> Result<bool, StoreError> {
        match self.store.head(&Path::from(path)).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(err) => Err(StoreError::storage("reading", format!("{}/{path}", self.folder), err)),
        }
    }

    /// Returns, from one listing, the live files that are missing or have another size than the log
    /// states, with the problem.
    pub async fn findings(&self, table: &Table) -> Result<Vec<(String, String)>, StoreError> {
        let listed = self.store.list(None).map_ok(|meta| (meta.location, meta.size)).try_collect();
        let sizes: BTreeMap<Path, u64> =
            listed.await.map_err(|err| StoreError::storage("listing", &self.folder, err))?;
        let wrong = |file: &LiveFile| match sizes.get(&Path::from(file.path.as_str())) {
            None => Some("the file is missing".to_owned()),
            Some(size) if *size != file.size.unsigned_abs() => {
                Some(format!("it has {size} bytes, but the log says {}", file.size))
            }
            Some(_) => None,
        };
        Ok(table
            .files
            .values()
            .filter_map(|file| Some((file.path.clone(), wrong(file)?)))
            .collect())
    }

    /// Reads a file that the log names, and checks it against the checksum in its name, if there is
    /// one.
    pub async fn get_live(&self, path: &str) -> Result<Bytes, StoreError> {
        let damaged = |what: &str| StoreError::damaged(format!("{}/{path}", self.folder), what);
        let bytes = self.get(path).await?.ok_or_else(|| damaged("the file is missing"))?;
        match checksum_in(path) {
            Some(sum) if sum != crc32fast::hash(&bytes) => {
                Err(damaged("its content differs from what was written"))
            }
            _ => Ok(bytes),
        }
    }

    /// Puts a file under a new name to which its checksum is added. Returns the full path.
    pub async fn put_checked(&self, path: &str, bytes: Bytes) -> Result<String, StoreError> {
        let path = checked_path(path, &bytes);
        self.put(&path, bytes).await?;
        Ok(path)
    }

    /// Puts a file under a new name.
    pub async fn put(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        let put = self.create(path, bytes).await;
        put.map_err(|err| StoreError::storage("writing", format!("{}/{path}", self.folder), err))
    }

    pub async fn get_entry(&self, version: u64) -> Result<Option<Bytes>, StoreError> {
        self.get(&entry_path(version)).await
    }

    /// Returns the storage's creation time of an entry.
    pub async fn entry_time(&self, version: u64) -> Result<Instant, StoreError> {
        let path = entry_path(version);
        let meta = self.store.head(&Path::from(path.as_str())).await;
        meta.map(|meta| meta.last_modified).map_err(|err| match err {
            Error::NotFound { .. } => {
                StoreError::damaged(format!("{}/{path}", self.folder), "the entry is missing")
            }
            err => StoreError::storage("reading", format!("{}/{path}", self.folder), err),
        })
    }

    /// Puts a log entry if its version does not exist. If its name stays taken although the log
    /// ends before it, the error says so: waiting for a faster writer's entry would never end.
    pub async fn put_commit(&self, version: u64, bytes: Bytes) -> Result<(), Error> {
        let mut put = self.put_entry_once(version, bytes.clone()).await;
        for wait in WAITS {
            if !is_taken(&put) || self.get_entry(version).await.is_ok_and(|entry| entry.is_some()) {
                return put;
            }
            // The entry may have been added and cleaned up since.
            if version != self.head().await.ok().flatten().map_or(0, |head| head + 1) {
                return put;
            }
            tokio::time::sleep(wait).await;
            // A storage may report a free name as taken.
            put = self.put_entry_once(version, bytes.clone()).await;
        }
        if is_taken(&put) { Err(self.name_taken(version)) } else { put }
    }

    /// Makes one attempt to put a log entry, whatever has the name.
    pub async fn put_entry_once(&self, version: u64, bytes: Bytes) -> Result<(), Error> {
        self.create(&entry_path(version), bytes).await
    }

    /// Returns the error for an entry whose name is taken by something that is not an entry.
    pub fn name_taken(&self, version: u64) -> Error {
        let path = format!("{}/{}", self.folder, entry_path(version));
        Error::Generic { store: "the lake", source: NameTaken(path).into() }
    }

    async fn create(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        self.store.put_opts(&Path::from(path), bytes.into(), options).await.map(drop)
    }

    /// Determines the position of a version relative to the end of the log, by listing.
    pub async fn end(&self, version: u64) -> Result<LogPosition, StoreError> {
        // The entry's name without its ending: it sorts after every earlier entry and before its
        // own.
        let offset = Path::from(format!("_delta_log/{version:020}"));
        let listed = self.store.list_with_offset(Some(&Path::from("_delta_log")), &offset);
        let names: Vec<String> = listed
            .map_ok(|meta| meta.location.filename().unwrap_or_default().to_owned())
            .try_collect()
            .await
            .map_err(|err| {
                StoreError::storage("listing", format!("{}/_delta_log", self.folder), err)
            })?;
        let versions = names.iter().filter_map(|name| log_replay::version_of(name, ".json"));
        let (mut here, mut after) = (false, false);
        for listed in versions {
            here |= listed == version;
            after |= listed > version;
        }
        Ok(match (here, after) {
            (true, false) => LogPosition::Here,
            (true, true) => LogPosition::Behind,
            (false, _) => LogPosition::Cleaned,
        })
    }
}

/// Returns the path of a file with the checksum of its bytes in its name: a name survives in every
/// log, checkpoint and reader.
pub fn checked_path(path: &str, bytes: &[u8]) -> String {
    format!(
        "{}.c{:08x}.parquet",
        path.strip_suffix(".parquet").unwrap_or(path),
        crc32fast::hash(bytes)
    )
}

/// Returns the checksum in a file name.
fn checksum_in(path: &str) -> Option<u32> {
    let (_, sum) = path.strip_suffix(".parquet")?.rsplit_once(".c")?;
    if sum.len() == 8 { u32::from_str_radix(sum, 16).ok() } else { None }
}

/// Returns the URL that names the lake's root in the tables. It is only a name; every read goes
/// through the store.
pub fn root_url() -> Result<Url, StoreError> {
    Url::parse("memory:///").map_err(|err| StoreError::storage("naming", "the lake", err))
}

/// Encodes an entry: one action per line.
pub fn entry_bytes(actions: &[Value]) -> Bytes {
    let mut text = String::new();
    for action in actions {
        text.push_str(&action.to_string());
        text.push('\n');
    }
    text.into()
}

/// Returns whether a put was refused because its name is taken.
pub fn is_taken(put: &Result<(), Error>) -> bool {
    matches!(put, Err(Error::AlreadyExists { .. } | Error::Precondition { .. }))
}

pub(super) fn entry_path(version: u64) -> String {
    format!("_delta_log/{version:020}.json")
}
