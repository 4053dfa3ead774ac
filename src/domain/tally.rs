//! How many tasks there are and what the open ones take, by project and person.

use std::collections::BTreeMap;

use super::id::{ProjectId, UserId};
use super::state::{ProjectState, State};
use super::task::TaskStatus;
use super::time::Minutes;

/// What is known of some tasks when they are only counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub open: usize,
    pub closed: usize,
    /// What the open ones are likely to take, where that was estimated.
    pub work: Minutes,
}

impl Tally {
    fn and(self, more: Self) -> Self {
        Self {
            open: self.open + more.open,
            closed: self.closed + more.closed,
            work: self.work.saturating_add(more.work),
        }
    }
}

/// The living tasks of a lake, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tallies(BTreeMap<(ProjectId, Option<UserId>), Tally>);

impl Tallies {
    /// Counts the tasks at hand.
    pub fn of(state: &State) -> Self {
        let mut tallies = Self::default();
        for task in state.projects().flat_map(ProjectState::tasks).filter(|task| task.is_live()) {
            tallies.add(task.project_id, task.assignee_id, task.status, task.estimate_likely);
        }
        tallies
    }

    /// Counts one more living task.
    pub fn add(
        &mut self,
        project: ProjectId,
        assignee: Option<UserId>,
        status: TaskStatus,
        likely: Option<Minutes>,
    ) {
        let one = match status.is_closed() {
            true => Tally { closed: 1, ..Tally::default() },
            false => Tally { open: 1, work: likely.unwrap_or_default(), ..Tally::default() },
        };
        let tally = self.0.entry((project, assignee)).or_default();
        *tally = tally.and(one);
    }

    /// Takes what others counted of some projects in place of what was counted of them here.
    pub fn replace(&mut self, is_replaced: impl Fn(ProjectId) -> bool, others: Self) {
        self.0.retain(|(project, _), _| !is_replaced(*project));
        self.0.extend(others.0.into_iter().filter(|((project, _), _)| is_replaced(*project)));
    }

    pub fn project(&self, id: ProjectId) -> Tally {
        self.sum(|project, _| project == id)
    }

    pub fn user(&self, id: UserId) -> Tally {
        self.sum(|_, assignee| assignee == Some(id))
    }

    fn sum(&self, is_wanted: impl Fn(ProjectId, Option<UserId>) -> bool) -> Tally {
        let wanted =
            self.0.iter().filter(|((project, assignee), _)| is_wanted(*project, *assignee));
        wanted.fold(Tally::default(), |sum, (_, tally)| sum.and(*tally))
    }
}
