//! Rewrites the journal's files without the payloads that erases name.
//!
//! The rewrite is a commit like a compaction, at the next version, that removes the files and adds
//! new ones. If another writer took the version, it is prepared again. It ends only when no live
//! file holds a named payload, so it also finishes the work of a process that was killed.

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use super::compact::remove;
use super::state::LakeState;
use crate::runtime::uuid_v7;
use crate::store::delta_log::action::Action;
use crate::store::delta_log::commit::{Commit, CommitOutcome, NextEntry, PutResult, commit};
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
        let random = Arc::clone(&self.random);
        let mut rewrite = EraseRewrite {
            state: self,
            erasures,
            attempt: Uuid::nil(),
            pending: Erased::default(),
            done: Erased::default(),
        };
        match commit(&mut rewrite, MAX_ATTEMPTS, random.as_ref()).await? {
            CommitOutcome::NothingToDo | CommitOutcome::Committed { .. } => Ok(rewrite.done),
            CommitOutcome::Contended => Err(StoreError::storage(
                "erasing",
                "journal",
                "other writers committed first on every attempt; retry the command",
            )),
        }
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

/// Rewrites the files that hold named payloads, until none does.
struct EraseRewrite<'a> {
    state: &'a mut LakeState,
    erasures: Erasures,
    attempt: Uuid,
    /// Effect of the entry that was decided on last.
    pending: Erased,
    done: Erased,
}

#[async_trait]
impl Commit for EraseRewrite<'_> {
    async fn decide(&mut self) -> Result<Option<NextEntry>, StoreError> {
        let (state, erasures) = (&mut *self.state, &self.erasures);
        state.refresh().await?;
        state.revert_foreign_changes().await?;
        let holding = state.holding(erasures).await?;
        if holding.is_empty() {
            return Ok(None);
        }
        let at = state.ledger.time(state.clock.now());
        self.attempt = uuid_v7(at, state.random.as_ref());
        let info = entry::commit_after(state.mark(), "ERASE", self.attempt, at);
        let mut actions = vec![Action::from(info)];
        self.pending = Erased::default();
        for (file, rows) in holding {
            let rows: Vec<Row> = rows
                .into_iter()
                .map(|row| {
                    let is_named = erasures.names((row.seq, row.ordinal)) && !row.is_erased();
                    self.pending.rows += usize::from(is_named);
                    if is_named { row.erased() } else { row }
                })
                .collect();
            self.pending.files += 1;
            actions.push(remove(&file, state.clock.now(), true).into());
            let name = uuid_v7(at, state.random.as_ref());
            let rows: Vec<&Row> = rows.iter().collect();
            actions.push(state.files.put_rows(state.version + 1, name, &rows).await?.into());
        }
        Ok(Some(state.next_entry(actions)))
    }

    async fn put(&mut self, entry: &NextEntry) -> Result<PutResult, StoreError> {
        if self.state.put_rewrite(entry, self.attempt).await? == PutResult::Committed {
            self.done.rows += self.pending.rows;
            self.done.files += self.pending.files;
        }
        // The next look finds out whether the version belonged to the log or was a hole behind a
        // clean-up.
        Ok(PutResult::LookAgain)
    }
}
