//! Runs maintenance.

use std::collections::BTreeSet;
use std::sync::Arc;

use url::Url;

use super::DeltaStore;
use crate::store::delta_log::table_log::TableLog;
use crate::store::error::StoreError;
use crate::store::event_tables::drop_lost_files::drop_lost_files;
use crate::store::event_tables::revert_foreign_changes::revert_foreign_changes;
use crate::store::event_tables::salvage::salvage;
use crate::store::event_tables::{APPENDED, age, compact};
use crate::store::lake_state::writer::Message;
use crate::store::lake_tables::LakeTables;
use crate::store::location::PROBE;
use crate::store::location::durable::{self, Temporaries};
use crate::store::table_state::RowCount;
use crate::store::tables::columns::count_unreadable;
use crate::store::tables::read::batches;
use crate::store::tables::{CurrentTable, FoldedTable, TABLES, field_changes, join};
use crate::store::vacuum::{self, Retention};
use crate::store::{Maintained, aux_tables, backup};

impl DeltaStore {
    /// Folds; compacts the journal, the appended tables and `field_changes`; removes lost files
    /// from the appended tables; writes checkpoints; deletes what is older than the retention; and
    /// records the state of the current tables. Tables that others write are left alone.
    pub async fn maintain(&self, retention: Retention) -> Result<Maintained, StoreError> {
        let (clock, random) = (self.clock.as_ref(), self.random.as_ref());
        // Create tables that are newer than the lake.
        aux_tables::ensure(&self.root, clock.now(), random).await?;
        let folded = self.fold_unrecorded(self.lost().await?).await?;
        let mut unrecorded = self.take_unnoted();
        unrecorded.seq = folded.seq;
        let journal = self.ask(|answer| Message::Compact { answer }).await?;
        let mut report = Maintained { seq: folded.seq, journal, ..Maintained::default() };
        for table in APPENDED {
            salvage(table, &self.root, clock, random).await?;
            revert_foreign_changes(table, &self.root, clock, random).await?;
            drop_lost_files(table, &self.root, clock, random).await?;
        }
        let from = age::counted_from(&self.root, clock.now()).await?;
        for table in APPENDED {
            report.compacted.push((
                table.name,
                compact::compact(table, &self.root, from, clock, random).await?,
            ));
        }
        report.compacted.push((field_changes::NAME, join::join(&self.root, clock, random).await?));
        for name in LakeTables::own() {
            let log = TableLog::new(Arc::clone(&self.root), name);
            let Some(table) = log.load().await? else { continue };
            // Leave another writer's changes, and the files it removed, until they are taken back.
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
                let rows = unrecorded.tables.get(name).map_or(0, |state| state.rows);
                unrecorded.tables.insert(name, RowCount { rows, size: table.size() });
            }
        }
        report.temporaries = self.remove_temporaries().await?;
        self.note(unrecorded).await?;
        Ok(report)
    }

    /// Returns the current tables with values that their fields cannot hold, with the number of
    /// these values. Lakeplan reads such values as absent; other engines read them unchanged.
    pub async fn unreadable_in_tables(&self) -> Result<Vec<(FoldedTable, usize)>, StoreError> {
        let mut found = Vec::new();
        for current in TABLES {
            match self.count_unreadable(current).await {
                Ok(0) => {}
                Ok(count) => found.push((FoldedTable::Current(current), count)),
                // A completely unreadable table is rebuilt.
                Err(err @ StoreError::Damaged { .. }) => {
                    tracing::warn!(%err, "the table {} was not checked; the next fold rebuilds it", current.name);
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

    /// Returns the folded tables with a live file that is missing or has another size than the log
    /// states.
    pub(super) async fn lost(&self) -> Result<BTreeSet<&'static str>, StoreError> {
        let mut lost = BTreeSet::new();
        for table in FoldedTable::all() {
            let log = table.log(&self.root);
            // A table with an unreadable log is rebuilt by any fold.
            let Ok(Some(found)) = log.load().await else { continue };
            if let Some((path, what)) = log.findings(&found).await?.first() {
                tracing::warn!(
                    "{}/{path}: {what}; the table is rebuilt from the journal",
                    table.name()
                );
                lost.insert(table.name());
            }
        }
        Ok(lost)
    }

    /// Deletes old temporary files of killed processes; only a local folder has them. Those in the
    /// inbox are not Lakeplan's.
    async fn remove_temporaries(&self) -> Result<Temporaries, StoreError> {
        let url = Url::parse(&self.name).ok().filter(|url| url.scheme() == "file");
        let Some(root) = url.and_then(|url| url.to_file_path().ok()) else {
            return Ok(Temporaries::default());
        };
        let now = self.clock.now();
        let removed = tokio::task::spawn_blocking(move || {
            let folders: Vec<&str> = LakeTables::own().chain([PROBE, backup::FOLDER]).collect();
            durable::remove_temporaries(&root, &folders, now)
        });
        let failed = |err: std::io::Error| {
            StoreError::storage("deleting temporary files in", self.name.as_str(), err)
        };
        removed.await.map_err(|err| failed(err.into()))?.map_err(failed)
    }
}
