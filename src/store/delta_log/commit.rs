//! The optimistic commit: looks at a table, decides on its next entry, and puts that if nobody else
//! has put the version. Otherwise it looks again.
//!
//! Every commit goes through [`commit()`], with two exceptions:
//!
//! - An entry that describes a whole table follows on nothing that could change: the first entry of
//!   a table, and the one that replaces an unreadable log. A writer that loses this race is done.
//! - The writer of the journal commits groups of patch sets by rules of its own
//!   (`lake_state/commit.rs`). It must report for each set whether it was committed. It takes back
//!   from memory what another writer made obsolete. It ends at a deadline instead of a number of
//!   attempts. It waits by the same [`Backoff`].

use std::time::Duration;

use async_trait::async_trait;

use super::action::Action;
use super::backoff::Backoff;
use crate::domain::time::Instant;
use crate::runtime::Random;
use crate::store::error::StoreError;

/// Waits between two attempts. The first repeat comes at once: one lost race is common.
const INITIAL_BACKOFF: Duration = Duration::from_millis(10);
const MAX_BACKOFF: Duration = Duration::from_millis(200);

/// A change of one table, decided again whenever another writer was faster.
#[async_trait]
pub trait Commit: Send {
    /// Looks at the table and decides on its next entry; `None` if the table needs none.
    async fn decide(&mut self) -> Result<Option<NextEntry>, StoreError>;

    /// Puts the entry if its version does not exist. An error ends the commit. The entry may then
    /// be in the log, unless the error says that it is not.
    async fn put(&mut self, entry: &NextEntry) -> Result<PutResult, StoreError>;
}

/// An entry to put.
#[derive(Clone, Debug, PartialEq)]
pub struct NextEntry {
    pub version: u64,
    pub actions: Vec<Action>,
    /// Time before the look at the table on which the entry is based.
    pub begun: Instant,
}

/// Result of putting an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutResult {
    /// The entry is in the log.
    Committed,
    /// Another writer put the version, or only another look at the table shows whether the entry is
    /// in the log.
    LookAgain,
}

/// Result of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    Committed {
        version: u64,
    },
    NothingToDo,
    /// Every attempt ended with [`PutResult::LookAgain`].
    Contended,
}

/// Commits a change with at most this many attempts.
pub async fn commit(
    change: &mut dyn Commit,
    max_attempts: usize,
    random: &dyn Random,
) -> Result<CommitOutcome, StoreError> {
    let mut backoff = Backoff::new(INITIAL_BACKOFF, MAX_BACKOFF);
    for attempt in 0..max_attempts {
        if attempt > 1 {
            backoff.wait(random).await;
        }
        let Some(entry) = change.decide().await? else { return Ok(CommitOutcome::NothingToDo) };
        match change.put(&entry).await? {
            PutResult::Committed => {
                return Ok(CommitOutcome::Committed { version: entry.version });
            }
            PutResult::LookAgain => {}
        }
    }
    Ok(CommitOutcome::Contended)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use rstest::rstest;

    use super::*;
    use crate::runtime::SeededRandom;

    /// A change with a given decision and answer for each attempt.
    struct Scripted {
        attempts: VecDeque<(Option<u64>, Result<PutResult, ()>)>,
        decided: usize,
        put: Vec<u64>,
    }

    fn entry(version: u64) -> NextEntry {
        let actions = vec![Action::txn("test", version as i64)];
        NextEntry { version, actions, begun: Instant::default() }
    }

    #[async_trait]
    impl Commit for Scripted {
        async fn decide(&mut self) -> Result<Option<NextEntry>, StoreError> {
            let next = self.attempts[self.decided].0;
            self.decided += 1;
            Ok(next.map(entry))
        }

        async fn put(&mut self, put: &NextEntry) -> Result<PutResult, StoreError> {
            assert_eq!(*put, entry(put.version));
            self.put.push(put.version);
            self.attempts[self.decided - 1].1.map_err(|()| StoreError::WriterGone)
        }
    }

    const COMMITTED: Result<PutResult, ()> = Ok(PutResult::Committed);
    const AGAIN: Result<PutResult, ()> = Ok(PutResult::LookAgain);

    #[rstest]
    #[case::at_once(&[(Some(3), COMMITTED)], Some(CommitOutcome::Committed { version: 3 }), &[3])]
    #[case::nothing_to_do(&[(None, AGAIN)], Some(CommitOutcome::NothingToDo), &[])]
    #[case::after_a_lost_race(
        &[(Some(3), AGAIN), (Some(5), COMMITTED), (Some(6), COMMITTED)],
        Some(CommitOutcome::Committed { version: 5 }),
        &[3, 5]
    )]
    #[case::done_by_the_winner(
        &[(Some(3), AGAIN), (None, COMMITTED)],
        Some(CommitOutcome::NothingToDo),
        &[3]
    )]
    #[case::the_limit(
        &[(Some(3), AGAIN), (Some(4), AGAIN), (Some(5), AGAIN), (Some(6), COMMITTED)],
        Some(CommitOutcome::Contended),
        &[3, 4, 5]
    )]
    #[case::an_error_is_not_repeated(
        &[(Some(3), AGAIN), (Some(4), Err(())), (Some(5), COMMITTED)],
        None,
        &[3, 4]
    )]
    #[tokio::test(start_paused = true)]
    async fn the_answer_decides_what_follows(
        #[case] attempts: &[(Option<u64>, Result<PutResult, ()>)],
        #[case] expected: Option<CommitOutcome>,
        #[case] put: &[u64],
    ) {
        let attempts = attempts.iter().copied().collect();
        let mut change = Scripted { attempts, decided: 0, put: Vec::new() };
        let outcome = commit(&mut change, 3, &SeededRandom::new(1)).await;
        assert_eq!(outcome.ok(), expected);
        assert_eq!(change.put, put);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_repeat_comes_at_once_and_later_ones_wait_longer_and_longer() {
        let mut waited = Vec::new();
        for attempts in 1..=12 {
            let again = std::iter::repeat_n((Some(1), AGAIN), attempts).collect();
            let mut change = Scripted { attempts: again, decided: 0, put: Vec::new() };
            let begun = tokio::time::Instant::now();
            let outcome = commit(&mut change, attempts, &SeededRandom::new(1)).await.unwrap();
            assert_eq!(outcome, CommitOutcome::Contended);
            waited.push(begun.elapsed());
        }
        assert_eq!(waited[..2], [Duration::ZERO; 2]);
        let steps: Vec<Duration> = waited[1..].windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps[0] >= INITIAL_BACKOFF && steps[0] < INITIAL_BACKOFF * 2, "{steps:?}");
        assert!(steps.iter().all(|step| *step < MAX_BACKOFF * 2), "{steps:?}");
        assert!(steps.last().is_some_and(|step| *step >= MAX_BACKOFF), "{steps:?}");
    }
}
