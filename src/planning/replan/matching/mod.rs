//! First step: finds the existing task, requirement or user for each part of the plan.

mod owners;
mod requirements;
mod tasks;

use std::collections::BTreeMap;

use owners::Owners;
pub use requirements::ExistingRequirement;
use requirements::Requirements;
pub use tasks::ExistingTask;

use super::context::Context;
use super::merge_base::{MergeBase, TaskBase};
use crate::domain::id::TaskId;
use crate::planning::plan::Origin;

/// The plan next to the records that it means.
#[derive(Debug)]
pub struct Matched<'a> {
    /// Tasks created by earlier plans, in the order of the description.
    pub tasks: Vec<ExistingTask<'a>>,
    /// Index into `tasks` for each row; `None` if the row is new.
    pub of_row: Vec<Option<usize>>,
    by_id: BTreeMap<TaskId, usize>,
    pub requirements: Requirements<'a>,
    pub owners: Owners,
}

/// Matches the plan with the project and the users.
pub fn matched<'a>(context: &Context<'a>, base: &'a MergeBase) -> Matched<'a> {
    let tasks = tasks::known(context.project, base);
    Matched {
        of_row: tasks::matches(context.plan(), &tasks),
        by_id: tasks.iter().enumerate().map(|(index, known)| (known.task.id, index)).collect(),
        tasks,
        requirements: Requirements::of(&context.plan().requirements, context.project, base),
        owners: Owners::of(context),
    }
}

impl<'a> Matched<'a> {
    /// Returns the existing task of a row.
    pub fn existing(&self, row: usize) -> Option<&ExistingTask<'a>> {
        self.of_row[row].map(|index| &self.tasks[index])
    }

    /// Returns the live existing task of a row.
    pub fn live(&self, row: usize) -> Option<&ExistingTask<'a>> {
        self.existing(row).filter(|known| known.task.is_live())
    }

    /// Returns the index into `tasks` of a task.
    pub fn position(&self, task: TaskId) -> Option<usize> {
        self.by_id.get(&task).copied()
    }

    /// Returns the planned task with an id.
    pub fn planned(&self, task: TaskId) -> Option<&ExistingTask<'a>> {
        self.position(task).map(|index| &self.tasks[index])
    }

    /// Returns the merge base of a task.
    pub fn base_of(&self, task: TaskId) -> Option<&'a TaskBase> {
        self.planned(task).map(|known| known.base)
    }

    /// Whether a row is only a part of a task that is closed.
    pub fn is_part_of_closed(&self, context: &Context<'_>, row: usize) -> bool {
        let plan = context.plan();
        let parent = plan.parents()[row].and_then(|parent| self.live(parent));
        matches!(plan.nodes[row].origin, Some(Origin::Split { .. }))
            && parent.is_some_and(|known| known.task.status.is_closed())
    }
}
