//! Commits groups of patch sets.
//!
//! A commit is one Parquet file per stream and one log entry, put only if its version does not
//! exist. Without errors, a commit neither holds a snapshot nor lists the log. Each attempt relies
//! on these rules:
//!
//! - A group of sets is evaluated against the state at version v and written for version v+1. Only
//!   the writer that puts entry v+1 has committed. A losing writer applies the winner's rows,
//!   evaluates again, and writes new rows in a new file.
//! - From the first put of the log entry on, every error means "unknown": the entry is read to find
//!   out who wrote it, and put again, byte for byte, at the same version while that is free. So a
//!   put that lands late either is the commit or finds the version taken.
//! - A version is free only while the entry before it exists and nothing after it is listed:
//!   clean-up of the log leaves holes: versions that look free but are not.
//! - At the deadline, an empty commit takes the version, so that a late put can never land.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::group_commit::{GroupResult, SetResult};
use super::ledger::{CommittedSet, Proposal};
use super::state::LakeState;
use crate::domain::id::PatchSetId;
use crate::domain::patch::PatchSet;
use crate::domain::time::Instant;
use crate::runtime::{random_bytes, uuid_v7};
use crate::store::delta_log::action::Action;
use crate::store::delta_log::commit::{NextEntry, PutResult};
use crate::store::delta_log::table_log::MAX_STALENESS;
use crate::store::error::StoreError;
use crate::store::journal::commit::{self, CommitResult, DEADLINE};
use crate::store::journal::entry::{self, JournalFile};
use crate::store::mark::Mark;
use crate::store::outcome::Outcome;
use crate::store::row::{Row, Stream};

/// Result of one attempt to commit one version.
enum Attempt {
    Reported(Vec<Outcome>),
    /// Another writer committed the version, so nothing was written.
    Conflict,
    /// The process was suspended too long during the attempt. The group must be evaluated again to
    /// learn its result.
    Stale,
}

impl LakeState {
    /// Commits the sets in order, each by itself; accepted sets go into the journal together.
    pub async fn commit(&mut self, sets: &[PatchSet]) -> Vec<Outcome> {
        let started = tokio::time::Instant::now();
        let mut has_jumped = false;
        loop {
            match self.attempt(sets, DEADLINE.saturating_sub(started.elapsed())).await {
                // Files that were live at the last look may have been compacted and deleted since.
                Err(StoreError::Damaged { .. }) if !has_jumped => {
                    has_jumped = true;
                    if let Err(cause) = self.jump_to_head().await {
                        return self.not_written(sets, &cause);
                    }
                }
                Ok(Attempt::Reported(outcomes)) => return outcomes,
                Ok(Attempt::Stale) => {}
                Ok(Attempt::Conflict) if started.elapsed() < DEADLINE => {}
                Ok(Attempt::Conflict) => {
                    return self
                        .not_written(sets, &StoreError::Deadline { seconds: DEADLINE.as_secs() });
                }
                Err(cause) => return self.not_written(sets, &cause),
            }
        }
    }

    /// Makes one attempt to commit one version. An error means that nothing was written.
    async fn attempt(
        &mut self,
        sets: &[PatchSet],
        time_left: Duration,
    ) -> Result<Attempt, StoreError> {
        if self.clock.now() - self.log_checked_at > MAX_STALENESS {
            self.refresh().await?;
        }
        // Loading may apply commits of others, so the time of the group is read after it.
        self.load_all_for(sets).await?;
        self.ledger.may_write()?;
        self.revert_foreign_changes().await?;
        let now = self.clock.now();
        let (at, odd) = (self.ledger.time(now), self.ledger.odd_clock(now));
        let before = self.mark();
        let results = self.evaluate(sets, at, now).await?;
        if results.rows == 0 {
            // The results assume that version v is the head: check that it still is.
            return Ok(if self.refresh().await? {
                Attempt::Conflict
            } else {
                Attempt::Reported(results.outcomes())
            });
        }
        let attempt = uuid_v7(at, self.random.as_ref());
        let (actions, added) = match self.prepare(&results, before, attempt, at).await {
            Ok(prepared) => prepared,
            Err(cause) => {
                self.rollback(results);
                return Err(cause);
            }
        };
        let taken = commit::put_entry(
            &self.files,
            self.version + 1,
            &actions,
            attempt,
            time_left,
            self.random.as_ref(),
        )
        .await;
        let now = self.clock.now();
        match taken {
            CommitResult::NotCommitted { cause, occupied: false } => {
                self.rollback(results);
                Err(cause)
            }
            CommitResult::Unknown(cause) => {
                let reported = self.rollback(results);
                Ok(Attempt::Reported(self.unknown(sets, reported, &cause)))
            }
            CommitResult::LogMovedOn => Ok(self.find_at_head(sets, results, attempt, now).await),
            // This process may have slept through a clean-up: the entry it saw or put may be in a
            // hole.
            _ if now - self.log_checked_at > MAX_STALENESS => {
                Ok(self.find_at_head(sets, results, attempt, now).await)
            }
            CommitResult::Committed => {
                if let Some(odd) =
                    odd.filter(|_| !std::mem::replace(&mut self.has_warned_clock, true))
                {
                    odd.warn();
                }
                self.version += 1;
                self.log_checked_at = now;
                self.files.folded = self.files.folded.max(self.folded_to_record());
                self.files.note_added(added);
                self.files.note_stands(self.written.iter());
                Ok(Attempt::Reported(results.outcomes()))
            }
            CommitResult::LostTo(entry) => {
                self.rollback(results);
                self.follow(&entry).await?;
                self.refresh().await?;
                Ok(Attempt::Conflict)
            }
            CommitResult::NotCommitted { cause, occupied: true } => {
                self.rollback(results);
                self.version += 1;
                Err(cause)
            }
        }
    }

    /// Evaluates sets for a group committed at `at`. Ids are checked against the clock, which may
    /// be behind `at`.
    async fn evaluate(
        &mut self,
        sets: &[PatchSet],
        at: Instant,
        now: Instant,
    ) -> Result<GroupResult, StoreError> {
        let mut earlier: Vec<Option<CommittedSet>> = Vec::with_capacity(sets.len());
        for set in sets {
            earlier.push(self.find_earlier(set.id).await?);
        }
        let mut results = GroupResult::default();
        for (set, earlier) in sets.iter().zip(earlier) {
            let random = Arc::clone(&self.random);
            let too_old = if earlier.or(self.ledger.seen(set.id)).is_some() {
                None
            } else {
                self.ledger.check_id(set, now)
            };
            results.set_results.push(match too_old {
                Some(violation) => SetResult::Other(Outcome::Refused(vec![violation])),
                None => match self
                    .ledger
                    .try_apply(set, earlier, at, || random_bytes(random.as_ref()))
                {
                    Proposal::Accepted(accepted) => {
                        results.rows += accepted.rows.len();
                        SetResult::Accepted(accepted, self.ledger.seq)
                    }
                    Proposal::Repeat { seq, id } => {
                        SetResult::Other(Outcome::AlreadyCommitted { seq, id })
                    }
                    Proposal::Refused(violations) => SetResult::Other(Outcome::Refused(violations)),
                    Proposal::Conflicted(conflict) => {
                        SetResult::Other(Outcome::Conflicted(conflict))
                    }
                },
            });
        }
        Ok(results)
    }

    /// Looks in the files for a set that the ledger no longer remembers.
    async fn find_earlier(&self, id: PatchSetId) -> Result<Option<CommittedSet>, StoreError> {
        let text = id.to_string();
        let remembered = self.ledger.remembers_from();
        for file in self.files.with_id(&text).filter(|file| file.seq.0 < remembered) {
            let found =
                self.files.read_rows(file, 0).await?.into_iter().find(|row| row.patch_set_id == id);
            if let Some(row) = found {
                return Ok(Some(CommittedSet { seq: row.seq, request_hash: row.request_hash }));
            }
        }
        Ok(None)
    }

    /// Writes the files of a group and returns the actions of its log entry.
    async fn prepare(
        &mut self,
        results: &GroupResult,
        before: Mark,
        attempt: Uuid,
        at: Instant,
    ) -> Result<(Vec<Action>, Vec<JournalFile>), StoreError> {
        let mut actions = vec![
            entry::commit_after(before, "WRITE", attempt, at).into(),
            entry::txn(entry::TXN, self.ledger.seq),
            entry::chain_txn(self.mark()),
        ];
        let folded = self.folded_to_record();
        for stream in Stream::ALL {
            if folded.of(*stream) > 0 {
                actions.push(entry::folded_txn(*stream, folded.of(*stream)));
            }
            actions.extend(self.files.news_of(*stream, self.written_in(*stream)));
        }
        for stream in Stream::ALL {
            let rows: Vec<&Row> = results.rows().filter(|row| row.stream == *stream).collect();
            if !rows.is_empty() {
                actions.push(self.files.put_rows(self.version + 1, attempt, &rows).await?.into());
            }
        }
        let added = actions.iter().filter_map(Action::as_add).filter_map(entry::added).collect();
        Ok((actions, added))
    }

    /// Looks for the group at the current head of the log.
    async fn find_at_head(
        &mut self,
        sets: &[PatchSet],
        results: GroupResult,
        attempt: Uuid,
        now: Instant,
    ) -> Attempt {
        let reported = self.rollback(results);
        if let Err(cause) = self.jump_to_head().await {
            return Attempt::Reported(self.unknown(sets, reported, &cause));
        }
        self.log_checked_at = now;
        let name = attempt.to_string();
        if self.files.live().any(|file| file.path.contains(&name)) {
            return Attempt::Reported(reported.into_iter().map(|(_, outcome)| outcome).collect());
        }
        Attempt::Stale
    }

    /// Returns the outcomes of a rolled-back group whose result the storage did not reveal.
    fn unknown(
        &mut self,
        sets: &[PatchSet],
        reported: Vec<(Option<PatchSetId>, Outcome)>,
        cause: &StoreError,
    ) -> Vec<Outcome> {
        self.log_checked_at = Instant::default();
        for (set, (accepted, outcome)) in sets.iter().zip(reported) {
            let repeats =
                matches!(outcome, Outcome::AlreadyCommitted { seq, .. } if seq > self.ledger.seq);
            if accepted.is_some() || repeats {
                self.open.insert(set.id, self.version + 1);
            }
        }
        self.not_written(sets, cause)
    }

    /// Returns the outcomes of sets that this call did not write. Sets in the journal are reported
    /// as committed. Sets that an earlier call left `Unknown` stay so until it is known who
    /// committed their version.
    fn not_written(&mut self, sets: &[PatchSet], cause: &StoreError) -> Vec<Outcome> {
        let version = self.version;
        self.open.retain(|_, slot| *slot > version);
        let outcome = |set: &PatchSet| match self.ledger.seen(set.id) {
            Some(seen) if seen.request_hash.is_none_or(|hash| hash == set.request_hash) => {
                Outcome::AlreadyCommitted { seq: seen.seq, id: set.id }
            }
            _ if self.open.contains_key(&set.id) => {
                Outcome::Unknown { patch_set_id: set.id, cause: cause.clone() }
            }
            _ => Outcome::NotWritten { cause: cause.clone() },
        };
        sets.iter().map(outcome).collect()
    }

    /// Rolls a group back in the ledger. Returns the outcomes it would have had, and the ids of the
    /// accepted sets.
    fn rollback(&mut self, results: GroupResult) -> Vec<(Option<PatchSetId>, Outcome)> {
        let mut reported: Vec<(Option<PatchSetId>, Outcome)> =
            Vec::with_capacity(results.set_results.len());
        for verdict in results.set_results.into_iter().rev() {
            reported.push(match verdict {
                SetResult::Accepted(accepted, seq) => {
                    let keys = accepted.keys.clone();
                    let rows = self.ledger.rollback(accepted);
                    (rows.first().map(|row| row.patch_set_id), Outcome::Committed { seq, keys })
                }
                SetResult::Other(outcome) => (None, outcome),
            });
        }
        reported.reverse();
        reported
    }

    /// Returns an entry of the journal that changes no sets, as of the last look at the log.
    pub(super) fn next_entry(&self, actions: Vec<Action>) -> NextEntry {
        NextEntry { version: self.version + 1, actions, begun: self.log_checked_at }
    }

    /// Puts an entry that changes no sets. If another writer committed the version, the entry must
    /// be decided on again.
    pub(super) async fn put_rewrite(
        &self,
        entry: &NextEntry,
        attempt: Uuid,
    ) -> Result<PutResult, StoreError> {
        let (NextEntry { version, actions, .. }, random) = (entry, self.random.as_ref());
        match commit::put_entry(&self.files, *version, actions, attempt, DEADLINE, random).await {
            CommitResult::Committed => Ok(PutResult::Committed),
            CommitResult::LostTo(_) | CommitResult::LogMovedOn => Ok(PutResult::LookAgain),
            CommitResult::NotCommitted { cause, .. } | CommitResult::Unknown(cause) => Err(cause),
        }
    }
}
