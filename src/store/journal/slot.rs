//! Taking a slot of the log: putting one entry and finding out, whatever the storage says, whose the slot is.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use super::entry::{self, Entry};
use super::files::Files;
use crate::domain::time::Instant;
use crate::runtime::{Random, random_bytes};
use crate::store::durable::NotLanded;
use crate::store::error::StoreError;
use crate::store::table_log::{End, entry_bytes, is_taken};

/// Whose the slot is.
#[derive(Debug)]
pub enum Taken {
    Ours,
    Theirs(Entry),
    /// The log has moved past this version and its early entries are gone.
    Moved,
    /// Our entry is not in the slot and cannot come to be there; `occupied` by an empty commit of ours, or free.
    Never {
        cause: StoreError,
        occupied: bool,
    },
    /// The storage would not say.
    Unknown(StoreError),
}

/// The first wait between two tries; it doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// So often in a row the name of the slot may be taken while no entry can be read there; the waits between are over a second.
const MOST_BLOCKED: usize = 7;

/// Puts `bytes` as entry `version`.
pub async fn take(
    files: &Files,
    version: u64,
    bytes: Bytes,
    attempt: Uuid,
    time_left: Duration,
    random: &dyn Random,
) -> Taken {
    let deadline = tokio::time::Instant::now() + time_left;
    let mut wait = FIRST_WAIT;
    let mut may_have_landed = false;
    // Whether a put may have landed whose answer was lost, and how often the name was taken by what is no entry.
    let (mut is_unsure, mut blocked) = (false, 0);
    loop {
        let put = files.log.put_entry_once(version, bytes.clone()).await;
        let is_taken = is_taken(&put);
        let Err(fault) = put else { return Taken::Ours };
        let surely_not = not_landed(&fault);
        is_unsure |= !surely_not && !is_taken;
        let cause =
            StoreError::storage("writing", format!("journal/_delta_log/{version:020}.json"), fault);
        if surely_not && !may_have_landed {
            return Taken::Never { cause, occupied: false };
        }
        may_have_landed |= !surely_not;
        match look(files, version, attempt).await {
            Looked::Taken(taken) => return taken,
            Looked::NoEntry if is_taken => blocked += 1,
            Looked::NoEntry | Looked::Unanswered => blocked = 0,
        }
        if blocked >= MOST_BLOCKED {
            let path = format!("journal/_delta_log/{version:020}.json");
            let cause = StoreError::storage("writing", path, files.log.name_taken(version));
            return if is_unsure {
                Taken::Unknown(cause)
            } else {
                Taken::Never { cause, occupied: false }
            };
        }
        if tokio::time::Instant::now() + wait >= deadline {
            return occupy(files, version, attempt, cause, random).await;
        }
        let [jitter] = random_bytes::<1>(random);
        tokio::time::sleep(wait.mul_f64(1.0 + f64::from(jitter) / 512.0)).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// What is in a slot.
enum Looked {
    Taken(Taken),
    /// No entry that can be read: nothing, or something else.
    NoEntry,
    /// The storage does not answer.
    Unanswered,
}

/// Whose the slot is, if it is anyone's.
async fn look(files: &Files, version: u64, attempt: Uuid) -> Looked {
    match files.read_entry(version).await {
        Ok(Some(entry)) => Looked::Taken(whose(entry, attempt)),
        Ok(None) if version > 0 => match files.log.end(version - 1).await {
            Ok(End::Here) => Looked::NoEntry,
            Err(_) => Looked::Unanswered,
            // Others follow: the entry came to be there just now, or was cleaned up before the one below it.
            Ok(End::Behind | End::Cleaned) => match files.read_entry(version).await {
                Ok(Some(entry)) => Looked::Taken(whose(entry, attempt)),
                Ok(None) => Looked::Taken(Taken::Moved),
                Err(_) => Looked::Unanswered,
            },
        },
        Ok(None) | Err(StoreError::Damaged { .. }) => Looked::NoEntry,
        Err(_) => Looked::Unanswered,
    }
}

fn whose(entry: Entry, attempt: Uuid) -> Taken {
    if entry.attempt == Some(attempt) { Taken::Ours } else { Taken::Theirs(entry) }
}

/// Fills the slot with nothing, so that an entry on its way can never land there.
async fn occupy(
    files: &Files,
    version: u64,
    attempt: Uuid,
    cause: StoreError,
    random: &dyn Random,
) -> Taken {
    if version == 0 {
        // An empty first entry would leave a table that is none.
        return Taken::Unknown(cause);
    }
    let plug = Uuid::from_bytes(random_bytes(random));
    let actions = entry::json_of(&[entry::commit_info("OCCUPY", plug, Instant::default())]);
    if let Ok(actions) = actions
        && files.log.put_entry_once(version, entry_bytes(&actions)).await.is_ok()
    {
        return Taken::Never { cause, occupied: true };
    }
    match look(files, version, attempt).await {
        // The put of the empty commit may have landed although its answer was lost.
        Looked::Taken(Taken::Theirs(entry)) if entry.attempt == Some(plug) => {
            Taken::Never { cause, occupied: true }
        }
        Looked::Taken(taken) => taken,
        Looked::NoEntry | Looked::Unanswered => Taken::Unknown(cause),
    }
}

/// The store knows that nothing is under the name.
fn not_landed(fault: &object_store::Error) -> bool {
    let mut at: Option<&(dyn std::error::Error + 'static)> = Some(fault);
    while let Some(source) = at {
        if source.is::<NotLanded>() {
            return true;
        }
        at = source.source();
    }
    false
}
