//! Last step: the changes as patches.

use super::diff::Change;
use crate::domain::id::{EntityId, ProjectId};
use crate::domain::patch::{Op, Patch};
use crate::domain::record::{Entity, Fields};
use crate::domain::value::FieldValue;

/// Returns a patch for each change of a project.
pub(super) fn patches(changes: &[Change], project: ProjectId) -> Vec<Patch> {
    changes.iter().map(|change| patch(change, project)).collect()
}

fn patch(change: &Change, project: ProjectId) -> Patch {
    let new = |op, entity, id, fields: &Fields, expect: &Fields| Patch {
        fields: fields.clone(),
        expect: expect.clone(),
        // Users belong to no project.
        ..Patch::new(op, entity, id, (entity != Entity::User).then_some(project))
    };
    let none = Fields::new();
    match change {
        Change::Create { entity, id, fields, place } => {
            Patch { place: *place, ..new(Op::Create, *entity, *id, fields, &none) }
        }
        Change::Update { entity, id, before, after } => {
            new(Op::Update, *entity, *id, after, before)
        }
        Change::Move { task, from, to, place } => {
            let moved = Patch::new(Op::Move, Entity::Task, task.uuid(), Some(project))
                .expecting("parent_id", from.json())
                .placed(*place);
            if from == to { moved } else { moved.with("parent_id", to.json()) }
        }
        Change::Delete { entity, id } => new(Op::Delete, *entity, *id, &none, &none),
        Change::Link { entity, id, fields } => new(Op::Link, *entity, *id, fields, &none),
        Change::Unlink { entity, id, expected } => new(Op::Unlink, *entity, *id, &none, expected),
    }
}
