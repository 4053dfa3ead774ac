//! Applies a patch set to a state, all or nothing. A refusal gives every reason at once.
//!
//! Decisions, each with a test in `tests/it/domain`:
//! - Patches are checked in order, and each sees the effects of the ones before it. A patch that
//!   fails is skipped so that the rest is checked too; references to records that it would have
//!   created are not reported again.
//! - Dependencies are checked once, after the whole set is applied: a set may pass through a cycle
//!   but not end in one. Besides cycles among the links themselves, a cycle through parents is
//!   refused (a subtask of A waits for B, a subtask of B waits for A).
//! - A deleted record can be updated: it keeps the edit and stays deleted. It cannot be moved,
//!   linked or given children.
//! - A delete also deletes the branch, its links and its requirement links, under the id of the
//!   set. A restore brings back what that set deleted there, except links whose other end is
//!   deleted.
//! - Links from other projects to a deleted task are deleted and restored with it.
//! - A later patch of a set finds a record at the location to which an earlier one moved it.
//! - The first set that a binary of an earlier format would misread raises the lake's format.
//! - Every patch makes at least one change or is refused. An update to the current values and a
//!   move to the current place make a change without fields. Parts that an op does not use (fields,
//!   place, expect) are refused.
//! - Live projects have different sources. A project is restored without its source if another live
//!   project has that source.
//! - A task that moves to another project takes its branch with it, under new keys; the old keys
//!   still find the tasks. A dependency that would cross projects refuses the move; links to
//!   requirements of the old project are deleted.

mod create;
mod erase;
mod fields;
mod format;
mod graph;
mod link;
pub mod patch_preview;
pub mod reach;
mod relocate;
mod remove;
mod sync;
mod update;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use uuid::Uuid;

use super::any_record::{AnyRecord, RecordKey};
use super::change::Change;
use super::hint::Hint;
use super::id::{ProjectId, TaskId, TaskLinkId};
use super::patch::{Op, Patch, PatchSet, Source};
use super::record::{Entity, Fields, Stream};
use super::state::{ProjectState, State};
use super::sync_state::SyncState;
use super::task::Task;
use super::time::Instant;
use super::value::{FieldValue, InvalidValue};
use super::violation::{Rule, Violation};

/// Applied patch set: the changes for the journal, and the rollback in case another writer takes
/// the log version.
#[must_use = "a set that was applied must be written or rolled back"]
#[derive(Debug)]
pub struct Applied {
    pub changes: Vec<Change>,
    pub rollback: Rollback,
}

/// Reverts an applied set in the state.
#[must_use = "dropping a rollback keeps what it would undo"]
#[derive(Debug, Default)]
pub struct Rollback(Vec<(RecordKey, Option<AnyRecord>)>);

impl Rollback {
    /// Reverts the changes of a set that was applied with [`apply`].
    pub fn undo(self, state: &mut State) {
        self.undo_with(state, None);
    }

    /// Reverts the changes of a set that was applied with [`apply_with`].
    pub fn undo_with(self, state: &mut State, mut sync: Option<&mut SyncState>) {
        for (slot, old) in self.0.into_iter().rev() {
            if slot.entity.stream() == Stream::Sync {
                match (sync.as_deref_mut(), old) {
                    (Some(sync), Some(old)) => sync.put(old),
                    (Some(sync), None) => sync.remove(slot.entity, slot.id),
                    (None, _) => {}
                }
                continue;
            }
            // Removing a project removes everything in it, so a record whose location is unchanged
            // is only replaced.
            if old.as_ref().map(AnyRecord::record_key) != Some(slot) {
                state.remove(slot);
            }
            if let Some(old) = old {
                state.put(old);
            }
        }
    }
}

/// Value that a patch expected and the record does not have.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    pub patch: usize,
    pub entity: Entity,
    pub id: Uuid,
    pub field: String,
    pub expected: Value,
    pub theirs: Value,
}

/// Reason why a set was not applied; the state is unchanged.
#[derive(Clone, Debug, PartialEq)]
pub enum Rejection {
    Refused(Vec<Violation>),
    Conflicted(Conflict),
}

/// Applies `set` to `state` as a change made at `at`. Refuses patches of records of the stream
/// `sync`.
pub fn apply(state: &mut State, set: &PatchSet, at: Instant) -> Result<Applied, Rejection> {
    apply_with(state, None, set, at)
}

/// Applies `set` to `state` and to the records of the stream `sync` as a change made at `at`.
/// Without these records, refuses patches of them.
pub fn apply_with(
    state: &mut State,
    sync: Option<&mut SyncState>,
    set: &PatchSet,
    at: Instant,
) -> Result<Applied, Rejection> {
    let mut applier = Applier {
        state,
        sync,
        set,
        at,
        marks: Marks::of(set, at),
        patch: 0,
        changes: Vec::with_capacity(set.patches.len()),
        rollback: Rollback::default(),
        violations: Vec::new(),
        conflict: None,
        scope: set.scope().collect(),
        failed: BTreeSet::new(),
        graphs: BTreeMap::new(),
        linked: BTreeMap::new(),
    };
    if set.patches.is_empty() {
        applier.refuse(Violation::new(0, Rule::Shape, "the set has no patches"));
    }
    for (index, patch) in set.patches.iter().enumerate() {
        applier.patch = index;
        applier.apply_patch(patch);
        if applier.changes.len() > PatchSet::MAX_CHANGES {
            applier.refuse(
                Violation::new(
                    index,
                    Rule::Cap,
                    format!("the set makes more than {} changes", PatchSet::MAX_CHANGES),
                )
                .hint("split it into several sets"),
            );
            break;
        }
    }
    applier.raise_format();
    applier.check_graphs();
    let Applier { changes, rollback, violations, conflict, state, sync, .. } = applier;
    let rejection = match (violations.is_empty(), conflict) {
        (true, None) => return Ok(Applied { changes, rollback }),
        (true, Some(conflict)) => Rejection::Conflicted(conflict),
        (false, _) => Rejection::Refused(violations),
    };
    rollback.undo_with(state, sync);
    Err(rejection)
}

/// State of an apply in progress.
struct Applier<'a> {
    state: &'a mut State,
    /// Records of the stream `sync`, if the set may change them.
    sync: Option<&'a mut SyncState>,
    set: &'a PatchSet,
    at: Instant,
    marks: Marks,
    patch: usize,
    changes: Vec<Change>,
    rollback: Rollback,
    violations: Vec<Violation>,
    conflict: Option<Conflict>,
    /// Projects that the set refers to.
    scope: BTreeSet<ProjectId>,
    /// Ids that failed patches would have created.
    failed: BTreeSet<Uuid>,
    /// Projects whose dependencies are checked at the end, with the patch that last touched each.
    graphs: BTreeMap<ProjectId, usize>,
    /// Dependencies that this set creates, with the patch of each.
    linked: BTreeMap<TaskLinkId, usize>,
}

/// Values that each change of the set writes to its record.
struct Marks {
    at: Value,
    actor: Value,
    set: Value,
}

impl Marks {
    fn of(set: &PatchSet, at: Instant) -> Self {
        Self { at: at.json(), actor: set.actor.json(), set: set.id.json() }
    }
}

/// The step failed; the reason is already in `violations`.
struct Failed;

type ApplyResult<T = ()> = Result<T, Failed>;

impl Applier<'_> {
    /// Applies one patch. Refuses a patch that changed nothing and has no violation, so that it is
    /// not lost silently.
    fn apply_patch(&mut self, patch: &Patch) {
        let changes = self.changes.len();
        let done = self.step(patch);
        let is_reported = match done {
            Ok(()) => self.changes.len() > changes,
            Err(Failed) => !self.violations.is_empty(),
        };
        if !is_reported {
            let message = format!("{} of a {} changes nothing", patch.op, patch.entity.noun());
            self.refuse(Violation::new(self.patch, Rule::Operation, message).field("op"));
        }
        if done.is_err() {
            self.failed.insert(patch.id);
        }
    }

    fn step(&mut self, patch: &Patch) -> ApplyResult {
        self.check_used(patch)?;
        self.check_expectations(patch);
        if patch.entity.stream() == Stream::Sync {
            return self.apply_sync(patch);
        }
        match (patch.op, patch.entity) {
            (Op::Create, Entity::Project) => self.create_project(patch),
            (Op::Create, Entity::Task) => self.create_task(patch),
            (Op::Create, Entity::User) => self.create_user(patch),
            (Op::Create, Entity::Requirement) => self.create_requirement(patch),
            (Op::Create, Entity::Lake) => self.create_lake(patch),
            (Op::Link, Entity::TaskLink) => self.link_tasks(patch),
            (Op::Link, Entity::TaskRequirement) => self.link_requirement(patch),
            (Op::Update, _) => self.update(patch),
            (Op::Move, Entity::Task) => self.relocate(patch),
            (Op::Delete, Entity::Project | Entity::Task | Entity::User | Entity::Requirement) => {
                self.delete(patch)
            }
            (Op::Unlink, Entity::TaskLink | Entity::TaskRequirement) => self.delete(patch),
            (Op::Restore, entity) if entity != Entity::Lake => self.restore(patch),
            (Op::Erase, _) if self.set.source == Source::Maintenance => self.erase(patch),
            (op, entity) => {
                let message = format!("a {} cannot be the object of {op}", entity.noun());
                let hint = match (op, entity) {
                    (Op::Create, _) => Hint::advice("links are made with op link"),
                    (Op::Delete, _) => Hint::advice("links are ended with op unlink"),
                    (Op::Move, _) => Hint::advice("only tasks move; use op update"),
                    (Op::Erase, _) => Hint::EraseRecord,
                    _ => Hint::advice("see the patch set schema"),
                };
                self.fail(
                    Violation::new(self.patch, Rule::Operation, message).field("op").hint(hint),
                )
            }
        }
    }

    /// Refuses parts of a patch that its op does not use.
    fn check_used(&mut self, patch: &Patch) -> ApplyResult {
        let known = self.violations.len();
        let is_placed = matches!((patch.op, patch.entity), (Op::Create | Op::Move, Entity::Task));
        if patch.place.is_some() && !is_placed {
            let message = "only a created or moved task has a place among its siblings";
            self.refuse(Violation::new(self.patch, Rule::Operation, message).field("place"));
        }
        if matches!(patch.op, Op::Create | Op::Link) && !patch.expect.is_empty() {
            let message =
                format!("{} makes something new, so there is no value to expect", patch.op);
            self.refuse(Violation::new(self.patch, Rule::Operation, message).field("expect"));
        }
        if matches!(patch.op, Op::Delete | Op::Unlink | Op::Restore) && !patch.fields.is_empty() {
            let message = format!("{} takes no fields", patch.op);
            self.refuse(Violation::new(self.patch, Rule::Operation, message).field("fields"));
        }
        if self.violations.len() > known { Err(Failed) } else { Ok(()) }
    }

    /// Compares the expected values of a patch with the current ones. Each is first converted to
    /// what its field holds, because a value can be written in several ways.
    fn check_expectations(&mut self, patch: &Patch) {
        for (field, expected) in &patch.expect {
            let Some(record) = self.find(patch) else { continue };
            let place = format!("expect.{field}");
            let Some(theirs) = record.get(field) else {
                let err =
                    Violation::new(self.patch, Rule::UnknownField, "cannot have an expected value");
                self.refuse(err.field(place));
                continue;
            };
            match as_held(patch, field, expected) {
                Err(invalid) => {
                    self.refuse(Violation::new(self.patch, Rule::Value, invalid.0).field(place))
                }
                Ok(held) if held != theirs && self.conflict.is_none() => {
                    self.conflict = Some(Conflict {
                        patch: self.patch,
                        entity: patch.entity,
                        id: patch.id,
                        field: field.clone(),
                        expected: expected.clone(),
                        theirs,
                    });
                }
                Ok(_) => {}
            }
        }
    }

    fn refuse(&mut self, violation: Violation) {
        self.violations.push(violation);
    }

    fn fail<T>(&mut self, violation: Violation) -> ApplyResult<T> {
        self.refuse(violation);
        Err(Failed)
    }

    /// Fails because a reference leads nowhere. Adds no violation if an earlier patch's failure is
    /// the cause.
    fn lost<T>(&mut self, id: Uuid, violation: Violation) -> ApplyResult<T> {
        if !self.failed.contains(&id) {
            self.refuse(violation);
        }
        Err(Failed)
    }

    /// Returns the record with the patch's id, from the project that the patch names or the one to
    /// which an earlier patch moved it.
    fn find(&self, patch: &Patch) -> Option<AnyRecord> {
        let slot = RecordKey { entity: patch.entity, id: patch.id, project: patch.project };
        let moved = || {
            // Only the projects in the scope of the set are loaded wherever the set is checked.
            let project = self
                .state
                .home(patch.entity, patch.id)
                .filter(|project| self.scope.contains(project));
            self.state.get(RecordKey { project: Some(project?), ..slot })
        };
        self.record(slot).or_else(moved).filter(|record| record.id() == patch.id)
    }

    /// Returns the record at a location.
    fn record(&self, slot: RecordKey) -> Option<AnyRecord> {
        match slot.entity.stream() {
            Stream::Work => self.state.get(slot),
            Stream::Sync => self.sync.as_ref()?.get(slot.entity, slot.id).cloned(),
        }
    }

    /// Returns the record that the patch changes.
    fn target(&mut self, patch: &Patch) -> ApplyResult<AnyRecord> {
        match self.find(patch) {
            Some(record) => Ok(record),
            None => {
                let message = format!("there is no {} {}", patch.entity.noun(), patch.id);
                self.lost(
                    patch.id,
                    Violation::new(self.patch, Rule::UnknownReference, message).field("id"),
                )
            }
        }
    }

    fn project(&mut self, id: ProjectId) -> ApplyResult<&ProjectState> {
        // Looked up twice, because the borrow of the first lookup would extend into the failure.
        let live = self
            .state
            .project(id)
            .and_then(ProjectState::project)
            .map(|project| project.deleted_at.is_none());
        match live {
            Some(true) => self.state.project(id).ok_or(Failed),
            Some(false) => self.fail(
                Violation::new(self.patch, Rule::Deleted, format!("project {id} is deleted"))
                    .field("project_id"),
            ),
            None => {
                let err = Violation::new(
                    self.patch,
                    Rule::UnknownReference,
                    format!("there is no project {id}"),
                );
                self.lost(super::id::EntityId::uuid(id), err.field("project_id"))
            }
        }
    }

    /// Returns a live task of a project; `field` holds the reference.
    fn live_task(
        &mut self,
        project: ProjectId,
        id: TaskId,
        field: &str,
    ) -> ApplyResult<std::sync::Arc<Task>> {
        match self.state.project(project).and_then(|project| project.task(id)).cloned() {
            Some(task) if task.is_live() => Ok(task),
            Some(task) => {
                let err =
                    Violation::new(self.patch, Rule::Deleted, format!("{} is deleted", task.key));
                let hint = Hint::RestoreTask { key: task.key.clone() };
                self.fail(err.field(field).hint(hint))
            }
            None => {
                let message = format!("there is no task {id} in the project");
                let err = Violation::new(self.patch, Rule::UnknownReference, message).field(field);
                self.lost(super::id::EntityId::uuid(id), err)
            }
        }
    }

    /// Stamps a record, puts it into the state and adds the change. `from` is its previous
    /// location, if any.
    fn write(&mut self, op: Op, mut record: AnyRecord, from: Option<RecordKey>) {
        let old = from.and_then(|slot| self.record(slot));
        if old.as_ref() != Some(&record) {
            self.stamp(&mut record, old.is_none());
        }
        let (before, after) = match &old {
            Some(old) => record.diff(old),
            None => (Fields::new(), record.to_fields()),
        };
        let slot = record.record_key();
        if let Some(from) = from.filter(|from| *from != slot) {
            self.state.remove(from);
        }
        self.changes.push(Change {
            entity: slot.entity,
            id: slot.id,
            project: slot.project,
            op,
            before,
            after,
        });
        match &mut self.sync {
            Some(sync) if slot.entity.stream() == Stream::Sync => sync.put(record),
            _ => self.state.put(record),
        }
        self.rollback.0.push((slot, old));
    }

    fn stamp(&self, record: &mut AnyRecord, is_new: bool) {
        let Marks { at, actor, .. } = &self.marks;
        let stamps =
            [("updated_at", at), ("updated_by", actor), ("created_at", at), ("created_by", actor)];
        for (field, value) in stamps.into_iter().take(if is_new { 4 } else { 2 }) {
            // The lake has no creator; every other record has all four fields.
            let _ = record.set(field, value);
        }
    }

    fn touch_graph(&mut self, project: ProjectId) {
        self.graphs.insert(project, self.patch);
    }
}

/// Converts an expected value to what its field holds. Accepts a value from an earlier version that
/// authors may no longer write, if it is written as the lake writes it.
fn as_held(patch: &Patch, field: &str, expected: &Value) -> Result<Value, InvalidValue> {
    let mut record = AnyRecord::empty(patch.entity, patch.id);
    let Err(invalid) = record.set(field, expected) else {
        return Ok(record.get(field).unwrap_or_default());
    };
    let stored = record.restore(field, expected).is_ok().then(|| record.get(field)).flatten();
    stored.filter(|stored| stored == expected).ok_or(invalid)
}
