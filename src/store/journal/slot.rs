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
use crate::store::table_log::{End, entry_bytes};

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

/// Puts `bytes` as entry `version`.
pub async fn take(files: &Files, version: u64, bytes: Bytes, attempt: Uuid, time_left: Duration, random: &dyn Random) -> Taken {
    let deadline = tokio::time::Instant::now() + time_left;
    let mut wait = FIRST_WAIT;
    let mut may_have_landed = false;
    loop {
        let fault = match files.log.put_entry(version, bytes.clone()).await {
            Ok(()) => return Taken::Ours,
            Err(fault) => fault,
        };
        let surely_not = not_landed(&fault);
        let cause = StoreError::storage("writing", format!("journal/_delta_log/{version:020}.json"), fault);
        if surely_not && !may_have_landed {
            return Taken::Never { cause, occupied: false };
        }
        may_have_landed |= !surely_not;
        if let Some(taken) = look(files, version, attempt).await {
            return taken;
        }
        if tokio::time::Instant::now() + wait >= deadline {
            return occupy(files, version, attempt, cause, random).await;
        }
        let [jitter] = random_bytes::<1>(random);
        tokio::time::sleep(wait.mul_f64(1.0 + f64::from(jitter) / 512.0)).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Whose the slot is, if it is anyone's; `None` where it is free or the storage does not answer.
async fn look(files: &Files, version: u64, attempt: Uuid) -> Option<Taken> {
    match files.read_entry(version).await {
        Ok(Some(entry)) if entry.attempt == Some(attempt) => Some(Taken::Ours),
        Ok(Some(entry)) => Some(Taken::Theirs(entry)),
        Ok(None) if version > 0 => match files.log.end(version - 1).await {
            Ok(End::Here) | Err(_) => None,
            // Others follow: the entry came to be there just now, or was cleaned up before the one below it.
            Ok(End::Behind | End::Cleaned) => match files.read_entry(version).await {
                Ok(Some(entry)) if entry.attempt == Some(attempt) => Some(Taken::Ours),
                Ok(Some(entry)) => Some(Taken::Theirs(entry)),
                Ok(None) => Some(Taken::Moved),
                Err(_) => None,
            },
        },
        Ok(None) | Err(_) => None,
    }
}

/// Fills the slot with nothing, so that an entry on its way can never land there.
async fn occupy(files: &Files, version: u64, attempt: Uuid, cause: StoreError, random: &dyn Random) -> Taken {
    if version == 0 {
        // An empty first entry would leave a table that is none.
        return Taken::Unknown(cause);
    }
    let plug = Uuid::from_bytes(random_bytes(random));
    let actions = entry::json_of(&[entry::commit_info("OCCUPY", plug, Instant::default())]);
    if let Ok(actions) = actions
        && files.log.put_entry(version, entry_bytes(&actions)).await.is_ok()
    {
        return Taken::Never { cause, occupied: true };
    }
    match look(files, version, attempt).await {
        // The put of the empty commit may have landed although its answer was lost.
        Some(Taken::Theirs(entry)) if entry.attempt == Some(plug) => Taken::Never { cause, occupied: true },
        Some(taken) => taken,
        None => Taken::Unknown(cause),
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
