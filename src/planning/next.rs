//! Lists the tasks that can be worked on now, the best first.
//!
//! A task is ready if it is no milestone, is open, has no open descendant, neither it nor an ancestor waits for an
//! open task, and the `not_before` dates of both are reached. Ready tasks are sorted by: in
//! progress first, the user's own tasks before unassigned ones, earliest due date (its own or an
//! ancestor's), priority, importance, number of waiting tasks, and position in the plan.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::domain::id::{TaskId, UserId};
use crate::domain::link::DependencyType;
use crate::domain::state::ProjectState;
use crate::domain::task::{Task, TaskStatus};

/// A ready task and the reasons for its rank.
#[derive(Clone, Debug)]
pub struct Ready<'s> {
    pub task: &'s Task,
    /// Earliest due date of the task and its ancestors.
    pub due: Option<NaiveDate>,
    /// Number of open tasks that wait for the task.
    pub waiting_tasks: usize,
    pub overdue: bool,
    /// Whether all parts are closed, so that only the task itself remains to be closed.
    pub is_whole: bool,
    place: usize,
}

/// Returns the ready tasks of the projects. If `assignee` is given, only their tasks and unassigned
/// ones.
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
            Reverse(ready.waiting_tasks),
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
    let mut waiting_tasks: BTreeMap<TaskId, usize> = BTreeMap::new();
    for link in project
        .dependencies()
        .filter(|link| link.dependency == DependencyType::FinishToStart && is_open(link.to_id))
    {
        waits_for.entry(link.from_id).or_default().push(link.to_id);
        if is_open(link.from_id) {
            *waiting_tasks.entry(link.to_id).or_default() += 1;
        }
    }
    // A closed ancestor does not constrain open work below it.
    let with_those_above = |task: &'_ Task| {
        std::iter::successors(project.task(task.id), |task| {
            task.parent_id.and_then(|above| project.task(above))
        })
        .filter(|task| is_open(task.id))
    };
    let can_start = |task: &Task| {
        !task.is_milestone()
            && matches!(
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
            waiting_tasks: waiting_tasks.get(&task.id).copied().unwrap_or_default(),
            overdue: due.is_some_and(|due| due < today),
            is_whole: project.children(Some(task.id)).any(|child| child.is_live()),
            place: places.get(&task.id).copied().unwrap_or(usize::MAX),
        });
    }
    found
}

/// Returns the position of each task in the plan, read from the top.
fn places(project: &ProjectState) -> BTreeMap<TaskId, usize> {
    let tops = project.children(None);
    let all = tops.flat_map(|top| std::iter::once(top).chain(project.descendants(top.id)));
    all.enumerate().map(|(index, task)| (task.id, index)).collect()
}
