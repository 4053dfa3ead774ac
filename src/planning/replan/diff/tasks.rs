//! Creates a task for each new row or updates the existing task field by field.

use std::collections::BTreeMap;

use serde_json::Value;

use super::change::{Change, Diff, fields};
use super::links::is_covered;
use crate::domain::hint::Hint;
use crate::domain::id::{EntityId, RequirementId, TaskId};
use crate::domain::patch::Placement;
use crate::domain::record::{Entity, Fields, Record};
use crate::domain::task::{TaskKind, TaskStatus};
use crate::domain::value::FieldValue;
use crate::planning::plan::{Node, Progress, fitting_title};
use crate::planning::replan::base_storage;
use crate::planning::replan::context::Context;
use crate::planning::replan::desired::Desired;
use crate::planning::replan::desired::links::dependency;
use crate::planning::replan::desired::rows::RowTask;
use crate::planning::replan::matching::{ExistingTask, Matched};
use crate::planning::replan::merge_base::{GROUPS, TaskBase, stated, status_of};
use crate::planning::replan::report::{FieldChange, Mark};

const EDITED: &str = "edited since it was planned";

/// A row with everything that its task depends on.
struct Row<'a> {
    context: &'a Context<'a>,
    desired: &'a Desired<'a>,
    index: usize,
    node: &'a Node,
    /// Values that the row states.
    fields: Fields,
}

pub fn rows(context: &Context<'_>, matched: &Matched<'_>, desired: &Desired<'_>, diff: &mut Diff) {
    // The last task below each parent; the next one goes after it.
    let mut last: BTreeMap<Option<TaskId>, TaskId> = BTreeMap::new();
    for (index, (node, task)) in context.plan().nodes.iter().zip(desired.rows.iter()).enumerate() {
        let fields = stated(node, matched.owners.of_row(node));
        let row = Row { context, desired, index, node, fields };
        let id = match task {
            RowTask::Existing(id) | RowTask::New(id) => id,
            RowTask::Deleted(_) => {
                if let Some(known) = matched.existing(index) {
                    row.keep_deleted(known, diff);
                }
                continue;
            }
            RowTask::LeftOut => {
                let id = context.new_task(&node.key).uuid();
                let title = fitting_title(&node.title);
                let item = diff.report.push(Mark::LeftOut, Entity::Task, id, &title);
                item.because("it is part of a task that was deleted");
                continue;
            }
            RowTask::PartOfClosed => continue,
        };
        let parent = desired.parent(id);
        let place = last.get(&parent).map_or(Placement::First, |before| Placement::After(*before));
        match matched.live(index) {
            None => row.create(id, parent, place, diff),
            Some(known) => {
                row.relocate(known, parent, place, diff);
                row.update(known, diff);
            }
        }
        last.insert(parent, id);
    }
}

impl Row<'_> {
    /// Returns the merge base that the row leaves for the next plan.
    fn base(&self, task: TaskId, old: Option<&TaskBase>) -> TaskBase {
        let parent = self.desired.rows.planned_parent(self.index);
        let project = self.context.project;
        let links = &self.desired.links;
        // Only a link that the plan created is the plan's from now on.
        let is_own_link = |to: &&TaskId| {
            old.is_some_and(|base| base.after.contains(to))
                || (!links.left_out.contains(&(task, **to))
                    && dependency(project, task, **to).is_none())
        };
        let is_own_cover = |requirement: &&RequirementId| {
            old.is_some_and(|base| base.answers.contains(requirement))
                || !is_covered(project, task, **requirement)
        };
        TaskBase {
            after: links.after[self.index].iter().filter(is_own_link).copied().collect(),
            answers: self.desired.covers[self.index].iter().filter(is_own_cover).copied().collect(),
            ..TaskBase::of(&self.fields, self.node.standing, parent)
        }
    }

    /// Reports a row whose task a person deleted.
    fn keep_deleted(&self, known: &ExistingTask<'_>, diff: &mut Diff) {
        let task = known.task;
        let actor = task.deleted_by.as_ref();
        let actor = actor.map_or_else(|| "somebody".to_owned(), ToString::to_string);
        let reason = format!("{} was deleted by {actor}", task.key);
        let title = fitting_title(&self.node.title);
        diff.report.push(Mark::Kept, Entity::Task, task.id.uuid(), &title).because(reason).hint =
            Some(Hint::RestoreTask { key: task.key.clone() });
        // The planned position distinguishes it from other rows with the same text.
        let parent = self.desired.rows.planned_parent(self.index);
        let base = TaskBase { parent, ..known.base.clone() };
        let mut fields = self.context.lines(self.node.span);
        base_storage::write_task(&base, &mut fields);
        let change = Change::update(task, fields);
        diff.report.shifted += usize::from(change.is_some());
        diff.changes.extend(change);
    }

    fn create(&self, id: TaskId, parent: Option<TaskId>, place: Placement, diff: &mut Diff) {
        let mut fields = fields([("project_id", self.context.id.json())]);
        let lines = self.context.lines(self.node.span);
        let stated = self.fields.clone().into_iter().chain(lines);
        let usual = TaskKind::Task.json();
        let is_set =
            |name: &str, value: &Value| !value.is_null() && (name != "kind" || *value != usual);
        fields.extend(stated.filter(|(name, value)| is_set(name, value)));
        if let Some(parent) = parent {
            fields.insert("parent_id".to_owned(), parent.json());
        }
        if let Some(status) = status_of(self.node.standing) {
            fields.insert("status".to_owned(), status.json());
        }
        base_storage::write_task(&self.base(id, None), &mut fields);
        // Below a new parent or in a new project, the patch order sets the task order.
        let project = self.context.project;
        let is_old = |parent: TaskId| project.is_some_and(|project| project.task(parent).is_some());
        let is_placed = parent.map_or(project.is_some(), is_old);
        diff.changes.push(Change::Create {
            entity: Entity::Task,
            id: id.uuid(),
            fields,
            place: is_placed.then_some(place),
        });
        let title = fitting_title(&self.node.title);
        diff.report.push(Mark::New, Entity::Task, id.uuid(), &title);
    }

    fn relocate(
        &self,
        known: &ExistingTask<'_>,
        parent: Option<TaskId>,
        place: Placement,
        diff: &mut Diff,
    ) {
        let (task, moves) = (known.task, &self.desired.moves);
        if let Some(reason) = moves.kept.get(&task.id) {
            diff.report
                .push(Mark::Kept, Entity::Task, task.id.uuid(), task.title.as_str())
                .because(*reason);
        }
        if !moves.made.contains(&task.id) {
            return;
        }
        let from = task.parent_id;
        diff.changes.push(Change::Move { task: task.id, from, to: parent, place });
        let item = diff.report.push(Mark::Moved, Entity::Task, task.id.uuid(), task.title.as_str());
        if parent != from {
            let (from, to) = (from.json(), parent.json());
            item.changes.push(FieldChange { field: "parent_id".to_owned(), from, to });
        }
    }

    fn update(&self, known: &ExistingTask<'_>, diff: &mut Diff) {
        let (task, old) = (known.task, known.base);
        let Merged { mut changes, kept } = self.merge(known);
        let reported: Vec<FieldChange> = (changes.iter())
            .map(|(field, to)| FieldChange {
                field: field.clone(),
                from: task.get(field).unwrap_or_default(),
                to: to.clone(),
            })
            .collect();
        let is_reported = !reported.is_empty() || !kept.is_empty();
        let title = task.title.as_str();
        if !reported.is_empty() {
            diff.report.push(Mark::Changed, Entity::Task, task.id.uuid(), title).changes = reported;
        }
        for (field, reason) in kept {
            let from = task.get(field).unwrap_or_default();
            let to = self.fields.get(field).cloned();
            let to = to.unwrap_or_else(|| status_of(self.node.standing).json());
            let item = diff.report.push(Mark::Kept, Entity::Task, task.id.uuid(), title);
            item.because(reason).changes.push(FieldChange { field: field.to_owned(), from, to });
        }
        changes.extend(self.context.lines(self.node.span));
        let base = self.base(task.id, Some(old));
        if base != *old {
            base_storage::write_task(&base, &mut changes);
        }
        let Some(change) = Change::update(task, changes) else {
            diff.report.unchanged += 1;
            return;
        };
        let has_moved = change.sets("source_line") || change.sets("source_end_line");
        diff.report.shifted += usize::from(!is_reported && has_moved);
        // A change of the remembered values alone leaves the task unchanged.
        diff.report.unchanged += usize::from(!is_reported && !has_moved);
        diff.changes.push(change);
    }

    /// Merges the stated values with the task's: the plan's new values against people's edits.
    fn merge(&self, known: &ExistingTask<'_>) -> Merged {
        let (task, old) = (known.task, known.base);
        let mut merged = Merged::default();
        let project = self.context.project;
        let has_parts = project
            .is_some_and(|project| project.children(Some(task.id)).any(|part| part.is_live()));
        let becomes_milestone =
            !task.is_milestone() && self.fields.get("kind") == Some(&TaskKind::Milestone.json());
        for group in GROUPS {
            let is_there =
                group.iter().all(|name| task.get(name) == self.fields.get(*name).cloned());
            if old.says(group, &self.fields) || is_there {
                continue;
            }
            let acting = |user| self.context.state.acting_user(user);
            if group.contains(&"kind") && becomes_milestone && has_parts {
                merged.kept.push(("kind", "a milestone has no subtasks".to_owned()));
            } else if task.status.is_closed() {
                merged.kept.push((group[0], format!("it is {}", task.status)));
            } else if old.task_unchanged(group, task, acting) {
                let stated = |name: &str| self.fields.get(name).cloned();
                let differing =
                    group.iter().filter(|name| task.get(name).as_ref() != self.fields.get(**name));
                let differing =
                    differing.map(|name| ((*name).to_owned(), stated(name).unwrap_or_default()));
                merged.changes.extend(differing);
            } else {
                merged.kept.push((group[0], EDITED.to_owned()));
            }
        }
        self.merge_status(known, &mut merged);
        merged
    }

    /// Applies a newly stated started or done status. Reopens a task that the description no longer
    /// cancels. Never reopens a completed task.
    fn merge_status(&self, known: &ExistingTask<'_>, merged: &mut Merged) {
        use TaskStatus::{Assigned, InProgress, Pending, Review};
        let task = known.task;
        let standing = self.node.standing;
        let status = status_of(standing);
        if known.base.cancelled && task.status == TaskStatus::Cancelled {
            merged.changes.insert("status".to_owned(), status.unwrap_or(Pending).json());
            return;
        }
        if standing == known.base.standing || status == Some(task.status) {
            return;
        }
        let (follows, contradicts) = match standing {
            Progress::Open => (false, task.status == TaskStatus::Completed),
            Progress::Started => {
                (matches!(task.status, Pending | Assigned), task.status.is_closed())
            }
            Progress::Done => {
                (matches!(task.status, Pending | Assigned | InProgress | Review), true)
            }
        };
        if follows {
            merged.changes.insert("status".to_owned(), status.json());
        } else if contradicts {
            merged.kept.push(("status", format!("it is {}", task.status)));
        }
    }
}

/// Fields that take the stated value, and fields that keep the task's, with the reason.
#[derive(Default)]
struct Merged {
    changes: Fields,
    kept: Vec<(&'static str, String)>,
}
