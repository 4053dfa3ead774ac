//! Folds a current table up to a seq by rewriting the files of the buckets that changed.
//!
//! A table's own log states how far it is folded and from which history (its
//! [mark](crate::store::mark)). A repeated fold therefore does nothing, and concurrent folds do no
//! harm: the one that loses the race for a version reads the table again and stops or continues. A
//! missing table, or one with outdated columns, is not folded but [rebuilt](super::rebuild).

use async_trait::async_trait;
use deltalake::arrow::array::RecordBatch;
use futures::{StreamExt, TryStreamExt};

use super::definition::{self, NewFile};
use super::folding::{CONCURRENCY, Folded, Folding, Prepare, Prepared, Rewrite};
use super::read::TableState;
use super::{BUCKET, FoldedTable, field_changes, join};
use crate::databricks::catalog::CatalogError;
use crate::runtime::Clock;
use crate::store::delta_log::action::Action;
use crate::store::delta_log::commit::{Commit, CommitOutcome, NextEntry, PutResult, commit};
use crate::store::delta_log::table::{LiveFile, Table};
use crate::store::delta_log::table_log::TableLog;
use crate::store::error::StoreError;
use crate::store::row::Row;

/// Maximum number of small files of appended rows in a bucket before they are compacted.
const MAX_FILES: usize = 16;
/// Maximum number of attempts of a fold that loses races for versions.
pub const MAX_ATTEMPTS: usize = 10;

impl Folding<'_> {
    /// Folds a table. Returns `None` if it must be rebuilt.
    pub async fn fold(&self, table: FoldedTable) -> Result<Option<Folded>, StoreError> {
        let log = table.log(self.root);
        match table {
            FoldedTable::Changes => {
                self.until_folded(table, &Append { log: &log, folding: self }).await
            }
            FoldedTable::Current(current) => {
                self.until_folded(table, &Rewrite { table: current, log: &log, folding: self })
                    .await
            }
        }
    }

    /// Prepares and commits until the table states that it is folded to `seq`, by this fold or by
    /// another.
    async fn until_folded(
        &self,
        table: FoldedTable,
        way: &dyn Prepare,
    ) -> Result<Option<Folded>, StoreError> {
        let log = table.log(self.root);
        let mut fold = Fold { table, log: &log, folding: self, way, folded: None };
        match commit(&mut fold, MAX_ATTEMPTS, self.random).await? {
            CommitOutcome::Committed { version } => log.checkpoint_if_due(version).await,
            CommitOutcome::NothingToDo => {}
            CommitOutcome::Contended => {
                let path = format!("{}/_delta_log", log.folder());
                let what = "other writers committed first on every attempt";
                return Err(StoreError::storage("folding", path, what));
            }
        }
        Ok(fold.folded)
    }
}

/// Folds a table.
struct Fold<'a> {
    table: FoldedTable,
    log: &'a TableLog,
    folding: &'a Folding<'a>,
    way: &'a dyn Prepare,
    /// Result of the last look at the table; `None` if it must be rebuilt.
    folded: Option<Folded>,
}

#[async_trait]
impl Commit for Fold<'_> {
    async fn decide(&mut self) -> Result<Option<NextEntry>, StoreError> {
        let folding = self.folding;
        let begun = folding.clock.now();
        self.folded = None;
        let TableState::Ready(current, folded) =
            self.table.find(folding.root, Some(folding.files)).await?
        else {
            return Ok(None);
        };
        let from = folded.max(folding.known);
        let nothing = Some(Folded { seq: from, ..Folded::default() });
        if from >= folding.to.seq {
            self.folded = nothing;
            return Ok(None);
        }
        let Some((mut actions, folded)) = self.way.prepare(&current, from).await? else {
            self.folded = nothing;
            return Ok(None);
        };
        definition::seal(&mut actions, Some(&current));
        if self.table.follows_changes()
            && folding.turn.clone().wait_for(|is_folded| *is_folded).await.is_err()
        {
            // Request a rebuild: the caller then checks all tables.
            return Ok(None);
        }
        let version = current.version + 1;
        let written = Some(current.size().after(version, &actions));
        self.folded = Some(Folded { written, ..folded });
        Ok(Some(NextEntry { version, actions, begun }))
    }

    async fn put(&mut self, entry: &NextEntry) -> Result<PutResult, StoreError> {
        put(self.log, entry, self.folding.clock).await
    }
}

/// Puts an entry. If the answer is lost, the table shows whether the entry is in the log. Fails if
/// the entry must not be written at all.
pub(super) async fn put(
    log: &TableLog,
    entry: &NextEntry,
    clock: &dyn Clock,
) -> Result<PutResult, StoreError> {
    match log.try_commit(entry, clock).await {
        Ok(put) => Ok(put),
        Err(err) if CatalogError::within(&err).is_some_and(|err| err.is_missing_right()) => {
            Err(StoreError::storage("writing", log.folder(), err))
        }
        Err(err) => match StoreError::storage("writing", log.folder(), err) {
            err @ StoreError::NameTaken { .. } => Err(err),
            err => {
                tracing::warn!(table = log.folder(), %err, "no response to the fold's commit; checking again");
                Ok(PutResult::LookAgain)
            }
        },
    }
}

/// Appends the changes that the rows make.
struct Append<'a> {
    log: &'a TableLog,
    folding: &'a Folding<'a>,
}

#[async_trait]
impl Prepare for Append<'_> {
    async fn prepare(&self, current: &Table, from: u64) -> Result<Prepared, StoreError> {
        let (seq, at) = (self.folding.to.seq, self.folding.to.at);
        let rows: Vec<&Row> = self.folding.rows_after(from).collect();
        let files = field_changes::batches(&rows).await?;
        if files.is_empty() {
            return Ok(None);
        }
        let mut actions = definition::commit("FOLD", &self.folding.to);
        let mut folded = Folded { seq, ..Folded::default() };
        let mut written = Vec::with_capacity(files.len());
        for (bucket, batch) in files {
            let mut old = join::small(current, bucket);
            if old.len() < MAX_FILES {
                old.clear();
            }
            folded.rows += batch.num_rows();
            written.push(self.append(bucket, batch, old));
        }
        let mut written = futures::stream::iter(written).buffered(CONCURRENCY);
        while let Some((file, joined)) = written.try_next().await? {
            let now = || self.folding.clock.now();
            actions.extend(joined.into_iter().map(|file| Action::from(file.remove(now()))));
            actions.push(definition::add(&file, at).into());
            folded.files += 1;
        }
        Ok(Some((actions, folded)))
    }
}

impl Append<'_> {
    /// Writes the rows of a bucket as a file, merged with those of `old`, which are removed.
    async fn append<'f>(
        &self,
        bucket: u32,
        batch: RecordBatch,
        old: Vec<&'f LiveFile>,
    ) -> Result<(NewFile, Vec<&'f LiveFile>), StoreError> {
        let mut batches = join::rows(self.log, &old).await?;
        batches.push(batch);
        let path = format!(
            "{BUCKET}={bucket}/{:020}-{}.parquet",
            self.folding.to.seq,
            self.folding.naming().next()
        );
        let (mut file, bytes) = field_changes::file(path, bucket, &batches).await?;
        file.path = self.log.put_checked(&file.path, bytes).await?;
        Ok((file, old))
    }
}
