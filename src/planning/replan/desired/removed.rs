//! Decides about tasks whose statement was removed. A task that the description now lists as
//! cancelled is cancelled, other untouched tasks are deleted, and the rest stay.

use std::collections::BTreeSet;

use super::tree::Tree;
use crate::domain::id::{EntityId, TaskId};
use crate::domain::task::{Task, TaskStatus};
use crate::planning::plan::SkipReason;
use crate::planning::replan::context::Context;
use crate::planning::replan::matching::{ExistingTask, Matched};
use crate::planning::replan::merge_base::{GROUPS, normal, status_of};
use crate::planning::replan::task_fields::is_set_by_hand;

/// The tasks without a statement, in the order of the former description.
#[derive(Debug)]
pub struct Removed {
    pub tasks: Vec<RemovedTask>,
    /// Tasks that will be deleted.
    pub deleted: BTreeSet<TaskId>,
}

/// Resolution of a task whose statement was removed.
#[derive(Debug)]
pub struct RemovedTask {
    pub task: TaskId,
    pub resolution: Resolution,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    Deleted,
    Cancelled,
    /// The reason.
    Stays(String),
}

/// Decides about every task without a row, and takes the deleted tasks out of the tree.
pub fn removed(context: &Context<'_>, matched: &Matched<'_>, tree: &mut Tree) -> Removed {
    let stated: BTreeSet<usize> = matched.of_row.iter().flatten().copied().collect();
    let mut gone: Vec<&ExistingTask<'_>> = (matched.tasks.iter().enumerate())
        .filter(|(index, known)| !stated.contains(index) && known.task.is_live())
        .map(|(_, known)| known)
        .collect();
    // Deepest tasks first, so that each task's remaining subtasks are known.
    gone.sort_by_key(|known| std::cmp::Reverse(tree.depth(known.task.id)));
    let children = tree.children();
    let mut deleted: BTreeSet<TaskId> = BTreeSet::new();
    let mut tasks: Vec<RemovedTask> = Vec::new();
    for known in gone {
        let task = known.task.id;
        let keeps = children.get(&task).into_iter().flatten().any(|child| !deleted.contains(child));
        let is_called_off = is_called_off(context, matched, known);
        let resolution = match touched(context, matched, known) {
            None if is_called_off => Resolution::Cancelled,
            None if keeps => Resolution::Stays("work below it stays".to_owned()),
            None => Resolution::Deleted,
            // A cancelled task stays, so nothing is lost, unless somebody has started or closed it.
            Some(_) if is_called_off && has_planned_status(known) => Resolution::Cancelled,
            Some(reason) => Resolution::Stays(reason),
        };
        if resolution == Resolution::Deleted {
            deleted.insert(task);
        }
        tasks.push(RemovedTask { task, resolution });
    }
    for task in &deleted {
        tree.remove(*task);
        for link in context.project.into_iter().flat_map(|project| project.links_at(*task)) {
            tree.unlink(link.from_id, link.to_id);
        }
    }
    tasks.sort_by_key(|removed| matched.position(removed.task));
    Removed { tasks, deleted }
}

/// Whether a task still has the status set by the plan.
fn has_planned_status(known: &ExistingTask<'_>) -> bool {
    known.task.status == status_of(known.base.standing).unwrap_or(TaskStatus::Pending)
}

/// Returns how a person has changed the task since it was planned.
fn touched(
    context: &Context<'_>,
    matched: &Matched<'_>,
    known: &ExistingTask<'_>,
) -> Option<String> {
    let task = known.task;
    let task_unchanged = |group: &[&str]| {
        known.base.task_unchanged(group, task, |user| context.state.acting_user(user))
    };
    if task.status.is_closed() {
        return Some(format!("it is {}", task.status));
    }
    if !has_planned_status(known) {
        return Some(format!("its status is {}", task.status));
    }
    if task.actual_minutes.is_some() {
        return Some("time was spent on it".to_owned());
    }
    if !task_unchanged(&["assignee_id"]) {
        return Some("it was given to somebody since it was planned".to_owned());
    }
    if is_set_by_hand(task) || !GROUPS.iter().all(|group| task_unchanged(group)) {
        return Some("it was edited since it was planned".to_owned());
    }
    if task.parent_id != known.base.parent {
        return Some("it was moved by hand since it was planned".to_owned());
    }
    is_linked_by_hand(context, matched, task).then(|| "somebody linked it".to_owned())
}

/// Whether the description lists the task, or an ancestor in the plan, as cancelled.
fn is_called_off(context: &Context<'_>, matched: &Matched<'_>, known: &ExistingTask<'_>) -> bool {
    let cancelled =
        context.plan().skipped.iter().filter(|skipped| skipped.reason == SkipReason::Cancelled);
    let titles: Vec<String> = cancelled.map(|skipped| normal(&skipped.what)).collect();
    let mut at = Some(known);
    while let Some(known) = at {
        // The listed title may be cut to fit a line.
        if titles
            .iter()
            .any(|title| !title.is_empty() && normal(known.base.title()).starts_with(title))
        {
            return true;
        }
        at = known.base.parent.and_then(|parent| matched.planned(parent));
    }
    false
}

fn is_linked_by_hand(context: &Context<'_>, matched: &Matched<'_>, task: &Task) -> bool {
    let Some(project) = context.project else { return false };
    let planned = |from: TaskId, to: TaskId| {
        matched.base_of(from).is_some_and(|base| base.after.contains(&to))
    };
    let covers = matched.base_of(task.id).map(|base| base.answers.as_slice()).unwrap_or_default();
    project.links_at(task.id).any(|link| !planned(link.from_id, link.to_id))
        || project.coverage_of(task.id.uuid()).any(|cover| !covers.contains(&cover.requirement_id))
}
