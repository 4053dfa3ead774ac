//! Finds later work on records that a set created. An undo that deletes those records must not
//! delete such work too.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::any_record::{AnyRecord, RecordKey};
use super::change::Change;
use super::id::{EntityId, TaskId};
use super::invert::as_read;
use super::patch::Op;
use super::record::{Access, Entity, Fields};
use super::state::State;

/// Work that came after a set.
#[derive(Debug, PartialEq)]
pub enum Later {
    /// A field of a record that the set created has another value now.
    Changed { entity: Entity, id: Uuid, field: &'static str },
    /// A record was added to a project or below a task that the set created.
    Added { entity: Entity, id: Uuid },
}

/// Returns the first work after `changes` (one set, in order) that would be lost if the records
/// that they created were deleted. `state` is the current lake.
pub fn find(changes: &[Change], state: &State) -> Option<Later> {
    let mut made: BTreeMap<Uuid, (Entity, Fields)> = BTreeMap::new();
    let own: BTreeSet<Uuid> = changes.iter().map(|change| change.id).collect();
    for change in changes {
        match change.op {
            Op::Create => {
                made.insert(change.id, (change.entity, change.after.clone()));
            }
            _ => {
                if let Some((_, fields)) = made.get_mut(&change.id) {
                    fields.extend(change.after.clone());
                }
            }
        }
    }
    made.iter().find_map(|(id, (entity, fields))| {
        let slot = RecordKey { entity: *entity, id: *id, project: state.home(*entity, *id) };
        let record = state.get(slot).filter(AnyRecord::is_live)?;
        let changed = changed(&record, fields).map(|field| Later::Changed {
            entity: *entity,
            id: *id,
            field,
        });
        changed.or_else(|| added(&record, &own, state))
    })
}

fn changed(record: &AnyRecord, fields: &Fields) -> Option<&'static str> {
    // A move writes these two.
    let is_moved = |name: &str| matches!(name, "parent_id" | "project_id");
    let fields_of = record.entity().fields().iter();
    let authored = fields_of.filter(|field| {
        let access = field.access;
        matches!(access, Access::Editable | Access::RequiredOnCreate | Access::Planner)
            || is_moved(field.name)
    });
    authored.map(|field| field.name).find(|name| {
        let then = fields.get(*name).cloned().unwrap_or_default();
        let now = record.get(name).unwrap_or_default();
        now != then && now != as_read(record.entity(), record.id(), name, &then)
    })
}

/// Returns a record added later. Records that the set itself moved there have their own patch in
/// the undo.
fn added(record: &AnyRecord, own: &BTreeSet<Uuid>, state: &State) -> Option<Later> {
    let is_later = |id: &Uuid| !own.contains(id);
    let task = |id: Uuid| Later::Added { entity: Entity::Task, id };
    match record {
        AnyRecord::Project(project) => {
            let state = state.project(project.id)?;
            let tasks = state.tasks().filter(|task| task.is_live()).map(|task| task.id.uuid());
            let requirements =
                state.requirements().filter(|requirement| requirement.deleted_at.is_none());
            let requirement = |id: Uuid| Later::Added { entity: Entity::Requirement, id };
            let mut requirements = requirements
                .map(|requirement| requirement.id.uuid())
                .filter(is_later)
                .map(requirement);
            tasks.filter(is_later).map(task).next().or_else(|| requirements.next())
        }
        AnyRecord::Task(parent) => {
            let state = state.project(parent.project_id)?;
            let mut children =
                state.children(Some(TaskId::of(record.id()))).filter(|task| task.is_live());
            children.find_map(|child| Some(child.id.uuid()).filter(is_later).map(task))
        }
        _ => None,
    }
}
