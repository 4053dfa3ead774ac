//! A round of maintenance.

use std::collections::BTreeSet;
use std::sync::Arc;

use url::Url;

use super::DeltaStore;
use crate::store::appended::let_go::let_go;
use crate::store::appended::salvage::salvage;
use crate::store::appended::take_back::take_back;
use crate::store::appended::{APPENDED, age, compact};
use crate::store::durable::{self, Temporaries};
use crate::store::error::StoreError;
use crate::store::root::PROBE;
use crate::store::table_log::TableLog;
use crate::store::table_state::TableState;
use crate::store::tables::columns::count_unreadable;
use crate::store::tables::read::batches;
use crate::store::tables::{CurrentTable, FoldedTable, LakeTables, TABLES, field_changes, join};
use crate::store::vacuum::{self, Retention};
use crate::store::writer::Message;
use crate::store::{Maintained, beside, copy};

impl DeltaStore {
    /// Folds, compacts the journal, the appended tables and `field_changes`, takes lost files out of the appended tables, writes
    /// checkpoints, deletes what is older than the retention, and notes how the current tables are. What others write is left alone.
    pub async fn maintain(&self, retention: Retention) -> Result<Maintained, StoreError> {
        let (clock, random) = (self.clock.as_ref(), self.random.as_ref());
        // A lake that was made before one of them gets it now.
        beside::ensure(&self.root, clock.now(), random).await?;
        let folded = self.fold_unnoted(self.lost().await?).await?;
        let mut unnoted = self.take_unnoted();
        unnoted.seq = folded.seq;
        let compacted = self.ask(|answer| Message::Compact { answer }).await?;
        let mut report = Maintained { seq: folded.seq, compacted, ..Maintained::default() };
        for table in APPENDED {
            salvage(table, &self.root, clock, random).await?;
            take_back(table, &self.root, clock, random).await?;
            let_go(table, &self.root, clock).await?;
        }
        let from = age::counted_from(&self.root, clock.now()).await?;
        for table in APPENDED {
            report.condensed.push((
                table.name,
                compact::condense(table, &self.root, from, clock, random).await?,
            ));
        }
        report.condensed.push((field_changes::NAME, join::join(&self.root, clock, random).await?));
        for name in LakeTables::own() {
            let log = TableLog::new(Arc::clone(&self.root), name);
            let Some(table) = log.load().await? else { continue };
            // What another writer did stays as it is until it is taken back, and what it removed with it.
            if table.others.is_any() || table.others.may_write().is_err() {
                continue;
            }
            if table.version > 0 {
                log.checkpoint(table.version).await?;
            }
            let vacuumed = vacuum::vacuum(&log, &table, retention, clock, random).await?;
            report.vacuumed.push((name, vacuumed));
        }
        for name in LakeTables::folded() {
            if let Some(table) = TableLog::new(Arc::clone(&self.root), name).load().await? {
                let rows = unnoted.tables.get(name).map_or(0, |state| state.rows);
                unnoted.tables.insert(name, TableState { rows, size: table.size() });
            }
        }
        report.temporaries = self.remove_temporaries().await?;
        self.note(unnoted).await?;
        Ok(report)
    }

    /// The current tables with values that their fields cannot hold, and how many each has. They are read as absent here, and
    /// other engines read them as they are.
    pub async fn unreadable_in_tables(&self) -> Result<Vec<(FoldedTable, usize)>, StoreError> {
        let mut found = Vec::new();
        for current in TABLES {
            match self.count_unreadable(current).await {
                Ok(0) => {}
                Ok(count) => found.push((FoldedTable::Current(current), count)),
                // What cannot be read at all is rebuilt as a whole.
                Err(err @ StoreError::Damaged { .. }) => {
                    tracing::warn!(%err, "the table {} is not looked through, and the next fold rebuilds it", current.name);
                }
                Err(err) => return Err(err),
            }
        }
        Ok(found)
    }

    async fn count_unreadable(&self, current: &CurrentTable) -> Result<usize, StoreError> {
        let log = TableLog::new(Arc::clone(&self.root), current.name);
        let Some(table) = log.load().await? else { return Ok(0) };
        let mut count = 0;
        for file in table.files.values() {
            let path = format!("{}/{}", current.name, file.path);
            for batch in batches(&path, log.get_live(&file.path).await?)? {
                count += count_unreadable(current.entity, &batch?, &path)?;
            }
        }
        Ok(count)
    }

    /// The folded tables of which a live file is missing or has another size than the log says.
    pub(super) async fn lost(&self) -> Result<BTreeSet<&'static str>, StoreError> {
        let mut lost = BTreeSet::new();
        for table in FoldedTable::all() {
            let log = table.log(&self.root);
            // One whose log cannot be read is rebuilt by any fold.
            let Ok(Some(found)) = log.load().await else { continue };
            if let Some((path, what)) = log.amiss(&found).await?.first() {
                tracing::warn!(
                    "{}/{path}: {what}; the table is rebuilt from the journal",
                    table.name()
                );
                lost.insert(table.name());
            }
        }
        Ok(lost)
    }

    /// Deletes old temporary files of killed processes, which only a local folder has. Those in the inbox are not ours.
    async fn remove_temporaries(&self) -> Result<Temporaries, StoreError> {
        let url = Url::parse(&self.name).ok().filter(|url| url.scheme() == "file");
        let Some(root) = url.and_then(|url| url.to_file_path().ok()) else {
            return Ok(Temporaries::default());
        };
        let now = self.clock.now();
        let removed = tokio::task::spawn_blocking(move || {
            let folders: Vec<&str> = LakeTables::own().chain([PROBE, copy::FOLDER]).collect();
            durable::remove_temporaries(&root, &folders, now)
        });
        let failed = |err: std::io::Error| {
            StoreError::storage("deleting temporary files in", self.name.as_str(), err)
        };
        removed.await.map_err(|err| failed(err.into()))?.map_err(failed)
    }
}
