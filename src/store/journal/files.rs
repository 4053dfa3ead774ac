//! The journal's files: which ones are live, and reading and writing them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use deltalake::kernel::{Action, EagerSnapshot};
use deltalake::logstore::{LogStoreRef, StorageConfig, default_logstore};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use url::Url;
use uuid::Uuid;

use super::batch;
use super::entry::{self, Entry, JournalFile};
use crate::store::error::StoreError;
use crate::store::row::{Row, Stream};

/// The folder of the table below the lake's root.
const FOLDER: &str = "journal";

/// What is known of the journal's files.
#[derive(Clone)]
pub struct Files {
    root: Arc<dyn ObjectStore>,
    store: Arc<dyn ObjectStore>,
    live: BTreeMap<String, JournalFile>,
}

/// How the end of the log looks from a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The version exists and nothing comes after it.
    Here,
    /// The version exists and others follow.
    Behind,
    /// The version is gone: entries up to somewhere after it have been cleaned up.
    Cleaned,
}

impl End {
    /// Walking forward from the version finds every later entry.
    pub fn is_reachable(self) -> bool {
        self != Self::Cleaned
    }
}

impl Files {
    /// `root` is the store of the whole lake.
    pub fn new(root: Arc<dyn ObjectStore>) -> Self {
        Self { store: Arc::new(PrefixStore::new(Arc::clone(&root), FOLDER)), root, live: BTreeMap::new() }
    }

    pub fn live(&self) -> impl Iterator<Item = &JournalFile> {
        self.live.values()
    }

    /// Finds the head and its live files from the log itself; `None` where there is no table.
    pub async fn load(&mut self) -> Result<Option<u64>, StoreError> {
        let log = self.log_store()?;
        let is_table =
            log.is_delta_table_location().await.map_err(|fault| StoreError::storage("reading", "journal/_delta_log", fault))?;
        if !is_table {
            return Ok(None);
        }
        let snapshot = EagerSnapshot::try_new(log.as_ref(), None)
            .await
            .map_err(|fault| StoreError::damaged("journal/_delta_log", fault.to_string()))?;
        self.live.clear();
        for view in snapshot.log_data().iter() {
            let stream = view.partition_values_map().remove("stream").flatten();
            let file = entry::file(&view.path(), view.size(), stream.as_deref(), view.stats().as_deref())?;
            self.live.insert(file.path.clone(), file);
        }
        Ok(Some(snapshot.version()))
    }

    /// The table as delta-rs sees it. The URL is only a name: every read goes through the store.
    fn log_store(&self) -> Result<LogStoreRef, StoreError> {
        let url = Url::parse(&format!("memory:///{FOLDER}/")).map_err(|fault| StoreError::storage("naming", FOLDER, fault))?;
        Ok(default_logstore(Arc::clone(&self.store), Arc::clone(&self.root), &url, &StorageConfig::default()))
    }

    pub async fn checkpoint(&self, version: u64) -> Result<(), StoreError> {
        let failed = |fault: deltalake::DeltaTableError| StoreError::storage("checkpointing", FOLDER, fault);
        let mut table = deltalake::DeltaTable::new(self.log_store()?);
        table.load_version(version).await.map_err(failed)?;
        deltalake::checkpoints::create_checkpoint(&table, None).await.map_err(failed)
    }

    /// Notes what an entry added and removed.
    pub fn note(&mut self, entry: &Entry) {
        for path in &entry.removed {
            self.live.remove(path);
        }
        for file in &entry.added {
            self.live.insert(file.path.clone(), file.clone());
        }
    }

    /// Notes the files this process has just committed.
    pub fn note_rows(&mut self, version: u64, attempt: Uuid, rows: &[&Row]) {
        for stream in Stream::ALL {
            let rows: Vec<&&Row> = rows.iter().filter(|row| row.stream == *stream).collect();
            let (Some(first), Some(last)) = (rows.first(), rows.last()) else { continue };
            let ids = || rows.iter().map(|row| row.patch_set_id);
            let text = |id: Option<_>| id.map(|id: crate::domain::id::PatchSetId| id.to_string()).unwrap_or_default();
            let path = path(version, attempt, first);
            let file = JournalFile {
                path: path.clone(),
                size: 0,
                stream: *stream,
                rows: rows.len(),
                seq: (first.seq, last.seq),
                ids: (text(ids().min()), text(ids().max())),
            };
            self.live.insert(path, file);
        }
    }

    /// Writes rows of one stream and one day as a file; gives the action that would add it.
    pub async fn put_rows(&self, version: u64, attempt: Uuid, rows: &[&Row]) -> Result<Action, StoreError> {
        let Some(first) = rows.first() else { return Err(StoreError::damaged(FOLDER, "a file without rows")) };
        let path = path(version, attempt, first);
        let file = batch::write(rows).map_err(|fault| StoreError::storage("encoding", path.clone(), fault))?;
        let size = file.len();
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let put = self.store.put_opts(&Path::from(path.as_str()), file.into(), options).await;
        put.map_err(|fault| StoreError::storage("writing", format!("{FOLDER}/{path}"), fault))?;
        Ok(entry::add(&path, size, rows, first.at))
    }

    pub async fn read_rows(&self, file: &JournalFile) -> Result<Vec<Row>, StoreError> {
        let bytes = self.get(&file.path).await?;
        let bytes = bytes.ok_or_else(|| StoreError::damaged(format!("{FOLDER}/{}", file.path), "the file is missing"))?;
        batch::read(&format!("{FOLDER}/{}", file.path), file.stream, bytes)
    }

    pub async fn read_entry(&self, version: u64) -> Result<Option<Entry>, StoreError> {
        self.get(&entry_path(version)).await?.map(|bytes| entry::read(version, &bytes)).transpose()
    }

    /// Puts a log entry if there is none of its version.
    pub async fn put_entry(&self, version: u64, bytes: Bytes) -> Result<(), Error> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        self.store.put_opts(&Path::from(entry_path(version)), bytes.into(), options).await.map(drop)
    }

    /// How the end of the log looks from a version, by listing.
    pub async fn is_end(&self, version: u64) -> Result<End, StoreError> {
        let offset = Path::from(entry_path(version.saturating_sub(1)));
        let listed = self.store.list_with_offset(Some(&Path::from("_delta_log")), &offset);
        let names: Vec<String> = listed
            .map_ok(|meta| meta.location.filename().unwrap_or_default().to_owned())
            .try_collect()
            .await
            .map_err(|fault| StoreError::storage("listing", "journal/_delta_log", fault))?;
        let versions = names
            .iter()
            .filter_map(|name| name.strip_suffix(".json"))
            .filter(|name| name.len() == 20)
            .filter_map(|name| name.parse::<u64>().ok());
        let (mut here, mut after) = (false, false);
        for listed in versions {
            here |= listed == version;
            after |= listed > version;
        }
        Ok(match (here, after) {
            (true, false) => End::Here,
            (true, true) => End::Behind,
            (false, _) => End::Cleaned,
        })
    }

    async fn get(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        let failed = |fault: Error| StoreError::storage("reading", format!("{FOLDER}/{path}"), fault);
        match self.store.get(&Path::from(path)).await {
            Ok(found) => found.bytes().await.map(Some).map_err(failed),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(fault) => Err(failed(fault)),
        }
    }
}

fn path(version: u64, attempt: Uuid, row: &Row) -> String {
    format!("stream={}/date={}/{version:020}-{attempt}.parquet", row.stream, row.date())
}

fn entry_path(version: u64) -> String {
    format!("_delta_log/{version:020}.json")
}
