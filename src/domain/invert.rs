//! Computes the patch set that undoes a committed set. Its expectations refuse the undo if a field
//! has changed since.

use std::collections::BTreeSet;

use serde_json::Value;
use uuid::Uuid;

use super::any_record::{AnyRecord, RecordKey};
use super::change::Change;
use super::id::{EntityId, TaskId};
use super::patch::{Op, Patch, Placement};
use super::record::{Access, Entity};
use super::state::State;

/// Returns the patches that undo `changes` (one set, in order). `state` is the current lake; it
/// shows which affected records need no patch of their own. Empty if the set changed nothing that
/// an author can change.
pub fn invert(changes: &[Change], state: &State) -> Vec<Patch> {
    let ended: BTreeSet<Uuid> =
        changes.iter().filter(|c| matches!(c.op, Op::Delete | Op::Unlink)).map(|c| c.id).collect();
    let begun: BTreeSet<Uuid> =
        changes.iter().filter(|c| c.op == Op::Restore).map(|c| c.id).collect();
    let made: BTreeSet<Uuid> =
        changes.iter().filter(|c| matches!(c.op, Op::Create | Op::Link)).map(|c| c.id).collect();
    let mut patches = Vec::new();
    // The lake at the time a patch is applied: the changes after its own are already undone.
    let mut then = state.clone();
    for change in changes.iter().rev() {
        let project = then.home(change.entity, change.id).or(change.project);
        let patch = Patch::new(Op::Update, change.entity, change.id, project);
        let carrier = carrier(change, &then);
        match change.op {
            Op::Create => {
                let is_carried = carrier.iter().any(|id| made.contains(id));
                let project = change.project.map(EntityId::uuid);
                if !project.is_some_and(|project| made.contains(&project)) {
                    patches.extend(forget_plan(change, &patch));
                }
                if !is_carried {
                    patches.push(Patch { op: Op::Delete, ..patch })
                }
            }
            Op::Link if !carrier.iter().any(|id| made.contains(id)) => {
                patches.push(Patch { op: Op::Unlink, ..patch })
            }
            Op::Delete | Op::Unlink if !carrier.iter().any(|id| ended.contains(id)) => {
                patches.push(Patch { op: Op::Restore, ..patch });
            }
            Op::Restore if !carrier.iter().any(|id| begun.contains(id)) => {
                let op = if matches!(change.entity, Entity::TaskLink | Entity::TaskRequirement) {
                    Op::Unlink
                } else {
                    Op::Delete
                };
                patches.push(Patch { op, ..patch });
            }
            Op::Update if !made.contains(&change.id) => patches.extend(update_back(change, patch)),
            Op::Move if !made.contains(&change.id) && !is_carried(change) => {
                patches.extend(move_back(change, patch, &then))
            }
            _ => {}
        }
        if !made.contains(&change.id) {
            take_back(&mut then, change);
        }
    }
    // An assignment to a merged user means the user that it was merged into, so users are reverted
    // before the records that refer to them. Nothing about a user depends on anything else.
    patches.sort_by_key(|patch| patch.entity != Entity::User);
    patches
}

/// Reverts a record to its values before a change, if the record exists.
fn take_back(state: &mut State, change: &Change) {
    let project = state.home(change.entity, change.id).or(change.project);
    let slot = RecordKey { entity: change.entity, id: change.id, project };
    let Some(mut record) = state.get(slot) else { return };
    for (field, value) in &change.before {
        // The error reports the unreadable value, which the lake shows as absent.
        let _ = record.restore(field, value);
    }
    if record.record_key() != slot {
        state.remove(slot);
    }
    state.put(record);
}

/// Returns the records whose delete or restore would include this one: its parents, the ends of a
/// link, its project.
fn carrier(change: &Change, state: &State) -> Vec<Uuid> {
    let project = state.home(change.entity, change.id).or(change.project);
    let slot = RecordKey { entity: change.entity, id: change.id, project };
    let Some(record) = state.get(slot) else { return Vec::new() };
    let project = record.project().filter(|_| change.entity != Entity::Project).map(EntityId::uuid);
    let mut found: Vec<Uuid> = project.into_iter().collect();
    match &record {
        AnyRecord::Task(task) => {
            let mut at = task.parent_id;
            while let Some(parent) = at {
                found.push(parent.uuid());
                at = state.task(parent).and_then(|parent| parent.parent_id);
            }
        }
        AnyRecord::TaskLink(link) => found.extend([link.from_id.uuid(), link.to_id.uuid()]),
        AnyRecord::TaskRequirement(answer) => {
            found.extend([answer.task_id.uuid(), answer.requirement_id.uuid()])
        }
        _ => {}
    }
    found
}

/// Clears what a plan remembers about a record that the undone set created. The next plan would
/// otherwise take the record for one that a person deleted, and not create it again.
fn forget_plan(change: &Change, patch: &Patch) -> Option<Patch> {
    let fields = change.entity.fields().iter();
    let planned = fields.filter(|field| field.access == Access::Planner).filter_map(|field| {
        Some((field.name, change.after.get(field.name).filter(|value| !value.is_null())?))
    });
    let patch = planned.fold(patch.clone(), |patch, (name, value)| {
        patch.with(name, Value::Null).expecting(name, value.clone())
    });
    (!patch.fields.is_empty()).then_some(patch)
}

fn update_back(change: &Change, mut patch: Patch) -> Option<Patch> {
    for (name, was) in &change.before {
        let is_restorable = change.entity.field(name).is_some_and(|field| {
            matches!(field.access, Access::Editable | Access::RequiredOnCreate | Access::Planner)
        });
        if is_restorable {
            patch.fields.insert(name.clone(), as_read(change.entity, change.id, name, was));
            let is =
                change.after.get(name).map(|value| as_read(change.entity, change.id, name, value));
            patch.expect.insert(name.clone(), is.unwrap_or_default());
        }
    }
    (!patch.fields.is_empty()).then_some(patch)
}

/// Whether a task moved only because an ancestor did: it has a parent, and neither its parent nor
/// its position changed.
fn is_carried(change: &Change) -> bool {
    let is_below =
        change.after.get("path").and_then(Value::as_str).is_some_and(|path| path.contains('/'));
    is_below && !change.before.contains_key("parent_id") && !change.before.contains_key("position")
}

/// Returns a stored value as a record holds it: absent if its field cannot hold it.
pub(super) fn as_read(entity: Entity, id: Uuid, field: &str, value: &Value) -> Value {
    let mut record = AnyRecord::empty(entity, id);
    // The error reports the unreadable value, which the lake shows as absent.
    let _ = record.restore(field, value);
    record.get(field).unwrap_or_default()
}

/// Returns a move back to the old parent and between the old neighbors, as far as they are still
/// there.
fn move_back(change: &Change, mut patch: Patch, state: &State) -> Option<Patch> {
    let moved = ["parent_id", "project_id", "position"]
        .iter()
        .any(|field| change.before.contains_key(*field));
    if change.entity != Entity::Task || !moved {
        return None;
    }
    patch.op = Op::Move;
    for name in ["parent_id", "project_id"] {
        if let Some(was) = change.before.get(name) {
            patch.fields.insert(name.to_owned(), as_read(change.entity, change.id, name, was));
            let is =
                change.after.get(name).map(|value| as_read(change.entity, change.id, name, value));
            patch.expect.insert(name.to_owned(), is.unwrap_or_default());
        }
    }
    // A missing task gets a patch anyway, so that the undo is refused rather than done in part.
    let Some(task) = state.task(TaskId::of(change.id)) else { return Some(patch) };
    let project = change
        .before
        .get("project_id")
        .and_then(|id| id.as_str()?.parse().ok())
        .unwrap_or(task.project_id);
    let parent = match change.before.get("parent_id") {
        Some(was) => was.as_str().and_then(|id| id.parse().ok()),
        None => task.parent_id,
    };
    let position = change.before.get("position").and_then(Value::as_i64).unwrap_or(task.position);
    let Some(project) = state.project(project) else { return Some(patch) };
    // Also behind every sibling that has the old position.
    let highest = TaskId::of(Uuid::max());
    let before = project.before(parent, (position, highest)).find(|other| other.id != task.id);
    patch.place = Some(before.map_or(Placement::First, |other| Placement::After(other.id)));
    patch.position = Some(position);
    Some(patch)
}
