//! Reads the current tables: the positions to which they are folded, and their records.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use object_store::ObjectStore;

use crate::domain::any_record::AnyRecord;
use crate::store::error::StoreError;
use crate::store::journal::files::Files;
use crate::store::mark::{FoldPosition, FoldPositions};
use crate::store::scope::Scope;
use crate::store::tables::CurrentTable;
use crate::store::tables::read::{self, Contents};

/// Seq up to which each table states it is folded, by name; 0 for a missing table.
pub(super) type Seqs = BTreeMap<&'static str, u64>;

/// Result of reading the current tables.
pub(super) struct CurrentTables {
    pub stands: FoldPositions,
    pub records: Vec<AnyRecord>,
    /// Tables whose files could not be read.
    pub unreadable: BTreeSet<&'static str>,
}

impl CurrentTables {
    /// Returns the seq of the table that is folded the furthest.
    pub fn end(&self) -> u64 {
        self.stands.values().map(|stand| stand.seq).max().unwrap_or(0)
    }
}

pub(super) fn lost_its_end(end: u64, ahead: u64) -> StoreError {
    StoreError::damaged(
        "journal",
        format!("it ends at seq {end}, but a table is folded to {ahead}: it lost its end"),
    )
}

/// Reads the positions to which tables state they are folded, 0 for a missing table, and their
/// records of a scope. `files` checks the tables if the journal was read. A damaged table can be
/// rebuilt from the journal, so it counts as missing.
pub(super) async fn read_current_tables(
    root: &Arc<dyn ObjectStore>,
    tables: impl Iterator<Item = &CurrentTable>,
    scope: &Scope,
    files: Option<&Files>,
) -> Result<CurrentTables, StoreError> {
    let read = tables.map(|table| async move {
        match read::one(root, table, scope, files).await {
            Ok(Some(Contents { stand, records, .. })) => Ok((table.name, stand, records, false)),
            Ok(None) => Ok((table.name, FoldPosition::default(), Vec::new(), false)),
            Err(err @ StoreError::Damaged { .. }) => {
                // A plain fold finds missing files and files of another size, and other bytes where
                // it reads them.
                tracing::warn!(%err, "the table is read from the journal; run lakeplan fold --rebuild {} to rebuild it", table.name);
                Ok((table.name, FoldPosition::default(), Vec::new(), true))
            }
            Err(err) => Err(err),
        }
    });
    let found: Vec<_> = futures::future::try_join_all(read).await?;
    let stands = found.iter().map(|(name, stand, ..)| (*name, *stand)).collect();
    let unreadable =
        found.iter().filter(|(.., is_unreadable)| *is_unreadable).map(|(name, ..)| *name).collect();
    Ok(CurrentTables {
        stands,
        records: found.into_iter().flat_map(|(_, _, records, _)| records).collect(),
        unreadable,
    })
}
