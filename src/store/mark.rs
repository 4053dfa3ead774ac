//! Marks: numbers that show whether a folded table and the journal have one history. They are small
//! enough to be transaction versions in a Delta log.
//!
//! Equal seqs of a table and the journal prove nothing: a copy of the lake that diverged has the
//! same seqs. The hash chain differs from the point of divergence on.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::row::Hash;

/// App id whose transaction version is the last `seq`.
pub const TXN: &str = "lakeplan";

/// App id whose transaction version is the mark of the last `seq`: a part of the hash chain up to
/// it.
pub const CHAIN: &str = "lakeplan-chain";

/// Number of low bits that hold the seq. A mark with another seq than the transaction beside it was
/// left by a writer without marks.
const SEQ_BITS: u32 = 23;
const SEQ: u64 = (1 << SEQ_BITS) - 1;

/// A position of a journal: its seq, and a part of the hash chain up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(i64);

impl Mark {
    pub fn of(seq: u64, chain: &Hash) -> Self {
        let [a, b, c, d, e, ..] = *chain;
        // 40 bits of the chain and 23 of the seq: positive, as transaction versions are.
        Self(i64::from_be_bytes([0, 0, 0, a, b, c, d, e]) << SEQ_BITS | (seq & SEQ) as i64)
    }

    /// Returns the mark in a transaction, if it is of this seq.
    pub fn stated(version: i64, seq: u64) -> Option<Self> {
        (version as u64 & SEQ == seq & SEQ).then_some(Self(version))
    }

    pub fn version(self) -> i64 {
        self.0
    }
}

/// Position to which a table states it is folded: the seq, and the mark if it has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FoldPosition {
    /// 0 if the table is missing.
    pub seq: u64,
    pub mark: Option<Mark>,
}

/// Position to which each table states it is folded, with its journal's mark, by name.
pub type FoldPositions = BTreeMap<&'static str, FoldPosition>;

/// Identity of a lake: its id, and the root that it records. An adopted copy has another root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LakeMark(i64);

impl LakeMark {
    pub fn of(lake: Uuid, root: &str) -> Self {
        let digest: Hash =
            Sha256::new().chain_update(lake.as_bytes()).chain_update(root).finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        Self(i64::from_be_bytes([a & 0x7f, b, c, d, e, f, g, h]))
    }

    pub fn stated(version: i64) -> Self {
        Self(version)
    }

    pub fn version(self) -> i64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_of_one_seq_and_of_one_history() {
        let chain = [0xff; 32];
        let mark = Mark::of(7, &chain);
        assert!(mark.version() > 0);
        assert_eq!(Mark::stated(mark.version(), 7), Some(mark));
        assert_eq!(Mark::stated(mark.version(), 8), None);
        assert_ne!(Mark::of(7, &[0xfe; 32]), mark);
        assert_ne!(Mark::of(8, &chain), mark);
        let far = Mark::of(u64::from(u32::MAX), &[0; 32]);
        assert_eq!(Mark::stated(far.version(), u64::from(u32::MAX)), Some(far));
    }
}
