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
use crate::domain::time::Instant;
use crate::runtime::Clock;
use crate::store::delta_log::action::Action;
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
        for _ in 0..MAX_ATTEMPTS {
            let begun = self.clock.now();
            let TableState::Ready(current, folded) =
                table.find(self.root, Some(self.files)).await?
            else {
                return Ok(None);
            };
            let from = folded.max(self.known);
            let nothing = Ok(Some(Folded { seq: from, ..Folded::default() }));
            if from >= self.to.seq {
                return nothing;
            }
            let Some((mut actions, folded)) = way.prepare(&current, from).await? else {
                return nothing;
            };
            definition::seal(&mut actions, Some(&current));
            if table.follows_changes()
                && self.turn.clone().wait_for(|is_folded| *is_folded).await.is_err()
            {
                // Request a rebuild: the caller then checks all tables.
                return Ok(None);
            }
            if commit(&log, current.version + 1, &actions, begun, self.clock).await? {
                let size = current.size().after(current.version + 1, &actions);
                return Ok(Some(Folded { written: Some(size), ..folded }));
            }
        }
        let path = format!("{}/_delta_log", log.folder());
        Err(StoreError::storage("folding", path, "other writers committed first on every attempt"))
    }
}

/// Puts an entry at its version. Returns whether it is certainly in the log; otherwise the caller
/// must look at the table again. Fails if the entry must not be written at all.
pub(super) async fn commit(
    log: &TableLog,
    version: u64,
    actions: &[Action],
    begun: Instant,
    clock: &dyn Clock,
) -> Result<bool, StoreError> {
    match log.try_commit(version, actions, begun, clock).await {
        Ok(true) => {
            log.checkpoint_if_due(version).await;
            return Ok(true);
        }
        Ok(false) => {}
        Err(err) if CatalogError::within(&err).is_some_and(|err| err.is_missing_right()) => {
            return Err(StoreError::storage("writing", log.folder(), err));
        }
        Err(err) => match StoreError::storage("writing", log.folder(), err) {
            err @ StoreError::NameTaken { .. } => return Err(err),
            // Reading the table again shows whether the entry landed.
            err => {
                tracing::warn!(table = log.folder(), %err, "no response to the fold's commit; checking again")
            }
        },
    }
    Ok(false)
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
