//! Lists tasks: filters, order, pages.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Serialize, Serializer};

use crate::domain::project::Project;
use crate::domain::state::State;
use crate::domain::task::{Priority, Task, TaskKind, TaskStatus};
use crate::domain::time::AsOf;
use crate::exchange::view::task::TaskView;
use crate::service::{Service, ServiceError, find};
use crate::store::Scope;

/// Filters, order and page of a list of tasks. An empty filter passes every task.
#[derive(Clone, Debug)]
pub struct TaskQuery {
    /// Names of projects. If there is none, every project that is not archived.
    pub projects: Vec<String>,
    pub statuses: Vec<TaskStatus>,
    /// Only tasks of this kind.
    pub kind: Option<TaskKind>,
    /// Only tasks that are not completed, cancelled or archived.
    pub open: bool,
    pub assignee: Option<AssigneeFilter>,
    pub priorities: Vec<Priority>,
    /// Tags that a task must all have.
    pub tags: Vec<String>,
    /// Name of a task. Only its subtasks, at every level.
    pub below: Option<String>,
    /// Text in the title or description; case does not matter.
    pub text: Option<String>,
    /// Only open tasks past their due date.
    pub overdue: bool,
    /// Deleted tasks instead of live ones.
    pub deleted: bool,
    /// Plan order if absent.
    pub sort: Option<Sort>,
    /// Maximum number of tasks of a page. 0 counts as 1, so that the next page goes on.
    pub limit: usize,
    pub cursor: Option<Cursor>,
    /// Point in time to read. A cursor has its own.
    pub as_of: Option<AsOf>,
}

/// Whose tasks to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssigneeFilter {
    Unassigned,
    /// Name of a user.
    User(String),
}

/// Order of a list: a field, and whether it descends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    by: By,
    reversed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Key,
    Title,
    Status,
    Priority,
    Due,
    Estimate,
    Created,
    Updated,
}

/// Position of a page: the seq that every page of the list reads, and the number of tasks before
/// the page. Written as `SEQ.OFFSET`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub seq: u64,
    pub offset: usize,
}

/// A page of a list of tasks.
#[derive(Clone, Debug, Serialize)]
pub struct TaskPage {
    pub seq: u64,
    /// Number of tasks on all pages.
    pub total: usize,
    pub tasks: Vec<TaskView>,
    /// Cursor of the next page; `None` on the last one.
    pub next: Option<Cursor>,
}

impl TaskQuery {
    pub const DEFAULT_LIMIT: usize = 50;
}

impl Default for TaskQuery {
    fn default() -> Self {
        Self {
            projects: Vec::new(),
            statuses: Vec::new(),
            kind: None,
            open: false,
            assignee: None,
            priorities: Vec::new(),
            tags: Vec::new(),
            below: None,
            text: None,
            overdue: false,
            deleted: false,
            sort: None,
            limit: Self::DEFAULT_LIMIT,
            cursor: None,
            as_of: None,
        }
    }
}

impl Service {
    /// Returns a page of the tasks that pass every filter of a query.
    pub async fn list_tasks(&self, query: &TaskQuery) -> Result<TaskPage, ServiceError> {
        let as_of = query.cursor.map(|cursor| AsOf::Seq(cursor.seq)).or(query.as_of);
        let words: Vec<&str> =
            query.projects.iter().chain(&query.below).map(String::as_str).collect();
        let snapshot = match words.as_slice() {
            [] if query.deleted => self.read(&Scope::All, as_of).await?,
            [] => self.read_visible(as_of).await?,
            words => self.read_projects_of(words, as_of).await?,
        };
        page(query, snapshot.seq, &snapshot.state, self.clock.now().date_naive())
    }
}

/// Returns the page of a query in a state that was read at `seq`.
fn page(
    query: &TaskQuery,
    seq: u64,
    state: &State,
    today: NaiveDate,
) -> Result<TaskPage, ServiceError> {
    let mut found = select(query, state, today)?;
    if let Some(sort) = query.sort {
        sort.apply(&mut found);
    }
    let total = found.len();
    let offset = query.cursor.map_or(0, |cursor| cursor.offset);
    let tasks: Vec<TaskView> = found
        .into_iter()
        .skip(offset)
        .take(query.limit.max(1))
        .map(|task| TaskView::of(state, task))
        .collect();
    let end = offset + tasks.len();
    let next = (end < total).then_some(Cursor { seq, offset: end });
    Ok(TaskPage { seq, total, tasks, next })
}

/// Returns the tasks that pass every filter, in plan order.
fn select<'s>(
    query: &TaskQuery,
    state: &'s State,
    today: NaiveDate,
) -> Result<Vec<&'s Arc<Task>>, ServiceError> {
    let wanted = query
        .projects
        .iter()
        .map(|name| find::project(state, name).map(|(_, project)| project.id))
        .collect::<Result<Vec<_>, _>>()?;
    let below = query.below.as_deref().map(|name| find::task(state, name)).transpose()?;
    let assignee = match &query.assignee {
        None => None,
        Some(AssigneeFilter::Unassigned) => Some(None),
        Some(AssigneeFilter::User(name)) => Some(Some(find::user(state, name)?.id)),
    };
    let text = query.text.as_ref().map(|text| text.to_lowercase());
    let holds = |task: &Task, text: &str| {
        let description =
            task.description.as_ref().map(|description| description.as_str().to_lowercase());
        task.title.as_str().to_lowercase().contains(text)
            || description.is_some_and(|description| description.contains(text))
    };
    let mut found = Vec::new();
    let is_wanted = |project: &Project| match (wanted.as_slice(), below) {
        ([], None) => query.deleted || project.is_visible(),
        (wanted, below) => {
            (wanted.is_empty() || wanted.contains(&project.id))
                && below.is_none_or(|below| below.project_id == project.id)
        }
    };
    for project in
        state.projects().filter(|found| found.project().is_some_and(|project| is_wanted(project)))
    {
        let order = project
            .children(None)
            .flat_map(|top| std::iter::once(top).chain(project.descendants(top.id)));
        found.extend(order.filter(|task| {
            task.is_live() != query.deleted
                && query.kind.is_none_or(|kind| task.kind == kind)
                && (query.statuses.is_empty() || query.statuses.contains(&task.status))
                && (!query.open || !task.status.is_closed())
                && assignee.is_none_or(|assignee| task.assignee_id == assignee)
                && (query.priorities.is_empty()
                    || task.priority.is_some_and(|priority| query.priorities.contains(&priority)))
                && query.tags.iter().all(|tag| task.tags.0.contains(tag))
                && below
                    .is_none_or(|above| task.id != above.id && project.is_within(task.id, above.id))
                && text.as_ref().is_none_or(|text| holds(task, text))
                && (!query.overdue
                    || (!task.status.is_closed() && task.due_date.is_some_and(|due| due < today)))
        }));
    }
    Ok(found)
}

impl Sort {
    /// The names of the fields.
    const FIELDS: [(&'static str, By); 8] = [
        ("key", By::Key),
        ("title", By::Title),
        ("status", By::Status),
        ("priority", By::Priority),
        ("due", By::Due),
        ("estimate", By::Estimate),
        ("created", By::Created),
        ("updated", By::Updated),
    ];

    /// Sorts stably. Tasks without a value come last in both directions.
    fn apply(self, tasks: &mut [&Arc<Task>]) {
        fn order<'t, K: Ord>(
            tasks: &mut [&'t Arc<Task>],
            reversed: bool,
            key: impl Fn(&'t Task) -> Option<K>,
        ) {
            if reversed {
                tasks.sort_by_key(|task| {
                    key(task).map_or((true, None), |value| (false, Some(Reverse(value))))
                });
            } else {
                tasks.sort_by_key(|task| {
                    key(task).map_or((true, None), |value| (false, Some(value)))
                });
            }
        }
        let reversed = self.reversed;
        match self.by {
            By::Key => order(tasks, reversed, |task| Some(&task.key)),
            By::Title => order(tasks, reversed, |task| Some(&task.title)),
            By::Status => order(tasks, reversed, |task| Some(task.status)),
            By::Priority => order(tasks, reversed, |task| task.priority),
            By::Due => order(tasks, reversed, |task| task.due_date),
            By::Estimate => order(tasks, reversed, |task| task.estimate_likely),
            By::Created => order(tasks, reversed, |task| Some(task.created_at)),
            By::Updated => order(tasks, reversed, |task| Some(task.updated_at)),
        }
    }
}

/// Reads a field name, with `-` in front for the descending order.
impl FromStr for Sort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, reversed) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        let known = Self::FIELDS.iter().find(|(known, _)| *known == name);
        let names = || Self::FIELDS.map(|(name, _)| name).join(", ");
        known
            .map(|(_, by)| Self { by: *by, reversed })
            .ok_or_else(|| format!("must be one of {}", names()))
    }
}

impl FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('.').and_then(|(seq, offset)| {
            Some(Self { seq: seq.parse().ok()?, offset: offset.parse().ok()? })
        });
        parts.ok_or_else(|| "is not a cursor; use the one from the previous page".to_owned())
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.seq, self.offset)
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests;
