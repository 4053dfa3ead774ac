//! Folding: bringing a current table up to a seq by rewriting the files of the buckets that changed.
//!
//! A table says in its own log how far it is folded and of which history (its [mark](crate::store::mark)), so a fold that
//! runs twice does nothing the second time and two that run at once do no harm: the one that loses its slot reads the table
//! again and stops or goes on. A table that is not there, or has columns of another time, is not folded but made
//! [anew](super::anew).

use std::sync::Arc;

use async_trait::async_trait;
use deltalake::arrow::array::RecordBatch;
use futures::{StreamExt, TryStreamExt};
use object_store::{Error, ObjectStore};
use tokio::sync::watch;

use super::definition::{self, NewFile, Position};
use super::output::Naming;
use super::read::Found;
use super::rewrite::{AT_ONCE, Rewrite};
use super::{BUCKET, FoldedTable, field_changes, join};
use crate::domain::time::Instant;
use crate::runtime::{Clock, Random};
use crate::store::catalog::CatalogError;
use crate::store::error::StoreError;
use crate::store::format::Format;
use crate::store::journal::STALE;
use crate::store::journal::files::Files;
use crate::store::row::Row;
use crate::store::table_log::{LiveFile, Table, TableLog, TableSize, entry_bytes};

/// So many small files of appended rows a bucket may have before they are joined.
const MOST_FILES: usize = 16;
/// How often a fold that loses its slot tries again before it leaves the rest to the winner.
pub const TRIES: usize = 10;

/// What a fold did to a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    pub seq: u64,
    pub rows: usize,
    pub files: usize,
    /// The table since; `None` where this fold wrote nothing.
    pub written: Option<TableSize>,
}

/// Everything a fold needs to know.
pub struct Folding<'a> {
    pub root: &'a Arc<dyn ObjectStore>,
    pub format: &'a Format,
    /// What to fold to.
    pub to: Position,
    /// The journal's rows up to `seq`, in order: of every table all that it does not show yet.
    pub rows: &'a [Row],
    /// A seq up to which every table that is there is known to be folded, whatever it says itself.
    pub known: u64,
    /// What the journal knows of its tables.
    pub files: &'a Files,
    /// Whether `field_changes` is folded to `seq`: `tasks`, which says that it is, commits no sooner.
    pub turn: watch::Receiver<bool>,
    pub clock: &'a dyn Clock,
    pub random: &'a dyn Random,
}

impl Folding<'_> {
    /// Folds a table; `None` where it has to be made anew.
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

    /// Prepares and commits until the table says that it is folded to `seq`, by this fold or by another.
    async fn until_folded(
        &self,
        table: FoldedTable,
        way: &dyn Prepare,
    ) -> Result<Option<Folded>, StoreError> {
        let log = table.log(self.root);
        for _ in 0..TRIES {
            let begun = self.clock.now();
            let Found::Whole(current, folded) = table.find(self.root, Some(self.files)).await?
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
                // It will not be: it has to be made anew, and all tables are looked at for that.
                return Ok(None);
            }
            if commit(&log, current.version + 1, &actions, begun, self.clock).await? {
                let size = current.size().after(current.version + 1, &actions);
                return Ok(Some(Folded { written: Some(size), ..folded }));
            }
        }
        let path = format!("{}/_delta_log", log.folder());
        Err(StoreError::storage("folding", path, "other writers were faster each time"))
    }

    pub(super) fn rows_after(&self, seq: u64) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.seq > seq)
    }

    pub(super) fn naming(&self) -> Naming<'_> {
        Naming { seq: self.to.seq, at: self.to.at, random: self.random }
    }
}

/// Puts an entry into its slot; whether it surely is in the log. Where it may not be, the table is to be looked at again.
/// Where it may not be written at all, that is an error.
pub(super) async fn commit(
    log: &TableLog,
    version: u64,
    actions: &[serde_json::Value],
    begun: Instant,
    clock: &dyn Clock,
) -> Result<bool, StoreError> {
    match log.put_entry(version, entry_bytes(actions)).await {
        // After a long sleep the put may have gone into a hole behind a clean-up; the table itself tells.
        Ok(()) if clock.now() - begun <= STALE => {
            log.checkpoint_if_due(version).await;
            return Ok(true);
        }
        Ok(()) | Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {}
        Err(fault) if CatalogError::within(&fault).is_some_and(|fault| fault.is_of_rights()) => {
            return Err(StoreError::storage("writing", log.folder(), fault));
        }
        Err(err) => match StoreError::storage("writing", log.folder(), err) {
            err @ StoreError::NameTaken { .. } => return Err(err),
            // Whether it landed is seen by reading the table again.
            fault => {
                tracing::warn!(table = log.folder(), %fault, "the fold's commit was not answered; looking again")
            }
        },
    }
    Ok(false)
}

/// What a fold would commit; nothing where the table needs nothing.
pub(super) type Prepared = Option<(Vec<serde_json::Value>, Folded)>;

/// A way of bringing a table up to the target.
#[async_trait]
pub(super) trait Prepare: Sync {
    async fn prepare(&self, current: &Table, from: u64) -> Result<Prepared, StoreError>;
}

/// Appends what the rows say.
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
            if old.len() < MOST_FILES {
                old.clear();
            }
            folded.rows += batch.num_rows();
            written.push(self.append(bucket, batch, old));
        }
        let mut written = futures::stream::iter(written).buffered(AT_ONCE);
        while let Some((file, joined)) = written.try_next().await? {
            actions.extend(
                joined.into_iter().map(|file| definition::remove(file, self.folding.clock.now())),
            );
            actions.push(definition::add(&file, at));
            folded.files += 1;
        }
        Ok(Some((actions, folded)))
    }
}

impl Append<'_> {
    /// Writes the rows of a bucket as a file, joined with those of `old`, which go.
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
            self.folding.naming().fresh()
        );
        let (mut file, bytes) = field_changes::file(path, bucket, &batches).await?;
        file.path = self.log.put_checked(&file.path, bytes).await?;
        Ok((file, old))
    }
}
