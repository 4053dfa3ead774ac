//! Describes a table that is created: its columns, and the actions of its first log entry.

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::checkpoint;
use crate::domain::time::Instant;

/// A table as its first log entry describes it.
pub struct TableSpec<'a> {
    pub name: &'a str,
    pub doc: &'a str,
    pub columns: Vec<Column>,
    pub partitions: &'a [&'a str],
}

impl TableSpec<'_> {
    /// Returns the protocol and metadata actions that create a table that only Lakeplan writes.
    pub fn create(self, id: Uuid, at: Instant) -> [Value; 2] {
        let configuration = json!({
            "delta.enableExpiredLogCleanup": "false",
            "delta.checkpointInterval": checkpoint::EVERY.to_string(),
            "delta.logRetentionDuration": "interval 2 days",
        });
        let doc = format!("{} Written by Lakeplan only.", self.doc);
        self.actions(doc, configuration, id, at)
    }

    /// Returns the same actions for a table that others write, with their choice of maintenance.
    pub fn create_external_writer(self, id: Uuid, at: Instant) -> [Value; 2] {
        let doc = self.doc.to_owned();
        self.actions(doc, json!({}), id, at)
    }

    /// Uses the protocol that every reader knows.
    fn actions(self, doc: String, configuration: Value, id: Uuid, at: Instant) -> [Value; 2] {
        let fields: Vec<Value> = self
            .columns
            .into_iter()
            .map(|column| json!({"name": column.name, "type": column.kind, "nullable": column.nullable, "metadata": {"comment": column.doc}}))
            .collect();
        [
            json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
            json!({"metaData": {
                "id": id,
                "name": self.name,
                "description": doc,
                "format": {"provider": "parquet", "options": {}},
                "schemaString": json!({"type": "struct", "fields": fields}).to_string(),
                "partitionColumns": self.partitions,
                "configuration": configuration,
                "createdTime": at.timestamp_millis(),
            }}),
        ]
    }
}

/// A column for people and for Delta: name, type, nullable, documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: String,
    pub kind: Value,
    pub nullable: bool,
    pub doc: String,
}

/// Returns whether a table's schema, as stated in its log, has exactly these columns; comments are
/// ignored.
pub fn matches_schema(schema: &str, columns: &[Column]) -> bool {
    #[derive(Deserialize)]
    struct SchemaField {
        name: String,
        #[serde(rename = "type")]
        kind: Value,
        nullable: bool,
    }
    #[derive(Deserialize)]
    struct Schema {
        fields: Vec<SchemaField>,
    }
    let Ok(Schema { fields }) = serde_json::from_str(schema) else { return false };
    let same = |stated: &SchemaField| {
        columns.iter().any(|column| {
            column.name == stated.name
                && column.kind == stated.kind
                && column.nullable == stated.nullable
        })
    };
    fields.len() == columns.len() && fields.iter().all(same)
}
