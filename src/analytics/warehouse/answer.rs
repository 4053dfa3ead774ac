//! Reads a small result: rows of text in the API's own JSON, converted to typed columns.

use std::sync::Arc;

use deltalake::arrow::array::{ArrayRef, RecordBatch, StringArray};
use deltalake::arrow::compute::{CastOptions, cast_with_options};
use deltalake::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::databricks::Workspace;
use crate::databricks::warehouse::{Chunk, Column, Succeeded, WarehouseError};

/// Rows of a result.
#[derive(Clone, Debug)]
pub struct Rows {
    pub batches: Vec<RecordBatch>,
    /// Whether the warehouse returned only some of the rows.
    pub is_truncated: bool,
}

/// Fetches the rows, chunk by chunk.
pub async fn rows(workspace: &Workspace, answered: Succeeded) -> Result<Rows, WarehouseError> {
    let columns = &answered.manifest.schema.columns;
    let schema: SchemaRef = Arc::new(Schema::new(
        columns
            .iter()
            .map(|column| Field::new(&column.name, kind(column), true))
            .collect::<Vec<_>>(),
    ));
    let mut batches = vec![RecordBatch::new_empty(Arc::clone(&schema))];
    let mut next = answered.first.clone();
    let mut seen = 0;
    while let Some(chunk) = next.take() {
        batches.push(batch(&schema, &chunk)?);
        seen += 1;
        if let Some(index) =
            chunk.next_chunk_index.filter(|_| seen <= answered.manifest.total_chunk_count)
        {
            next = Some(Chunk::fetch(workspace, &answered.statement_id, index).await?);
        }
    }
    check_row_count(&batches, &answered)?;
    Ok(Rows { batches, is_truncated: answered.manifest.truncated })
}

/// Fails if the number of rows differs from the announced one. Does not check a truncated result,
/// whose announced number means nothing.
pub fn check_row_count(
    batches: &[RecordBatch],
    answered: &Succeeded,
) -> Result<(), WarehouseError> {
    let rows: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
    match answered.manifest.total_row_count {
        Some(announced) if announced != rows && !answered.manifest.truncated => {
            Err(WarehouseError::Unreadable {
                what: format!("it announced {announced} rows but returned {rows}"),
            })
        }
        _ => Ok(()),
    }
}

fn batch(schema: &SchemaRef, chunk: &Chunk) -> Result<RecordBatch, WarehouseError> {
    let unreadable = |what: String| WarehouseError::Unreadable { what };
    let fields = schema.fields();
    if let Some(row) = chunk.data_array.iter().find(|row| row.len() != fields.len()) {
        return Err(unreadable(format!(
            "a row has {} values for {} columns",
            row.len(),
            fields.len()
        )));
    }
    let column = |(at, field): (usize, &Arc<Field>)| {
        let texts: ArrayRef = Arc::new(
            chunk.data_array.iter().map(|row| row[at].as_deref()).collect::<StringArray>(),
        );
        // A value that does not match its column's type is an error, not a null.
        let options = CastOptions { safe: false, ..CastOptions::default() };
        cast_with_options(&texts, field.data_type(), &options)
            .map_err(|err| unreadable(err.to_string()))
    };
    let columns: Vec<ArrayRef> = fields.iter().enumerate().map(column).collect::<Result<_, _>>()?;
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(|err| unreadable(err.to_string()))
}

/// Returns the Arrow type of a column. Nested values stay the JSON text that they arrive as.
fn kind(column: &Column) -> DataType {
    match column.type_name.as_str() {
        "BOOLEAN" => DataType::Boolean,
        "BYTE" => DataType::Int8,
        "SHORT" => DataType::Int16,
        "INT" => DataType::Int32,
        "LONG" => DataType::Int64,
        "FLOAT" => DataType::Float32,
        "DOUBLE" => DataType::Float64,
        "DECIMAL" => DataType::Decimal128(
            column.type_precision.unwrap_or(38),
            column.type_scale.unwrap_or(0),
        ),
        "DATE" => DataType::Date32,
        "TIMESTAMP" if column.type_text.eq_ignore_ascii_case("TIMESTAMP_NTZ") => {
            DataType::Timestamp(TimeUnit::Microsecond, None)
        }
        "TIMESTAMP" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        _ => DataType::Utf8,
    }
}
