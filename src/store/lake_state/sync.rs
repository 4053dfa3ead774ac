//! Loads the records of the stream `sync`, for the callers and the patch sets that need them.

use super::current_tables::{CurrentTables, read_current_tables};
use super::state::LakeState;
use crate::store::Scope;
use crate::store::error::StoreError;
use crate::store::head::SyncSnapshot;
use crate::store::row::Stream;
use crate::store::tables::TABLES;

impl LakeState {
    /// Returns the records of the stream `sync` at the head.
    pub async fn sync_snapshot(&mut self) -> Result<SyncSnapshot, StoreError> {
        self.refresh().await?;
        self.load_sync().await?;
        let state = self.ledger.sync.clone().unwrap_or_default();
        Ok(SyncSnapshot { seq: self.ledger.seq, at: self.ledger.at, state })
    }

    /// Loads the records of the stream `sync`. From then on, the ledger keeps them current.
    pub(super) async fn load_sync(&mut self) -> Result<(), StoreError> {
        while self.ledger.sync.is_none() {
            let own = TABLES.iter().filter(|table| table.entity.stream() == Stream::Sync);
            let found =
                read_current_tables(&self.root, own, &Scope::All, Some(&self.files)).await?;
            if !self.still_valid(&found.stands).await? {
                continue;
            }
            let CurrentTables { stands, records, unreadable } = found;
            self.unreadable.extend(unreadable);
            let mut rows = self.files.rows_behind(&self.folded_seqs(&stands), |_| true).await?;
            rows.retain(|row| row.seq <= self.ledger.seq);
            self.ledger.load_sync(records, &rows)?;
            self.note_tables(stands);
        }
        Ok(())
    }
}
