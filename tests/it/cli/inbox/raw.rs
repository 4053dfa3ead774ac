//! Writes an inbox file as any engine might, with the low-level Parquet API: a declaration for each
//! column, and bytes, a number or null for each cell.

use std::path::Path;
use std::sync::Arc;

use deltalake::parquet::column::writer::ColumnWriter;
use deltalake::parquet::data_type::{ByteArray, Int96};
use deltalake::parquet::file::properties::WriterProperties;
use deltalake::parquet::file::writer::SerializedFileWriter;
use deltalake::parquet::schema::parser::parse_message_type;
use serde_json::{Value, json};

#[derive(Clone, Debug)]
pub enum RawValue {
    Null,
    Text(String),
    Bytes(Vec<u8>),
    Number(i64),
}

impl From<&str> for RawValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for RawValue {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// The columns that a new inbox has, except that each may be null.
pub const USUAL: [&str; 4] = [
    "optional binary request_id (UTF8)",
    "optional int64 at (TIMESTAMP(MICROS,true))",
    "optional binary user (UTF8)",
    "optional binary patch_set (UTF8)",
];

/// The microseconds of a recent time in the past.
pub const AT: i64 = 1_790_000_000_000_000;

pub fn file(columns: &[&str], rows: &[Vec<RawValue>]) -> Vec<u8> {
    let declared = |column: &&str| {
        if column.ends_with('}') { (*column).to_owned() } else { format!("{column};") }
    };
    let schema = format!(
        "message rows {{ {} }}",
        columns.iter().map(declared).collect::<Vec<_>>().join(" ")
    );
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for at in 0..columns.len() {
        let mut column = group.next_column().unwrap().unwrap();
        let cells: Vec<&RawValue> = rows.iter().map(|row| &row[at]).collect();
        let levels: Vec<i16> =
            cells.iter().map(|cell| i16::from(!matches!(cell, RawValue::Null))).collect();
        let numbers = || {
            cells.iter().filter_map(|cell| {
                if let RawValue::Number(number) = cell { Some(*number) } else { None }
            })
        };
        match column.untyped() {
            ColumnWriter::ByteArrayColumnWriter(writer) => {
                let bytes = |cell: &&RawValue| match cell {
                    RawValue::Text(text) => Some(ByteArray::from(text.as_bytes().to_vec())),
                    RawValue::Bytes(bytes) => Some(ByteArray::from(bytes.clone())),
                    _ => None,
                };
                let values: Vec<ByteArray> = cells.iter().filter_map(bytes).collect();
                writer.write_batch(&values, Some(&levels), None).unwrap();
            }
            ColumnWriter::Int64ColumnWriter(writer) => {
                writer.write_batch(&numbers().collect::<Vec<_>>(), Some(&levels), None).unwrap();
            }
            ColumnWriter::Int32ColumnWriter(writer) => {
                writer
                    .write_batch(
                        &numbers().map(|number| number as i32).collect::<Vec<_>>(),
                        Some(&levels),
                        None,
                    )
                    .unwrap();
            }
            ColumnWriter::Int96ColumnWriter(writer) => {
                let int96 = |micros: i64| {
                    let (day, rest) = (
                        micros.div_euclid(86_400_000_000),
                        micros.rem_euclid(86_400_000_000) * 1000,
                    );
                    let mut value = Int96::new();
                    value.set_data(rest as u32, (rest >> 32) as u32, (day + 2_440_588) as u32);
                    value
                };
                writer
                    .write_batch(&numbers().map(int96).collect::<Vec<_>>(), Some(&levels), None)
                    .unwrap();
            }
            _ => panic!("unknown column"),
        }
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.into_inner().unwrap()
}

/// Commits a file to the inbox of the lake in the folder and removes other files from it.
/// Returns the file's name.
pub fn put(folder: &Path, bytes: &[u8], partitions: Value, removed: &[String]) -> String {
    let log = folder.join("lake/inbox/_delta_log");
    let version = std::fs::read_dir(&log)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "json"))
        .count();
    let name = format!("part-{version}.parquet");
    std::fs::write(folder.join("lake/inbox").join(&name), bytes).unwrap();
    let mut entry = json!({"add": {"path": name, "partitionValues": partitions, "size": bytes.len(), "modificationTime": 0, "dataChange": true}}).to_string();
    for path in removed {
        entry.push_str(&format!("\n{}", json!({"remove": {"path": path, "dataChange": true}})));
    }
    std::fs::write(log.join(format!("{version:020}.json")), entry).unwrap();
    name
}

/// Adds rows with the usual columns.
pub fn add(folder: &Path, rows: &[Vec<RawValue>]) -> String {
    put(folder, &file(&USUAL, rows), json!({}), &[])
}

/// Returns the cells of a row with the usual columns.
pub fn row(
    id: impl Into<RawValue>,
    at: impl Into<RawValue>,
    user: impl Into<RawValue>,
    patch_set: impl Into<RawValue>,
) -> Vec<RawValue> {
    vec![id.into(), at.into(), user.into(), patch_set.into()]
}
