//! Tables that are appended to and never folded: command runs, agent activity, fold progress. They
//! are not part of the journal; a row is written at least once and has a key, and losing one loses
//! nobody's work. Maintenance continues without lost files, drops rows older than a table's
//! retention and compacts the files of past days; a view shows each key once.

pub mod age;
mod append;
pub mod compact;
pub mod copy;
pub mod drop_lost_files;
pub mod revert_foreign_changes;
mod rows;
pub mod salvage;
mod tables;

use std::collections::BTreeSet;
use std::sync::Arc;

use deltalake::arrow::array::{AsArray, RecordBatch};
use object_store::ObjectStore;
use serde_json::json;

use super::delta_log::action::{Action, CommitInfo};
use super::delta_log::spec::{Column, TableSpec};
use super::delta_log::table::LiveFile;
use super::delta_log::table_log::TableLog;
use super::error::StoreError;
use crate::domain::record::Fields;
use crate::domain::time::Instant;
use crate::runtime::{Random, uuid_v7};

pub use tables::{AGENT_LOGS, APPENDED, DATE, EventTable, INBOX_RESULTS, RUNS, TABLE_STATE};

impl EventTable {
    /// Returns the table's columns, the partition column last.
    pub fn columns(&self) -> Vec<Column> {
        let date = (DATE, "date", false, "The day on which the row was written.");
        let column = |(name, kind, nullable, doc): &(&str, &str, bool, &str)| Column {
            name: (*name).to_owned(),
            kind: json!(kind),
            nullable: *nullable,
            doc: (*doc).to_owned(),
        };
        self.columns.iter().chain([&date]).map(column).collect()
    }

    fn create(&self, at: Instant, random: &dyn Random) -> [Action; 2] {
        let table = TableSpec {
            name: self.name,
            doc: self.doc,
            columns: self.columns(),
            partitions: &[DATE],
        };
        table.create(uuid_v7(at, random), at)
    }

    /// Creates the table, empty, if it does not exist.
    pub async fn ensure(
        &self,
        root: &Arc<dyn ObjectStore>,
        at: Instant,
        random: &dyn Random,
    ) -> Result<(), StoreError> {
        let log = TableLog::new(Arc::clone(root), self.name);
        if log.head().await?.is_some() {
            return Ok(());
        }
        let mut actions = vec![Action::from(CommitInfo::new("CREATE TABLE", at))];
        actions.extend(self.create(at, random));
        log.create(&actions).await.map(drop)
    }

    /// Checks that the rows have every required value.
    pub fn check(&self, rows: &[Fields]) -> Result<(), StoreError> {
        rows::encode(self, rows).map(drop)
    }

    /// Passes each value of a text column to `take`, file by file. An unreadable file is skipped
    /// with a warning.
    pub async fn texts(
        &self,
        root: &Arc<dyn ObjectStore>,
        column: &str,
        take: impl FnMut(&str),
    ) -> Result<(), StoreError> {
        self.texts_since(root, column, &mut BTreeSet::new(), take).await
    }

    /// Passes the values of the files that are not in `seen` to `take`, and adds these files to
    /// `seen`.
    pub async fn texts_since(
        &self,
        root: &Arc<dyn ObjectStore>,
        column: &str,
        seen: &mut BTreeSet<String>,
        mut take: impl FnMut(&str),
    ) -> Result<(), StoreError> {
        let log = TableLog::new(Arc::clone(root), self.name);
        let Some(table) = log.load().await? else { return Ok(()) };
        for file in
            table.files.values().filter(|file| !seen.contains(&file.path)).collect::<Vec<_>>()
        {
            seen.insert(file.path.clone());
            for batch in self.readable(&log, file).await? {
                let found =
                    batch.column_by_name(column).and_then(|column| column.as_string_opt::<i32>());
                found.into_iter().flat_map(|found| found.iter().flatten()).for_each(&mut take);
            }
        }
        Ok(())
    }

    /// Reads the batches of a file; none, with a warning, if it is lost. A table about the work
    /// continues without it.
    async fn readable(
        &self,
        log: &TableLog,
        file: &LiveFile,
    ) -> Result<Vec<RecordBatch>, StoreError> {
        match rows::read(self, log, file).await {
            Err(err @ StoreError::Damaged { .. }) => {
                tracing::warn!(%err, "its rows are skipped; run lakeplan maintain to continue without the file");
                Ok(Vec::new())
            }
            read => read,
        }
    }

    /// Reads a file and returns how many rows and bytes it has.
    pub async fn measure(&self, log: &TableLog, file: &LiveFile) -> Result<Measured, StoreError> {
        let bytes = log.get_live(&file.path).await?;
        let size = bytes.len();
        let found = rows::decode(self, log, file, bytes)?;
        Ok(Measured { rows: found.iter().map(RecordBatch::num_rows).sum(), bytes: size as u64 })
    }
}

/// The size of a file that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    pub rows: usize,
    pub bytes: u64,
}

impl Measured {
    /// Returns the row count that the log states, if it differs.
    pub fn other_rows(&self, file: &LiveFile) -> Option<usize> {
        rows::recorded(file).filter(|recorded| *recorded != self.rows)
    }

    /// Returns the size in bytes that the log states, if it differs. Readers locate the footer of a
    /// file by it.
    pub fn other_bytes(&self, file: &LiveFile) -> Option<i64> {
        Some(file.size).filter(|size| size.unsigned_abs() != self.bytes)
    }
}
