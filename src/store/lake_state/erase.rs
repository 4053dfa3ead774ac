//! Rewrites the journal's files without the payloads that erases name.
//!
//! The rewrite is a commit like a compaction, at the next version, that removes the files and adds
//! new ones. If another writer took the version, it is prepared again. It ends only when no live
//! file holds a named payload, so it also finishes the work of a process that was killed.

use super::compact::remove;
use super::state::LakeState;
use crate::runtime::uuid_v7;
use crate::store::delta_log::action::Action;
use crate::store::erasure::Erasures;
use crate::store::error::StoreError;
use crate::store::journal::entry::{self, JournalFile};
use crate::store::row::Row;

/// Maximum number of attempts for a version; then the caller must repeat the erase.
const MAX_ATTEMPTS: usize = 20;

/// Number of rows and files changed by an erase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    pub rows: usize,
    pub files: usize,
}

impl LakeState {
    /// Removes every payload that an erase names from the live files.
    pub async fn rewrite_erased_files(&mut self) -> Result<Erased, StoreError> {
        self.refresh().await?;
        self.ledger.may_write()?;
        let mut erasures = Erasures::default();
        for file in self.files.live() {
            for row in self.files.read_rows(file, 0).await? {
                erasures.note(&row)?;
            }
        }
        let mut done = Erased::default();
        for _ in 0..MAX_ATTEMPTS {
            self.refresh().await?;
            self.revert_foreign_changes().await?;
            let holding = self.holding(&erasures).await?;
            if holding.is_empty() {
                return Ok(done);
            }
            let at = self.ledger.time(self.clock.now());
            let attempt = uuid_v7(at, self.random.as_ref());
            let mut actions =
                vec![Action::from(entry::commit_after(self.mark(), "ERASE", attempt, at))];
            let mut erased = Erased::default();
            for (file, rows) in holding {
                let rows: Vec<Row> = rows
                    .into_iter()
                    .map(|row| {
                        let is_named = erasures.names((row.seq, row.ordinal)) && !row.is_erased();
                        erased.rows += usize::from(is_named);
                        if is_named { row.erased() } else { row }
                    })
                    .collect();
                erased.files += 1;
                actions.push(remove(&file, self.clock.now(), true).into());
                let name = uuid_v7(at, self.random.as_ref());
                let rows: Vec<&Row> = rows.iter().collect();
                actions.push(self.files.put_rows(self.version + 1, name, &rows).await?.into());
            }
            // The next round finds out whether the version belonged to the log or was a hole behind
            // a clean-up.
            if self.put_rewrite(&actions, attempt).await? {
                done = Erased { rows: done.rows + erased.rows, files: done.files + erased.files };
            }
        }
        Err(StoreError::storage(
            "erasing",
            "journal",
            "other writers committed first on every attempt; retry the command",
        ))
    }

    /// Returns the live files that hold a named payload, with their rows in order.
    async fn holding(
        &self,
        erasures: &Erasures,
    ) -> Result<Vec<(JournalFile, Vec<Row>)>, StoreError> {
        let mut holding = Vec::new();
        for file in self.files.live().filter(|file| erasures.names_within(file.seq)) {
            let mut rows = self.files.read_rows(file, 0).await?;
            if rows.iter().any(|row| erasures.names((row.seq, row.ordinal)) && !row.is_erased()) {
                rows.sort_by_key(|row| (row.seq, row.ordinal));
                holding.push((file.clone(), rows));
            }
        }
        Ok(holding)
    }
}
