//! Handles tasks whose statement was removed. A task that the description now lists as cancelled is
//! cancelled, other untouched tasks are deleted, and the rest stay without line numbers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Replanner;
use super::matching::ExistingTask;
use super::merge_base::{GROUPS, MergeBase, normal};
use super::report::{FieldChange, Mark};
use super::tasks::status_of;
use crate::domain::id::{EntityId, TaskId};
use crate::domain::patch::Op;
use crate::domain::record::{Entity, Fields, Record};
use crate::domain::task::{Task, TaskStatus};
use crate::domain::value::FieldValue;
use crate::planning::plan::SkipReason;

/// Fields that show whether somebody touched a task; a delete expects their values.
const EXPECTED_BY_DELETE: &[&str] = &[
    "parent_id",
    "status",
    "actual_minutes",
    "importance",
    "sla_due",
    "tags",
    "title",
    "description",
    "assignee_id",
    "metadata",
];

/// Whether a task still has the status set by the plan.
fn has_planned_status(known: &ExistingTask<'_>) -> bool {
    known.task.status == status_of(known.base.standing).unwrap_or(TaskStatus::Pending)
}

/// Resolution of a task whose statement was removed.
pub(super) struct RemovedTask {
    task: TaskId,
    resolution: Resolution,
}

enum Resolution {
    Deleted,
    Cancelled,
    /// The reason.
    Stays(String),
}

impl Replanner<'_> {
    /// Decides about every task without a row and removes the deleted tasks from the shape.
    pub(super) fn resolve_removed(&mut self) -> Vec<RemovedTask> {
        let matched: BTreeSet<usize> = self.of_node.iter().flatten().copied().collect();
        let mut gone: Vec<&ExistingTask<'_>> = (self.known.iter().enumerate())
            .filter(|(index, known)| !matched.contains(index) && known.task.is_live())
            .map(|(_, known)| known)
            .collect();
        // Deepest tasks first, so that each task's remaining subtasks are known.
        gone.sort_by_key(|known| std::cmp::Reverse(self.graph.depth(known.task.id)));
        let children = self.graph.children();
        let mut ended: Vec<RemovedTask> = Vec::new();
        for known in gone {
            let task = known.task.id;
            let keeps = children
                .get(&task)
                .into_iter()
                .flatten()
                .any(|child| !self.deleted_tasks.contains(child));
            let resolution = match self.touched(known) {
                None if self.is_called_off(known) => Resolution::Cancelled,
                None if keeps => Resolution::Stays("work below it stays".to_owned()),
                None => Resolution::Deleted,
                // A cancelled task stays, so nothing is lost, unless somebody has started or closed
                // it.
                Some(_) if self.is_called_off(known) && has_planned_status(known) => {
                    Resolution::Cancelled
                }
                Some(reason) => Resolution::Stays(reason),
            };
            if matches!(resolution, Resolution::Deleted) {
                self.deleted_tasks.insert(task);
            }
            ended.push(RemovedTask { task, resolution });
        }
        for task in &self.deleted_tasks {
            self.graph.remove(*task);
            for link in self.project.into_iter().flat_map(|project| project.links_at(*task)) {
                self.graph.unlink(link.from_id, link.to_id);
            }
        }
        ended.sort_by_key(|ended| self.by_task.get(&ended.task).copied());
        ended
    }

    /// Returns how a person has changed the task since it was planned.
    fn touched(&self, known: &ExistingTask<'_>) -> Option<String> {
        let task = known.task;
        let task_unchanged = |group: &[&str]| {
            known.base.task_unchanged(group, task, |user| self.state.acting_user(user))
        };
        if task.status.is_closed() {
            return Some(format!("it is {}", task.status));
        }
        if !has_planned_status(known) {
            return Some(format!("its status is {}", task.status));
        }
        if task.actual_minutes.is_some() {
            return Some("time was spent on it".to_owned());
        }
        if !task_unchanged(&["assignee_id"]) {
            return Some("it was given to somebody since it was planned".to_owned());
        }
        let extra = task.importance.is_some()
            || task.sla_due.is_some()
            || !task.tags.0.is_empty()
            || task.metadata.0.len() > 1;
        if extra || !GROUPS.iter().all(|group| task_unchanged(group)) {
            return Some("it was edited since it was planned".to_owned());
        }
        if task.parent_id != known.base.parent {
            return Some("it was moved by hand since it was planned".to_owned());
        }
        self.is_linked_by_hand(task).then(|| "somebody linked it".to_owned())
    }

    /// Whether the description lists the task, or an ancestor in the plan, as cancelled.
    fn is_called_off(&self, known: &ExistingTask<'_>) -> bool {
        let cancelled = self
            .input
            .plan
            .skipped
            .iter()
            .filter(|skipped| skipped.reason == SkipReason::Cancelled);
        let titles: Vec<String> = cancelled.map(|skipped| normal(&skipped.what)).collect();
        let mut at = Some(known);
        while let Some(known) = at {
            // The listed title may be cut to fit a line.
            if titles
                .iter()
                .any(|title| !title.is_empty() && normal(known.base.title()).starts_with(title))
            {
                return true;
            }
            at = known
                .base
                .parent
                .and_then(|parent| self.by_task.get(&parent))
                .map(|index| &self.known[*index]);
        }
        false
    }

    fn is_linked_by_hand(&self, task: &Task) -> bool {
        let Some(project) = self.project else { return false };
        let planned = |from: TaskId, to: TaskId| {
            self.base_of(from).is_some_and(|base| base.after.contains(&to))
        };
        let answers = self.base_of(task.id).map(|base| base.answers.as_slice()).unwrap_or_default();
        project.links_at(task.id).any(|link| !planned(link.from_id, link.to_id))
            || project
                .coverage_of(task.id.uuid())
                .any(|answer| !answers.contains(&answer.requirement_id))
    }

    pub(super) fn end_vanished(&mut self, ended: &[RemovedTask]) {
        for ended in ended {
            let Some(known) = self.by_task.get(&ended.task).map(|index| &self.known[*index]) else {
                continue;
            };
            let task = known.task;
            let (status, reason) = match &ended.resolution {
                Resolution::Deleted => {
                    self.end(task);
                    continue;
                }
                // Reported only once; the base records it.
                Resolution::Stays(_) if known.base.gone => continue,
                Resolution::Stays(reason) => (None, reason),
                Resolution::Cancelled => (Some(TaskStatus::Cancelled), &String::new()),
            };
            let base = MergeBase { gone: true, cancelled: status.is_some(), ..known.base.clone() };
            let mut fields: Fields = ["source_line", "source_end_line"]
                .map(|name| (name.to_owned(), Value::Null))
                .into_iter()
                .collect();
            fields.insert("metadata".to_owned(), base.write(&task.metadata).json());
            fields.extend(status.map(|status| ("status".to_owned(), status.json())));
            self.patches.extend(self.update_of(task, fields));
            let mark = if status.is_some() { Mark::Changed } else { Mark::Kept };
            let item = self.report.push(mark, Entity::Task, task.id.uuid(), task.title.as_str());
            match status {
                Some(status) => {
                    item.changes = vec![FieldChange {
                        field: "status".to_owned(),
                        from: task.status.json(),
                        to: status.json(),
                    }];
                }
                None => {
                    item.because(format!("no longer in the description; {reason}"));
                }
            }
        }
    }

    fn end(&mut self, task: &Task) {
        let item = self.report.push(Mark::Gone, Entity::Task, task.id.uuid(), task.title.as_str());
        item.because("no longer in the description");
        // A delete includes all descendants.
        if task.parent_id.is_some_and(|parent| self.deleted_tasks.contains(&parent)) {
            return;
        }
        let mut patch = self.patch(Op::Delete, Entity::Task, task.id.uuid());
        for field in EXPECTED_BY_DELETE {
            patch = patch.expecting(field, task.get(field).unwrap_or_default());
        }
        self.patches.push(patch);
    }

    /// Maps task ids to indices into `known`.
    pub(super) fn index(known: &[ExistingTask<'_>]) -> BTreeMap<TaskId, usize> {
        known.iter().enumerate().map(|(index, known)| (known.task.id, index)).collect()
    }
}
