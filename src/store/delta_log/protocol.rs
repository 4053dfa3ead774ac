//! The protocol of a Delta table: the versions and features that a reader and a writer need.

use std::collections::BTreeSet;

use deltalake::arrow::array::{Array, AsArray, RecordBatch};
use deltalake::arrow::datatypes::Int32Type;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::store::location::catalog::features::called;

/// Writer features that change nothing for a writer that only adds its own files and removes them.
const HARMLESS: [&str; 5] =
    ["appendOnly", "invariants", "checkConstraints", "changeDataFeed", "generatedColumns"];

/// Capabilities that a reader and a writer of the table need.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Protocol {
    pub min_reader_version: i32,
    pub min_writer_version: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reader_features: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writer_features: Option<Vec<String>>,
    /// Fields that Lakeplan does not use.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Protocol {
    /// Returns whether the protocol requires nothing that Lakeplan lacks: no feature about reading
    /// rows or keeping files.
    pub fn is_known(&self) -> bool {
        let is_harmless = |name: &String| HARMLESS.contains(&name.as_str());
        self.min_reader_version <= 1
            && self.reader_features.iter().flatten().next().is_none()
            && match self.min_writer_version {
                ..=6 => true,
                7 => self.writer_features.iter().flatten().all(is_harmless),
                _ => false,
            }
    }

    /// Returns the names of the required features.
    pub fn asks_for(&self) -> String {
        let names: BTreeSet<&str> = self
            .reader_features
            .iter()
            .chain(&self.writer_features)
            .flatten()
            .map(|name| called(name))
            .collect();
        if names.is_empty() {
            return format!("of protocol {}.{}", self.min_reader_version, self.min_writer_version);
        }
        names.into_iter().collect::<Vec<_>>().join(", ")
    }
}

/// Reads the protocol in a row of a checkpoint.
pub fn protocol_in(rows: &RecordBatch, row: usize) -> Option<Protocol> {
    let protocol = rows.column_by_name("protocol")?.as_struct_opt()?;
    let number = |name: &str| {
        Some(protocol.column_by_name(name)?.as_primitive_opt::<Int32Type>()?.value(row))
    };
    let names = |name: &str| {
        let lists = protocol.column_by_name(name).and_then(|lists| lists.as_list_opt::<i32>());
        let list = lists.filter(|lists| lists.is_valid(row)).map(|lists| lists.value(row))?;
        Some(list.as_string_opt::<i32>()?.iter().flatten().map(str::to_owned).collect::<Vec<_>>())
    };
    Some(Protocol {
        min_reader_version: number("minReaderVersion")?,
        min_writer_version: number("minWriterVersion")?,
        reader_features: names("readerFeatures"),
        writer_features: names("writerFeatures"),
        other: Map::new(),
    })
}
