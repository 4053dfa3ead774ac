//! The state of a lake as one writer knows it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use object_store::ObjectStore;

use super::cache::ProjectCache;
use super::current_tables::Seqs;
use super::ledger::Ledger;
use crate::domain::id::{EntityId, PatchSetId};
use crate::domain::time::Instant;
use crate::runtime::{Clock, Random};
use crate::store::delta_log::checkpoint;
use crate::store::head::{Head, Snapshot};
use crate::store::journal::files::Files;
use crate::store::journal::{JournalReader, Order};
use crate::store::mark::{FoldPosition, LakeMark, Mark};
use crate::store::row::Stream;
use crate::store::stream_seqs::StreamSeqs;
use crate::store::tables::FoldedTable;

/// The lake as one writer knows it.
pub struct LakeState {
    pub(super) files: Files,
    pub(super) ledger: Ledger,
    /// Version of the last entry that the ledger contains.
    pub(super) version: u64,
    /// Time when the log's end was last seen to exist.
    pub(super) log_checked_at: Instant,
    /// Seq up to which the current tables of each stream are known to be folded; the next commit
    /// records it.
    pub(super) folded: StreamSeqs,
    /// Position at which each table was last written, as far as this process knows; the next commit
    /// records it.
    pub(super) written: BTreeMap<String, FoldPosition>,
    /// Unreadable tables; the next fold rebuilds them.
    pub(super) unreadable: BTreeSet<&'static str>,
    /// Seq up to which each table states it is folded, for the tables that were looked at; 0 if
    /// missing.
    pub(super) tables: Seqs,
    pub(super) projects: ProjectCache,
    pub(super) root: Arc<dyn ObjectStore>,
    /// Whether a warning was logged that the clock and the last change are far apart.
    pub(super) has_warned_clock: bool,
    /// Sets with the outcome `Unknown`, and the version at which they may still land.
    pub(super) open: HashMap<PatchSetId, u64>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
}

impl LakeState {
    /// Returns the head, to which tables may then be folded.
    pub fn head(&self) -> Head {
        self.files.note_mark(self.ledger.seq, &self.ledger.chain);
        self.look_at_head()
    }

    /// Returns the head without keeping its mark for folds.
    pub(super) fn look_at_head(&self) -> Head {
        let lake = self
            .ledger
            .state
            .lake
            .as_ref()
            .map(|lake| LakeMark::of(lake.id.uuid(), lake.root.as_str()));
        Head {
            seq: self.ledger.seq,
            at: self.ledger.at,
            chain: self.ledger.chain,
            version: self.version,
            folded: self.folded,
            unreadable: self.unreadable.iter().copied().collect(),
            lake,
        }
    }

    /// Returns the mark of the ledger's position, as commits record it.
    pub(super) fn mark(&self) -> Mark {
        Mark::of(self.ledger.seq, &self.ledger.chain)
    }

    /// Returns the journal's files without the rows that all tables of a stream already show.
    pub fn files(&self, stream: Stream) -> Files {
        self.files.after(self.folded.of(stream))
    }

    /// Returns the approximate number of rows that not all tables of their stream are known to
    /// show.
    pub fn rows_waiting(&self) -> usize {
        let waiting = |stream| self.files.count_after(stream, self.folded.of(stream));
        FoldedTable::streams().map(waiting).sum()
    }

    /// Records tables that lost data; the next fold rebuilds them.
    pub fn note_lost(&mut self, tables: BTreeSet<&'static str>) {
        self.unreadable.extend(tables);
    }

    /// Records that every current table of a stream is folded up to `seq`, and the seqs at which
    /// tables were written for that.
    pub fn note_folded(&mut self, stream: Stream, seq: u64, written: Vec<(&'static str, u64)>) {
        self.folded.set(stream, seq.max(self.folded.of(stream)));
        for (table, seq) in &written {
            self.unreadable.remove(table);
            self.written.insert((*table).to_owned(), self.files.stand(*seq));
        }
        for table in FoldedTable::of(stream) {
            if let Some(known) = self.tables.get_mut(table.name()) {
                *known = seq.max(*known);
            }
        }
    }

    /// Returns the seqs that the next commit records as folded. A position is recorded if rows of
    /// its stream follow the recorded one; otherwise it would save nobody from reading anything.
    pub(super) fn folded_to_record(&self) -> StreamSeqs {
        let mut seqs = StreamSeqs::default();
        for stream in FoldedTable::streams() {
            let (known, recorded) = (self.folded.of(stream), self.files.folded.of(stream));
            let is_news = || recorded == 0 || self.files.count_after(stream, recorded) > 0;
            if known > recorded && is_news() {
                seqs.set(stream, known);
            }
        }
        seqs
    }

    /// Returns the positions at which the tables of a stream were last written.
    pub(super) fn written_in(
        &self,
        stream: Stream,
    ) -> impl Iterator<Item = (&String, &FoldPosition)> {
        let is_own = move |table: &str| FoldedTable::of(stream).any(|one| one.name() == table);
        self.written.iter().filter(move |(table, _)| is_own(table))
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot { seq: self.ledger.seq, at: self.ledger.at, state: self.ledger.state.clone() }
    }

    /// Returns a reader of the rows of a stream after a position.
    pub fn reader(&self, after: u64, stream: Stream, order: Order) -> JournalReader {
        JournalReader::new(self.files.after(after), after, stream, order)
    }

    /// Returns whether a checkpoint is due at one of the versions after `before`.
    pub fn is_checkpoint_due(&self, before: u64) -> bool {
        let every = checkpoint::interval(self.files.count());
        self.version / every > before / every
    }

    /// Writes a checkpoint of the head, so that opening need not read the whole log. A failure is
    /// only logged: without a checkpoint the lake merely opens more slowly.
    pub fn checkpoint(&self) -> impl Future<Output = ()> + Send + 'static {
        let (log, version) = (self.files.log.clone(), self.version);
        // A checkpoint contains what the log says, so it waits until untrusted changes are taken
        // back.
        let is_due = !self.files.others.is_any();
        async move {
            if is_due && let Err(err) = log.checkpoint(version).await {
                tracing::warn!(%err, version, "no checkpoint was written; opening the lake stays slower until the next one");
            }
        }
    }
}
