//! Checks the hash chain through the whole journal: if its log does not reveal whether its files
//! can be trusted, and before a table is built from the whole journal.

use super::chain::broken;
use super::entry::JournalFile;
use super::files::Files;
use super::merge::Merge;
use crate::store::error::StoreError;
use crate::store::row::{Hash, next_chain};

/// Checks that the journal's files hold every set as it was written.
pub async fn verify(files: &Files) -> Result<(), StoreError> {
    follow(files, files.live().cloned(), u64::MAX, true).await
}

/// Checks that the sets up to `last` are of one history. The files must hold all of these sets.
pub async fn verify_chain(
    files: &Files,
    of: impl IntoIterator<Item = JournalFile>,
    last: u64,
) -> Result<(), StoreError> {
    follow(files, of, last, false).await
}

/// Checks the chain through these files up to a seq, and with `has_digests` also the digest of each
/// row.
async fn follow(
    files: &Files,
    of: impl IntoIterator<Item = JournalFile>,
    last: u64,
    has_digests: bool,
) -> Result<(), StoreError> {
    let mut rows = Merge::new(files, of, None);
    let (mut chain, mut seq): (Hash, u64) = ([0; 32], 0);
    let (mut digests, mut stated): (Vec<Hash>, Option<Hash>) = (Vec::new(), Some(chain));
    while let Some(row) = rows.next().await {
        let row = row.map_err(|(_, err)| err)?;
        if row.seq > last {
            break;
        }
        if row.seq != seq {
            chain = next_chain(chain, digests.drain(..));
            if row.seq != seq + 1 || (seq > 0 && stated != Some(chain)) {
                return Err(broken(row.seq.max(1) - 1));
            }
            if seq == 0 {
                chain = [0; 32];
            }
            seq = row.seq;
        }
        let is_changed = has_digests && !row.is_erased() && row.compute_digest() != row.digest;
        if row.ordinal as usize != digests.len() || is_changed {
            return Err(broken(seq));
        }
        digests.push(row.digest);
        stated = row.chain;
    }
    if stated == Some(next_chain(chain, digests.drain(..))) { Ok(()) } else { Err(broken(seq)) }
}
