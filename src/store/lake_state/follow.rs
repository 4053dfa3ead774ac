//! Applies what other writers committed: entry by entry, or everything up to the head at once.

use super::state::LakeState;
use crate::store::delta_log::table_log::{LogPosition, MAX_STALENESS};
use crate::store::error::StoreError;
use crate::store::journal::entry::Entry;
use crate::store::journal::files::Files;
use crate::store::row::Row;

impl LakeState {
    /// Applies the commits of others since the last look; returns whether there were any.
    pub async fn refresh(&mut self) -> Result<bool, StoreError> {
        let before = self.version;
        let now = self.clock.now();
        // After this time, entries found by walking on may be in holes, and the walk may end before
        // one.
        if now - self.log_checked_at > MAX_STALENESS
            && self.files.log.end(self.version).await? != LogPosition::Here
        {
            self.jump_to_head().await?;
        }
        while let Some(entry) = self.files.read_entry(self.version + 1).await? {
            self.follow(&entry).await?;
        }
        self.log_checked_at = now;
        self.ledger.may_read()?;
        Ok(self.version > before)
    }

    /// Applies the next log entry, or everything up to the head if the entry's files have been
    /// compacted and deleted since.
    pub(super) async fn follow(&mut self, entry: &Entry) -> Result<(), StoreError> {
        if entry.is_unclear {
            let before = self.files.others.clone();
            self.jump_to_head().await?;
            if self.files.others != before {
                self.files.others.warn(self.files.log.folder());
            }
            return Ok(());
        }
        match self.apply_entry(entry).await {
            Ok(()) => Ok(()),
            Err(err) => self.jump_to_head().await.map_err(|_| err),
        }
    }

    /// Applies the next log entry, completely or not at all.
    async fn apply_entry(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let mut rows = Vec::new();
        for file in entry.added.iter().filter(|file| file.seq.1 > self.ledger.seq) {
            rows.extend(self.files.read_whole(file, self.ledger.seq).await?);
        }
        self.replay(rows)?;
        self.files.note(entry);
        self.version += 1;
        Ok(())
    }

    /// Loads the log and applies everything up to its head, completely or not at all.
    pub(super) async fn jump_to_head(&mut self) -> Result<(), StoreError> {
        let mut files = self.files.clone();
        let Some(version) = files.load().await? else {
            return Err(StoreError::NotALake { root: self.ledger.root().to_owned() });
        };
        let rows = self.rows_after(&files, self.ledger.seq).await?;
        self.replay(rows)?;
        (self.files, self.version) = (files, version);
        Ok(())
    }

    async fn rows_after(&self, files: &Files, seq: u64) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        for file in files.live().filter(|file| file.seq.1 > seq) {
            rows.extend(files.read_whole(file, seq).await?);
        }
        rows.sort_by_key(|row| (row.seq, row.ordinal));
        Ok(rows)
    }

    fn replay(&mut self, mut rows: Vec<Row>) -> Result<(), StoreError> {
        rows.retain(|row| row.seq > self.ledger.seq);
        rows.sort_by_key(|row| (row.seq, row.ordinal));
        self.check_no_gap(&rows)?;
        for set in rows.chunk_by(|a, b| a.seq == b.seq) {
            self.ledger.replay(set)?;
        }
        Ok(())
    }

    /// Checks that rows to replay continue the head without a gap.
    fn check_no_gap(&self, rows: &[Row]) -> Result<(), StoreError> {
        let mut last = self.ledger.seq;
        for row in rows {
            if row.seq > last + 1 {
                let what = format!(
                    "seq {} follows seq {last}; the sets between them are missing",
                    row.seq
                );
                return Err(StoreError::damaged("journal", what));
            }
            last = row.seq;
        }
        Ok(())
    }
}
