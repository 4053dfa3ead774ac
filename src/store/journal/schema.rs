//! The journal as a Delta table: its columns, and the actions that create it.

use std::sync::{Arc, LazyLock};

use deltalake::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde_json::{Value, json};
use uuid::Uuid;

/// A column: name, type as Delta names it, nullable, documentation.
type Column = (&'static str, &'static str, bool, &'static str);

const COLUMNS: &[Column] = &[
    ("seq", "long", false, "The patch set's place in the journal, from 1 without gaps"),
    ("ordinal", "integer", false, "The change's place in its patch set, from 0"),
    ("patch_set_id", "string", false, "The patch set (UUIDv7)"),
    ("request_hash", "string", true, "SHA-256 of the request as its author wrote it; null after an erase"),
    ("v", "integer", false, "Version of the payload in before and after"),
    ("project_id", "string", true, "The project the record belongs to after the change"),
    ("entity", "string", false, "What the change is about: lake, project, task, task_link, user, requirement, task_requirement"),
    ("entity_id", "string", false, "Which one"),
    ("op", "string", false, "create, update, move, delete, restore, link or unlink"),
    ("before", "string", true, "JSON of the touched fields as they were; null in it = absent; null after an erase"),
    ("after", "string", true, "JSON of the touched fields as they are; null in it = cleared; null after an erase"),
    ("actor", "string", false, "Who made the change"),
    ("source", "string", false, "Which door it came through"),
    ("reason", "string", true, "Why, in the author's words"),
    ("at", "timestamp", false, "When it was committed (UTC); never decreases with seq"),
    ("salt", "string", true, "Random bytes in the digest, hexadecimal; null after an erase"),
    ("digest", "string", false, "SHA-256 over salt and row, hexadecimal"),
    ("chain", "string", true, "On the last row of a patch set: SHA-256 over the chain before it and the set's digests"),
    ("stream", "string", false, "work, or sync for what is remembered of providers"),
    ("date", "date", false, "The day of at"),
];

/// Columns that are folders, not part of the files.
pub const PARTITIONS: [&str; 2] = ["stream", "date"];

/// The columns inside the files. Plain strings, no view types: every reader knows them.
pub static FILE_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let columns = COLUMNS.iter().filter(|(name, ..)| !PARTITIONS.contains(name));
    let fields: Vec<Field> = columns.map(|(name, kind, nullable, _)| Field::new(*name, arrow_type(kind), *nullable)).collect();
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

/// The protocol and metadata actions of the journal's first log entry.
pub fn actions(table_id: Uuid, created_millis: i64) -> [Value; 2] {
    let fields: Vec<Value> = COLUMNS
        .iter()
        .map(
            |(name, kind, nullable, doc)| json!({"name": name, "type": kind, "nullable": nullable, "metadata": {"comment": doc}}),
        )
        .collect();
    let schema = json!({"type": "struct", "fields": fields}).to_string();
    let configuration = json!({
        "delta.enableExpiredLogCleanup": "false",
        "delta.checkpointInterval": "100",
        "delta.logRetentionDuration": "interval 2 days",
    });
    [
        json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
        json!({"metaData": {
            "id": table_id,
            "name": "journal",
            "description": "Every change of the lake, in order. Written by Lakeplan only.",
            "format": {"provider": "parquet", "options": {}},
            "schemaString": schema,
            "partitionColumns": PARTITIONS,
            "configuration": configuration,
            "createdTime": created_millis,
        }}),
    ]
}
