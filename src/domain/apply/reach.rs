//! Computes which records outside the projects it names a set may reach. Their projects are loaded
//! before the set is checked.

use std::collections::BTreeSet;

use crate::domain::id::{EntityId, RequirementId, TaskId, TaskLinkId, TaskRequirementId};
use crate::domain::patch::{Op, Patch};
use crate::domain::record::Entity;
use crate::domain::state::{ProjectState, State};

/// Tasks that lead to projects that a set does not name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Tasks that are deleted or restored, and with them the links from other projects to them.
    pub linked: BTreeSet<TaskId>,
    /// Tasks in other projects at the other end of links that may be restored.
    pub ends: BTreeSet<TaskId>,
}

/// Returns what `patches` may reach. The projects they name must be in `state`.
pub fn reach<'p>(state: &State, patches: impl Iterator<Item = &'p Patch> + Clone) -> Reach {
    let mut reach = Reach::default();
    let carries = |patch: &&Patch| {
        matches!(
            (patch.op, patch.entity),
            (Op::Delete | Op::Restore, Entity::Task | Entity::Project)
        ) || (patch.op == Op::Restore
            && matches!(patch.entity, Entity::TaskLink | Entity::TaskRequirement))
    };
    if !patches.clone().any(|patch| carries(&patch)) {
        return reach;
    }
    for patch in patches {
        let home = state.home(patch.entity, patch.id).or(patch.project);
        let Some(project) = home.and_then(|project| state.project(project)) else { continue };
        match (patch.op, patch.entity) {
            (Op::Delete, Entity::Project) => {
                reach.linked.extend(project.tasks().map(|task| task.id))
            }
            (Op::Restore, Entity::Project) => {
                reach.linked.extend(project.tasks().map(|task| task.id));
                reach.ends.extend(project.external_task_ids());
            }
            // A moved task may end up below a task that is deleted later in the set.
            (Op::Delete | Op::Restore | Op::Move, Entity::Task) => {
                let branch = branch(project, TaskId::of(patch.id));
                if patch.op == Op::Restore {
                    let links = branch.iter().flat_map(|task| project.all_links_at(*task));
                    reach.ends.extend(links.flat_map(|link| [link.from_id, link.to_id]));
                }
                reach.linked.extend(branch);
            }
            (Op::Restore, Entity::TaskLink) => {
                let link = project.link(TaskLinkId::of(patch.id));
                reach.ends.extend(link.into_iter().flat_map(|link| [link.from_id, link.to_id]));
            }
            (Op::Restore, Entity::TaskRequirement) => {
                reach.ends.extend(
                    project.answer(TaskRequirementId::of(patch.id)).map(|answer| answer.task_id),
                );
            }
            (Op::Restore, Entity::Requirement) => {
                let answers = project.all_answers_at(RequirementId::of(patch.id).uuid());
                reach.ends.extend(answers.map(|answer| answer.task_id));
            }
            _ => {}
        }
    }
    reach.ends.retain(|task| state.task(*task).is_none());
    reach
}

fn branch(project: &ProjectState, task: TaskId) -> Vec<TaskId> {
    std::iter::once(task).chain(project.descendants(task).into_iter().map(|task| task.id)).collect()
}
