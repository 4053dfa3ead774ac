//! `inbox`: the one table that others write, and that Lakeplan only reads. Lakeplan creates it
//! empty, so that others can insert into it. From then on its files and its log belong to its
//! writers: nothing here appends to it, compacts its files, writes its checkpoints or deletes old
//! files.

mod cells;
mod reader;

use std::sync::Arc;

use object_store::ObjectStore;
use serde_json::json;

use super::delta_log::spec::{Column, TableSpec};
use super::delta_log::table_log::TableLog;
use super::error::StoreError;
use crate::databricks::catalog::CatalogError;
use crate::domain::time::Instant;
use crate::runtime::{Random, uuid_v7};

pub use cells::Cell;
pub use reader::{
    Columns, Inbox, InboxRow, MIN_FILE_BYTES, RowPosition, Scan, Scanned, TextLimits,
};

pub use super::names::INBOX as NAME;
pub const DOC: &str = "Change requests submitted through SQL. Other engines write this table and maintain its files; Lakeplan only reads it. lakeplan inbox apply applies the requests and writes the answers to inbox_results. A row with an answer can be deleted, or its user and patch_set can be set to ''.";

const COLUMNS: [(&str, &str, &str); 4] = [
    (
        "request_id",
        "string",
        "The id of the request, chosen by its author; at most 200 characters. If several rows have the same id, only the row that is answered first counts.",
    ),
    (
        "at",
        "timestamp",
        "The time of the request (UTC), not before the year 2000. A row with a future time waits until then.",
    ),
    ("user", "string", "The requesting user, who is recorded as the actor of the change."),
    (
        "patch_set",
        "string",
        "The requested change, as JSON that lakeplan apply reads; at most 4 MiB.",
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
    log.create(&table.create_external_writer(uuid_v7(at, random), at)).await.map(drop)
}
