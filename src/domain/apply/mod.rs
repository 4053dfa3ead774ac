//! Applying a patch set to a state: all of it or nothing, with every reason for a refusal at once.
//!
//! Decisions, each with a test in `tests/it/domain`:
//! - Patches are judged in order, each seeing what the ones before it did. A patch that fails is passed over, so that
//!   the rest is judged too; references to what it would have created are not reported a second time.
//! - Dependencies are judged once, when the whole set stands: a set may pass through a cycle, not end in one. Besides
//!   cycles among the links themselves, a cycle through parents is refused (A's part waits for B, B's part for A).
//! - A deleted record can be updated: it keeps the edit and stays deleted. It cannot be moved, linked or built on.
//! - A delete takes the branch, its links and its answers with it, under the id of the set; restore brings back what
//!   that set deleted there, except links whose other end is gone.
//! - Links from other projects that lead to a deleted task end and come back with it.
//! - A later patch of a set finds a record where an earlier one has put it.
//! - Every patch makes at least one change or is refused. An update to the values that stand and a move to where the task
//!   stands make a change without fields. What an op does not take (fields, place, expect) is refused.
//! - Living projects have different sources. A project that is restored while another one has its source comes back
//!   without a source.
//! - A task moved to another project takes its branch along under new keys; the old keys still find it. Dependencies
//!   that would cross projects refuse the move, answers to the old project's requirements end.

mod create;
mod erase;
mod fields;
pub mod foresight;
mod graph;
mod link;
pub mod reach;
mod relocate;
mod remove;
mod update;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use uuid::Uuid;

use super::any::{AnyRecord, Slot};
use super::change::Change;
use super::id::{ProjectId, TaskId, TaskLinkId};
use super::patch::{Op, Patch, PatchSet, Source};
use super::record::{Entity, Fields};
use super::state::{ProjectState, State};
use super::task::Task;
use super::time::Instant;
use super::value::{FieldValue, Misfit};
use super::violation::{Rule, Violation};

/// A set that was applied: what the journal writes, and the way back should the slot be lost.
#[must_use = "a set that was applied must be written or rolled back"]
#[derive(Debug)]
pub struct Applied {
    pub changes: Vec<Change>,
    pub rollback: Rollback,
}

/// Takes an applied set out of the state again.
#[must_use = "dropping a rollback keeps what it would undo"]
#[derive(Debug, Default)]
pub struct Rollback(Vec<(Slot, Option<AnyRecord>)>);

impl Rollback {
    pub fn undo(self, state: &mut State) {
        for (slot, old) in self.0.into_iter().rev() {
            // Removing a project takes everything in it along, so a record that goes back to its place is only replaced.
            if old.as_ref().map(AnyRecord::slot) != Some(slot) {
                state.remove(slot);
            }
            if let Some(old) = old {
                state.put(old);
            }
        }
    }
}

/// A value that a patch expected to stand, and does not.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    pub patch: usize,
    pub entity: Entity,
    pub id: Uuid,
    pub field: String,
    pub expected: Value,
    pub theirs: Value,
}

/// Why a set was not applied; the state is as it was.
#[derive(Clone, Debug, PartialEq)]
pub enum Rejection {
    Refused(Vec<Violation>),
    Conflicted(Conflict),
}

/// Applies `set` to `state` as a change made at `at`.
pub fn apply(state: &mut State, set: &PatchSet, at: Instant) -> Result<Applied, Rejection> {
    let mut bench = Bench {
        state,
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
        bench.refuse(Violation::new(0, Rule::Shape, "the set has no patches"));
    }
    for (index, patch) in set.patches.iter().enumerate() {
        bench.patch = index;
        bench.judge_patch(patch);
        if bench.changes.len() > PatchSet::MAX_CHANGES {
            bench.refuse(
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
    bench.check_graphs();
    let Bench { changes, rollback, violations, conflict, state, .. } = bench;
    let rejection = match (violations.is_empty(), conflict) {
        (true, None) => return Ok(Applied { changes, rollback }),
        (true, Some(conflict)) => Rejection::Conflicted(conflict),
        (false, _) => Rejection::Refused(violations),
    };
    rollback.undo(state);
    Err(rejection)
}

/// The state while a set is being applied to it.
struct Bench<'a> {
    state: &'a mut State,
    set: &'a PatchSet,
    at: Instant,
    marks: Marks,
    patch: usize,
    changes: Vec<Change>,
    rollback: Rollback,
    violations: Vec<Violation>,
    conflict: Option<Conflict>,
    /// The projects the set speaks of.
    scope: BTreeSet<ProjectId>,
    /// What the patches that failed would have created.
    failed: BTreeSet<Uuid>,
    /// The projects whose dependencies are to be judged at the end, and the patch that last touched them.
    graphs: BTreeMap<ProjectId, usize>,
    /// The dependencies this set makes, and in which patch.
    linked: BTreeMap<TaskLinkId, usize>,
}

/// The values that each change of the set leaves on its record.
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

/// The step could not be taken; why is already among the violations.
struct Failed;

type Step<T = ()> = Result<T, Failed>;

impl Bench<'_> {
    /// Takes the step a patch asks for. A patch that changed nothing and was not refused would be lost in silence.
    fn judge_patch(&mut self, patch: &Patch) {
        let changes = self.changes.len();
        let done = self.step(patch);
        let is_told = match done {
            Ok(()) => self.changes.len() > changes,
            Err(Failed) => !self.violations.is_empty(),
        };
        if !is_told {
            let message = format!("{} of a {} changes nothing", patch.op, patch.entity.noun());
            self.refuse(Violation::new(self.patch, Rule::Operation, message).field("op"));
        }
        if done.is_err() {
            self.failed.insert(patch.id);
        }
    }

    fn step(&mut self, patch: &Patch) -> Step {
        self.refuse_unused(patch)?;
        self.check_expectations(patch);
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
                    (Op::Create, _) => "links are made with op link",
                    (Op::Delete, _) => "links are ended with op unlink",
                    (Op::Move, _) => "only tasks move; use op update",
                    (Op::Erase, _) => "lakeplan erase does it",
                    _ => "see the patch set schema",
                };
                self.fail(
                    Violation::new(self.patch, Rule::Operation, message).field("op").hint(hint),
                )
            }
        }
    }

    /// Refuses parts of a patch that its op would not look at.
    fn refuse_unused(&mut self, patch: &Patch) -> Step {
        let faults = self.violations.len();
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
        if self.violations.len() > faults { Err(Failed) } else { Ok(()) }
    }

    /// Compares the values that a patch expects with those that stand, each as its field holds it: a value may be written in
    /// several ways.
    fn check_expectations(&mut self, patch: &Patch) {
        for (field, expected) in &patch.expect {
            let Some(record) = self.find(patch) else { continue };
            let place = format!("expect.{field}");
            let Some(theirs) = record.get(field) else {
                let fault = Violation::new(
                    self.patch,
                    Rule::UnknownField,
                    "is no field to expect a value of",
                );
                self.refuse(fault.field(place));
                continue;
            };
            match as_held(patch, field, expected) {
                Err(misfit) => {
                    self.refuse(Violation::new(self.patch, Rule::Value, misfit.0).field(place))
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

    fn fail<T>(&mut self, violation: Violation) -> Step<T> {
        self.refuse(violation);
        Err(Failed)
    }

    /// Fails because a reference leads nowhere, silently where an earlier patch's failure is the cause.
    fn lost<T>(&mut self, id: Uuid, violation: Violation) -> Step<T> {
        if !self.failed.contains(&id) {
            self.refuse(violation);
        }
        Err(Failed)
    }

    /// The record of a patch's id: in the project the patch names, or where an earlier patch has put it.
    fn find(&self, patch: &Patch) -> Option<AnyRecord> {
        let slot = Slot { entity: patch.entity, id: patch.id, project: patch.project };
        let moved = || {
            // Only the projects of the set are known to be at hand wherever the set is judged.
            let project = self
                .state
                .home(patch.entity, patch.id)
                .filter(|project| self.scope.contains(project));
            self.state.get(Slot { project: Some(project?), ..slot })
        };
        self.state.get(slot).or_else(moved).filter(|record| record.id() == patch.id)
    }

    /// The record a patch is about.
    fn target(&mut self, patch: &Patch) -> Step<AnyRecord> {
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

    fn project(&mut self, id: ProjectId) -> Step<&ProjectState> {
        // Looked up twice because the borrow of the first look would last into the failure.
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
                let fault = Violation::new(
                    self.patch,
                    Rule::UnknownReference,
                    format!("there is no project {id}"),
                );
                self.lost(super::id::EntityId::uuid(id), fault.field("project_id"))
            }
        }
    }

    /// A living task of a project, referred to by `field`.
    fn live_task(
        &mut self,
        project: ProjectId,
        id: TaskId,
        field: &str,
    ) -> Step<std::sync::Arc<Task>> {
        match self.state.project(project).and_then(|project| project.task(id)).cloned() {
            Some(task) if task.is_live() => Ok(task),
            Some(task) => {
                let fault =
                    Violation::new(self.patch, Rule::Deleted, format!("{} is deleted", task.key));
                self.fail(fault.field(field).hint(format!("lakeplan task restore {}", task.key)))
            }
            None => {
                let message = format!("there is no task {id} in the project");
                let fault =
                    Violation::new(self.patch, Rule::UnknownReference, message).field(field);
                self.lost(super::id::EntityId::uuid(id), fault)
            }
        }
    }

    /// Stamps a record, puts it into the state and notes the change. `from` is where it stood, if anywhere.
    fn write(&mut self, op: Op, mut record: AnyRecord, from: Option<Slot>) {
        let old = from.and_then(|slot| self.state.get(slot));
        if old.as_ref() != Some(&record) {
            self.stamp(&mut record, old.is_none());
        }
        let (before, after) = match &old {
            Some(old) => record.touched(old),
            None => (Fields::new(), record.present()),
        };
        let slot = record.slot();
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
        self.state.put(record);
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

/// An expected value as its field holds it. A value of an earlier version, which no author may give any more, is one that may
/// stand, where it is written as the lake writes it.
fn as_held(patch: &Patch, field: &str, expected: &Value) -> Result<Value, Misfit> {
    let mut record = AnyRecord::blank(patch.entity, patch.id);
    let Err(misfit) = record.set(field, expected) else {
        return Ok(record.get(field).unwrap_or_default());
    };
    let stored = record.restore(field, expected).is_ok().then(|| record.get(field)).flatten();
    stored.filter(|stored| stored == expected).ok_or(misfit)
}
