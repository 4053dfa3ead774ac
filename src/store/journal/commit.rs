//! Commits one log entry: puts it as the next version and finds out who committed that version,
//! whatever the storage answers.

use std::time::Duration;

use uuid::Uuid;

use super::entry::{self, Entry};
use super::files::Files;
use crate::domain::time::Instant;
use crate::runtime::{Random, random_bytes};
use crate::store::delta_log::action::{Action, encode};
use crate::store::delta_log::backoff::Backoff;
use crate::store::delta_log::table_log::{LogPosition, is_taken};
use crate::store::error::StoreError;
use crate::store::location::durable::NotLanded;

/// Time after which a commit gives up its version.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Who committed the version.
#[derive(Debug)]
pub enum CommitResult {
    Committed,
    LostTo(Entry),
    /// The log is past this version, and its early entries are deleted.
    LogMovedOn,
    /// Our entry is not at this version and can never land there. With `occupied`, an empty commit
    /// of ours holds the version; otherwise the version is free.
    NotCommitted {
        cause: StoreError,
        occupied: bool,
    },
    /// The storage did not reveal the result.
    Unknown(StoreError),
}

/// Waits between two attempts.
const INITIAL_BACKOFF: Duration = Duration::from_millis(20);
const MAX_BACKOFF: Duration = Duration::from_secs(2);
/// Maximum number of consecutive attempts in which the entry's name is taken but no entry can be
/// read there. The waits between them add up to more than a second.
const MAX_BLOCKED: usize = 7;

/// Puts the log entry of `version`.
pub async fn put_entry(
    files: &Files,
    version: u64,
    actions: &[Action],
    attempt: Uuid,
    time_left: Duration,
    random: &dyn Random,
) -> CommitResult {
    let place = || format!("journal/_delta_log/{version:020}.json");
    let bytes = match encode(actions) {
        Ok(bytes) => bytes,
        Err(err) => {
            let cause = StoreError::storage("writing", place(), err);
            return CommitResult::NotCommitted { cause, occupied: false };
        }
    };
    let deadline = tokio::time::Instant::now() + time_left;
    let mut backoff = Backoff::new(INITIAL_BACKOFF, MAX_BACKOFF);
    let mut may_have_landed = false;
    // `is_unsure`: a put whose answer was lost may have landed. `blocked`: consecutive attempts
    // that found the name taken by something that is not an entry.
    let (mut is_unsure, mut blocked) = (false, 0);
    loop {
        let put = files.log.put_entry_once(version, bytes.clone()).await;
        let is_taken = is_taken(&put);
        let Err(err) = put else { return CommitResult::Committed };
        let surely_not = not_landed(&err);
        is_unsure |= !surely_not && !is_taken;
        let cause = StoreError::storage("writing", place(), err);
        if surely_not && !may_have_landed {
            return CommitResult::NotCommitted { cause, occupied: false };
        }
        may_have_landed |= !surely_not;
        match read_version(files, version, attempt).await {
            LookupResult::CommitResult(taken) => return taken,
            LookupResult::NoEntry if is_taken => blocked += 1,
            LookupResult::NoEntry | LookupResult::Unanswered => blocked = 0,
        }
        if blocked >= MAX_BLOCKED {
            let cause = StoreError::storage("writing", place(), files.log.name_taken(version));
            return if is_unsure {
                CommitResult::Unknown(cause)
            } else {
                CommitResult::NotCommitted { cause, occupied: false }
            };
        }
        if tokio::time::Instant::now() + backoff.minimum() >= deadline {
            return put_empty_commit(files, version, attempt, cause, random).await;
        }
        backoff.wait(random).await;
    }
}

/// What a lookup found at a version.
enum LookupResult {
    CommitResult(CommitResult),
    /// No readable entry: nothing, or something else.
    NoEntry,
    /// The storage did not answer.
    Unanswered,
}

/// Reads the entry at `version` and determines who committed it.
async fn read_version(files: &Files, version: u64, attempt: Uuid) -> LookupResult {
    match files.read_entry(version).await {
        Ok(Some(entry)) => LookupResult::CommitResult(classify(entry, attempt)),
        Ok(None) if version > 0 => match files.log.end(version - 1).await {
            Ok(LogPosition::Here) => LookupResult::NoEntry,
            Err(_) => LookupResult::Unanswered,
            // Later entries exist: the entry appeared just now, or was cleaned up before the one
            // below it.
            Ok(LogPosition::Behind | LogPosition::Cleaned) => match files.read_entry(version).await
            {
                Ok(Some(entry)) => LookupResult::CommitResult(classify(entry, attempt)),
                Ok(None) => LookupResult::CommitResult(CommitResult::LogMovedOn),
                Err(_) => LookupResult::Unanswered,
            },
        },
        Ok(None) | Err(StoreError::Damaged { .. }) => LookupResult::NoEntry,
        Err(_) => LookupResult::Unanswered,
    }
}

fn classify(entry: Entry, attempt: Uuid) -> CommitResult {
    if entry.attempt == Some(attempt) {
        CommitResult::Committed
    } else {
        CommitResult::LostTo(entry)
    }
}

/// Commits an empty entry as `version`, so that an entry in flight can never land there.
async fn put_empty_commit(
    files: &Files,
    version: u64,
    attempt: Uuid,
    cause: StoreError,
    random: &dyn Random,
) -> CommitResult {
    if version == 0 {
        // An empty first entry would leave a log without a table.
        return CommitResult::Unknown(cause);
    }
    let empty_attempt = Uuid::from_bytes(random_bytes(random));
    let info = entry::commit_info("OCCUPY", empty_attempt, Instant::default());
    if let Ok(bytes) = encode(&[info.into()])
        && files.log.put_entry_once(version, bytes).await.is_ok()
    {
        return CommitResult::NotCommitted { cause, occupied: true };
    }
    match read_version(files, version, attempt).await {
        // The put of the empty commit may have landed although its answer was lost.
        LookupResult::CommitResult(CommitResult::LostTo(entry))
            if entry.attempt == Some(empty_attempt) =>
        {
            CommitResult::NotCommitted { cause, occupied: true }
        }
        LookupResult::CommitResult(taken) => taken,
        LookupResult::NoEntry | LookupResult::Unanswered => CommitResult::Unknown(cause),
    }
}

/// Returns whether the store knows that nothing was written under the name.
fn not_landed(err: &object_store::Error) -> bool {
    let mut at: Option<&(dyn std::error::Error + 'static)> = Some(err);
    while let Some(source) = at {
        if source.is::<NotLanded>() {
            return true;
        }
        at = source.source();
    }
    false
}
