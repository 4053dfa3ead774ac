//! Takes back other writers' changes to the journal, so that its log again states what Lakeplan
//! trusts.
//!
//! This is a commit like a compaction, at the next version: it re-adds the journal files that were
//! removed and removes the files that were added. If another writer took the version, it is
//! prepared again.

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use super::state::LakeState;
use crate::runtime::uuid_v7;
use crate::store::delta_log::action::Action;
use crate::store::delta_log::commit::{Commit, CommitOutcome, NextEntry, PutResult, commit};
use crate::store::delta_log::table::LiveFile;
use crate::store::error::StoreError;
use crate::store::journal::files::Files;
use crate::store::journal::{entry, schema};

/// Maximum number of attempts for a version.
const MAX_ATTEMPTS: usize = 10;

impl LakeState {
    /// Takes back untrusted changes, if there are any. Fails if the journal must not be written, or
    /// if a file that another writer removed is gone: its content is lost.
    pub(super) async fn revert_foreign_changes(&mut self) -> Result<(), StoreError> {
        self.files.others.may_write()?;
        if !self.files.others.is_any() {
            return Ok(());
        }
        let random = Arc::clone(&self.random);
        let mut revert = Revert { state: self, attempt: Uuid::nil() };
        match commit(&mut revert, MAX_ATTEMPTS, random.as_ref()).await? {
            CommitOutcome::NothingToDo | CommitOutcome::Committed { .. } => Ok(()),
            CommitOutcome::Contended => Err(StoreError::storage(
                "mending",
                "journal",
                "other writers committed first on every attempt; retry the command",
            )),
        }
    }
}

/// Takes back untrusted changes, until there are none.
struct Revert<'a> {
    state: &'a mut LakeState,
    attempt: Uuid,
}

#[async_trait]
impl Commit for Revert<'_> {
    async fn decide(&mut self) -> Result<Option<NextEntry>, StoreError> {
        let state = &*self.state;
        let others = &state.files.others;
        others.may_write()?;
        if !others.is_any() {
            return Ok(None);
        }
        state.files.check_no_loss().await?;
        let at = state.ledger.time(state.clock.now());
        self.attempt = uuid_v7(at, state.random.as_ref());
        let info = entry::commit_after(state.mark(), "TAKE BACK", self.attempt, at);
        let mut actions = vec![Action::from(info)];
        actions.extend(others.added_files.values().map(|file| Action::from(file.remove(at))));
        actions.extend(others.removed_files.values().map(|file| Action::from(file.add(at))));
        if others.has_other_columns {
            let id = state.files.table_id.unwrap_or(self.attempt);
            let [_, description] = schema::actions(id, at);
            actions.push(description);
        }
        Ok(Some(state.next_entry(actions)))
    }

    async fn put(&mut self, entry: &NextEntry) -> Result<PutResult, StoreError> {
        self.state.put_rewrite(entry, self.attempt).await?;
        // Read the entry like any other: the log alone decides which files are live.
        self.state.refresh().await?;
        Ok(PutResult::LookAgain)
    }
}

impl LakeState {
    /// Takes back untrusted changes if possible; failing that, only logs a warning, so that the
    /// tables are folded anyway.
    pub async fn try_revert_foreign_changes(&mut self) {
        if self.files.others.is_any()
            && let Err(err) = self.revert_foreign_changes().await
        {
            tracing::warn!(%err, "another writer's changes to the journal stay in its log; run lakeplan doctor for advice");
        }
    }
}

impl Files {
    /// Checks that the files that other writers removed from the log still exist.
    pub async fn check_no_loss(&self) -> Result<(), StoreError> {
        let mut gone = Vec::new();
        for file in self.others.removed_files.values() {
            if !self.log.has(&file.path).await? {
                gone.push(file);
            }
        }
        match gone.as_slice() {
            [] => Ok(()),
            gone => Err(StoreError::damaged(self.log.folder(), lost(gone))),
        }
    }
}

/// Describes what is lost with these files.
fn lost(gone: &[&LiveFile]) -> String {
    let seqs = gone
        .iter()
        .filter_map(|file| entry::file(file))
        .map(|file| format!("{} to {}", file.seq.0, file.seq.1));
    format!(
        "another writer removed files of it that have since been deleted, and with them seq {}",
        seqs.collect::<Vec<_>>().join(", ")
    )
}
