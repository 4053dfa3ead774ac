//! Compacts the journal: rewrites runs of small files that are already folded as one file each.
//!
//! A compaction is a commit like any other, at the next version: it removes the small files and
//! adds a large one with the same rows. If another writer took the version, it is decided on
//! again, so it never revives a file that is no longer live.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use super::state::LakeState;
use crate::domain::time::Instant;
use crate::runtime::uuid_v7;
use crate::store::delta_log::action::{Action, Add, Remove};
use crate::store::delta_log::commit::{Commit, CommitOutcome, NextEntry, PutResult, commit};
use crate::store::error::StoreError;
use crate::store::journal::chain::Links;
use crate::store::journal::entry::{self, JournalFile};
use crate::store::row::Row;

/// Files with fewer rows count as small.
const SMALL_ROWS: usize = 50_000;
/// Minimum number of files in a run.
const RUN: usize = 8;
/// Maximum number of attempts for a version; the rest is left to the next run.
const MAX_ATTEMPTS: usize = 5;

/// Result of a compaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    pub from: usize,
    pub into: usize,
}

impl LakeState {
    pub async fn compact(&mut self) -> Result<Compacted, StoreError> {
        let random = Arc::clone(&self.random);
        let mut compaction =
            Compaction { state: self, attempt: Uuid::nil(), result: Compacted::default() };
        match commit(&mut compaction, MAX_ATTEMPTS, random.as_ref()).await? {
            CommitOutcome::Committed { .. } => {
                let result = compaction.result;
                // Read the entry like any other: the log alone decides which files are live.
                self.refresh().await?;
                Ok(result)
            }
            CommitOutcome::NothingToDo | CommitOutcome::Contended => Ok(Compacted::default()),
        }
    }

    /// Returns runs of consecutive small files of one partition that are already folded.
    fn runs(&self) -> Vec<Vec<JournalFile>> {
        let mut partitions: BTreeMap<String, Vec<&JournalFile>> = BTreeMap::new();
        for file in self.files.live() {
            let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            partitions.entry(folder.to_owned()).or_default().push(file);
        }
        let small = |file: &JournalFile| {
            file.rows < SMALL_ROWS && file.seq.1 <= self.folded.of(file.stream)
        };
        let mut runs = Vec::new();
        for files in partitions.values_mut() {
            files.sort_by_key(|file| file.seq);
            for run in files.chunk_by(|a, b| small(a) && small(b)).filter(|run| run.len() >= RUN) {
                // Cut a run before its file would become too large.
                let mut rows = 0;
                let mut next: Vec<JournalFile> = Vec::new();
                for file in run {
                    if rows + file.rows > SMALL_ROWS && next.len() > 1 {
                        runs.push(std::mem::take(&mut next));
                        rows = 0;
                    }
                    rows += file.rows;
                    next.push((*file).clone());
                }
                if next.len() > 1 {
                    runs.push(next);
                }
            }
        }
        runs
    }
}

/// Compacts all runs with one entry.
struct Compaction<'a> {
    state: &'a mut LakeState,
    attempt: Uuid,
    /// Effect of the entry that was decided on last.
    result: Compacted,
}

#[async_trait]
impl Commit for Compaction<'_> {
    async fn decide(&mut self) -> Result<Option<NextEntry>, StoreError> {
        let state = &mut *self.state;
        state.refresh().await?;
        state.revert_foreign_changes().await?;
        let runs = state.runs();
        if runs.is_empty() {
            return Ok(None);
        }
        let at = state.ledger.time(state.clock.now());
        self.attempt = uuid_v7(at, state.random.as_ref());
        let info = entry::commit_after(state.mark(), "COMPACT", self.attempt, at);
        let mut actions = vec![Action::from(info)];
        for run in &runs {
            let mut rows: Vec<Row> = Vec::new();
            for file in run {
                rows.extend(state.files.read_rows(file, 0).await?);
                actions.push(remove(file, state.clock.now(), false).into());
            }
            rows.sort_by_key(|row| (row.seq, row.ordinal));
            // After the merge, the rows are no longer checked one file at a time.
            let mut links = Links::of(&rows);
            for file in state.files.beside(run) {
                links.take(&state.files.read_rows(file, 0).await?);
            }
            links.check_unbroken()?;
            let rows: Vec<&Row> = rows.iter().collect();
            // Each run needs its own name: the attempt's id names files with the rows of one day.
            let name = uuid_v7(at, state.random.as_ref());
            let add = state.files.put_rows(state.version + 1, name, &rows).await?;
            actions.push(Add { data_change: false, ..add }.into());
        }
        self.result = Compacted { from: runs.iter().map(Vec::len).sum(), into: runs.len() };
        Ok(Some(state.next_entry(actions)))
    }

    async fn put(&mut self, entry: &NextEntry) -> Result<PutResult, StoreError> {
        self.state.put_rewrite(entry, self.attempt).await
    }
}

/// Returns the action that removes a file. `changes` is set if the replacing rows differ.
pub(super) fn remove(file: &JournalFile, at: Instant, changes: bool) -> Remove {
    let value = |name: &str| {
        let part = file.path.split('/').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        part.map(str::to_owned)
    };
    Remove {
        path: file.path.clone(),
        data_change: changes,
        deletion_timestamp: Some(at.timestamp_millis()),
        extended_file_metadata: Some(true),
        partition_values: Some(
            ["stream", "date"].iter().map(|name| ((*name).to_owned(), value(name))).collect(),
        ),
        size: Some(file.size),
        ..Remove::default()
    }
}
