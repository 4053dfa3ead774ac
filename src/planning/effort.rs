//! What work comes to: a task without an estimate of its own takes what its parts take together.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::domain::id::TaskId;
use crate::domain::state::ProjectState;
use crate::domain::task::{Task, TaskStatus};
use crate::domain::time::Estimate;

/// The efforts of a project that are written nowhere because they follow from the tasks' own.
#[derive(Clone, Debug, Default)]
pub struct Efforts {
    below: BTreeMap<Option<TaskId>, Below>,
}

/// What the tasks right below one come to, as far as anyone estimated them.
#[derive(Clone, Copy, Debug, Default)]
struct Below {
    whole: Option<Estimate>,
    /// The part of it that is done,
    done: Estimate,
    /// and the part that is open.
    open: Option<Estimate>,
}

impl Efforts {
    /// Deleted and cancelled tasks, and what stands below them, will not be done and count for nothing.
    pub fn of(project: &ProjectState) -> Self {
        let mut tasks: Vec<&Task> =
            project.tasks().map(AsRef::as_ref).filter(|task| is_meant(task)).collect();
        tasks.sort_by_key(|task| Reverse(task.depth));
        let mut below: BTreeMap<Option<TaskId>, Below> = BTreeMap::new();
        for task in tasks {
            let parts = below.get(&Some(task.id)).copied().unwrap_or_default();
            let own = task.estimate();
            let whole = own.or(parts.whole);
            let (done, open) = match (task.status.is_closed(), own) {
                (true, _) => (whole.unwrap_or_default(), parts.open),
                (false, None) => (parts.done, parts.open),
                // What its parts leave of it, and never less than the open ones.
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

    /// The parts of a task together; `None` where no part has an estimate.
    pub fn of_parts(&self, task: TaskId) -> Option<Estimate> {
        self.below.get(&Some(task))?.whole
    }

    /// The open work of the project; `None` where nobody estimated any.
    pub fn open(&self) -> Option<Estimate> {
        self.below.get(&None)?.open.filter(|open| *open != Estimate::default())
    }
}

fn is_meant(task: &Task) -> bool {
    task.is_live() && task.status != TaskStatus::Cancelled
}

fn sum(one: Option<Estimate>, other: Option<Estimate>) -> Option<Estimate> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.and(other)),
        (one, other) => one.or(other),
    }
}
