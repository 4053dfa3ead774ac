//! What can be worked on now, the best first.
//!
//! A task is ready if it is open, has no open part of its own, nothing it or a task above it waits for is open, and its
//! `not_before` has come. What is in progress comes first, then what is due soonest, then priority, importance, how
//! many tasks wait for it, and the order of the plan.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::domain::id::{TaskId, UserId};
use crate::domain::link::DependencyType;
use crate::domain::state::ProjectState;
use crate::domain::task::{Task, TaskStatus};

/// A ready task and why it stands where it does.
#[derive(Clone, Debug)]
pub struct Ready<'s> {
    pub task: &'s Task,
    /// How many open tasks wait for it.
    pub holds_up: usize,
    pub overdue: bool,
}

/// The ready tasks of a project, those of `assignee` and of no one where one is given.
pub fn ready(project: &ProjectState, today: NaiveDate, assignee: Option<UserId>) -> Vec<Ready<'_>> {
    let is_open = |id: TaskId| project.task(id).is_some_and(|task| task.is_live() && !task.status.is_closed());
    let mut waits_for: BTreeMap<TaskId, Vec<TaskId>> = BTreeMap::new();
    let mut holds_up: BTreeMap<TaskId, usize> = BTreeMap::new();
    for link in project.dependencies().filter(|link| link.dependency == DependencyType::FinishToStart && is_open(link.to_id)) {
        waits_for.entry(link.from_id).or_default().push(link.to_id);
        if is_open(link.from_id) {
            *holds_up.entry(link.to_id).or_default() += 1;
        }
    }
    let waits = |task: &Task| {
        let mut at = Some(task.id);
        while let Some(id) = at {
            if waits_for.contains_key(&id) {
                return true;
            }
            at = project.task(id).and_then(|task| task.parent_id);
        }
        false
    };
    let can_start = |task: &Task| {
        matches!(task.status, TaskStatus::Pending | TaskStatus::Assigned | TaskStatus::InProgress | TaskStatus::Review)
    };
    let mut found: Vec<Ready<'_>> = project
        .tasks()
        .map(AsRef::as_ref)
        .filter(|task| task.is_live() && can_start(task))
        .filter(|task| assignee.is_none() || task.assignee_id.is_none() || task.assignee_id == assignee)
        .filter(|task| task.not_before.is_none_or(|day| day <= today))
        .filter(|task| !project.children(Some(task.id)).any(|child| is_open(child.id)))
        .filter(|task| !waits(task))
        .map(|task| Ready {
            task,
            holds_up: holds_up.get(&task.id).copied().unwrap_or_default(),
            overdue: task.due_date.is_some_and(|due| due < today),
        })
        .collect();
    let order = order(project);
    found.sort_by_key(|ready| {
        let task = ready.task;
        (
            task.status != TaskStatus::InProgress,
            task.due_date.unwrap_or(NaiveDate::MAX),
            Reverse(task.priority),
            Reverse(task.importance),
            Reverse(ready.holds_up),
            order.get(&task.id).copied().unwrap_or(usize::MAX),
        )
    });
    found
}

/// Where each task comes in the plan read from the top.
fn order(project: &ProjectState) -> BTreeMap<TaskId, usize> {
    let tops = project.children(None);
    let all = tops.flat_map(|top| std::iter::once(top).chain(project.descendants(top.id)));
    all.enumerate().map(|(index, task)| (task.id, index)).collect()
}
