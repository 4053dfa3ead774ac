//! Describes a table that is created: its columns, and the actions of its first log entry.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::action::{Action, MetaData};
use super::checkpoint;
use super::protocol::Protocol;
use super::table::TableMetadata;
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
    pub fn create(self, id: Uuid, at: Instant) -> [Action; 2] {
        let configuration = [
            ("delta.enableExpiredLogCleanup", "false".to_owned()),
            ("delta.checkpointInterval", checkpoint::EVERY.to_string()),
            ("delta.logRetentionDuration", "interval 2 days".to_owned()),
        ];
        let configuration =
            configuration.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
        let doc = format!("{} Written by Lakeplan only.", self.doc);
        [protocol(), self.metadata(doc, configuration, id, at)]
    }

    /// Returns the same actions for a table that others write, with their choice of maintenance.
    pub fn create_external_writer(self, id: Uuid, at: Instant) -> [Action; 2] {
        let doc = self.doc.to_owned();
        [protocol(), self.metadata(doc, BTreeMap::new(), id, at)]
    }

    fn metadata(
        self,
        doc: String,
        configuration: BTreeMap<String, Value>,
        id: Uuid,
        at: Instant,
    ) -> Action {
        let fields: Vec<Value> = self
            .columns
            .into_iter()
            .map(|column| json!({"name": column.name, "type": column.kind, "nullable": column.nullable, "metadata": {"comment": column.doc}}))
            .collect();
        let format = [("options", json!({})), ("provider", json!("parquet"))];
        Action::MetaData(MetaData {
            configuration,
            created_time: Some(at.timestamp_millis()),
            description: Some(doc),
            format: format.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
            id: id.to_string(),
            name: Some(self.name.to_owned()),
            partition_columns: self.partitions.iter().map(|name| (*name).to_owned()).collect(),
            schema_string: json!({"type": "struct", "fields": fields}).to_string(),
            other: Map::new(),
        })
    }
}

/// Makes a metadata action describe a table that keeps its id, if its log states one.
pub fn keep_id(action: &mut Action, described: Option<&TableMetadata>) {
    if let (Action::MetaData(metadata), Some(described)) = (action, described) {
        metadata.id.clone_from(&described.id);
    }
}

/// Returns the protocol that every reader knows.
fn protocol() -> Action {
    Action::Protocol(Protocol {
        min_reader_version: 1,
        min_writer_version: 2,
        ..Protocol::default()
    })
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
