//! The marker of an unfinished copy: a file in the copy's place from before its first table until its last.
//!
//! A lake begins with entry 0 of its journal, which a copy puts last. Until then the marker says that a copy is being
//! made, of which lake and up to which position, so that the same command goes on and no other command mistakes it.

use std::sync::Arc;

use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::time::{AsOf, Instant, rfc3339};
use crate::store::delta::Root;
use crate::store::error::StoreError;
use crate::store::root::remains;

/// The folder of the marker.
pub const FOLDER: &str = "_copy";
const PATH: &str = "_copy/copy.json";

/// A copy that was begun. A repeat takes all of it over, so that it writes the same files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The id of the lake that is copied.
    pub lake: Uuid,
    /// Where it was.
    pub from: String,
    /// The position that was asked for: a seq or a time; absent for all of it.
    pub up_to: Option<String>,
    /// The last seq that the lake had when the copy was begun, which none of its repeats goes beyond.
    pub end: u64,
    pub attempt: Uuid,
    pub begun_at: Instant,
}

impl Marker {
    /// The words of a position in a marker.
    pub fn position(up_to: Option<AsOf>) -> Option<String> {
        up_to.map(|up_to| match up_to {
            AsOf::Seq(seq) => seq.to_string(),
            AsOf::Time(at) => rfc3339(at),
        })
    }

    /// Reads the marker at a place; `None` where there is none.
    pub async fn read(store: &dyn ObjectStore) -> Result<Option<Self>, StoreError> {
        let bytes = match store.get(&Path::from(PATH)).await {
            Ok(found) => found.bytes().await,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(err) => Err(err),
        };
        let bytes = bytes.map_err(|err| StoreError::storage("reading", PATH, err))?;
        let marker = serde_json::from_slice(&bytes);
        marker.map(Some).map_err(|err| {
            StoreError::damaged(PATH, format!("it does not say which copy was begun: {err}"))
        })
    }

    /// Puts the marker, or returns the one of another process that began at the same time.
    pub async fn put(self, store: &dyn ObjectStore) -> Result<Self, StoreError> {
        let failed = |err: Error| StoreError::storage("writing", PATH, err);
        let bytes = serde_json::to_vec_pretty(&self)
            .map_err(|err| StoreError::storage("encoding", PATH, err))?;
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match store.put_opts(&Path::from(PATH), bytes.into(), options).await {
            Ok(_) => Ok(self),
            Err(err @ (Error::AlreadyExists { .. } | Error::Precondition { .. })) => {
                Self::read(store).await?.ok_or_else(|| failed(err))
            }
            Err(err) => Err(failed(err)),
        }
    }

    /// The error for a command that needs a lake, or an empty place, and finds this copy unfinished.
    pub fn unfinished(&self, root: &str) -> StoreError {
        StoreError::UnfinishedCopy {
            root: root.to_owned(),
            from: self.from.clone(),
            up_to: match &self.up_to {
                Some(time) if time.parse::<u64>().is_err() => time.clone(),
                seq => format!("seq {}", seq.clone().unwrap_or_else(|| self.end.to_string())),
            },
        }
    }
}

/// Deletes the marker of a copy that is finished.
pub async fn remove(store: &dyn ObjectStore) -> Result<(), StoreError> {
    match store.delete(&Path::from(PATH)).await {
        Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
        Err(err) => Err(StoreError::storage("deleting", PATH, err)),
    }
}

/// Returns why a place without a journal is no lake: a copy of one is unfinished there, its journal was lost, or there is none.
pub async fn no_lake(store: &Arc<dyn ObjectStore>, root: &str) -> StoreError {
    match Marker::read(store.as_ref()).await {
        Ok(Some(marker)) => marker.unfinished(root),
        Ok(None) => match remains(store).await {
            Ok(tables) if tables.is_empty() => StoreError::NotALake { root: root.to_owned() },
            Ok(tables) => StoreError::JournalLost { root: root.to_owned(), tables },
            Err(err) => err,
        },
        Err(err) => err,
    }
}

/// Refuses a place where a copy is unfinished.
pub async fn refuse_unfinished(root: &Root) -> Result<(), StoreError> {
    Marker::read(root.store.as_ref())
        .await?
        .map_or(Ok(()), |marker| Err(marker.unfinished(root.url.as_str())))
}
