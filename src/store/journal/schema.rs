//! Defines the journal as a Delta table: its columns, and the actions that create it.

use std::sync::{Arc, LazyLock};

use deltalake::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde_json::json;
use uuid::Uuid;

use crate::domain::time::Instant;
use crate::store::delta_log::action::Action;
use crate::store::delta_log::spec::{Column, TableSpec};

/// Name, Delta type, nullable, documentation.
const COLUMNS: &[(&str, &str, bool, &str)] = &[
    ("seq", "long", false, "The position of the patch set in the journal, from 1 without gaps"),
    ("ordinal", "integer", false, "The position of the change in its patch set, from 0"),
    ("patch_set_id", "string", false, "The id of the patch set (UUIDv7)"),
    ("request_hash", "string", true, "SHA-256 of the request as received; null after an erase"),
    ("v", "integer", false, "The format version of before and after"),
    ("project_id", "string", true, "The project of the record after the change"),
    (
        "entity",
        "string",
        false,
        "The kind of the changed record: lake, project, task, task_link, user, requirement or task_requirement",
    ),
    ("entity_id", "string", false, "The id of the changed record"),
    ("op", "string", false, "create, update, move, delete, restore, link, unlink or erase"),
    (
        "before",
        "string",
        true,
        "The previous values of the changed fields as JSON, in which null means absent; null after an erase",
    ),
    (
        "after",
        "string",
        true,
        "The new values of the changed fields as JSON, in which null means cleared; null after an erase. For an erase, the erased rows and what remains of each",
    ),
    ("actor", "string", false, "The actor of the change"),
    ("source", "string", false, "The interface that the change came through, such as cli or inbox"),
    ("reason", "string", true, "The reason, as given by the author"),
    ("at", "timestamp", false, "The commit time (UTC). It never decreases with seq"),
    (
        "salt",
        "string",
        true,
        "Random bytes that the digest includes, hexadecimal; null after an erase",
    ),
    ("digest", "string", false, "SHA-256 of the salt and the row, hexadecimal"),
    (
        "chain",
        "string",
        true,
        "On the last row of a patch set: SHA-256 of the previous chain value and the digests of the set",
    ),
    (
        "stream",
        "string",
        false,
        "work for changes to the plan, or sync for the state of provider synchronization",
    ),
    ("date", "date", false, "The date of at"),
];

/// Partition columns, which are not stored in the files.
pub const PARTITIONS: [&str; 2] = ["stream", "date"];

/// Columns inside the files. They use plain strings, no view types, because every reader knows
/// those.
pub static FILE_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let columns = COLUMNS.iter().filter(|(name, ..)| !PARTITIONS.contains(name));
    let fields: Vec<Field> = columns
        .map(|(name, kind, nullable, _)| Field::new(*name, arrow_type(kind), *nullable))
        .collect();
    Arc::new(Schema::new(fields))
});

fn arrow_type(kind: &str) -> DataType {
    match kind {
        "long" => DataType::Int64,
        "integer" => DataType::Int32,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "date" => DataType::Date32,
        _ => DataType::Utf8,
    }
}

/// Returns the journal's columns for the data dictionary.
pub fn columns() -> Vec<Column> {
    let column = |(name, kind, nullable, doc): &(&str, &str, bool, &str)| Column {
        name: (*name).to_owned(),
        kind: json!(kind),
        nullable: *nullable,
        doc: format!("{doc}."),
    };
    COLUMNS.iter().map(column).collect()
}

/// One-sentence description of the journal.
pub const DOC: &str = "All changes of the lake, in order.";

/// Returns the protocol and metadata actions of the journal's first log entry.
pub fn actions(table_id: Uuid, at: Instant) -> [Action; 2] {
    TableSpec { name: "journal", doc: DOC, columns: columns(), partitions: &PARTITIONS }
        .create(table_id, at)
}
