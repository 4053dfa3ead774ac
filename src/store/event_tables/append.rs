//! Appends rows to an event table.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::ObjectStore;

use super::{EventTable, rows};
use crate::domain::record::Fields;
use crate::domain::time::Instant;
use crate::runtime::{Clock, Random};
use crate::store::delta_log::action::{Action, Add, CommitInfo};
use crate::store::delta_log::commit::{Commit, CommitOutcome, NextEntry, PutResult, commit};
use crate::store::delta_log::table_log::{MAX_STALENESS, TableLog};
use crate::store::error::StoreError;

/// Maximum number of attempts to append rows.
const MAX_ATTEMPTS: usize = 20;

impl EventTable {
    /// Appends all rows in one commit.
    pub async fn append(
        &self,
        root: &Arc<dyn ObjectStore>,
        rows: &[Fields],
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let log = TableLog::new(Arc::clone(root), self.name);
        let bytes = rows::parquet(self, &[rows::encode(self, rows)?])?;
        let mut append =
            Append { table: self, log, bytes, rows: rows.len(), put: None, clock, random };
        match commit(&mut append, MAX_ATTEMPTS, random).await? {
            CommitOutcome::Committed { version } => {
                append.log.checkpoint_if_due(version).await;
                Ok(())
            }
            CommitOutcome::NothingToDo => Ok(()),
            CommitOutcome::Contended => {
                Err(self.unwritten("other writers committed first on every attempt"))
            }
        }
    }

    fn unwritten(&self, err: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
        StoreError::storage("writing", format!("{}/_delta_log", self.name), err)
    }
}

/// Adds a file of rows to a table, and creates the table if it does not exist. Repeating this is
/// safe even if the rows are in the log: a row has a key.
struct Append<'a> {
    table: &'a EventTable,
    log: TableLog,
    /// The rows as Parquet, and their number.
    bytes: Bytes,
    rows: usize,
    /// The file that was put, and the time of the attempt that put it.
    put: Option<(Instant, Add)>,
    clock: &'a dyn Clock,
    random: &'a dyn Random,
}

#[async_trait]
impl Commit for Append<'_> {
    async fn decide(&mut self) -> Result<Option<NextEntry>, StoreError> {
        let begun = self.clock.now();
        // A storage may report a free version as taken; continuing after it would leave a hole.
        let next = self.log.head().await?.map(|version| self.log.after(version)).transpose()?;
        // A vacuum may have selected a file that waited long for its version.
        let (put_at, add) = match self.put.take().filter(|(at, _)| begun - *at <= MAX_STALENESS) {
            Some(fresh) => fresh,
            None => (begun, self.put_file(begun).await?),
        };
        let mut actions = vec![Action::from(CommitInfo::new("WRITE", begun))];
        if next.is_none() {
            actions.extend(self.table.create(begun, self.random));
        }
        actions.push(add.clone().into());
        self.put = Some((put_at, add));
        Ok(Some(NextEntry { version: next.unwrap_or(0), actions, begun }))
    }

    async fn put(&mut self, entry: &NextEntry) -> Result<PutResult, StoreError> {
        let put = self.log.try_commit(entry, self.clock).await;
        put.map_err(|err| self.table.unwritten(err))
    }
}

impl Append<'_> {
    async fn put_file(&self, at: Instant) -> Result<Add, StoreError> {
        let date = at.date_naive().to_string();
        rows::put(&self.log, &date, self.bytes.clone(), self.rows, at, self.random).await
    }
}
