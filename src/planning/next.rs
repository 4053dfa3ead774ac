//! What can be worked on now, the best first.
//!
//! A task is ready if it is open, has no open part of its own, nothing it or a task above it waits for is open, and the
//! `not_before` of both has come. What is in progress comes first, then the user's own before no one's, then what is due
//! soonest, by its own day or that of a task above it, then priority, importance, how many tasks wait for it, and the
//! order of the plan.

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
    /// Its day, or the sooner one of a task it is part of.
    pub due: Option<NaiveDate>,
    /// How many open tasks wait for it.
    pub holds_up: usize,
    pub overdue: bool,
    /// All its parts are closed, so that only closing it is left.
    pub is_whole: bool,
    place: usize,
}

/// The ready tasks of all these projects, those of `assignee` and of no one where one is given.
pub fn ready<'s>(
    projects: impl IntoIterator<Item = &'s ProjectState>,
    today: NaiveDate,
    assignee: Option<UserId>,
) -> Vec<Ready<'s>> {
    let mut found: Vec<Ready<'s>> =
        projects.into_iter().flat_map(|project| of_project(project, today, assignee)).collect();
    found.sort_by_key(|ready| {
        let task = ready.task;
        (
            task.status != TaskStatus::InProgress,
            assignee.is_some() && task.assignee_id.is_none(),
            ready.due.unwrap_or(NaiveDate::MAX),
            Reverse(task.priority),
            Reverse(task.importance),
            Reverse(ready.holds_up),
            task.project_id,
            ready.place,
        )
    });
    found
}

fn of_project(
    project: &ProjectState,
    today: NaiveDate,
    assignee: Option<UserId>,
) -> Vec<Ready<'_>> {
    let is_open = |id: TaskId| {
        project.task(id).is_some_and(|task| task.is_live() && !task.status.is_closed())
    };
    let mut waits_for: BTreeMap<TaskId, Vec<TaskId>> = BTreeMap::new();
    let mut holds_up: BTreeMap<TaskId, usize> = BTreeMap::new();
    for link in project
        .dependencies()
        .filter(|link| link.dependency == DependencyType::FinishToStart && is_open(link.to_id))
    {
        waits_for.entry(link.from_id).or_default().push(link.to_id);
        if is_open(link.from_id) {
            *holds_up.entry(link.to_id).or_default() += 1;
        }
    }
    // A closed task above says nothing of what is still to be done below it.
    let with_those_above = |task: &'_ Task| {
        std::iter::successors(project.task(task.id), |task| {
            task.parent_id.and_then(|above| project.task(above))
        })
        .filter(|task| is_open(task.id))
    };
    let can_start = |task: &Task| {
        matches!(
            task.status,
            TaskStatus::Pending
                | TaskStatus::Assigned
                | TaskStatus::InProgress
                | TaskStatus::Review
        )
    };
    let places = places(project);
    let mut found = Vec::new();
    for task in project.tasks().map(AsRef::as_ref).filter(|task| task.is_live() && can_start(task))
    {
        let is_theirs =
            assignee.is_none() || task.assignee_id.is_none() || task.assignee_id == assignee;
        let has_open_part = project.descendants(task.id).into_iter().any(|part| is_open(part.id));
        let may_begin = |task: &Task| {
            task.not_before.is_none_or(|day| day <= today) && !waits_for.contains_key(&task.id)
        };
        if !is_theirs || has_open_part || !with_those_above(task).all(|task| may_begin(task)) {
            continue;
        }
        let due = with_those_above(task).filter_map(|task| task.due_date).min();
        found.push(Ready {
            task,
            due,
            holds_up: holds_up.get(&task.id).copied().unwrap_or_default(),
            overdue: due.is_some_and(|due| due < today),
            is_whole: project.children(Some(task.id)).any(|child| child.is_live()),
            place: places.get(&task.id).copied().unwrap_or(usize::MAX),
        });
    }
    found
}

/// Where each task comes in the plan read from the top.
fn places(project: &ProjectState) -> BTreeMap<TaskId, usize> {
    let tops = project.children(None);
    let all = tops.flat_map(|top| std::iter::once(top).chain(project.descendants(top.id)));
    all.enumerate().map(|(index, task)| (task.id, index)).collect()
}
