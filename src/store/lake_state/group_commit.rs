//! Groups sets for one commit, and holds the result of evaluating a group for one version.

use std::io;

use super::ledger::Accepted;
use crate::domain::patch::{Patch, PatchSet};
use crate::store::outcome::Outcome;
use crate::store::row::Row;

/// Maximum number of sets in one commit.
const MAX_SETS: usize = 500;
/// Maximum number of payload bytes in one commit; a larger set is committed alone.
const MAX_BYTES: usize = 8 << 20;
/// Size of a row besides its values: ids, hashes, names.
const ROW_BYTES: usize = 400;

/// Size of a group of sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    sets: usize,
    bytes: usize,
}

impl Load {
    pub fn of(sets: &[PatchSet]) -> Self {
        Self { sets: sets.len(), bytes: sets.iter().map(payload).sum() }
    }

    pub fn and(self, more: Self) -> Self {
        Self { sets: self.sets + more.sets, bytes: self.bytes + more.bytes }
    }

    pub fn fits(self) -> bool {
        self.sets <= MAX_SETS && self.bytes <= MAX_BYTES
    }
}

/// Splits sets into the groups that they are committed in, keeping their order.
pub fn groups(sets: &[PatchSet]) -> Vec<&[PatchSet]> {
    let mut groups = Vec::new();
    let (mut from, mut load) = (0, Load::default());
    for (at, set) in sets.iter().enumerate() {
        let own = Load::of(std::slice::from_ref(set));
        if at > from && !load.and(own).fits() {
            groups.push(&sets[from..at]);
            (from, load) = (at, Load::default());
        }
        load = load.and(own);
    }
    groups.push(&sets[from..]);
    groups
}

/// Returns the size of a set's own values in the journal. Implied changes, for example of
/// everything below a deleted task, are known only when the set is evaluated.
fn payload(set: &PatchSet) -> usize {
    let values = |patch: &Patch| {
        let mut counted = Counter(0);
        // Writing JSON values to a counter cannot fail.
        let _ = serde_json::to_writer(&mut counted, &patch.fields);
        counted.0
    };
    set.patches.iter().map(|patch| ROW_BYTES + values(patch)).sum()
}

struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Result of evaluating a group for one version.
#[derive(Default)]
pub struct GroupResult {
    pub set_results: Vec<SetResult>,
    pub rows: usize,
}

pub enum SetResult {
    Accepted(Accepted, u64),
    Other(Outcome),
}

impl GroupResult {
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.set_results.iter().flat_map(|verdict| match verdict {
            SetResult::Accepted(accepted, _) => accepted.rows.as_slice(),
            SetResult::Other(_) => &[],
        })
    }

    pub fn outcomes(self) -> Vec<Outcome> {
        let outcome = |verdict| match verdict {
            SetResult::Accepted(accepted, seq) => Outcome::Committed { seq, keys: accepted.keys },
            SetResult::Other(outcome) => outcome,
        };
        self.set_results.into_iter().map(outcome).collect()
    }
}
