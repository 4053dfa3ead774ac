//! Puts the entries of a Delta log.

use std::time::Duration;

use object_store::Error;

use super::action::{Action, encode};
use super::table_log::{MAX_STALENESS, TableLog, is_taken};
use crate::domain::time::Instant;
use crate::runtime::Clock;
use crate::store::error::StoreError;

/// Waits before retrying a name that is taken although no entry is there.
const WAITS: [Duration; 4] = [
    Duration::from_millis(10),
    Duration::from_millis(40),
    Duration::from_millis(160),
    Duration::from_millis(640),
];

impl TableLog {
    /// Puts a commit that was prepared since `begun`. Returns whether it is certainly in the log.
    /// If not, the caller must read the table again: another writer took the version, or this
    /// process slept so long that the entry may be in a hole behind a clean-up.
    pub async fn try_commit(
        &self,
        version: u64,
        actions: &[Action],
        begun: Instant,
        clock: &dyn Clock,
    ) -> Result<bool, Error> {
        match self.put_commit(version, actions).await {
            Ok(()) => Ok(clock.now() - begun <= MAX_STALENESS),
            put if is_taken(&put) => Ok(false),
            Err(err) => Err(err),
        }
    }

    /// Puts the first entry of a table; returns whether the table did not exist.
    pub async fn create(&self, actions: &[Action]) -> Result<bool, StoreError> {
        match self.put_commit(0, actions).await {
            Ok(()) => Ok(true),
            put if is_taken(&put) => Ok(false),
            Err(err) => {
                let place = format!("{}/_delta_log", self.folder());
                Err(StoreError::storage("writing", place, err))
            }
        }
    }

    /// Puts a log entry if its version does not exist. If its name stays taken although the log
    /// ends before it, the error says so: waiting for a faster writer's entry would never end.
    pub async fn put_commit(&self, version: u64, actions: &[Action]) -> Result<(), Error> {
        let bytes = encode(actions)
            .map_err(|err| Error::Generic { store: "the lake", source: err.into() })?;
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
}
