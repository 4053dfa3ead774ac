//! A group of sets: how many go into one commit, and how it was judged for one slot.

use std::io;

use crate::domain::patch::{Patch, PatchSet};
use crate::store::Outcome;
use crate::store::ledger::Accepted;
use crate::store::row::Row;

/// The most sets of one commit,
const MOST_SETS: usize = 500;
/// and the most bytes of payload they bring; a larger set goes alone.
const MOST_BYTES: usize = 8 << 20;
/// What a row takes beside its values: ids, hashes, names.
const ROW_BYTES: usize = 400;

/// What sets weigh that may go into one commit.
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
        self.sets <= MOST_SETS && self.bytes <= MOST_BYTES
    }
}

/// Sets in the groups that they are committed in, in their order.
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

/// The bytes that a set's own values take in the journal. What it carries along, such as all below a deleted task, is
/// known only when it is judged.
fn payload(set: &PatchSet) -> usize {
    let values = |patch: &Patch| {
        let mut counted = Counter(0);
        // Neither a map of JSON values nor a counter fails.
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

/// A group as it was judged for one slot.
#[derive(Default)]
pub struct Judged {
    pub verdicts: Vec<Verdict>,
    pub rows: usize,
}

pub enum Verdict {
    Accepted(Accepted, u64),
    Other(Outcome),
}

impl Judged {
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.verdicts.iter().flat_map(|verdict| match verdict {
            Verdict::Accepted(accepted, _) => accepted.rows.as_slice(),
            Verdict::Other(_) => &[],
        })
    }

    pub fn outcomes(self) -> Vec<Outcome> {
        let outcome = |verdict| match verdict {
            Verdict::Accepted(accepted, seq) => Outcome::Committed { seq, keys: accepted.keys },
            Verdict::Other(outcome) => outcome,
        };
        self.verdicts.into_iter().map(outcome).collect()
    }
}
