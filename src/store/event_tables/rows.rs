//! Encodes the rows of an appended table as Parquet and decodes them.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, NaiveDate};
use deltalake::arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    new_null_array,
};
use deltalake::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use deltalake::parquet::arrow::ArrowWriter;
use deltalake::parquet::arrow::arrow_writer::ArrowWriterOptions;
use deltalake::parquet::basic::Compression;
use deltalake::parquet::file::properties::WriterProperties;
use serde_json::{Value, json};

use super::{DATE, EventTable};
use crate::domain::record::Fields;
use crate::domain::time::Instant;
use crate::runtime::{Random, uuid_v7};
use crate::store::decode::typed;
use crate::store::delta_log::action::Add;
use crate::store::delta_log::table::LiveFile;
use crate::store::delta_log::table_log::TableLog;
use crate::store::error::StoreError;
use crate::store::tables::read;

fn schema(table: &EventTable) -> SchemaRef {
    let kind = |name: &str| match name {
        "long" => DataType::Int64,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        _ => DataType::Utf8,
    };
    let fields =
        table.columns.iter().map(|(name, of, nullable, _)| Field::new(*name, kind(of), *nullable));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Encodes rows as a batch. Fails if a row lacks a required value.
pub fn encode(table: &EventTable, rows: &[Fields]) -> Result<RecordBatch, StoreError> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(table.columns.len());
    for (name, kind, nullable, _) in table.columns {
        let values = rows.iter().map(|row| row.get(*name));
        let column: ArrayRef = match *kind {
            "long" => Arc::new(values.map(|value| value?.as_i64()).collect::<Int64Array>()),
            "timestamp" => {
                let micros = |value: Option<&Value>| {
                    Some(DateTime::parse_from_rfc3339(value?.as_str()?).ok()?.timestamp_micros())
                };
                Arc::new(
                    values.map(micros).collect::<TimestampMicrosecondArray>().with_timezone("UTC"),
                )
            }
            _ => Arc::new(values.map(|value| value?.as_str()).collect::<StringArray>()),
        };
        if column.null_count() > 0 && !nullable {
            return Err(StoreError::storage(
                "encoding",
                table.name,
                format!("the column {name} has no value"),
            ));
        }
        columns.push(column);
    }
    RecordBatch::try_new(schema(table), columns)
        .map_err(|err| StoreError::storage("encoding", table.name, err))
}

/// Encodes batches as one file.
pub fn parquet(table: &EventTable, batches: &[RecordBatch]) -> Result<Bytes, StoreError> {
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let options =
        ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let write = || {
        let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema(table), options)?;
        for batch in batches {
            writer.write(batch)?;
        }
        writer.into_inner()
    };
    write().map(Bytes::from).map_err(|err| StoreError::storage("encoding", table.name, err))
}

/// Puts a file of a day under a new name and returns the action that adds it.
pub async fn put(
    log: &TableLog,
    date: &str,
    file: Bytes,
    rows: usize,
    at: Instant,
    random: &dyn Random,
) -> Result<Add, StoreError> {
    let path = format!("{DATE}={date}/{}.parquet", uuid_v7(at, random));
    let size = file.len();
    let path = log.put_checked(&path, file).await?;
    let partitions = [(DATE.to_owned(), Some(date.to_owned()))].into();
    let file = LiveFile { path, size: size as i64, partitions, stats: None, vector: None };
    Ok(add(&file, rows, at))
}

/// Returns the action that adds a file with this many rows.
pub fn add(file: &LiveFile, rows: usize, at: Instant) -> Add {
    Add { stats: Some(json!({"numRecords": rows}).to_string()), ..file.add(at) }
}

/// Returns a file's row count as stated in the log; `None` if another engine wrote the file without
/// statistics.
pub fn recorded(file: &LiveFile) -> Option<usize> {
    let stats: Value = serde_json::from_str(file.stats.as_deref()?).ok()?;
    usize::try_from(stats["numRecords"].as_u64()?).ok()
}

/// Returns the day of a file's rows, as text.
pub fn date(file: &LiveFile) -> Option<&str> {
    file.partitions.get(DATE)?.as_deref()
}

/// Returns the day of a file's rows; `None` if the text is not a day.
pub fn day(file: &LiveFile) -> Option<NaiveDate> {
    date(file)?.parse().ok()
}

/// Reads the batches of a file. A column newer than the file is empty.
pub async fn read(
    table: &EventTable,
    log: &TableLog,
    file: &LiveFile,
) -> Result<Vec<RecordBatch>, StoreError> {
    decode(table, log, file, log.get_live(&file.path).await?)
}

/// Decodes the bytes of a file as [`read()`] does.
pub fn decode(
    table: &EventTable,
    log: &TableLog,
    file: &LiveFile,
    bytes: Bytes,
) -> Result<Vec<RecordBatch>, StoreError> {
    let path = format!("{}/{}", log.folder(), file.path);
    let schema = schema(table);
    let mut batches = Vec::new();
    for batch in read::batches(&path, bytes)? {
        // An engine that compacted files may have stored the same values in other types.
        let batch = typed(batch?, &schema)
            .map_err(|err| StoreError::damaged(path.clone(), err.to_string()))?;
        let column = |field: &Arc<Field>| {
            batch
                .column_by_name(field.name())
                .cloned()
                .unwrap_or_else(|| new_null_array(field.data_type(), batch.num_rows()))
        };
        let columns = schema.fields().iter().map(column).collect();
        let aligned = RecordBatch::try_new(Arc::clone(&schema), columns);
        batches.push(aligned.map_err(|err| StoreError::damaged(path.clone(), err.to_string()))?);
    }
    Ok(batches)
}

/// Returns the key of each row.
pub fn keys(table: &EventTable, batch: &RecordBatch) -> Vec<Vec<String>> {
    let columns: Vec<&StringArray> = table
        .key
        .iter()
        .filter_map(|name| batch.column_by_name(name)?.as_string_opt::<i32>())
        .collect();
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|column| column.value(row).to_owned()).collect())
        .collect()
}
