//! The storage-independent part of a store: the state at the head, the order of sets, the known
//! ids, and the result of applying a set at the next seq. It is pure: the caller provides the time
//! and the salts.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use chrono::TimeDelta;
use uuid::Uuid;

use crate::domain::any_record::{AnyRecord, RecordKey};
use crate::domain::apply::{self, Conflict, Rejection, Rollback};
use crate::domain::hint::Hint;
use crate::domain::id::{EntityId, PatchSetId, ProjectId};
use crate::domain::patch::{Op, PatchSet, Source};
use crate::domain::record::Entity;
use crate::domain::state::State;
use crate::domain::sync_state::SyncState;
use crate::domain::time::{Instant, rfc3339};
use crate::domain::violation::{Rule, Violation};
use crate::store::error::StoreError;
use crate::store::format::Format;
use crate::store::journal::chain::broken;
use crate::store::row::{Envelope, Hash, Row, Stream, next_chain};
use crate::store::scope::in_every_scope;

/// Time for which the id of a client's set identifies the same set.
pub const ID_LIFETIME: TimeDelta = TimeDelta::days(7);
/// Maximum lead of a client's clock over the store's.
pub const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);
/// Lag of a clock behind the last change above which a warning is logged.
const BEHIND: TimeDelta = TimeDelta::days(1);
/// Lead of a clock over the last change above which a warning is logged: longer than most lakes
/// rest.
const AHEAD: TimeDelta = TimeDelta::days(45);
/// Number of latest sets that are remembered without looking at files.
const REMEMBERED: usize = 200_000;

/// The lake at the head, as needed by a writer.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub state: State,
    /// Records of the stream `sync`; `None` until somebody asks for them.
    pub sync: Option<SyncState>,
    pub seq: u64,
    pub at: Instant,
    pub chain: Hash,
    format: Format,
    root: String,
    seen: HashMap<PatchSetId, CommittedSet>,
    /// The sets of the inbox among those, by their events.
    requests: HashMap<[u8; 10], PatchSetId>,
    order: VecDeque<PatchSetId>,
}

/// A set that was committed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommittedSet {
    pub seq: u64,
    /// Absent after an erase.
    pub request_hash: Option<Hash>,
}

/// Clock that is far from the lake's last change: either may be wrong.
#[derive(Clone, Copy, Debug)]
pub enum OddClock {
    Behind { shows: Instant, head: Instant },
    Ahead { shows: Instant, head: Instant },
}

/// Result of applying a set at the next seq.
#[must_use]
#[derive(Debug)]
pub enum Proposal {
    /// The set is in the ledger now; it must be written, or removed with [`Ledger::rollback`].
    Accepted(Accepted),
    Repeat {
        seq: u64,
        id: PatchSetId,
    },
    Refused(Vec<Violation>),
    Conflicted(Conflict),
}

#[derive(Debug)]
pub struct Accepted {
    pub rows: Vec<Row>,
    pub keys: Vec<(Uuid, String)>,
    undo: Undo,
}

#[derive(Debug)]
struct Undo {
    rollback: Rollback,
    seq: u64,
    at: Instant,
    chain: Hash,
    id: PatchSetId,
}

impl Ledger {
    pub fn new(format: Format, root: impl Into<String>) -> Self {
        Self {
            state: State::default(),
            sync: None,
            seq: 0,
            at: Instant::default(),
            chain: [0; 32],
            format,
            root: root.into(),
            seen: HashMap::new(),
            requests: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// Starts with the data of every scope and no project loaded, from the tables, the journal's
    /// rows of those entities since, and the journal's last row, which states its end.
    pub fn outline(
        &mut self,
        records: impl Iterator<Item = AnyRecord>,
        rows: &[Row],
        last: Option<&Row>,
    ) -> Result<(), StoreError> {
        records.for_each(|record| self.state.put(record));
        rows.iter().try_for_each(|row| self.replay_row(row))?;
        let projects: Vec<ProjectId> =
            self.state.projects().filter_map(|found| Some(found.project()?.id)).collect();
        projects.into_iter().for_each(|project| self.state.evict(project));
        if let Some(last) = last {
            self.advance(std::slice::from_ref(last), last.at);
        }
        Ok(())
    }

    /// Loads projects from their tables and the journal's rows since.
    pub fn load(
        &mut self,
        projects: &BTreeSet<ProjectId>,
        records: impl Iterator<Item = AnyRecord>,
        rows: &[Row],
    ) -> Result<(), StoreError> {
        let mut own: BTreeMap<ProjectId, Vec<AnyRecord>> =
            projects.iter().map(|project| (*project, Vec::new())).collect();
        for record in records {
            if let Some(records) = record.project().and_then(|project| own.get_mut(&project)) {
                records.push(record);
            }
        }
        for (project, records) in own {
            self.state.load(project, records);
        }
        let concerned = |row: &&Row| {
            [row.project_id, row.source_project()]
                .iter()
                .flatten()
                .any(|project| projects.contains(project))
        };
        let replayed = rows.iter().filter(concerned).try_for_each(|row| match row.project_id {
            Some(project) if !projects.contains(&project) => {
                // The record moved to a project that is loaded in its current state, or not loaded.
                self.state.remove(RecordKey {
                    entity: row.entity,
                    id: row.entity_id,
                    project: row.source_project(),
                });
                Ok(())
            }
            _ => self.replay_row(row),
        });
        if replayed.is_err() {
            // A partly loaded project must not be used.
            projects.iter().for_each(|project| self.state.evict(*project));
        }
        replayed
    }

    /// Loads the records of the stream `sync` from their tables and the journal's rows since.
    pub fn load_sync(
        &mut self,
        records: impl IntoIterator<Item = AnyRecord>,
        rows: &[Row],
    ) -> Result<(), StoreError> {
        let mut sync = SyncState::default();
        records.into_iter().for_each(|record| sync.put(record));
        rows.iter().try_for_each(|row| replay_sync(&self.format, &mut sync, row))?;
        self.sync = Some(sync);
        Ok(())
    }

    pub fn root(&self) -> &str {
        &self.root
    }

    pub fn may_read(&self) -> Result<(), StoreError> {
        self.format.may_read(self.lake()?, &self.root)
    }

    pub fn may_write(&self) -> Result<(), StoreError> {
        self.format.may_write(self.lake()?, &self.root)
    }

    fn lake(&self) -> Result<&crate::domain::lake::Lake, StoreError> {
        let missing = || {
            StoreError::damaged("journal", "its first row, which describes the lake, is missing")
        };
        self.state.lake.as_deref().ok_or_else(missing)
    }

    /// Returns the time for a group committed now: never before the last change. One clock that was
    /// far ahead must not block all writers until that time, so later changes get the last change's
    /// time; [`Self::odd_clock`] reports it.
    pub fn time(&self, now: Instant) -> Instant {
        now.max(self.at)
    }

    /// Returns the clock if it is far from the last change.
    pub fn odd_clock(&self, now: Instant) -> Option<OddClock> {
        if self.at - now > BEHIND {
            return Some(OddClock::Behind { shows: now, head: self.at });
        }
        (self.seq > 1 && now - self.at > AHEAD)
            .then_some(OddClock::Ahead { shows: now, head: self.at })
    }

    /// Returns the set with this id, if it is remembered.
    pub fn seen(&self, id: PatchSetId) -> Option<CommittedSet> {
        self.seen.get(&id).copied()
    }

    /// Returns the lowest seq whose set is remembered; earlier ones are only in the files.
    pub fn remembers_from(&self) -> u64 {
        self.order.front().and_then(|id| self.seen.get(id)).map_or(self.seq + 1, |seen| seen.seq)
    }

    /// Checks the age of a client's id. Ids made from an event may have any age, because they are
    /// always looked up.
    pub fn check_id(&self, set: &PatchSet, now: Instant) -> Option<Violation> {
        let from_event = matches!(set.source, Source::Sync | Source::Import | Source::Inbox);
        let err = |message: String, hint: Hint| {
            Some(Violation::new(0, Rule::Shape, message).field("id").hint(hint))
        };
        let Some(millis) = set.id.millis() else {
            return err(
                format!("{} is no UUIDv7", set.id),
                "omit the id to have one generated; for a retry, send the id of the first attempt"
                    .into(),
            );
        };
        let age = TimeDelta::milliseconds(now.timestamp_millis().saturating_sub(millis));
        if age > ID_LIFETIME && !from_event {
            return err(
                format!("{} is {} days old; an id is valid for 7", set.id, age.num_days()),
                Hint::CheckHistory,
            );
        }
        if -age > CLOCK_SKEW {
            return err(
                format!("{} is in the future, by {} s", set.id, -age.num_seconds()),
                "set the clock of the machine that made it".into(),
            );
        }
        None
    }

    /// Evaluates a set for the next seq and, if it is valid, applies it. The projects that it names
    /// must be loaded.
    pub fn try_apply(
        &mut self,
        set: &PatchSet,
        earlier: Option<CommittedSet>,
        at: Instant,
        salt: impl FnMut() -> [u8; 16],
    ) -> Proposal {
        if let Some(earlier) = self.seen(set.id).or(earlier) {
            return match repeat(set.id, set.request_hash, earlier) {
                None => Proposal::Repeat { seq: earlier.seq, id: set.id },
                Some(violation) => Proposal::Refused(vec![violation]),
            };
        }
        if set.source == Source::Inbox
            && let Some(id) = self.requests.get(&set.id.event())
            && let Some(seen) = self.seen(*id)
        {
            return Proposal::Repeat { seq: seen.seq, id: *id };
        }
        debug_assert!(
            set.scope().all(|project| self.state.is_loaded(project)),
            "a project of the patch set is not loaded"
        );
        let format = self.state.lake.as_ref().map(|lake| lake.format_writer);
        let applied = match apply::apply_with(&mut self.state, self.sync.as_mut(), set, at) {
            Ok(applied) => applied,
            Err(Rejection::Refused(violations)) => return Proposal::Refused(violations),
            Err(Rejection::Conflicted(conflict)) => return Proposal::Conflicted(conflict),
        };
        let envelope = Envelope {
            seq: self.seq + 1,
            patch_set_id: set.id,
            request_hash: set.request_hash,
            v: self.format.current(),
            actor: set.actor.as_str(),
            source: set.source,
            reason: set.reason.as_ref().map(|reason| reason.as_str()),
            at,
        };
        let rows = Row::chain_set(&envelope, &applied.changes, self.chain, salt);
        let size: usize = rows
            .iter()
            .map(|row| {
                row.before.as_ref().map_or(0, String::len)
                    + row.after.as_ref().map_or(0, String::len)
            })
            .sum();
        if size > PatchSet::MAX_BYTES {
            applied.rollback.undo_with(&mut self.state, self.sync.as_mut());
            let message = format!(
                "the set adds {} MiB to the journal; at most {} are allowed",
                size >> 20,
                PatchSet::MAX_BYTES >> 20
            );
            return Proposal::Refused(vec![
                Violation::new(0, Rule::Cap, message).hint("split it into several sets"),
            ]);
        }
        let raised = self.state.lake.as_ref().map(|lake| lake.format_writer);
        if let (Some(from), Some(to)) = (format, raised)
            && from < to
        {
            tracing::warn!(
                "the change raises the lake from format {from} to {to}; older versions of lakeplan can no longer open it"
            );
        }
        let undo = Undo {
            rollback: applied.rollback,
            seq: self.seq,
            at: self.at,
            chain: self.chain,
            id: set.id,
        };
        let keys = keys_given(&rows, &self.state);
        self.advance(&rows, at);
        Proposal::Accepted(Accepted { rows, keys, undo })
    }

    /// Removes the last accepted set.
    pub fn rollback(&mut self, accepted: Accepted) -> Vec<Row> {
        let Undo { rollback, seq, at, chain, id } = accepted.undo;
        rollback.undo_with(&mut self.state, self.sync.as_mut());
        (self.seq, self.at, self.chain) = (seq, at, chain);
        self.forget(id);
        if self.order.back() == Some(&id) {
            self.order.pop_back();
        }
        accepted.rows
    }

    /// Applies a set of another writer, or of the journal being read. Fails if it does not follow
    /// the set before it.
    pub fn replay(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        if let Some(last) = rows.last()
            && last.chain != Some(next_chain(self.chain, rows.iter().map(|row| row.digest)))
        {
            return Err(broken(last.seq));
        }
        for row in rows {
            self.replay_row(row)?;
        }
        if let Some(last) = rows.last() {
            self.advance(rows, last.at);
        }
        Ok(())
    }

    fn replay_row(&mut self, row: &Row) -> Result<(), StoreError> {
        if row.stream == Stream::Sync {
            let Some(sync) = &mut self.sync else { return Ok(()) };
            return replay_sync(&self.format, sync, row);
        }
        let left = row.source_project();
        let slot =
            RecordKey { entity: row.entity, id: row.entity_id, project: left.or(row.project_id) };
        if !in_every_scope(row.entity)
            && let Some(project) = row.project_id
        {
            let (from, to) =
                (left.is_none_or(|left| self.state.is_loaded(left)), self.state.is_loaded(project));
            if !to {
                // The record moved to a project that is not loaded.
                self.state.remove(slot);
                return Ok(());
            }
            if !from {
                // The record that moved in is not known, so its new project is incomplete.
                self.state.evict(project);
                return Ok(());
            }
        }
        let Some(record) = self.format.replay(row, self.state.get(slot))? else { return Ok(()) };
        if left.is_some() && left != row.project_id {
            self.state.remove(slot);
        }
        self.state.put(record);
        Ok(())
    }

    fn advance(&mut self, rows: &[Row], at: Instant) {
        let Some(last) = rows.last() else { return };
        self.seq = last.seq;
        self.at = at.max(self.at);
        self.chain = last.chain.unwrap_or(self.chain);
        if last.source == Source::Inbox {
            self.requests.entry(last.patch_set_id.event()).or_insert(last.patch_set_id);
        }
        if self
            .seen
            .insert(
                last.patch_set_id,
                CommittedSet { seq: last.seq, request_hash: last.request_hash },
            )
            .is_none()
        {
            self.order.push_back(last.patch_set_id);
        }
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.forget(oldest);
            }
        }
    }

    fn forget(&mut self, id: PatchSetId) {
        self.seen.remove(&id);
        if self.requests.get(&id.event()) == Some(&id) {
            self.requests.remove(&id.event());
        }
    }
}

impl OddClock {
    pub fn warn(self) {
        match self {
            Self::Behind { shows, head } => tracing::warn!(
                "the lake's last change is dated {}, ahead of this machine's clock ({}), and changes get that date until then; if this machine's clock is wrong, set it; if the clock of the last change was wrong, lakeplan restore-lake --at creates a lake from before it",
                rfc3339(head),
                rfc3339(shows)
            ),
            Self::Ahead { shows, head } => tracing::warn!(
                "this machine's clock shows {}, {} days after the lake's last change; if it is wrong, set it before you go on: later changes are dated no earlier than this one",
                rfc3339(shows),
                (shows - head).num_days()
            ),
        }
    }
}

/// Returns the violation of a request that reuses a committed id; `None` if it repeats the same
/// request.
pub fn repeat(id: PatchSetId, request_hash: Hash, earlier: CommittedSet) -> Option<Violation> {
    if earlier.request_hash.is_none_or(|hash| hash == request_hash) {
        return None;
    }
    let message = format!("{id} was committed as seq {} with different content", earlier.seq);
    Some(
        Violation::new(0, Rule::AlreadyExists, message)
            .field("id")
            .hint("use a new id for the new content"),
    )
}

/// Applies a row of the stream `sync` to its record.
fn replay_sync(format: &Format, sync: &mut SyncState, row: &Row) -> Result<(), StoreError> {
    let before = sync.get(row.entity, row.entity_id).cloned();
    if let Some(record) = format.replay(row, before)? {
        sync.put(record);
    }
    Ok(())
}

/// Returns the keys of the projects and tasks that a set created or moved into another project.
fn keys_given(rows: &[Row], state: &State) -> Vec<(Uuid, String)> {
    let named = rows.iter().filter(|row| {
        matches!(
            (row.entity, row.op),
            (Entity::Task | Entity::Project, Op::Create) | (Entity::Task, Op::Move)
        )
    });
    let mut keys: Vec<(Uuid, String)> = named
        .filter_map(|row| {
            let slot = RecordKey { entity: row.entity, id: row.entity_id, project: row.project_id };
            match state.get(slot)? {
                AnyRecord::Task(task) => Some((task.id.uuid(), task.key.to_string())),
                AnyRecord::Project(project) => Some((project.id.uuid(), project.key.to_string())),
                _ => None,
            }
        })
        .collect();
    let mut seen = HashSet::new();
    keys.retain(|(id, _)| seen.insert(*id));
    keys
}
