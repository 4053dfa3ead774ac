//! Accesses the Delta log of one of the lake's tables: finds its head, reads and puts entries and
//! files.
//!
//! Entries are put only if their version does not exist, and delta-rs never writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use chrono::TimeDelta;
use deltalake::logstore::{LogStoreRef, StorageConfig, default_logstore};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use url::Url;

use super::paths::{LAST_VERSION, checked_path, checksum_in, entry_path, version_in, version_of};
use super::table::{LiveFile, Table};
use crate::domain::time::Instant;
use crate::store::error::{NameTaken, StoreError};
use crate::store::event_tables::APPENDED;
use crate::store::names::JOURNAL;

/// Maximum age of the last look at a log; after it, the known end of the log may be behind a
/// clean-up.
pub const MAX_STALENESS: TimeDelta = TimeDelta::minutes(5);

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

    /// Lists the names in the log, after those of a version's entry and checkpoint if one is given.
    pub async fn list(&self, after: Option<u64>) -> Result<Vec<String>, StoreError> {
        let folder = Path::from("_delta_log");
        let listed = match after {
            Some(version) => {
                self.store.list_with_offset(Some(&folder), &Path::from(entry_path(version)))
            }
            None => self.store.list(Some(&folder)),
        };
        let names = listed
            .map_ok(|meta| meta.location.filename().unwrap_or_default().to_owned())
            .try_collect();
        names.await.map_err(|err| {
            StoreError::storage("listing", format!("{}/_delta_log", self.folder), err)
        })
    }

    /// Returns the last version that has anything in the log, readable or not.
    pub async fn last(&self) -> Result<u64, StoreError> {
        let names = self.list(None).await?;
        Ok(names.iter().filter_map(|name| version_in(name)).max().unwrap_or(0))
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
        match self.put_new(path, bytes).await {
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
        let put = self.put_new(path, bytes).await;
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

    /// Makes one attempt to put a log entry, whatever has the name.
    pub async fn put_entry_once(&self, version: u64, bytes: Bytes) -> Result<(), Error> {
        self.put_new(&entry_path(version), bytes).await
    }

    /// Returns the error for an entry whose name is taken by something that is not an entry.
    pub fn name_taken(&self, version: u64) -> Error {
        let path = format!("{}/{}", self.folder, entry_path(version));
        Error::Generic { store: "the lake", source: NameTaken(path).into() }
    }

    async fn put_new(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
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
        let versions = names.iter().filter_map(|name| version_of(name, ".json"));
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

/// Returns the URL that names the lake's root in the tables. It is only a name; every read goes
/// through the store.
pub fn root_url() -> Result<Url, StoreError> {
    Url::parse("memory:///").map_err(|err| StoreError::storage("naming", "the lake", err))
}

/// Returns whether a put was refused because its name is taken.
pub fn is_taken(put: &Result<(), Error>) -> bool {
    matches!(put, Err(Error::AlreadyExists { .. } | Error::Precondition { .. }))
}
