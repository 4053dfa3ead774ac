//! Record batches as text, JSON, CSV and Parquet.

use std::sync::Arc;

use deltalake::arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use deltalake::arrow::compute::cast;
use deltalake::arrow::csv::WriterBuilder;
use deltalake::arrow::datatypes::{DataType, Field, Schema};
use deltalake::arrow::json::ArrayWriter;
use deltalake::arrow::util::display::{ArrayFormatter, FormatOptions};
use deltalake::parquet::arrow::ArrowWriter;
use deltalake::parquet::arrow::arrow_writer::ArrowWriterOptions;
use serde_json::Value;

use super::{AnalyticsError, formula};
use crate::domain::value::words;

words! {
    /// How an answer is written.
    Format {
        Table = "table",
        Json = "json",
        Csv = "csv",
        Parquet = "parquet",
    }
}

impl Format {
    /// The answer as bytes; of `Table` and `Json` see [`rows_text`] and [`rows_json`].
    pub fn encode(self, batches: &[RecordBatch]) -> Result<Vec<u8>, AnalyticsError> {
        match self {
            Self::Csv => csv(batches.iter().map(flat)),
            Self::Parquet => parquet(batches),
            Self::Table | Self::Json => Ok(rows_json(batches)?.to_string().into_bytes()),
        }
    }
}

/// The answer as CSV that a spreadsheet may open: no cell of it is taken for a formula.
pub fn csv_for_spreadsheets(batches: &[RecordBatch]) -> Result<Vec<u8>, AnalyticsError> {
    csv(batches.iter().map(|batch| formula::inert(&flat(batch)?).map_err(encoding)))
}

fn csv(batches: impl Iterator<Item = Result<RecordBatch, AnalyticsError>>) -> Result<Vec<u8>, AnalyticsError> {
    let mut bytes = Vec::new();
    let mut writer = WriterBuilder::new().with_header(true).build(&mut bytes);
    for batch in batches {
        writer.write(&batch?).map_err(encoding)?;
    }
    drop(writer);
    Ok(bytes)
}

fn parquet(batches: &[RecordBatch]) -> Result<Vec<u8>, AnalyticsError> {
    let mut bytes = Vec::new();
    let Some(first) = batches.first() else { return Ok(bytes) };
    // Without Arrow's own schema in it: not every reader knows its string views.
    let options = ArrowWriterOptions::new().with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(&mut bytes, first.schema(), options).map_err(encoding)?;
    for batch in batches {
        writer.write(batch).map_err(encoding)?;
    }
    writer.close().map_err(encoding)?;
    Ok(bytes)
}

/// A batch whose lists are JSON text, which is all that CSV can hold.
fn flat(batch: &RecordBatch) -> Result<RecordBatch, AnalyticsError> {
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let Some(lists) = column.as_list_opt::<i32>() else {
            fields.push(field.as_ref().clone());
            columns.push(Arc::clone(column));
            continue;
        };
        let text = |list: Option<ArrayRef>| {
            let list = cast(&list?, &DataType::Utf8).ok()?;
            Some(list.as_string_opt::<i32>()?.iter().collect::<Value>().to_string())
        };
        fields.push(Field::new(field.name(), DataType::Utf8, true));
        columns.push(Arc::new(lists.iter().map(text).collect::<StringArray>()));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(encoding)
}

fn encoding(fault: impl std::error::Error + Send + Sync + 'static) -> AnalyticsError {
    AnalyticsError::Encoding(fault.into())
}

/// The rows as JSON objects, nulls included.
pub fn rows_json(batches: &[RecordBatch]) -> Result<Value, AnalyticsError> {
    let builder = deltalake::arrow::json::WriterBuilder::new().with_explicit_nulls(true);
    let mut writer: ArrayWriter<Vec<u8>> = builder.build(Vec::new());
    for batch in batches {
        writer.write(batch).map_err(encoding)?;
    }
    writer.finish().map_err(encoding)?;
    let bytes = writer.into_inner();
    if bytes.is_empty() { Ok(Value::Array(Vec::new())) } else { serde_json::from_slice(&bytes).map_err(encoding) }
}

/// The column names, and the rows as texts; null is empty.
pub fn rows_text(batches: &[RecordBatch]) -> Result<(Vec<String>, Vec<Vec<String>>), AnalyticsError> {
    let options = FormatOptions::default();
    let header = batches
        .first()
        .map(|batch| batch.schema().fields().iter().map(|field| field.name().clone()).collect())
        .unwrap_or_default();
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<ArrayFormatter<'_>> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
            .collect::<Result<_, _>>()
            .map_err(encoding)?;
        rows.extend((0..batch.num_rows()).map(|row| columns.iter().map(|column| column.value(row).to_string()).collect()));
    }
    Ok((header, rows))
}
