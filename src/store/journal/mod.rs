//! The journal: the one Delta table that is the commit point of the lake.
//!
//! A commit is one Parquet file per stream and one log entry, put only if its version does not
//! exist. No snapshot is held, and nothing is listed as long as nothing goes wrong. Each attempt
//! relies on these rules:
//!
//! - A group of sets is evaluated against the state at version v and written for version v+1. Only
//!   the writer that puts entry v+1 has committed. A losing writer applies the winner's rows,
//!   evaluates again, and writes new rows in a new file.
//! - From the first put of the log entry on, every error means "unknown": the entry is read to find
//!   out who wrote it, and put again, byte for byte, at the same version while that is free. So a
//!   put that lands late either is the commit or finds the version taken.
//! - A version is free only while the entry before it exists and nothing after it is listed: behind
//!   cleaned-up entries there are holes that look free.
//! - At the deadline, an empty commit takes the version, so that a late put can never land.

pub mod chain;
mod commit;
pub mod compact;
pub mod encoding;
pub mod entry;
pub mod erase;
pub mod files;
pub mod genesis;
pub mod group_commit;
pub mod merge;
pub mod open;
pub mod project_cache;
mod reader;
mod revert_foreign_changes;
pub mod schema;
mod task_counts;
pub mod verify;
mod witness;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use object_store::ObjectStore;
use uuid::Uuid;

use super::checkpoint;
use super::error::StoreError;
use super::ledger::{CommittedSet, Ledger, Proposal};
use super::mark::{LakeMark, Mark};
use super::row::{Row, Stream};
use super::table_log::{LogPosition, entry_bytes};
use super::tables::read::FoldPosition;
use super::{Head, Outcome, Snapshot};
use crate::domain::id::{EntityId, PatchSetId};
use crate::domain::patch::PatchSet;
use crate::domain::time::Instant;
use crate::runtime::{Clock, Random, random_bytes, uuid_v7};
use commit::CommitResult;
use entry::{Entry, JournalFile};
use files::Files;
use group_commit::{GroupResult, SetResult};
use project_cache::ProjectCache;
pub use reader::{JournalReader, Order};

/// Time after which a commit gives up its version.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// Maximum age of the last look at the log; after it, the known end of the log may be behind a
/// clean-up.
pub const MAX_STALENESS: TimeDelta = TimeDelta::minutes(5);

/// One writer's view of the journal.
pub struct Journal {
    files: Files,
    ledger: Ledger,
    /// Version of the last entry that the ledger contains.
    version: u64,
    /// Time when the log's end was last seen to exist.
    log_checked_at: Instant,
    /// Seq up to which the current tables are known to be folded; the next commit records it.
    folded: u64,
    /// Position at which each table was last written, as far as this process knows; the next commit
    /// records it.
    written: BTreeMap<String, FoldPosition>,
    /// Unreadable tables; the next fold rebuilds them.
    unreadable: BTreeSet<&'static str>,
    /// Seq up to which each table states it is folded, for the tables that were looked at; 0 if
    /// missing.
    tables: open::Seqs,
    hand: ProjectCache,
    root: Arc<dyn ObjectStore>,
    /// Whether a warning was logged that the clock and the last change are far apart.
    has_warned_clock: bool,
    /// Sets with the outcome `Unknown`, and the version at which they may still land.
    open: HashMap<PatchSetId, u64>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// Result of one attempt to commit one version.
enum Attempt {
    Reported(Vec<Outcome>),
    /// Another writer committed the version, so nothing was written.
    Conflict,
    /// The process slept too long over the attempt; only evaluating again reveals the group's
    /// result.
    Stale,
}

impl Journal {
    /// Creates a lake in a place without one: entry 0 creates the table and holds its first row.
    pub async fn create(
        store: Arc<dyn ObjectStore>,
        mut ledger: Ledger,
        format: &super::Format,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, StoreError> {
        let now = clock.now();
        let id = crate::runtime::fresh_id(now, random.as_ref());
        let set = genesis::set(id, ledger.root(), format, now, random.as_ref());
        let Proposal::Accepted(first) =
            ledger.try_apply(&set, None, now, || random_bytes(random.as_ref()))
        else {
            return Err(StoreError::damaged("journal", "the first row was refused"));
        };
        let files = Files::new(Arc::clone(&store)).at(ledger.root());
        let attempt = uuid_v7(now, random.as_ref());
        let rows: Vec<&Row> = first.rows.iter().collect();
        let added = files.put_rows(0, attempt, &rows).await?;
        let mut actions = entry::json_of(&[entry::commit_info("CREATE TABLE", attempt, now)])?;
        actions.extend(schema::actions(attempt, now));
        let chain = Mark::of(ledger.seq, &ledger.chain);
        actions.extend(entry::json_of(&[
            entry::txn(entry::TXN, 1),
            entry::chain_txn(chain),
            added,
        ])?);
        let root = ledger.root().to_owned();
        match commit::put_entry(
            &files,
            0,
            entry_bytes(&actions),
            attempt,
            DEADLINE,
            random.as_ref(),
        )
        .await
        {
            CommitResult::Committed => {}
            CommitResult::LostTo(_) | CommitResult::LogMovedOn => {
                return Err(StoreError::AlreadyALake { root });
            }
            CommitResult::NotCommitted { cause, .. } | CommitResult::Unknown(cause) => {
                return Err(cause);
            }
        }
        let mut journal = Self {
            files,
            ledger,
            version: 0,
            log_checked_at: now,
            folded: 0,
            written: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            tables: BTreeMap::new(),
            hand: ProjectCache::new(project_cache::MAX_CACHED_RECORDS),
            root: store,
            open: HashMap::new(),
            has_warned_clock: false,
            clock,
            random,
        };
        journal.files.note(&journal.files.read_entry(0).await?.unwrap_or_default());
        Ok(journal)
    }

    pub fn head(&self) -> Head {
        // Tables are folded to positions at which a head was read.
        self.files.note_mark(self.ledger.seq, &self.ledger.chain);
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
    fn mark(&self) -> Mark {
        Mark::of(self.ledger.seq, &self.ledger.chain)
    }

    /// Returns the journal's files without the rows that all tables already show.
    pub fn files(&self) -> Files {
        self.files.after(self.folded)
    }

    /// Returns the approximate number of rows that not all tables are known to show.
    pub fn rows_waiting(&self) -> usize {
        self.files.count_after(self.folded)
    }

    /// Records tables that lost data; the next fold rebuilds them.
    pub fn note_lost(&mut self, tables: BTreeSet<&'static str>) {
        self.unreadable.extend(tables);
    }

    /// Records that every current table is folded up to `seq`, and the seqs at which tables were
    /// written for that.
    pub fn note_folded(&mut self, seq: u64, written: Vec<(&'static str, u64)>) {
        self.folded = self.folded.max(seq);
        for (table, seq) in &written {
            self.unreadable.remove(table);
            self.written.insert((*table).to_owned(), self.files.stand(*seq));
        }
        for table in self.tables.values_mut() {
            *table = seq.max(*table);
        }
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

    /// Applies the commits of others since the last look; returns whether there were any.
    pub async fn refresh(&mut self) -> Result<bool, StoreError> {
        let before = self.version;
        let now = self.clock.now();
        // After this time, entries found by walking on may be in holes, and the walk may end before
        // one.
        if now - self.log_checked_at > MAX_STALENESS
            && self.files.log.end(self.version).await? != LogPosition::Here
        {
            self.jump_to_head().await?;
        }
        while let Some(entry) = self.files.read_entry(self.version + 1).await? {
            self.follow(&entry).await?;
        }
        self.log_checked_at = now;
        self.ledger.may_read()?;
        Ok(self.version > before)
    }

    /// Commits the sets in order, each by itself; accepted sets go into the journal together.
    pub async fn commit(&mut self, sets: &[PatchSet]) -> Vec<Outcome> {
        let started = tokio::time::Instant::now();
        let mut has_jumped = false;
        loop {
            match self.attempt(sets, DEADLINE.saturating_sub(started.elapsed())).await {
                // Files that were live at the last look may have been compacted and deleted since.
                Err(StoreError::Damaged { .. }) if !has_jumped => {
                    has_jumped = true;
                    if let Err(cause) = self.jump_to_head().await {
                        return self.not_written(sets, &cause);
                    }
                }
                Ok(Attempt::Reported(outcomes)) => return outcomes,
                Ok(Attempt::Stale) => {}
                Ok(Attempt::Conflict) if started.elapsed() < DEADLINE => {}
                Ok(Attempt::Conflict) => {
                    return self
                        .not_written(sets, &StoreError::Deadline { seconds: DEADLINE.as_secs() });
                }
                Err(cause) => return self.not_written(sets, &cause),
            }
        }
    }

    /// Makes one attempt to commit one version. An error means that nothing was written.
    async fn attempt(
        &mut self,
        sets: &[PatchSet],
        time_left: Duration,
    ) -> Result<Attempt, StoreError> {
        if self.clock.now() - self.log_checked_at > MAX_STALENESS {
            self.refresh().await?;
        }
        // Loading may apply commits of others, so the time of the group is read after it.
        self.load_all_for(sets).await?;
        self.ledger.may_write()?;
        self.revert_foreign_changes().await?;
        let now = self.clock.now();
        let (at, odd) = (self.ledger.time(now), self.ledger.odd_clock(now));
        let before = self.mark();
        let results = self.evaluate(sets, at, now).await?;
        if results.rows == 0 {
            // The results assume that version v is the head: check that it still is.
            return Ok(if self.refresh().await? {
                Attempt::Conflict
            } else {
                Attempt::Reported(results.outcomes())
            });
        }
        let attempt = uuid_v7(at, self.random.as_ref());
        let (entry, added) = match self.prepare(&results, before, attempt, at).await {
            Ok(prepared) => prepared,
            Err(cause) => {
                self.rollback(results);
                return Err(cause);
            }
        };
        let taken = commit::put_entry(
            &self.files,
            self.version + 1,
            entry,
            attempt,
            time_left,
            self.random.as_ref(),
        )
        .await;
        let now = self.clock.now();
        match taken {
            CommitResult::NotCommitted { cause, occupied: false } => {
                self.rollback(results);
                Err(cause)
            }
            CommitResult::Unknown(cause) => {
                let reported = self.rollback(results);
                Ok(Attempt::Reported(self.unknown(sets, reported, &cause)))
            }
            CommitResult::LogMovedOn => Ok(self.find_at_head(sets, results, attempt, now).await),
            // This process may have slept through a clean-up: the entry it saw or put may be in a
            // hole.
            _ if now - self.log_checked_at > MAX_STALENESS => {
                Ok(self.find_at_head(sets, results, attempt, now).await)
            }
            CommitResult::Committed => {
                if let Some(odd) =
                    odd.filter(|_| !std::mem::replace(&mut self.has_warned_clock, true))
                {
                    tracing::warn!("{odd}");
                }
                self.version += 1;
                self.log_checked_at = now;
                self.files.note_added(added);
                self.files.folded = self.files.folded.max(self.folded);
                self.files.note_stands(self.written.iter());
                Ok(Attempt::Reported(results.outcomes()))
            }
            CommitResult::LostTo(entry) => {
                self.rollback(results);
                self.follow(&entry).await?;
                self.refresh().await?;
                Ok(Attempt::Conflict)
            }
            CommitResult::NotCommitted { cause, occupied: true } => {
                self.rollback(results);
                self.version += 1;
                Err(cause)
            }
        }
    }

    /// Evaluates sets for a group committed at `at`. Ids are checked against the clock, which may
    /// be behind `at`.
    async fn evaluate(
        &mut self,
        sets: &[PatchSet],
        at: Instant,
        now: Instant,
    ) -> Result<GroupResult, StoreError> {
        let mut earlier: Vec<Option<CommittedSet>> = Vec::with_capacity(sets.len());
        for set in sets {
            earlier.push(self.find_earlier(set.id).await?);
        }
        let mut results = GroupResult::default();
        for (set, earlier) in sets.iter().zip(earlier) {
            let random = Arc::clone(&self.random);
            let too_old = if earlier.or(self.ledger.seen(set.id)).is_some() {
                None
            } else {
                self.ledger.check_id(set, now)
            };
            results.set_results.push(match too_old {
                Some(violation) => SetResult::Other(Outcome::Refused(vec![violation])),
                None => match self
                    .ledger
                    .try_apply(set, earlier, at, || random_bytes(random.as_ref()))
                {
                    Proposal::Accepted(accepted) => {
                        results.rows += accepted.rows.len();
                        SetResult::Accepted(accepted, self.ledger.seq)
                    }
                    Proposal::Repeat { seq, id } => {
                        SetResult::Other(Outcome::AlreadyCommitted { seq, id })
                    }
                    Proposal::Refused(violations) => SetResult::Other(Outcome::Refused(violations)),
                    Proposal::Conflicted(conflict) => {
                        SetResult::Other(Outcome::Conflicted(conflict))
                    }
                },
            });
        }
        Ok(results)
    }

    /// Looks in the files for a set that the ledger no longer remembers.
    async fn find_earlier(&self, id: PatchSetId) -> Result<Option<CommittedSet>, StoreError> {
        let text = id.to_string();
        let remembered = self.ledger.remembers_from();
        for file in self.files.with_id(&text).filter(|file| file.seq.0 < remembered) {
            let found =
                self.files.read_rows(file, 0).await?.into_iter().find(|row| row.patch_set_id == id);
            if let Some(row) = found {
                return Ok(Some(CommittedSet { seq: row.seq, request_hash: row.request_hash }));
            }
        }
        Ok(None)
    }

    /// Writes the files of a group and builds its log entry.
    async fn prepare(
        &mut self,
        results: &GroupResult,
        before: Mark,
        attempt: Uuid,
        at: Instant,
    ) -> Result<(bytes::Bytes, Vec<JournalFile>), StoreError> {
        let mut actions = vec![
            entry::commit_after(before, "WRITE", attempt, at),
            entry::txn(entry::TXN, self.ledger.seq),
            entry::chain_txn(self.mark()),
        ];
        if self.folded > self.files.folded {
            actions.push(entry::txn(entry::FOLDED, self.folded));
        }
        actions.extend(self.files.news_of(self.written.iter()));
        for stream in Stream::ALL {
            let rows: Vec<&Row> = results.rows().filter(|row| row.stream == *stream).collect();
            if !rows.is_empty() {
                actions.push(self.files.put_rows(self.version + 1, attempt, &rows).await?);
            }
        }
        let added = actions.iter().filter_map(entry::added).collect();
        Ok((entry_bytes(&entry::json_of(&actions)?), added))
    }

    /// Looks for the group at the current head of the log.
    async fn find_at_head(
        &mut self,
        sets: &[PatchSet],
        results: GroupResult,
        attempt: Uuid,
        now: Instant,
    ) -> Attempt {
        let reported = self.rollback(results);
        if let Err(cause) = self.jump_to_head().await {
            return Attempt::Reported(self.unknown(sets, reported, &cause));
        }
        self.log_checked_at = now;
        let name = attempt.to_string();
        if self.files.live().any(|file| file.path.contains(&name)) {
            return Attempt::Reported(reported.into_iter().map(|(_, outcome)| outcome).collect());
        }
        Attempt::Stale
    }

    /// Returns the outcomes of a rolled-back group whose result the storage did not reveal.
    fn unknown(
        &mut self,
        sets: &[PatchSet],
        reported: Vec<(Option<PatchSetId>, Outcome)>,
        cause: &StoreError,
    ) -> Vec<Outcome> {
        self.log_checked_at = Instant::default();
        for (set, (accepted, outcome)) in sets.iter().zip(reported) {
            let repeats =
                matches!(outcome, Outcome::AlreadyCommitted { seq, .. } if seq > self.ledger.seq);
            if accepted.is_some() || repeats {
                self.open.insert(set.id, self.version + 1);
            }
        }
        self.not_written(sets, cause)
    }

    /// Returns the outcomes of sets that this call did not write. Sets in the journal are reported
    /// as committed. Sets that an earlier call left `Unknown` stay so until it is known who
    /// committed their version.
    fn not_written(&mut self, sets: &[PatchSet], cause: &StoreError) -> Vec<Outcome> {
        let version = self.version;
        self.open.retain(|_, slot| *slot > version);
        let outcome = |set: &PatchSet| match self.ledger.seen(set.id) {
            Some(seen) if seen.request_hash.is_none_or(|hash| hash == set.request_hash) => {
                Outcome::AlreadyCommitted { seq: seen.seq, id: set.id }
            }
            _ if self.open.contains_key(&set.id) => {
                Outcome::Unknown { patch_set_id: set.id, cause: cause.again() }
            }
            _ => Outcome::NotWritten { cause: cause.again() },
        };
        sets.iter().map(outcome).collect()
    }

    /// Rolls a group back in the ledger. Returns the outcomes it would have had, and the ids of the
    /// accepted sets.
    fn rollback(&mut self, results: GroupResult) -> Vec<(Option<PatchSetId>, Outcome)> {
        let mut reported: Vec<(Option<PatchSetId>, Outcome)> =
            Vec::with_capacity(results.set_results.len());
        for verdict in results.set_results.into_iter().rev() {
            reported.push(match verdict {
                SetResult::Accepted(accepted, seq) => {
                    let keys = accepted.keys.clone();
                    let rows = self.ledger.rollback(accepted);
                    (rows.first().map(|row| row.patch_set_id), Outcome::Committed { seq, keys })
                }
                SetResult::Other(outcome) => (None, outcome),
            });
        }
        reported.reverse();
        reported
    }

    /// Applies the next log entry, or everything up to the head if the entry's files have been
    /// compacted and deleted since.
    async fn follow(&mut self, entry: &Entry) -> Result<(), StoreError> {
        if entry.is_unclear {
            let before = self.files.others.clone();
            self.jump_to_head().await?;
            if self.files.others != before {
                self.files.others.warn(self.files.log.folder());
            }
            return Ok(());
        }
        match self.apply_entry(entry).await {
            Ok(()) => Ok(()),
            Err(err) => self.jump_to_head().await.map_err(|_| err),
        }
    }

    /// Applies the next log entry, completely or not at all.
    async fn apply_entry(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let mut rows = Vec::new();
        for file in entry.added.iter().filter(|file| file.seq.1 > self.ledger.seq) {
            rows.extend(self.files.read_whole(file, self.ledger.seq).await?);
        }
        self.replay(rows)?;
        self.files.note(entry);
        self.version += 1;
        Ok(())
    }

    /// Loads the log and applies everything up to its head, completely or not at all.
    async fn jump_to_head(&mut self) -> Result<(), StoreError> {
        let mut files = self.files.clone();
        let Some(version) = files.load().await? else {
            return Err(StoreError::NotALake { root: self.ledger.root().to_owned() });
        };
        let rows = self.rows_after(&files, self.ledger.seq).await?;
        self.replay(rows)?;
        (self.files, self.version) = (files, version);
        Ok(())
    }

    async fn rows_after(&self, files: &Files, seq: u64) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        for file in files.live().filter(|file| file.seq.1 > seq) {
            rows.extend(files.read_whole(file, seq).await?);
        }
        rows.sort_by_key(|row| (row.seq, row.ordinal));
        Ok(rows)
    }

    fn replay(&mut self, mut rows: Vec<Row>) -> Result<(), StoreError> {
        rows.retain(|row| row.seq > self.ledger.seq);
        rows.sort_by_key(|row| (row.seq, row.ordinal));
        self.check_no_gap(&rows)?;
        for set in rows.chunk_by(|a, b| a.seq == b.seq) {
            self.ledger.replay(set)?;
        }
        Ok(())
    }

    /// Checks that rows to replay continue the head without a gap.
    fn check_no_gap(&self, rows: &[Row]) -> Result<(), StoreError> {
        let mut last = self.ledger.seq;
        for row in rows {
            if row.seq > last + 1 {
                let what = format!(
                    "seq {} follows seq {last}; the sets between them are missing",
                    row.seq
                );
                return Err(StoreError::damaged("journal", what));
            }
            last = row.seq;
        }
        Ok(())
    }
}
