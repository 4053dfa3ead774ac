//! Fetches the chunks of a result: in the API's own response, or behind signed links, which expire
//! soon and are then requested again.

use super::error::WarehouseError;
use super::wire::{self, Chunk, Link, STATEMENTS};
use crate::databricks::{Workspace, WorkspaceError};
use crate::net::Request;

/// Maximum number of links tried for one chunk.
const MAX_LINK_ATTEMPTS: u32 = 3;

impl Chunk {
    /// Fetches another chunk of a statement's result.
    pub async fn fetch(
        workspace: &Workspace,
        statement: &str,
        index: u64,
    ) -> Result<Self, WarehouseError> {
        let request = Request::get(STATEMENTS)
            .part(statement)
            .part("result")
            .part("chunks")
            .part(&index.to_string());
        wire::read(workspace.send(&request).await?)
    }
}

impl Link {
    /// Fetches a link to another chunk of a statement's result.
    pub async fn fetch(
        workspace: &Workspace,
        statement: &str,
        index: u64,
    ) -> Result<Self, WarehouseError> {
        let chunk = Chunk::fetch(workspace, statement, index).await?;
        let missing = || WarehouseError::Unreadable { what: format!("piece {index} has no link") };
        chunk.external_links.into_iter().find(|link| link.chunk_index == index).ok_or_else(missing)
    }

    /// Fetches the bytes of the chunk, and returns them with the index of the next one.
    pub async fn bytes(
        &self,
        workspace: &Workspace,
        statement: &str,
    ) -> Result<(Vec<u8>, Option<u64>), WarehouseError> {
        let mut link = self.clone();
        let mut attempt = 1;
        loop {
            match workspace.fetch(&link.external_link).await {
                Ok(bytes) => return Ok((bytes, link.next_chunk_index)),
                // The storage responds like this if a link has expired.
                Err(err) if attempt < MAX_LINK_ATTEMPTS && refused(&err).is_some() => {
                    attempt += 1;
                    link = Self::fetch(workspace, statement, link.chunk_index).await?;
                }
                Err(err) => {
                    return Err(match refused(&err) {
                        Some((host, status)) => {
                            let what =
                                format!("the storage at {host} refuses its links with {status}");
                            WarehouseError::Unreadable { what }
                        }
                        None => err.into(),
                    });
                }
            }
        }
    }
}

/// Returns the storage that rejected a link, and the status code.
fn refused(err: &WorkspaceError) -> Option<(&str, u16)> {
    Some(match err {
        WorkspaceError::Unauthorized { host, .. } => (host, 401),
        WorkspaceError::Forbidden { host, .. } => (host, 403),
        WorkspaceError::NotFound { host, .. } => (host, 404),
        WorkspaceError::Rejected { host, status, .. }
        | WorkspaceError::Redirected { host, status } => (host, *status),
        _ => return None,
    })
}
