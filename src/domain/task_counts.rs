//! Counts tasks and sums the work of the open ones, by project and person.

use std::collections::BTreeMap;

use super::id::{ProjectId, UserId};
use super::state::{ProjectState, State};
use super::task::TaskStatus;
use super::time::Minutes;

/// Counts and open work of some tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskCount {
    pub open: usize,
    pub closed: usize,
    /// Likely effort of the open tasks, as far as estimated.
    pub work: Minutes,
}

impl TaskCount {
    fn and(self, more: Self) -> Self {
        Self {
            open: self.open + more.open,
            closed: self.closed + more.closed,
            work: self.work.saturating_add(more.work),
        }
    }
}

/// Counts of a lake's live tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskCounts(BTreeMap<(ProjectId, Option<UserId>), TaskCount>);

impl TaskCounts {
    /// Counts the loaded tasks.
    pub fn of(state: &State) -> Self {
        let mut task_counts = Self::default();
        for task in state.projects().flat_map(ProjectState::tasks).filter(|task| task.is_live()) {
            task_counts.add(task.project_id, task.assignee_id, task.status, task.estimate_likely);
        }
        task_counts
    }

    /// Adds one live task.
    pub fn add(
        &mut self,
        project: ProjectId,
        assignee: Option<UserId>,
        status: TaskStatus,
        likely: Option<Minutes>,
    ) {
        let one = match status.is_closed() {
            true => TaskCount { closed: 1, ..TaskCount::default() },
            false => {
                TaskCount { open: 1, work: likely.unwrap_or_default(), ..TaskCount::default() }
            }
        };
        let tally = self.0.entry((project, assignee)).or_default();
        *tally = tally.and(one);
    }

    /// Replaces the counts of some projects with those from `others`.
    pub fn replace(&mut self, is_replaced: impl Fn(ProjectId) -> bool, others: Self) {
        self.0.retain(|(project, _), _| !is_replaced(*project));
        self.0.extend(others.0.into_iter().filter(|((project, _), _)| is_replaced(*project)));
    }

    pub fn project(&self, id: ProjectId) -> TaskCount {
        self.sum(|project, _| project == id)
    }

    pub fn user(&self, id: UserId) -> TaskCount {
        self.sum(|_, assignee| assignee == Some(id))
    }

    fn sum(&self, is_wanted: impl Fn(ProjectId, Option<UserId>) -> bool) -> TaskCount {
        let wanted =
            self.0.iter().filter(|((project, assignee), _)| is_wanted(*project, *assignee));
        wanted.fold(TaskCount::default(), |sum, (_, tally)| sum.and(*tally))
    }
}
