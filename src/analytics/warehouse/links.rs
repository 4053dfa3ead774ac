//! A large answer: Arrow streams behind signed links, which end soon and are then asked for again.

use std::io::Cursor;
use std::sync::Arc;

use deltalake::arrow::array::RecordBatch;
use deltalake::arrow::datatypes::Schema;
use deltalake::arrow::ipc::reader::StreamReader;

use super::Rows;
use super::answer::{piece, whole};
use super::error::WarehouseError;
use super::wire::{Answered, Link};
use crate::net::{NetError, Workspace};

/// How often a link for one piece is asked for.
const ATTEMPTS: u32 = 3;

/// The rows, piece after piece.
pub async fn rows(workspace: &Workspace, answered: Answered) -> Result<Rows, WarehouseError> {
    let mut batches = Vec::new();
    let links = answered.first.as_ref().map(|chunk| chunk.external_links.clone()).unwrap_or_default();
    let mut next = links.into_iter().next();
    let mut seen = 0;
    while let Some(link) = next.take() {
        let (bytes, index) = fetched(workspace, &answered.statement_id, &link).await?;
        batches.extend(read(bytes)?);
        seen += 1;
        if let Some(index) = index.filter(|_| seen <= answered.manifest.total_chunk_count) {
            next = Some(linked(workspace, &answered.statement_id, index).await?);
        }
    }
    whole(&batches, &answered)?;
    if batches.is_empty() {
        let names = answered.manifest.schema.columns.iter();
        let field = |column: &super::wire::Column| {
            deltalake::arrow::datatypes::Field::new(&column.name, deltalake::arrow::datatypes::DataType::Utf8, true)
        };
        batches.push(RecordBatch::new_empty(Arc::new(Schema::new(names.map(field).collect::<Vec<_>>()))));
    }
    Ok(Rows { batches, is_truncated: answered.manifest.truncated })
}

/// The bytes of a piece, and the index of the next one.
async fn fetched(workspace: &Workspace, statement: &str, link: &Link) -> Result<(Vec<u8>, Option<u64>), WarehouseError> {
    let mut link = link.clone();
    let mut attempt = 1;
    loop {
        match workspace.fetch(&link.external_link).await {
            Ok(bytes) => return Ok((bytes, link.next_chunk_index)),
            // The storage's word for a link that is over.
            Err(
                NetError::Forbidden { .. }
                | NetError::Unauthorized { .. }
                | NetError::NotFound { .. }
                | NetError::Rejected { .. },
            ) if attempt < ATTEMPTS => {
                attempt += 1;
                link = linked(workspace, statement, link.chunk_index).await?;
            }
            // Of the storage's refusal nothing is shown but that it refused: it may repeat the link.
            Err(NetError::Forbidden { host, .. } | NetError::Unauthorized { host, .. }) => {
                return Err(WarehouseError::Unreadable { what: format!("the storage of {host}'s answers refuses its links") });
            }
            Err(fault) => return Err(fault.into()),
        }
    }
}

async fn linked(workspace: &Workspace, statement: &str, index: u64) -> Result<Link, WarehouseError> {
    let chunk = piece(workspace, statement, index).await?;
    let missing = || WarehouseError::Unreadable { what: format!("piece {index} has no link") };
    chunk.external_links.into_iter().find(|link| link.chunk_index == index).ok_or_else(missing)
}

fn read(bytes: Vec<u8>) -> Result<Vec<RecordBatch>, WarehouseError> {
    let unreadable = |fault: deltalake::arrow::error::ArrowError| WarehouseError::Unreadable { what: fault.to_string() };
    let reader = StreamReader::try_new(Cursor::new(bytes), None).map_err(unreadable)?;
    reader.collect::<Result<_, _>>().map_err(unreadable)
}
