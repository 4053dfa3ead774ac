//! Record batches as text, JSON, CSV and Parquet.

use deltalake::arrow::array::RecordBatch;
use deltalake::arrow::csv::WriterBuilder;
use deltalake::arrow::json::ArrayWriter;
use deltalake::arrow::util::display::{ArrayFormatter, FormatOptions};
use deltalake::parquet::arrow::ArrowWriter;
use serde_json::Value;

use super::AnalyticsError;
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
        let mut bytes = Vec::new();
        match self {
            Self::Csv => {
                let mut writer = WriterBuilder::new().with_header(true).build(&mut bytes);
                for batch in batches {
                    writer.write(batch).map_err(encoding)?;
                }
            }
            Self::Parquet => {
                let Some(first) = batches.first() else { return Ok(bytes) };
                let mut writer = ArrowWriter::try_new(&mut bytes, first.schema(), None).map_err(encoding)?;
                for batch in batches {
                    writer.write(batch).map_err(encoding)?;
                }
                writer.close().map_err(encoding)?;
            }
            Self::Table | Self::Json => bytes = rows_json(batches)?.to_string().into_bytes(),
        }
        Ok(bytes)
    }
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
