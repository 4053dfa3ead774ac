//! Removes missing and unreadable files from a table's log. Their content is lost, but nobody's
//! work is: the journal has that. If it stayed in the log, such a file would fail every query and
//! every copy of the table.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use object_store::ObjectStore;

use super::compact::{CompactionStats, Maintenance, Prepared, maintain};
use super::{EventTable, Measured, rows};
use crate::domain::time::Instant;
use crate::runtime::{Clock, Random};
use crate::store::delta_log::action::{Action, Add, CommitInfo};
use crate::store::delta_log::table::{LiveFile, Table};
use crate::store::delta_log::table_log::TableLog;
use crate::store::error::StoreError;

/// Number of files read concurrently.
const CONCURRENCY: usize = 16;

/// Removes the unreadable files from the table's log, with a warning for each, and corrects the
/// row counts and sizes that the log states wrongly. The objects stay until a vacuum.
pub async fn drop_lost_files(
    table: &EventTable,
    root: &Arc<dyn ObjectStore>,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<(), StoreError> {
    let log = TableLog::new(Arc::clone(root), table.name);
    maintain(&log, clock, random, &DropLostFiles { table }).await.map(drop)
}

struct DropLostFiles<'a> {
    table: &'a EventTable,
}

#[async_trait]
impl Maintenance for DropLostFiles<'_> {
    async fn prepare(
        &self,
        log: &TableLog,
        current: &Table,
        now: Instant,
    ) -> Result<Prepared, StoreError> {
        let mut actions = vec![Action::from(CommitInfo::new("LET GO", now))];
        let reads = current.files.values().map(|file| measured(self.table, log, file));
        let reads: Vec<_> = reads.collect();
        let mut reads = futures::stream::iter(reads).buffered(CONCURRENCY);
        while let Some((file, found)) = reads.next().await {
            match found {
                Ok(found) => {
                    if found.other_rows(file).is_some() || found.other_bytes(file).is_some() {
                        tracing::warn!(
                            "{}/{} has {} rows in {} bytes; its log, which stated other numbers, is corrected",
                            log.folder(),
                            file.path,
                            found.rows,
                            found.bytes
                        );
                        actions.push(corrected(file, found, now).into());
                    }
                }
                Err(err @ StoreError::Damaged { .. }) => {
                    tracing::warn!("{err}; {}", lost(file));
                    actions.push(file.remove(now).into());
                }
                Err(err) => return Err(err),
            }
        }
        Ok((actions.len() > 1).then_some((actions, CompactionStats::default())))
    }
}

/// Measures a file, or returns why it is unreadable.
async fn measured<'f>(
    table: &EventTable,
    log: &TableLog,
    file: &'f LiveFile,
) -> (&'f LiveFile, Result<Measured, StoreError>) {
    (file, table.measure(log, file).await)
}

fn lost(file: &LiveFile) -> String {
    match file.rows() {
        Some(1) => "its 1 row is lost".to_owned(),
        Some(rows) => format!("its {rows} rows are lost"),
        None => "its rows are lost".to_owned(),
    }
}

/// Returns the add action of a file, with the numbers of the file itself.
fn corrected(file: &LiveFile, found: Measured, now: Instant) -> Add {
    let add = rows::add(file, found.rows, now);
    Add { size: found.bytes as i64, data_change: false, ..add }
}
