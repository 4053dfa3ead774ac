//! A group of sets as it was judged for one slot.

use crate::store::Outcome;
use crate::store::ledger::Accepted;
use crate::store::row::Row;

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
