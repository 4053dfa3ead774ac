//! The journal: the one Delta table that is the commit point of the lake.
//!
//! A commit is a Parquet file per stream and one log entry, put only if its version does not exist. No snapshot is
//! held and, as long as nothing goes wrong, nothing is listed. What each attempt rests on:
//!
//! - A group of sets is judged against the state at version v and written for the slot v+1. Only whoever puts entry
//!   v+1 has committed; whoever does not takes in the winner's rows, judges again, and writes new rows in a new file.
//! - From the first put of the log entry on, every error means "unknown": the entry is read to see whose it is, and
//!   put again, byte for byte, into the same slot while it is free. So a put that lands late either is the commit or
//!   finds the slot taken.
//! - A slot is free only while the entry before it exists and nothing after it is listed: behind cleaned-up entries
//!   there are holes that look free.
//! - At the deadline the slot is occupied by an empty commit, so that a late put can never land.

pub mod batch;
pub mod birth;
pub mod chain;
pub mod compact;
pub mod entry;
pub mod erase;
pub mod files;
pub mod group;
pub mod hand;
pub mod merge;
pub mod opening;
mod reader;
pub mod schema;
mod slot;
mod take_back;
mod tally;
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
use super::ledger::{Ledger, Proposal, Seen};
use super::mark::{LakeMark, Mark};
use super::row::{Row, Stream};
use super::table_log::{End, entry_bytes};
use super::tables::read::Stand;
use super::{Head, Outcome, Snapshot};
use crate::domain::id::{EntityId, PatchSetId};
use crate::domain::patch::PatchSet;
use crate::domain::time::Instant;
use crate::runtime::{Clock, Random, random_bytes, uuid_v7};
use entry::{Entry, JournalFile};
use files::Files;
use group::{Judged, Verdict};
use hand::Hand;
pub use reader::{JournalReader, Order};
use slot::Taken;

/// How long a commit tries before it gives its slot up.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// After so long without a look at the log, what was known of its end may lie behind a clean-up.
pub const STALE: TimeDelta = TimeDelta::minutes(5);

/// The journal as one writer knows it.
pub struct Journal {
    files: Files,
    ledger: Ledger,
    /// The version of the last entry that is in the ledger.
    version: u64,
    /// When the log's end was last seen to be there.
    looked: Instant,
    /// How far the current tables are known to be folded; the next commit records it.
    folded: u64,
    /// The seq that each table was last written at, as far as this process knows; the next commit records it.
    written: BTreeMap<String, Stand>,
    /// Tables that could not be read, which the next fold rebuilds.
    unreadable: BTreeSet<&'static str>,
    /// How far each table says it is folded, as far as it was looked at; 0 where it is missing.
    tables: opening::Seqs,
    hand: Hand,
    root: Arc<dyn ObjectStore>,
    /// Whether it was told that the clock and the last change are far apart.
    has_told_clock: bool,
    /// Sets whose outcome was Unknown, and the slot that they may yet come to be in.
    open: HashMap<PatchSetId, u64>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// What came of one try for one slot.
enum Tried {
    Told(Vec<Outcome>),
    /// Another writer had the slot, so nothing was written.
    Lost,
    /// The slot was slept through; only judging again tells what became of the group.
    Slept,
}

impl Journal {
    /// Makes a lake where there is none: entry 0 creates the table and holds its first row.
    pub async fn create(
        store: Arc<dyn ObjectStore>,
        mut ledger: Ledger,
        format: &super::Format,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, StoreError> {
        let now = clock.now();
        let id = crate::runtime::fresh_id(now, random.as_ref());
        let set = birth::set(id, ledger.root(), format, now, random.as_ref());
        let Proposal::Accepted(first) =
            ledger.propose(&set, None, now, || random_bytes(random.as_ref()))
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
        match slot::take(&files, 0, entry_bytes(&actions), attempt, DEADLINE, random.as_ref()).await
        {
            Taken::Ours => {}
            Taken::Theirs(_) | Taken::Moved => return Err(StoreError::AlreadyALake { root }),
            Taken::Never { cause, .. } | Taken::Unknown(cause) => return Err(cause),
        }
        let mut journal = Self {
            files,
            ledger,
            version: 0,
            looked: now,
            folded: 0,
            written: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            tables: BTreeMap::new(),
            hand: Hand::new(hand::MOST_RECORDS),
            root: store,
            open: HashMap::new(),
            has_told_clock: false,
            clock,
            random,
        };
        journal.files.note(&journal.files.read_entry(0).await?.unwrap_or_default());
        Ok(journal)
    }

    pub fn head(&self) -> Head {
        // Tables are folded to where a head was seen.
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

    /// The position of the ledger, as commits say it.
    fn mark(&self) -> Mark {
        Mark::of(self.ledger.seq, &self.ledger.chain)
    }

    /// What the journal knows of its tables, without the rows that all of them show.
    pub fn files(&self) -> Files {
        self.files.after(self.folded)
    }

    /// About how many rows came after what all tables are known to be folded to.
    pub fn rows_waiting(&self) -> usize {
        self.files.count_after(self.folded)
    }

    /// Notes tables of which something is lost, which the next fold rebuilds.
    pub fn note_lost(&mut self, tables: BTreeSet<&'static str>) {
        self.unreadable.extend(tables);
    }

    /// Notes that every current table is folded up to `seq`, and which tables were written at which seq for that.
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

    /// A reader of the rows of a stream after a position.
    pub fn reader(&self, after: u64, stream: Stream, order: Order) -> JournalReader {
        JournalReader::new(self.files.after(after), after, stream, order)
    }

    /// Whether a checkpoint is due at one of the versions after `before`.
    pub fn is_checkpoint_due(&self, before: u64) -> bool {
        let every = checkpoint::interval(self.files.count());
        self.version / every > before / every
    }

    /// Writes a checkpoint of the head, so that opening need not read the whole log. A failure is only logged:
    /// without a checkpoint the lake is slower to open and nothing else.
    pub fn checkpoint(&self) -> impl Future<Output = ()> + Send + 'static {
        let (log, version) = (self.files.log.clone(), self.version);
        // A checkpoint holds what the log says, so it waits until that is what is believed.
        let is_due = !self.files.others.is_any();
        async move {
            if is_due && let Err(fault) = log.checkpoint(version).await {
                tracing::warn!(%fault, version, "no checkpoint was written; opening the lake stays slower until the next one");
            }
        }
    }

    /// Takes in what others have committed since; whether there was anything.
    pub async fn refresh(&mut self) -> Result<bool, StoreError> {
        let before = self.version;
        let now = self.clock.now();
        // After so long, what is found by walking on may lie in holes, and the walk may end before one.
        if now - self.looked > STALE && self.files.log.end(self.version).await? != End::Here {
            self.jump_to_head().await?;
        }
        while let Some(entry) = self.files.read_entry(self.version + 1).await? {
            self.follow(&entry).await?;
        }
        self.looked = now;
        self.ledger.may_read()?;
        Ok(self.version > before)
    }

    /// Commits the sets in order, each by itself; those that may stand go into the journal together.
    pub async fn commit(&mut self, sets: &[PatchSet]) -> Vec<Outcome> {
        let started = tokio::time::Instant::now();
        let mut has_jumped = false;
        loop {
            match self.attempt(sets, DEADLINE.saturating_sub(started.elapsed())).await {
                // What was live when this process last looked may have been compacted and deleted since.
                Err(StoreError::Damaged { .. }) if !has_jumped => {
                    has_jumped = true;
                    if let Err(cause) = self.jump_to_head().await {
                        return self.not_written(sets, &cause);
                    }
                }
                Ok(Tried::Told(outcomes)) => return outcomes,
                Ok(Tried::Slept) => {}
                Ok(Tried::Lost) if started.elapsed() < DEADLINE => {}
                Ok(Tried::Lost) => {
                    return self
                        .not_written(sets, &StoreError::Deadline { seconds: DEADLINE.as_secs() });
                }
                Err(cause) => return self.not_written(sets, &cause),
            }
        }
    }

    /// One try for one slot. On an error nothing was written.
    async fn attempt(
        &mut self,
        sets: &[PatchSet],
        time_left: Duration,
    ) -> Result<Tried, StoreError> {
        if self.clock.now() - self.looked > STALE {
            self.refresh().await?;
        }
        // It may take in what others committed, so the time of the group is taken after it.
        self.bring_all_for(sets).await?;
        self.ledger.may_write()?;
        self.take_back().await?;
        let now = self.clock.now();
        let (at, odd) = (self.ledger.time(now), self.ledger.odd_clock(now));
        let before = self.mark();
        let judged = self.judge(sets, at, now).await?;
        if judged.rows == 0 {
            // What was decided rests on version v being the head: that must be seen to be so.
            return Ok(if self.refresh().await? {
                Tried::Lost
            } else {
                Tried::Told(judged.outcomes())
            });
        }
        let attempt = uuid_v7(at, self.random.as_ref());
        let (entry, added) = match self.prepare(&judged, before, attempt, at).await {
            Ok(prepared) => prepared,
            Err(cause) => {
                self.withdraw(judged);
                return Err(cause);
            }
        };
        let taken = slot::take(
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
            Taken::Never { cause, occupied: false } => {
                self.withdraw(judged);
                Err(cause)
            }
            Taken::Unknown(cause) => {
                let told = self.withdraw(judged);
                Ok(Tried::Told(self.unknown(sets, told, &cause)))
            }
            Taken::Moved => Ok(self.find_at_head(sets, judged, attempt, now).await),
            // This process may have slept through a clean-up: whatever it saw or put in the slot may lie in a hole.
            _ if now - self.looked > STALE => {
                Ok(self.find_at_head(sets, judged, attempt, now).await)
            }
            Taken::Ours => {
                if let Some(odd) =
                    odd.filter(|_| !std::mem::replace(&mut self.has_told_clock, true))
                {
                    tracing::warn!("{odd}");
                }
                self.version += 1;
                self.looked = now;
                self.files.note_added(added);
                self.files.folded = self.files.folded.max(self.folded);
                self.files.note_stands(self.written.iter());
                Ok(Tried::Told(judged.outcomes()))
            }
            Taken::Theirs(entry) => {
                self.withdraw(judged);
                self.follow(&entry).await?;
                self.refresh().await?;
                Ok(Tried::Lost)
            }
            Taken::Never { cause, occupied: true } => {
                self.withdraw(judged);
                self.version += 1;
                Err(cause)
            }
        }
    }

    /// Judges sets for a group of a time; ids are judged by the clock, which may be behind it.
    async fn judge(
        &mut self,
        sets: &[PatchSet],
        at: Instant,
        now: Instant,
    ) -> Result<Judged, StoreError> {
        let mut earlier: Vec<Option<Seen>> = Vec::with_capacity(sets.len());
        for set in sets {
            earlier.push(self.find_earlier(set.id).await?);
        }
        let mut judged = Judged::default();
        for (set, earlier) in sets.iter().zip(earlier) {
            let random = Arc::clone(&self.random);
            let too_old = if earlier.or(self.ledger.seen(set.id)).is_some() {
                None
            } else {
                self.ledger.refuse_id(set, now)
            };
            judged.verdicts.push(match too_old {
                Some(violation) => Verdict::Other(Outcome::Refused(vec![violation])),
                None => match self
                    .ledger
                    .propose(set, earlier, at, || random_bytes(random.as_ref()))
                {
                    Proposal::Accepted(accepted) => {
                        judged.rows += accepted.rows.len();
                        Verdict::Accepted(accepted, self.ledger.seq)
                    }
                    Proposal::Repeat { seq, id } => {
                        Verdict::Other(Outcome::AlreadyCommitted { seq, id })
                    }
                    Proposal::Refused(violations) => Verdict::Other(Outcome::Refused(violations)),
                    Proposal::Conflicted(conflict) => Verdict::Other(Outcome::Conflicted(conflict)),
                },
            });
        }
        Ok(judged)
    }

    /// Whether a set that the ledger no longer remembers stands in the files.
    async fn find_earlier(&self, id: PatchSetId) -> Result<Option<Seen>, StoreError> {
        let text = id.to_string();
        let remembered = self.ledger.remembers_from();
        for file in self.files.with_id(&text).filter(|file| file.seq.0 < remembered) {
            let found =
                self.files.read_rows(file, 0).await?.into_iter().find(|row| row.patch_set_id == id);
            if let Some(row) = found {
                return Ok(Some(Seen { seq: row.seq, request_hash: row.request_hash }));
            }
        }
        Ok(None)
    }

    /// Writes the files of a group and makes its log entry.
    async fn prepare(
        &mut self,
        judged: &Judged,
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
            let rows: Vec<&Row> = judged.rows().filter(|row| row.stream == *stream).collect();
            if !rows.is_empty() {
                actions.push(self.files.put_rows(self.version + 1, attempt, &rows).await?);
            }
        }
        let added = actions.iter().filter_map(entry::added).collect();
        Ok((entry_bytes(&entry::json_of(&actions)?), added))
    }

    /// Looks for the group where the log ends now.
    async fn find_at_head(
        &mut self,
        sets: &[PatchSet],
        judged: Judged,
        attempt: Uuid,
        now: Instant,
    ) -> Tried {
        let told = self.withdraw(judged);
        if let Err(cause) = self.jump_to_head().await {
            return Tried::Told(self.unknown(sets, told, &cause));
        }
        self.looked = now;
        let name = attempt.to_string();
        if self.files.live().any(|file| file.path.contains(&name)) {
            return Tried::Told(told.into_iter().map(|(_, outcome)| outcome).collect());
        }
        Tried::Slept
    }

    /// What is said of a group, withdrawn, whose fate the storage would not tell.
    fn unknown(
        &mut self,
        sets: &[PatchSet],
        told: Vec<(Option<PatchSetId>, Outcome)>,
        cause: &StoreError,
    ) -> Vec<Outcome> {
        self.looked = Instant::default();
        for (set, (accepted, outcome)) in sets.iter().zip(told) {
            let repeats =
                matches!(outcome, Outcome::AlreadyCommitted { seq, .. } if seq > self.ledger.seq);
            if accepted.is_some() || repeats {
                self.open.insert(set.id, self.version + 1);
            }
        }
        self.not_written(sets, cause)
    }

    /// What is said of sets that this call did not write. Those in the journal stand, and those whose fate an earlier
    /// call left open stay so until it is seen who has their slot.
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

    /// Takes a group out of the ledger again. Gives what would have been answered, and the ids of those accepted.
    fn withdraw(&mut self, judged: Judged) -> Vec<(Option<PatchSetId>, Outcome)> {
        let mut told: Vec<(Option<PatchSetId>, Outcome)> =
            Vec::with_capacity(judged.verdicts.len());
        for verdict in judged.verdicts.into_iter().rev() {
            told.push(match verdict {
                Verdict::Accepted(accepted, seq) => {
                    let keys = accepted.keys.clone();
                    let rows = self.ledger.withdraw(accepted);
                    (rows.first().map(|row| row.patch_set_id), Outcome::Committed { seq, keys })
                }
                Verdict::Other(outcome) => (None, outcome),
            });
        }
        told.reverse();
        told
    }

    /// Takes in the next entry of the log, or all there is where its files have been compacted and deleted since.
    async fn follow(&mut self, entry: &Entry) -> Result<(), StoreError> {
        if entry.is_unclear {
            let before = self.files.others.clone();
            self.jump_to_head().await?;
            if self.files.others != before {
                self.files.others.warn(self.files.log.folder());
            }
            return Ok(());
        }
        match self.take_in(entry).await {
            Ok(()) => Ok(()),
            Err(fault) => self.jump_to_head().await.map_err(|_| fault),
        }
    }

    /// Takes in the next entry of the log, wholly or not at all.
    async fn take_in(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let mut rows = Vec::new();
        for file in entry.added.iter().filter(|file| file.seq.1 > self.ledger.seq) {
            rows.extend(self.files.read_whole(file, self.ledger.seq).await?);
        }
        self.replay(rows)?;
        self.files.note(entry);
        self.version += 1;
        Ok(())
    }

    /// Takes in everything up to the head as the log itself tells it, wholly or not at all.
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
        self.refuse_gap(&rows)?;
        for set in rows.chunk_by(|a, b| a.seq == b.seq) {
            self.ledger.replay(set)?;
        }
        Ok(())
    }

    /// Rows to replay next follow the head and each other without a gap.
    fn refuse_gap(&self, rows: &[Row]) -> Result<(), StoreError> {
        let mut last = self.ledger.seq;
        for row in rows {
            if row.seq > last + 1 {
                let what =
                    format!("seq {} follows seq {last}; what is between is missing", row.seq);
                return Err(StoreError::damaged("journal", what));
            }
            last = row.seq;
        }
        Ok(())
    }
}
