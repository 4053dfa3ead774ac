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
    let links =
        answered.first.as_ref().map(|chunk| chunk.external_links.clone()).unwrap_or_default();
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
            deltalake::arrow::datatypes::Field::new(
                &column.name,
                deltalake::arrow::datatypes::DataType::Utf8,
                true,
            )
        };
        batches.push(RecordBatch::new_empty(Arc::new(Schema::new(
            names.map(field).collect::<Vec<_>>(),
        ))));
    }
    Ok(Rows { batches, is_truncated: answered.manifest.truncated })
}

/// The bytes of a piece, and the index of the next one.
async fn fetched(
    workspace: &Workspace,
    statement: &str,
    link: &Link,
) -> Result<(Vec<u8>, Option<u64>), WarehouseError> {
    let mut link = link.clone();
    let mut attempt = 1;
    loop {
        match workspace.fetch(&link.external_link).await {
            Ok(bytes) => return Ok((bytes, link.next_chunk_index)),
            // The storage's word for a link that is over.
            Err(fault) if attempt < ATTEMPTS && refused(&fault).is_some() => {
                attempt += 1;
                link = linked(workspace, statement, link.chunk_index).await?;
            }
            Err(fault) => {
                return Err(match refused(&fault) {
                    Some((host, status)) => {
                        let what = format!("the storage at {host} refuses its links with {status}");
                        WarehouseError::Unreadable { what }
                    }
                    None => fault.into(),
                });
            }
        }
    }
}

/// The storage that refuses a link, and its status.
fn refused(fault: &NetError) -> Option<(&str, u16)> {
    Some(match fault {
        NetError::Unauthorized { host, .. } => (host, 401),
        NetError::Forbidden { host, .. } => (host, 403),
        NetError::NotFound { host, .. } => (host, 404),
        NetError::Rejected { host, status, .. } | NetError::Redirected { host, status } => {
            (host, *status)
        }
        _ => return None,
    })
}

async fn linked(
    workspace: &Workspace,
    statement: &str,
    index: u64,
) -> Result<Link, WarehouseError> {
    let chunk = piece(workspace, statement, index).await?;
    let missing = || WarehouseError::Unreadable { what: format!("piece {index} has no link") };
    chunk.external_links.into_iter().find(|link| link.chunk_index == index).ok_or_else(missing)
}

fn read(bytes: Vec<u8>) -> Result<Vec<RecordBatch>, WarehouseError> {
    let unreadable = |fault: deltalake::arrow::error::ArrowError| WarehouseError::Unreadable {
        what: fault.to_string(),
    };
    let reader = StreamReader::try_new(Cursor::new(bytes), None).map_err(unreadable)?;
    reader.collect::<Result<_, _>>().map_err(unreadable)
}
