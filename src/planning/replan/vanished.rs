//! Tasks whose statement is gone: what the description now calls cancelled is cancelled, other untouched ones end, and the
//! rest stays and loses its lines.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Work;
use super::base::{Base, GROUPS, normal};
use super::matching::Known;
use super::report::{FieldChange, Mark};
use super::tasks::status_of;
use crate::domain::id::{EntityId, TaskId};
use crate::domain::patch::Op;
use crate::domain::record::{Entity, Fields, Record};
use crate::domain::task::{Task, TaskStatus};
use crate::domain::value::FieldValue;
use crate::planning::plan::SkipReason;

/// What a delete rests on: fields that say whether somebody has touched a task.
const TOUCHED_BY_HAND: &[&str] = &[
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

/// Whether a task's status is still the one that the plan gave it.
fn has_planned_status(known: &Known<'_>) -> bool {
    known.task.status == status_of(known.base.standing).unwrap_or(TaskStatus::Pending)
}

/// What becomes of a task whose statement is gone.
pub(super) struct Ended {
    task: TaskId,
    fate: Fate,
}

enum Fate {
    Deleted,
    Cancelled,
    /// Why.
    Stays(String),
}

impl Work<'_> {
    /// Decides about every task that no row is any more, and takes what ends out of the shape.
    pub(super) fn vanished(&mut self) -> Vec<Ended> {
        let matched: BTreeSet<usize> = self.of_node.iter().flatten().copied().collect();
        let mut gone: Vec<&Known<'_>> = (self.known.iter().enumerate())
            .filter(|(index, known)| !matched.contains(index) && known.task.is_live())
            .map(|(_, known)| known)
            .collect();
        // From the deepest up, so that what stays below a task is known when the task is looked at.
        gone.sort_by_key(|known| std::cmp::Reverse(self.shape.depth(known.task.id)));
        let children = self.shape.children();
        let mut ended: Vec<Ended> = Vec::new();
        for known in gone {
            let task = known.task.id;
            let keeps =
                children.get(&task).into_iter().flatten().any(|child| !self.ending.contains(child));
            let fate = match self.touched(known) {
                None if self.is_called_off(known) => Fate::Cancelled,
                None if keeps => Fate::Stays("work below it stays".to_owned()),
                None => Fate::Deleted,
                // Nothing is lost with a task that stays and is cancelled, unless somebody has begun or closed it.
                Some(_) if self.is_called_off(known) && has_planned_status(known) => {
                    Fate::Cancelled
                }
                Some(reason) => Fate::Stays(reason),
            };
            if matches!(fate, Fate::Deleted) {
                self.ending.insert(task);
            }
            ended.push(Ended { task, fate });
        }
        for task in &self.ending {
            self.shape.remove(*task);
            for link in self.project.into_iter().flat_map(|project| project.links_at(*task)) {
                self.shape.unlink(link.from_id, link.to_id);
            }
        }
        ended.sort_by_key(|ended| self.by_task.get(&ended.task).copied());
        ended
    }

    /// What a person has done to a task since it was planned.
    fn touched(&self, known: &Known<'_>) -> Option<String> {
        let task = known.task;
        let stands =
            |group: &[&str]| known.base.stands(group, task, |user| self.state.acting_user(user));
        if task.status.is_closed() {
            return Some(format!("it is {}", task.status));
        }
        if !has_planned_status(known) {
            return Some(format!("its status is {}", task.status));
        }
        if task.actual_minutes.is_some() {
            return Some("time was spent on it".to_owned());
        }
        if !stands(&["assignee_id"]) {
            return Some("it was given to somebody since it was planned".to_owned());
        }
        let extra = task.importance.is_some()
            || task.sla_due.is_some()
            || !task.tags.0.is_empty()
            || task.metadata.0.len() > 1;
        if extra || !GROUPS.iter().all(|group| stands(group)) {
            return Some("it was edited since it was planned".to_owned());
        }
        if task.parent_id != known.base.parent {
            return Some("it was moved by hand since it was planned".to_owned());
        }
        self.is_linked_by_hand(task).then(|| "somebody linked it".to_owned())
    }

    /// Whether the description lists it, or what the plan put it below, as cancelled.
    fn is_called_off(&self, known: &Known<'_>) -> bool {
        let cancelled =
            self.said.plan.skipped.iter().filter(|skipped| skipped.reason == SkipReason::Cancelled);
        let titles: Vec<String> = cancelled.map(|skipped| normal(&skipped.what)).collect();
        let mut at = Some(known);
        while let Some(known) = at {
            // What is listed may be cut to fit a line.
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
                .answers_at(task.id.uuid())
                .any(|answer| !answers.contains(&answer.requirement_id))
    }

    pub(super) fn end_vanished(&mut self, ended: &[Ended]) {
        for ended in ended {
            let Some(known) = self.by_task.get(&ended.task).map(|index| &self.known[*index]) else {
                continue;
            };
            let task = known.task;
            let (status, reason) = match &ended.fate {
                Fate::Deleted => {
                    self.end(task);
                    continue;
                }
                // Said once: from then on its base knows.
                Fate::Stays(_) if known.base.gone => continue,
                Fate::Stays(reason) => (None, reason),
                Fate::Cancelled => (Some(TaskStatus::Cancelled), &String::new()),
            };
            let base = Base { gone: true, cancelled: status.is_some(), ..known.base.clone() };
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
        // A delete takes everything below along.
        if task.parent_id.is_some_and(|parent| self.ending.contains(&parent)) {
            return;
        }
        let mut patch = self.patch(Op::Delete, Entity::Task, task.id.uuid());
        for field in TOUCHED_BY_HAND {
            patch = patch.expecting(field, task.get(field).unwrap_or_default());
        }
        self.patches.push(patch);
    }

    /// Every known task by its id.
    pub(super) fn index(known: &[Known<'_>]) -> BTreeMap<TaskId, usize> {
        known.iter().enumerate().map(|(index, known)| (known.task.id, index)).collect()
    }
}
