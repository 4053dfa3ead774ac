//! Following the hash chain through the whole journal, for when its log does not tell whether its files are to be believed, and
//! before a table is made of all of it.

use super::chain::broken;
use super::entry::JournalFile;
use super::files::Files;
use super::merge::Merge;
use crate::store::error::StoreError;
use crate::store::row::{Hash, next_chain};

/// The journal's files hold every set as it was written.
pub async fn verify(files: &Files) -> Result<(), StoreError> {
    follow(files, files.live().cloned(), u64::MAX, true).await
}

/// The sets up to `last` in these files, which hold all of them, are of one history.
pub async fn verify_chain(
    files: &Files,
    of: impl IntoIterator<Item = JournalFile>,
    last: u64,
) -> Result<(), StoreError> {
    follow(files, of, last, false).await
}

/// Follows the chain through these files up to a seq; with the digest of each row, if it is asked for.
async fn follow(
    files: &Files,
    of: impl IntoIterator<Item = JournalFile>,
    last: u64,
    has_digests: bool,
) -> Result<(), StoreError> {
    let mut rows = Merge::new(files, of, None);
    let (mut chain, mut seq): (Hash, u64) = ([0; 32], 0);
    let (mut digests, mut said): (Vec<Hash>, Option<Hash>) = (Vec::new(), Some(chain));
    while let Some(row) = rows.next().await {
        let row = row.map_err(|(_, err)| err)?;
        if row.seq > last {
            break;
        }
        if row.seq != seq {
            chain = next_chain(chain, digests.drain(..));
            if row.seq != seq + 1 || (seq > 0 && said != Some(chain)) {
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
        said = row.chain;
    }
    if said == Some(next_chain(chain, digests.drain(..))) { Ok(()) } else { Err(broken(seq)) }
}
