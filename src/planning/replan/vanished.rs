//! Tasks whose statement is gone: the untouched ones end, the others stay and lose their lines.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Work;
use super::base::GROUPS;
use super::matching::Known;
use super::report::Mark;
use crate::domain::id::{EntityId, TaskId};
use crate::domain::patch::Op;
use crate::domain::record::{Entity, Fields, Record};
use crate::domain::task::{Task, TaskStatus};
use crate::domain::value::FieldValue;

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

/// What becomes of a task whose statement is gone.
pub(super) struct Ended {
    task: TaskId,
    /// Why it stays; `None` where it is deleted.
    stays: Option<String>,
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
            let keeps = children.get(&task).into_iter().flatten().any(|child| !self.ending.contains(child));
            let stays = self.touched(known).or_else(|| keeps.then(|| "work below it stays".to_owned()));
            if stays.is_none() {
                self.ending.insert(task);
            }
            ended.push(Ended { task, stays });
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
        let stands = |group: &[&str]| known.base.stands(group, task, |user| self.state.acting_user(user));
        if task.status.is_closed() {
            return Some(format!("it is {}", task.status));
        }
        if task.status != TaskStatus::Pending {
            return Some(format!("its status is {}", task.status));
        }
        if task.actual_minutes.is_some() {
            return Some("time was spent on it".to_owned());
        }
        if !stands(&["assignee_id"]) {
            return Some("it was given to somebody since it was planned".to_owned());
        }
        let extra = task.importance.is_some() || task.sla_due.is_some() || !task.tags.0.is_empty() || task.metadata.0.len() > 1;
        if extra || !GROUPS.iter().all(|group| stands(group)) {
            return Some("it was edited since it was planned".to_owned());
        }
        if task.parent_id != known.base.parent {
            return Some("it was moved by hand since it was planned".to_owned());
        }
        self.is_linked_by_hand(task).then(|| "somebody linked it".to_owned())
    }

    fn is_linked_by_hand(&self, task: &Task) -> bool {
        let Some(project) = self.project else { return false };
        let planned = |from: TaskId, to: TaskId| self.base_of(from).is_some_and(|base| base.after.contains(&to));
        let answers = self.base_of(task.id).map(|base| base.answers.as_slice()).unwrap_or_default();
        project.links_at(task.id).any(|link| !planned(link.from_id, link.to_id))
            || project.answers_at(task.id.uuid()).any(|answer| !answers.contains(&answer.requirement_id))
    }

    pub(super) fn end_vanished(&mut self, ended: &[Ended]) {
        for ended in ended {
            let Some(known) = self.by_task.get(&ended.task).map(|index| &self.known[*index]) else { continue };
            let task = known.task;
            match &ended.stays {
                None => self.end(task),
                // Said once: from then on its base knows.
                Some(_) if known.base.gone => {}
                Some(reason) => {
                    let mut base = known.base.clone();
                    base.gone = true;
                    let mut fields: Fields =
                        ["source_line", "source_end_line"].map(|name| (name.to_owned(), Value::Null)).into_iter().collect();
                    fields.insert("metadata".to_owned(), base.write(&task.metadata).json());
                    self.patches.extend(self.update_of(task, fields));
                    let reason = format!("no longer in the description; {reason}");
                    self.report.push(Mark::Kept, Entity::Task, task.id.uuid(), task.title.as_str()).because(reason);
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
