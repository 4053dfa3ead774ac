//! The end of the journal, and the state of the lake at one position.

use super::mark::LakeMark;
use super::stream_seqs::StreamSeqs;
use crate::domain::state::State;
use crate::domain::sync_state::SyncState;
use crate::domain::time::Instant;

/// End of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of patch sets.
    pub seq: u64,
    /// Commit time of the last patch set.
    pub at: Instant,
    /// Hash chain over all patch sets.
    pub chain: [u8; 32],
    /// Delta version of the journal.
    pub version: u64,
    /// Seq up to which the current tables of each stream are known to be folded.
    pub folded: StreamSeqs,
    /// Current tables with unreadable files; the next fold rebuilds them.
    pub unreadable: Vec<&'static str>,
    /// Identity of the lake; `None` if it has no tables.
    pub lake: Option<LakeMark>,
}

/// State of the lake at one position.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub seq: u64,
    pub at: Instant,
    pub state: State,
}

/// Records of the stream `sync` at one position.
#[derive(Clone, Debug)]
pub struct SyncSnapshot {
    pub seq: u64,
    pub at: Instant,
    pub state: SyncState,
}
