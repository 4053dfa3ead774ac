//! Reads a large result: Arrow streams behind signed links.

use std::io::Cursor;
use std::sync::Arc;

use deltalake::arrow::array::RecordBatch;
use deltalake::arrow::datatypes::{DataType, Field, Schema};
use deltalake::arrow::ipc::reader::StreamReader;

use super::answer::{Rows, check_row_count};
use crate::databricks::Workspace;
use crate::databricks::warehouse::{Column, Link, Succeeded, WarehouseError};

/// Fetches the rows, chunk by chunk.
pub async fn rows(workspace: &Workspace, answered: Succeeded) -> Result<Rows, WarehouseError> {
    let mut batches = Vec::new();
    let links =
        answered.first.as_ref().map(|chunk| chunk.external_links.clone()).unwrap_or_default();
    let mut next = links.into_iter().next();
    let mut seen = 0;
    while let Some(link) = next.take() {
        let (bytes, index) = link.bytes(workspace, &answered.statement_id).await?;
        batches.extend(read(bytes)?);
        seen += 1;
        if let Some(index) = index.filter(|_| seen <= answered.manifest.total_chunk_count) {
            next = Some(Link::fetch(workspace, &answered.statement_id, index).await?);
        }
    }
    check_row_count(&batches, &answered)?;
    if batches.is_empty() {
        let names = answered.manifest.schema.columns.iter();
        let field = |column: &Column| Field::new(&column.name, DataType::Utf8, true);
        batches.push(RecordBatch::new_empty(Arc::new(Schema::new(
            names.map(field).collect::<Vec<_>>(),
        ))));
    }
    Ok(Rows { batches, is_truncated: answered.manifest.truncated })
}

fn read(bytes: Vec<u8>) -> Result<Vec<RecordBatch>, WarehouseError> {
    let unreadable = |err: deltalake::arrow::error::ArrowError| WarehouseError::Unreadable {
        what: err.to_string(),
    };
    let reader = StreamReader::try_new(Cursor::new(bytes), None).map_err(unreadable)?;
    reader.collect::<Result<_, _>>().map_err(unreadable)
}
