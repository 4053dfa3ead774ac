//! Following the hash chain through the whole journal, for when its log does not tell whether its files are to be believed.

use super::files::Files;
use super::merge::Merge;
use crate::store::error::StoreError;
use crate::store::row::{Hash, next_chain};

/// The journal's files hold every set as it was written.
pub async fn verify(files: &Files) -> Result<(), StoreError> {
    let broken = |seq: u64| {
        let what = "the hash chain breaks here, and another writer's checkpoint stands in the place of the log before it";
        StoreError::damaged(format!("journal, seq {seq}"), what)
    };
    let mut rows = Merge::new(files, files.live().cloned(), None);
    let (mut chain, mut seq): (Hash, u64) = ([0; 32], 0);
    let (mut digests, mut said): (Vec<Hash>, Option<Hash>) = (Vec::new(), Some(chain));
    while let Some(row) = rows.next().await {
        let row = row.map_err(|(_, err)| err)?;
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
        if row.ordinal as usize != digests.len() || (!row.is_erased() && row.compute_digest() != row.digest) {
            return Err(broken(seq));
        }
        digests.push(row.digest);
        said = row.chain;
    }
    if said == Some(next_chain(chain, digests.drain(..))) { Ok(()) } else { Err(broken(seq)) }
}
