//! The marker of an unfinished copy: a file at the copy's location from before its first table
//! until after its last.
//!
//! A lake begins with entry 0 of its journal, which a copy puts last. Until then the marker states
//! that a copy is in progress, of which lake and up to which position, so that the same command
//! continues it and no other command mistakes it for something else.

use std::sync::Arc;

use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::time::{AsOf, Instant, rfc3339};
use crate::store::delta::LakeLocation;
use crate::store::error::StoreError;
use crate::store::remains::remains;

/// Folder of the marker.
pub const FOLDER: &str = "_copy";
const PATH: &str = "_copy/copy.json";

/// A started copy. A repeat takes all fields over, so that it writes the same files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// Id of the copied lake.
    pub lake: Uuid,
    /// Location of the copied lake.
    pub from: String,
    /// Requested position: a seq or a time; `None` for the whole lake.
    pub up_to: Option<String>,
    /// Last seq of the lake when the copy was started; no repeat goes beyond it.
    pub end: u64,
    pub attempt: Uuid,
    pub begun_at: Instant,
}

impl Marker {
    /// Formats a position for a marker.
    pub fn position(up_to: Option<AsOf>) -> Option<String> {
        up_to.map(|up_to| match up_to {
            AsOf::Seq(seq) => seq.to_string(),
            AsOf::Time(at) => rfc3339(at),
        })
    }

    /// Reads the marker at a location; `None` if there is none.
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

    /// Puts the marker, or returns the one of another process that started at the same time.
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

    /// Returns the error for a command that needs a lake or an empty location and finds this
    /// unfinished copy.
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

/// Deletes the marker of a finished copy.
pub async fn remove(store: &dyn ObjectStore) -> Result<(), StoreError> {
    match store.delete(&Path::from(PATH)).await {
        Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
        Err(err) => Err(StoreError::storage("deleting", PATH, err)),
    }
}

/// Returns the reason why a location without a journal is not a lake: a copy is unfinished there,
/// its journal was lost, or there is nothing.
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

/// Fails if a copy is unfinished at the location.
pub async fn check_finished(root: &LakeLocation) -> Result<(), StoreError> {
    Marker::read(root.store.as_ref())
        .await?
        .map_or(Ok(()), |marker| Err(marker.unfinished(root.url.as_str())))
}
