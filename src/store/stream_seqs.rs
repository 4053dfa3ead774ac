//! One seq for each stream of the journal.

use super::row::Stream;

/// A seq for each stream, such as the one up to which the stream's tables are folded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamSeqs {
    pub work: u64,
    pub sync: u64,
}

impl StreamSeqs {
    pub fn of(self, stream: Stream) -> u64 {
        match stream {
            Stream::Work => self.work,
            Stream::Sync => self.sync,
        }
    }

    pub fn set(&mut self, stream: Stream, seq: u64) {
        match stream {
            Stream::Work => self.work = seq,
            Stream::Sync => self.sync = seq,
        }
    }

    /// Returns the greater seq of each stream.
    pub fn max(self, other: Self) -> Self {
        Self { work: self.work.max(other.work), sync: self.sync.max(other.sync) }
    }
}
