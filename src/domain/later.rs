//! Work on what a set made that came after it. An undo that deletes what the set made must not take such work along.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::any::{AnyRecord, Slot};
use super::change::Change;
use super::id::{EntityId, TaskId};
use super::invert::as_read;
use super::patch::Op;
use super::record::{Entity, Fields, Writer};
use super::state::State;

/// Work that came after a set.
#[derive(Debug, PartialEq)]
pub enum Later {
    /// A field of a record that the set made has another value now.
    Changed { entity: Entity, id: Uuid, field: &'static str },
    /// A record was put into a project or below a task that the set made.
    Added { entity: Entity, id: Uuid },
}

/// Returns the first work that came after `changes` (one set, in order) and that deleting what they made would lose.
/// `state` is the lake now.
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
        let slot = Slot { entity: *entity, id: *id, project: state.home(*entity, *id) };
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
        matches!(field.writer, Writer::Author | Writer::Required) || is_moved(field.name)
    });
    authored.map(|field| field.name).find(|name| {
        let then = fields.get(*name).cloned().unwrap_or_default();
        let now = record.get(name).unwrap_or_default();
        now != then && now != as_read(record.entity(), record.id(), name, &then)
    })
}

/// What the set moved there itself goes back by its own patch.
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
