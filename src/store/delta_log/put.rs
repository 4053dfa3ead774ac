//! Puts the entries of a Delta log.

use std::time::Duration;

use object_store::Error;

use super::action::{Action, encode};
use super::commit::{NextEntry, PutResult};
use super::table_log::{MAX_STALENESS, TableLog, is_taken};
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
    /// Puts an entry. If this process slept too long since it looked at the table, the entry may be
    /// in a hole behind a clean-up, so that the table must be read again.
    pub async fn try_commit(
        &self,
        entry: &NextEntry,
        clock: &dyn Clock,
    ) -> Result<PutResult, Error> {
        match self.put_commit(entry.version, &entry.actions).await? {
            PutResult::Committed if clock.now() - entry.begun > MAX_STALENESS => {
                Ok(PutResult::LookAgain)
            }
            put => Ok(put),
        }
    }

    /// Puts the first entry of a table; returns whether the table did not exist.
    pub async fn create(&self, actions: &[Action]) -> Result<bool, StoreError> {
        let put = self.put_commit(0, actions).await;
        let place = || format!("{}/_delta_log", self.folder());
        put.map(|put| put == PutResult::Committed)
            .map_err(|err| StoreError::storage("writing", place(), err))
    }

    /// Puts a log entry if its version does not exist. If its name stays taken although the log
    /// ends before it, the error says so: waiting for a faster writer's entry would never end.
    pub async fn put_commit(&self, version: u64, actions: &[Action]) -> Result<PutResult, Error> {
        let bytes = encode(actions)
            .map_err(|err| Error::Generic { store: "the lake", source: err.into() })?;
        let mut waits = WAITS.iter();
        loop {
            let put = self.put_entry_once(version, bytes.clone()).await;
            if !is_taken(&put) {
                return put.map(|()| PutResult::Committed);
            }
            let Some(wait) = waits.next() else { return Err(self.name_taken(version)) };
            // The entry may have been added and cleaned up since.
            let is_there = self.get_entry(version).await.is_ok_and(|entry| entry.is_some());
            if is_there || version != self.head().await.ok().flatten().map_or(0, |head| head + 1) {
                return Ok(PutResult::LookAgain);
            }
            // A storage may report a free name as taken.
            tokio::time::sleep(*wait).await;
        }
    }
}
