//! Tables that are appended to and never folded: what ran, what agents did, how far folding is. They are not part of
//! the journal; a row is written at least once and has a key, and losing one loses no one's work. Maintenance goes on without
//! files that are lost, drops what is older than a table's retention and joins the files of past days; a view shows each key
//! once.

pub mod age;
pub mod compact;
pub mod copy;
pub mod let_go;
mod rows;
pub mod salvage;
mod tables;
pub mod take_back;

use std::collections::BTreeSet;
use std::sync::Arc;

use deltalake::arrow::array::{AsArray, RecordBatch};
use object_store::{Error, ObjectStore};
use serde_json::{Value, json};

use super::error::StoreError;
use super::journal::STALE;
use super::table_log::{LiveFile, TableLog, entry_bytes};
use super::tables::definition::{Column, Description};
use crate::domain::record::Fields;
use crate::domain::time::Instant;
use crate::runtime::{Clock, Random, uuid_v7};

pub use tables::{AGENT_LOGS, APPENDED, INBOX_RESULTS, RUNS, TABLE_STATE};

/// An appended table. Its rows are JSON objects with these columns, checked when they are written.
#[derive(Debug)]
pub struct Appended {
    pub name: &'static str,
    pub doc: &'static str,
    /// How many days a row is kept, counted from the day it was written to the day that [`age::counted_from`] says.
    pub days: i64,
    /// The columns, texts all, by which a row that was written twice is known.
    pub key: &'static [&'static str],
    /// The column that says when what a row tells of was.
    pub at: &'static str,
    /// Whether it tells of the plan, so that a backup takes it along; what tells of a lake's files is true of that lake alone.
    is_of_the_plan: bool,
    /// Name, type as Delta names it (string, long or timestamp), nullable, documentation.
    columns: &'static [(&'static str, &'static str, bool, &'static str)],
}

/// The folder a row is in: the day it was written.
pub const DATE: &str = "date";
/// How often rows that lose their slot are put into the next one.
const TRIES: usize = 20;

impl Appended {
    /// The table's columns, the partition column last.
    pub fn columns(&self) -> Vec<Column> {
        let date = (DATE, "date", false, "The day the row was written.");
        let column = |(name, kind, nullable, doc): &(&str, &str, bool, &str)| Column {
            name: (*name).to_owned(),
            kind: json!(kind),
            nullable: *nullable,
            doc: (*doc).to_owned(),
        };
        self.columns.iter().chain([&date]).map(column).collect()
    }

    fn create(&self, at: Instant, random: &dyn Random) -> [Value; 2] {
        let table = Description {
            name: self.name,
            doc: self.doc,
            columns: self.columns(),
            partitions: &[DATE],
        };
        table.create(uuid_v7(at, random), at)
    }

    /// Makes the table, empty, where there is none.
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
        let mut actions = vec![commit_info("CREATE TABLE", at)];
        actions.extend(self.create(at, random));
        match log.put_entry(0, entry_bytes(&actions)).await {
            Ok(()) | Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(()),
            Err(fault) => Err(self.unwritten(fault)),
        }
    }

    /// Appends rows: all of them, in one commit.
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
        let file = rows::parquet(self, &[rows::encode(self, rows)?])?;
        let mut next = log.head().await?.map(|version| log.after(version)).transpose()?;
        let mut put: Option<(Instant, Value)> = None;
        for _ in 0..TRIES {
            let begun = clock.now();
            // A file that waited long for its slot may be one that a vacuum has chosen.
            let add = match put.take().filter(|(at, _)| begun - *at <= STALE) {
                Some(fresh) => fresh,
                None => {
                    let date = begun.date_naive().to_string();
                    (begun, rows::put(&log, &date, file.clone(), rows.len(), begun, random).await?)
                }
            };
            let mut actions = vec![commit_info("WRITE", begun)];
            if next.is_none() {
                actions.extend(self.create(begun, random));
            }
            actions.push(add.1.clone());
            let version = next.unwrap_or(0);
            match log.put_entry(version, entry_bytes(&actions)).await {
                Ok(()) if clock.now() - begun <= STALE => {
                    log.checkpoint_if_due(version).await;
                    return Ok(());
                }
                // After a long sleep the put may have gone into a hole behind a clean-up. Once more is safe: a row has a key.
                Ok(()) => {}
                Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => put = Some(add),
                Err(fault) => return Err(self.unwritten(fault)),
            }
            // A storage may say that a slot is taken which is not; to go on behind it would leave a hole.
            next = log.head().await?.map(|version| log.after(version)).transpose()?;
        }
        Err(self.unwritten("other writers were faster each time"))
    }

    /// The values of a column of texts, each handed to `take`, a file at a time. A file that cannot be read is passed over with
    /// a warning.
    pub async fn texts(
        &self,
        root: &Arc<dyn ObjectStore>,
        column: &str,
        take: impl FnMut(&str),
    ) -> Result<(), StoreError> {
        self.texts_since(root, column, &mut BTreeSet::new(), take).await
    }

    /// The same of the files that were not seen before; they are seen then.
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

    /// The batches of a file; none, with a warning, where it is lost. A table that tells of the work goes on without it.
    async fn readable(
        &self,
        log: &TableLog,
        file: &LiveFile,
    ) -> Result<Vec<RecordBatch>, StoreError> {
        match rows::read(self, log, file).await {
            Err(err @ StoreError::Damaged { .. }) => {
                tracing::warn!(%err, "its rows are passed over; lakeplan maintain goes on without the file");
                Ok(Vec::new())
            }
            read => read,
        }
    }

    /// How many rows a file holds, and how many the log says it has, where it says so.
    pub async fn count(
        &self,
        log: &TableLog,
        file: &LiveFile,
    ) -> Result<(usize, Option<usize>), StoreError> {
        let found = rows::read(self, log, file).await?;
        Ok((found.iter().map(RecordBatch::num_rows).sum(), rows::recorded(file)))
    }

    fn unwritten(&self, fault: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
        StoreError::storage("writing", format!("{}/_delta_log", self.name), fault)
    }
}

pub(super) fn commit_info(operation: &str, at: Instant) -> Value {
    json!({"commitInfo": {
        "timestamp": at.timestamp_millis(), "operation": operation, "operationParameters": {},
        "engineInfo": concat!("lakeplan/", env!("CARGO_PKG_VERSION")),
    }})
}
