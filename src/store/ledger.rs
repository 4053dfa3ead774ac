//! The part of a store that is the same wherever the rows are kept: the state at the head, the order of sets, which
//! ids were seen, and what a set would become in the next place. Pure: the time and the salts come from the caller.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use chrono::TimeDelta;
use uuid::Uuid;

use super::error::StoreError;
use super::format::Format;
use super::journal::chain::broken;
use super::row::{Envelope, Hash, Row, Stream, next_chain};
use super::scope::in_every_scope;
use crate::domain::any::{AnyRecord, Slot};
use crate::domain::apply::{self, Conflict, Rejection, Rollback};
use crate::domain::id::{EntityId, PatchSetId, ProjectId};
use crate::domain::patch::{Op, PatchSet, Source};
use crate::domain::record::Entity;
use crate::domain::state::State;
use crate::domain::time::{Instant, rfc3339};
use crate::domain::violation::{Rule, Violation};

/// How long the id of a client's set is known to be the same set.
pub const ID_LIFETIME: TimeDelta = TimeDelta::days(7);
/// How far ahead of the store's clock a client's may be.
pub const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);
/// How far behind the last change a clock may be before it is told.
const BEHIND: TimeDelta = TimeDelta::days(1);
/// How long after the last change a clock may be before it is told: longer than most lakes rest.
const AHEAD: TimeDelta = TimeDelta::days(45);
/// How many of the last sets are remembered without looking at files.
const REMEMBERED: usize = 200_000;

/// The lake at the head, as a writer needs it.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub state: State,
    pub seq: u64,
    pub at: Instant,
    pub chain: Hash,
    format: Format,
    root: String,
    seen: HashMap<PatchSetId, Seen>,
    /// The sets of the inbox among those, by their events.
    requests: HashMap<[u8; 10], PatchSetId>,
    order: VecDeque<PatchSetId>,
}

/// A set that was committed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub seq: u64,
    /// Absent after an erase.
    pub request_hash: Option<Hash>,
}

/// What a set would be at the next place.
#[must_use]
#[derive(Debug)]
pub enum Proposal {
    /// It stands in the ledger now; it must be written, or taken back with [`Ledger::withdraw`].
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

    /// Starts with what belongs to every scope and no project at hand: what the tables say, the journal's rows of those
    /// entities since, and the journal's last row, which says where it ends.
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
        projects.into_iter().for_each(|project| self.state.put_away(project));
        if let Some(last) = last {
            self.advance(std::slice::from_ref(last), last.at);
        }
        Ok(())
    }

    /// Brings projects to hand: what their tables say, and the journal's rows since.
    pub fn bring(
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
            self.state.bring(project, records);
        }
        let concerned = |row: &&Row| {
            [row.project_id, row.left_project()]
                .iter()
                .flatten()
                .any(|project| projects.contains(project))
        };
        let replayed = rows.iter().filter(concerned).try_for_each(|row| match row.project_id {
            Some(project) if !projects.contains(&project) => {
                // It went to a project that is at hand as it is now, or not at all.
                self.state.remove(Slot {
                    entity: row.entity,
                    id: row.entity_id,
                    project: row.left_project(),
                });
                Ok(())
            }
            _ => self.replay_row(row),
        });
        if replayed.is_err() {
            // Half a project is none.
            projects.iter().for_each(|project| self.state.put_away(*project));
        }
        replayed
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
            StoreError::damaged("journal", "its first row, which says what the lake is, is missing")
        };
        self.state.lake.as_deref().ok_or_else(missing)
    }

    /// The time for a group committed now: never before the last change. One clock that was far ahead must not keep
    /// everybody from writing until then, so what follows it has its time; [`Self::odd_clock`] says so.
    pub fn time(&self, now: Instant) -> Instant {
        now.max(self.at)
    }

    /// What a person should know of a clock that shows another time than the last change: either of the two may be wrong.
    pub fn odd_clock(&self, now: Instant) -> Option<String> {
        let (head, shown) = (rfc3339(self.at), rfc3339(now));
        if self.at - now > BEHIND {
            return Some(format!(
                "the lake's last change is dated {head}, ahead of this machine's clock ({shown}), and changes are dated so until then; set this machine's clock if it is wrong; if that of the last change was, lakeplan restore-lake --at makes a lake as it was before"
            ));
        }
        (self.seq > 1 && now - self.at > AHEAD).then(|| {
            let days = (now - self.at).num_days();
            format!(
                "this machine's clock shows {shown}, {days} days after the lake's last change; if it is wrong, set it before you go on: later changes are dated no earlier than this one"
            )
        })
    }

    /// The set of this id among those remembered.
    pub fn seen(&self, id: PatchSetId) -> Option<Seen> {
        self.seen.get(&id).copied()
    }

    /// The lowest seq whose set is remembered; earlier ones are found in the files only.
    pub fn remembers_from(&self) -> u64 {
        self.order.front().and_then(|id| self.seen.get(id)).map_or(self.seq + 1, |seen| seen.seq)
    }

    /// What a client's id may not be; ids made from an event may be of any age, because they are always looked up.
    pub fn refuse_id(&self, set: &PatchSet, now: Instant) -> Option<Violation> {
        let from_event = matches!(set.source, Source::Sync | Source::Import | Source::Inbox);
        let fault = |message: String, hint: &str| {
            Some(Violation::new(0, Rule::Shape, message).field("id").hint(hint))
        };
        let Some(millis) = set.id.millis() else {
            return fault(
                format!("{} is no UUIDv7", set.id),
                "leave the id out to have one made; for a retry, send that of the first try again",
            );
        };
        let age = TimeDelta::milliseconds(now.timestamp_millis().saturating_sub(millis));
        if age > ID_LIFETIME && !from_event {
            return fault(
                format!("{} is from {} days ago; an id counts for 7", set.id, age.num_days()),
                "look at lakeplan history before sending it under a new id",
            );
        }
        if -age > CLOCK_SKEW {
            return fault(
                format!("{} is from the future, by {} s", set.id, -age.num_seconds()),
                "set the clock of the machine that made it",
            );
        }
        None
    }

    /// Judges a set for the next place and, where it may stand, puts it there. The projects it speaks of must be at
    /// hand.
    pub fn propose(
        &mut self,
        set: &PatchSet,
        earlier: Option<Seen>,
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
            set.scope().all(|project| self.state.is_whole(project)),
            "a project of the set is not at hand"
        );
        let applied = match apply::apply(&mut self.state, set, at) {
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
            stream: Stream::Work,
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
            applied.rollback.undo(&mut self.state);
            let message = format!(
                "the set brings {} MiB to the journal, at most {} are allowed",
                size >> 20,
                PatchSet::MAX_BYTES >> 20
            );
            return Proposal::Refused(vec![
                Violation::new(0, Rule::Cap, message).hint("split it into several sets"),
            ]);
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

    /// Takes the last accepted set back out.
    pub fn withdraw(&mut self, accepted: Accepted) -> Vec<Row> {
        let Undo { rollback, seq, at, chain, id } = accepted.undo;
        rollback.undo(&mut self.state);
        (self.seq, self.at, self.chain) = (seq, at, chain);
        self.forget(id);
        if self.order.back() == Some(&id) {
            self.order.pop_back();
        }
        accepted.rows
    }

    /// Takes in a set that another writer committed, or that stands in the journal being read. Refused where it does not
    /// follow the set before it.
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
        let left = row.left_project();
        let slot = Slot { entity: row.entity, id: row.entity_id, project: left.or(row.project_id) };
        if !in_every_scope(row.entity)
            && let Some(project) = row.project_id
        {
            let (from, to) =
                (left.is_none_or(|left| self.state.is_whole(left)), self.state.is_whole(project));
            if !to {
                // It has left for where nothing is at hand.
                self.state.remove(slot);
                return Ok(());
            }
            if !from {
                // What came is not known, so its new project is no longer whole.
                self.state.put_away(project);
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
            .insert(last.patch_set_id, Seen { seq: last.seq, request_hash: last.request_hash })
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

/// What is wrong with a request under an id that was committed before; `None` where it is a repeat of that one.
pub fn repeat(id: PatchSetId, request_hash: Hash, earlier: Seen) -> Option<Violation> {
    if earlier.request_hash.is_none_or(|hash| hash == request_hash) {
        return None;
    }
    let message = format!("{id} was committed as seq {} with another content", earlier.seq);
    Some(
        Violation::new(0, Rule::AlreadyExists, message)
            .field("id")
            .hint("give the new content a new id"),
    )
}

/// The keys of the projects and tasks a set created or took into another project.
fn keys_given(rows: &[Row], state: &State) -> Vec<(Uuid, String)> {
    let named = rows.iter().filter(|row| {
        matches!(
            (row.entity, row.op),
            (Entity::Task | Entity::Project, Op::Create) | (Entity::Task, Op::Move)
        )
    });
    let mut keys: Vec<(Uuid, String)> = named
        .filter_map(|row| {
            let slot = Slot { entity: row.entity, id: row.entity_id, project: row.project_id };
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
