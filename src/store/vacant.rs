//! Checks that a location for a new lake holds no lake and no part of one.

use std::sync::Arc;

use super::backup;
use super::error::StoreError;
use super::journal::files::Files;
use super::location::LakeLocation;
use super::remains::remains;

/// Fails if a lake, an unfinished copy or remains of a lake are at the location. A lake is not
/// created over the tables of one without a journal, except over the empty tables of an `init` that
/// was interrupted before it created the journal.
pub async fn check_not_orphaned(root: &LakeLocation) -> Result<(), StoreError> {
    // The first entries of an old lake are cleaned up: their names are free, but it is a lake.
    if Files::new(Arc::clone(&root.store)).load().await?.is_some() {
        return Err(StoreError::AlreadyALake { root: root.url.to_string() });
    }
    backup::check_finished(root).await?;
    let tables = remains(&root.store).await?;
    if tables.is_empty() {
        Ok(())
    } else {
        Err(StoreError::JournalLost { root: root.url.to_string(), tables })
    }
}
