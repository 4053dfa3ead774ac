//! Reads a large result: Arrow streams behind signed links, which expire soon and are then
//! requested again.

use std::io::Cursor;
use std::sync::Arc;

use deltalake::arrow::array::RecordBatch;
use deltalake::arrow::datatypes::Schema;
use deltalake::arrow::ipc::reader::StreamReader;

use super::answer::{Rows, check_row_count, piece};
use super::error::WarehouseError;
use super::wire::{Link, Succeeded};
use crate::net::{NetError, Workspace};

/// Maximum number of links tried for one chunk.
const MAX_LINK_ATTEMPTS: u32 = 3;

/// Fetches the rows, chunk by chunk.
pub async fn rows(workspace: &Workspace, answered: Succeeded) -> Result<Rows, WarehouseError> {
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
            next = Some(fetch_link(workspace, &answered.statement_id, index).await?);
        }
    }
    check_row_count(&batches, &answered)?;
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

/// Returns the bytes of a chunk, and the index of the next one.
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
            // The storage responds like this if a link has expired.
            Err(err) if attempt < MAX_LINK_ATTEMPTS && refused(&err).is_some() => {
                attempt += 1;
                link = fetch_link(workspace, statement, link.chunk_index).await?;
            }
            Err(err) => {
                return Err(match refused(&err) {
                    Some((host, status)) => {
                        let what = format!("the storage at {host} refuses its links with {status}");
                        WarehouseError::Unreadable { what }
                    }
                    None => err.into(),
                });
            }
        }
    }
}

/// Returns the storage that rejected a link, and the status code.
fn refused(err: &NetError) -> Option<(&str, u16)> {
    Some(match err {
        NetError::Unauthorized { host, .. } => (host, 401),
        NetError::Forbidden { host, .. } => (host, 403),
        NetError::NotFound { host, .. } => (host, 404),
        NetError::Rejected { host, status, .. } | NetError::Redirected { host, status } => {
            (host, *status)
        }
        _ => return None,
    })
}

async fn fetch_link(
    workspace: &Workspace,
    statement: &str,
    index: u64,
) -> Result<Link, WarehouseError> {
    let chunk = piece(workspace, statement, index).await?;
    let missing = || WarehouseError::Unreadable { what: format!("piece {index} has no link") };
    chunk.external_links.into_iter().find(|link| link.chunk_index == index).ok_or_else(missing)
}

fn read(bytes: Vec<u8>) -> Result<Vec<RecordBatch>, WarehouseError> {
    let unreadable = |err: deltalake::arrow::error::ArrowError| WarehouseError::Unreadable {
        what: err.to_string(),
    };
    let reader = StreamReader::try_new(Cursor::new(bytes), None).map_err(unreadable)?;
    reader.collect::<Result<_, _>>().map_err(unreadable)
}
