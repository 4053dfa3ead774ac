//! Defines the journal as a Delta table: its columns, and the actions that create it.

use std::sync::{Arc, LazyLock};

use deltalake::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::time::Instant;
use crate::store::tables::definition::{Column, TableSpec};

/// Name, Delta type, nullable, documentation.
const COLUMNS: &[(&str, &str, bool, &str)] = &[
    ("seq", "long", false, "The patch set's place in the journal, from 1 without gaps"),
    ("ordinal", "integer", false, "The change's place in its patch set, from 0"),
    ("patch_set_id", "string", false, "The patch set (UUIDv7)"),
    (
        "request_hash",
        "string",
        true,
        "SHA-256 of the request as its author wrote it; null after an erase",
    ),
    ("v", "integer", false, "Version of the payload in before and after"),
    ("project_id", "string", true, "The project the record belongs to after the change"),
    (
        "entity",
        "string",
        false,
        "What the change is about: lake, project, task, task_link, user, requirement, task_requirement",
    ),
    ("entity_id", "string", false, "Which one"),
    ("op", "string", false, "create, update, move, delete, restore, link, unlink or erase"),
    (
        "before",
        "string",
        true,
        "JSON of the touched fields as they were; null in it = absent; null after an erase",
    ),
    (
        "after",
        "string",
        true,
        "JSON of the touched fields as they are; null in it = cleared; null after an erase; of an erase, the rows it names and what stays of each",
    ),
    ("actor", "string", false, "Who made the change"),
    ("source", "string", false, "Which door it came through"),
    ("reason", "string", true, "Why, in the author's words"),
    ("at", "timestamp", false, "When it was committed (UTC); never decreases with seq"),
    ("salt", "string", true, "Random bytes in the digest, hexadecimal; null after an erase"),
    ("digest", "string", false, "SHA-256 over salt and row, hexadecimal"),
    (
        "chain",
        "string",
        true,
        "On the last row of a patch set: SHA-256 over the chain before it and the set's digests",
    ),
    ("stream", "string", false, "work, or sync for what is remembered of providers"),
    ("date", "date", false, "The day of at"),
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
pub const DOC: &str = "Every change of the lake, in order.";

/// Returns the protocol and metadata actions of the journal's first log entry.
pub fn actions(table_id: Uuid, at: Instant) -> [Value; 2] {
    TableSpec { name: "journal", doc: DOC, columns: columns(), partitions: &PARTITIONS }
        .create(table_id, at)
}
