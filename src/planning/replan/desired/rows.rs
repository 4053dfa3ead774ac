//! The task of each row.

use crate::domain::id::TaskId;
use crate::planning::replan::context::Context;
use crate::planning::replan::matching::Matched;

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowTask {
    Existing(TaskId),
    New(TaskId),
    /// A person deleted the task, and it is not created again.
    Deleted(TaskId),
    /// The row is below a row without a task, so it gets none.
    LeftOut,
    /// A closed task is not split into parts.
    PartOfClosed,
}

impl RowTask {
    /// Returns the live task of the row.
    fn live(self) -> Option<TaskId> {
        match self {
            Self::Existing(id) | Self::New(id) => Some(id),
            Self::Deleted(_) | Self::LeftOut | Self::PartOfClosed => None,
        }
    }

    /// Returns the task that stands for the row in the plan.
    fn planned(self) -> Option<TaskId> {
        match self {
            Self::Existing(id) | Self::New(id) | Self::Deleted(id) => Some(id),
            Self::LeftOut | Self::PartOfClosed => None,
        }
    }
}

/// The rows of the plan, in order.
#[derive(Debug)]
pub struct Rows<'a> {
    tasks: Vec<RowTask>,
    parents: &'a [Option<usize>],
}

impl<'a> Rows<'a> {
    pub fn of(context: &Context<'a>, matched: &Matched<'a>) -> Self {
        let parents = context.plan().parents();
        let mut tasks: Vec<RowTask> = Vec::with_capacity(parents.len());
        for (row, node) in context.plan().nodes.iter().enumerate() {
            let is_lost = parents[row].is_some_and(|parent| tasks[parent].live().is_none());
            tasks.push(match matched.existing(row).map(|known| known.task) {
                Some(task) if task.is_live() => RowTask::Existing(task.id),
                Some(task) => RowTask::Deleted(task.id),
                None if matched.is_part_of_closed(context, row) => RowTask::PartOfClosed,
                None if is_lost => RowTask::LeftOut,
                None => RowTask::New(context.new_task(&node.key)),
            });
        }
        Self { tasks, parents }
    }

    pub fn iter(&self) -> impl Iterator<Item = RowTask> + '_ {
        self.tasks.iter().copied()
    }

    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Returns the live task of a row, existing or new.
    pub fn task(&self, row: usize) -> Option<TaskId> {
        self.tasks[row].live()
    }

    /// Returns the live tasks of the rows; `None` for a row without one.
    pub fn tasks(&self) -> impl Iterator<Item = Option<TaskId>> + '_ {
        self.iter().map(RowTask::live)
    }

    /// Returns the task of a row's parent in the plan, even if a person has moved or deleted it.
    pub fn planned_parent(&self, row: usize) -> Option<TaskId> {
        self.tasks[self.parents[row]?].planned()
    }
}
