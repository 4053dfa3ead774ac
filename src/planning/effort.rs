//! Computes efforts: a task without its own estimate takes the sum of its parts.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::domain::id::TaskId;
use crate::domain::state::ProjectState;
use crate::domain::task::{Task, TaskStatus};
use crate::domain::time::Estimate;

/// Efforts of a project that are derived from the tasks' own estimates and not stored.
#[derive(Clone, Debug, Default)]
pub struct Efforts {
    below: BTreeMap<Option<TaskId>, Below>,
}

/// Sum of the known estimates of a task's direct subtasks.
#[derive(Clone, Copy, Debug, Default)]
struct Below {
    whole: Option<Estimate>,
    /// Completed effort.
    done: Estimate,
    /// Open effort.
    open: Option<Estimate>,
}

impl Efforts {
    /// Computes the efforts of a project. Deleted and cancelled tasks and their descendants count
    /// for nothing.
    pub fn of(project: &ProjectState) -> Self {
        let mut tasks: Vec<&Task> =
            project.tasks().map(AsRef::as_ref).filter(|task| counts(task)).collect();
        tasks.sort_by_key(|task| Reverse(task.depth));
        let mut below: BTreeMap<Option<TaskId>, Below> = BTreeMap::new();
        for task in tasks {
            let parts = below.get(&Some(task.id)).copied().unwrap_or_default();
            let own = task.estimate();
            let whole = own.or(parts.whole);
            let (done, open) = match (task.status.is_closed(), own) {
                (true, _) => (whole.unwrap_or_default(), parts.open),
                (false, None) => (parts.done, parts.open),
                // The estimate minus the completed parts, but at least the open parts.
                (false, Some(own)) => (
                    parts.done,
                    Some(own.less(parts.done).at_least(parts.open.unwrap_or_default())),
                ),
            };
            let above = below.entry(task.parent_id).or_default();
            above.whole = sum(above.whole, whole);
            above.done = above.done.and(done);
            above.open = sum(above.open, open);
        }
        Self { below }
    }

    /// Returns the sum of a task's parts; `None` if no part has an estimate.
    pub fn of_parts(&self, task: TaskId) -> Option<Estimate> {
        self.below.get(&Some(task))?.whole
    }

    /// Returns the open effort of the project; `None` if no open work has an estimate.
    pub fn open(&self) -> Option<Estimate> {
        self.below.get(&None)?.open.filter(|open| *open != Estimate::default())
    }
}

fn counts(task: &Task) -> bool {
    task.is_live() && task.status != TaskStatus::Cancelled
}

fn sum(one: Option<Estimate>, other: Option<Estimate>) -> Option<Estimate> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.and(other)),
        (one, other) => one.or(other),
    }
}
