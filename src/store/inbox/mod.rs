//! `inbox`: the one table that others write, and that Lakeplan only reads. Lakeplan creates it
//! empty, so that others can insert into it. From then on its files and its log belong to its
//! writers: nothing here appends to it, compacts its files, writes its checkpoints or deletes old
//! files.

mod cells;
mod reader;

use std::sync::Arc;

use object_store::{Error, ObjectStore};
use serde_json::json;

use super::catalog::CatalogError;
use super::error::StoreError;
use super::table_log::{TableLog, entry_bytes};
use super::tables::definition::{Column, TableSpec};
use crate::domain::time::Instant;
use crate::runtime::{Random, uuid_v7};

pub use cells::Cell;
pub use reader::{
    Columns, Inbox, InboxRow, MIN_FILE_BYTES, RowPosition, Scan, Scanned, TextLimits,
};

pub const NAME: &str = "inbox";
pub const DOC: &str = "Requests for change from those who have SQL: the one table that others write, and that Lakeplan only reads; what keeps its files in order is the engine that writes it. lakeplan inbox apply applies the requests and answers in inbox_results. Rows that have an answer may be deleted, or their user and patch_set set to ''.";

const COLUMNS: [(&str, &str, &str); 4] = [
    (
        "request_id",
        "string",
        "The request's own id, chosen by its author, at most 200 characters; of several rows of one id the first that is answered counts, and no later one.",
    ),
    (
        "at",
        "timestamp",
        "When it was made (UTC), not before the year 2000. A row that is dated in the future waits until then.",
    ),
    ("user", "string", "Who asks, which is whom the change is noted as made by."),
    (
        "patch_set",
        "string",
        "What is to change, as the JSON that lakeplan apply reads; at most 4 MiB.",
    ),
];

pub fn columns() -> Vec<Column> {
    let column = |(name, kind, doc): (&str, &str, &str)| Column {
        name: name.to_owned(),
        kind: json!(kind),
        nullable: false,
        doc: doc.to_owned(),
    };
    COLUMNS.into_iter().map(column).collect()
}

/// Returns the time, if a person or a program can have meant it: in the years 1 to 9999.
pub fn possible(micros: i64) -> Option<Instant> {
    let at = Instant::from_timestamp_micros(micros)?;
    (1..=9999).contains(&chrono::Datelike::year(&at)).then_some(at)
}

/// Creates the table, empty, if nothing exists there. Anything that exists is left alone. If a
/// catalog has the table elsewhere, none is needed.
pub async fn ensure(
    root: &Arc<dyn ObjectStore>,
    at: Instant,
    random: &dyn Random,
) -> Result<(), StoreError> {
    let log = TableLog::new(Arc::clone(root), NAME);
    match log.head().await {
        Ok(Some(_)) | Err(StoreError::Catalog(CatalogError::Moved { .. })) => return Ok(()),
        found => drop(found?),
    }
    let table = TableSpec { name: NAME, doc: DOC, columns: columns(), partitions: &[] };
    match log
        .put_commit(0, entry_bytes(&table.create_external_writer(uuid_v7(at, random), at)))
        .await
    {
        Ok(()) | Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(()),
        Err(err) => Err(StoreError::storage("writing", format!("{NAME}/_delta_log"), err)),
    }
}
