//! Creates a task for each new row or updates the existing task field by field.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Replanner;
use super::matching::ExistingTask;
use super::merge_base::{GROUPS, MergeBase, stated};
use super::moves::Moves;
use super::report::{FieldChange, Mark};
use crate::domain::hint::Hint;
use crate::domain::id::{EntityId, TaskId, derived};
use crate::domain::patch::{Op, Patch, Placement};
use crate::domain::record::{Entity, Fields, Record};
use crate::domain::task::{Task, TaskStatus};
use crate::domain::value::FieldValue;
use crate::planning::plan::{Node, Origin, Progress, Span, fitting_title};

const EDITED: &str = "edited since it was planned";

/// Returns the status that a row states.
pub(super) fn status_of(standing: Progress) -> Option<TaskStatus> {
    match standing {
        Progress::Open => None,
        Progress::Started => Some(TaskStatus::InProgress),
        Progress::Done => Some(TaskStatus::Completed),
    }
}

impl Replanner<'_> {
    /// Assigns a task to each row. A row below a task that a person deleted gets none, and a closed
    /// task is not split into parts.
    pub(super) fn assign_tasks(&mut self) {
        for (index, node) in self.input.plan.nodes.iter().enumerate() {
            self.tasks[index] = match self.of_node[index].map(|known| self.known[known].task) {
                Some(task) => task.is_live().then_some(task.id),
                None => {
                    let is_lost =
                        self.parents[index].is_some_and(|parent| self.tasks[parent].is_none());
                    (!is_lost && !self.is_part_of_done(index))
                        .then(|| TaskId::of(derived(self.set, &format!("task {}", node.key))))
                }
            };
        }
    }

    fn is_part_of_done(&self, index: usize) -> bool {
        let parent = self.parents[index].and_then(|parent| self.live(parent));
        matches!(self.input.plan.nodes[index].origin, Some(Origin::Split { .. }))
            && parent.is_some_and(|known| known.task.status.is_closed())
    }

    pub(super) fn write_tasks(&mut self, moves: &Moves) {
        let plan = self.input.plan;
        // The last task below each parent; the next one goes after it.
        let mut last: BTreeMap<Option<TaskId>, TaskId> = BTreeMap::new();
        for (index, node) in plan.nodes.iter().enumerate() {
            let Some(id) = self.tasks[index] else {
                self.report_lost(index, node);
                continue;
            };
            let parent = self.graph.parent(id);
            let place =
                last.get(&parent).map_or(Placement::First, |before| Placement::After(*before));
            match self.live(index) {
                None => self.create(index, node, id, parent, place),
                Some(known) => {
                    self.relocate(known, moves, parent, place);
                    self.update(index, node, known);
                }
            }
            last.insert(parent, id);
        }
    }

    fn report_lost(&mut self, index: usize, node: &Node) {
        let title = fitting_title(&node.title);
        match self.of_node[index].map(|known| &self.known[known]) {
            Some(known) => {
                let task = known.task;
                let who = task
                    .deleted_by
                    .as_ref()
                    .map_or_else(|| "somebody".to_owned(), ToString::to_string);
                let reason = format!("{} was deleted by {who}", task.key);
                self.report
                    .push(Mark::Kept, Entity::Task, task.id.uuid(), &title)
                    .because(reason)
                    .hint = Some(Hint::RestoreTask { key: task.key.clone() });
                // The planned position distinguishes it from other rows with the same text.
                let mut fields = self.lines(node.span);
                let base = MergeBase { parent: self.planned_parent(index), ..known.base.clone() };
                fields.insert("metadata".to_owned(), base.write(&task.metadata).json());
                let patch = self.update_of(task, fields);
                self.report.shifted += usize::from(patch.is_some());
                self.patches.extend(patch);
            }
            None if self.is_part_of_done(index) => {}
            None => {
                let id = derived(self.set, &format!("task {}", node.key));
                let reason = "it is part of a task that was deleted";
                self.report.push(Mark::LeftOut, Entity::Task, id, &title).because(reason);
            }
        }
    }

    fn create(
        &mut self,
        index: usize,
        node: &Node,
        id: TaskId,
        parent: Option<TaskId>,
        place: Placement,
    ) {
        let fields = stated(node, self.owner(node));
        let mut base = MergeBase::of(&fields, node.standing, self.planned_parent(index));
        base.after = self.remembered_links(index, id, None);
        base.answers = self.remembered_answers(index, id, None);
        let mut patch =
            self.patch(Op::Create, Entity::Task, id.uuid()).with("project_id", self.id.json());
        patch.fields.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
        patch
            .fields
            .extend(self.lines(node.span).into_iter().filter(|(_, value)| !value.is_null()));
        if let Some(parent) = parent {
            patch = patch.with("parent_id", parent.json());
        }
        if let Some(status) = status_of(node.standing) {
            patch = patch.with("status", status.json());
        }
        patch = patch.with("metadata", base.write(&Default::default()).json());
        // Below a new parent or in a new project, the patch order sets the task order.
        let is_old =
            |parent: TaskId| self.project.is_some_and(|project| project.task(parent).is_some());
        if parent.map_or(self.project.is_some(), is_old) {
            patch = patch.placed(place);
        }
        self.patches.push(patch);
        self.report.push(Mark::New, Entity::Task, id.uuid(), &fitting_title(&node.title));
    }

    fn relocate(
        &mut self,
        known: &ExistingTask<'_>,
        moves: &Moves,
        parent: Option<TaskId>,
        place: Placement,
    ) {
        let task = known.task;
        if let Some(reason) = moves.kept.get(&task.id) {
            self.report
                .push(Mark::Kept, Entity::Task, task.id.uuid(), task.title.as_str())
                .because(*reason);
        }
        if !moves.made.contains(&task.id) {
            return;
        }
        let mut patch = self
            .patch(Op::Move, Entity::Task, task.id.uuid())
            .expecting("parent_id", task.parent_id.json());
        if parent != task.parent_id {
            patch = patch.with("parent_id", parent.json());
        }
        self.patches.push(patch.placed(place));
        let change = FieldChange {
            field: "parent_id".to_owned(),
            from: task.parent_id.json(),
            to: parent.json(),
        };
        let item = self.report.push(Mark::Moved, Entity::Task, task.id.uuid(), task.title.as_str());
        if parent != task.parent_id {
            item.changes.push(change);
        }
    }

    fn update(&mut self, index: usize, node: &Node, known: &ExistingTask<'_>) {
        let (task, old) = (known.task, &known.base);
        let fields = stated(node, self.owner(node));
        let mut changes = Fields::new();
        let mut kept: Vec<(&str, String)> = Vec::new();
        for group in GROUPS {
            let is_there = group.iter().all(|name| task.get(name) == fields.get(*name).cloned());
            if old.says(group, &fields) || is_there {
                continue;
            }
            if task.status.is_closed() {
                kept.push((group[0], format!("it is {}", task.status)));
            } else if old.task_unchanged(group, task, |user| self.state.acting_user(user)) {
                let differing =
                    group.iter().filter(|name| task.get(name).as_ref() != fields.get(**name));
                changes.extend(differing.map(|name| {
                    ((*name).to_owned(), fields.get(*name).cloned().unwrap_or_default())
                }));
            } else {
                kept.push((group[0], EDITED.to_owned()));
            }
        }
        self.update_status(node, known, &mut changes, &mut kept);
        let reported = changes.iter().map(|(field, to)| FieldChange {
            field: field.clone(),
            from: task.get(field).unwrap_or_default(),
            to: to.clone(),
        });
        let reported: Vec<FieldChange> = reported.collect();
        let is_reported = !reported.is_empty() || !kept.is_empty();
        if !reported.is_empty() {
            self.report
                .push(Mark::Changed, Entity::Task, task.id.uuid(), task.title.as_str())
                .changes = reported;
        }
        for (field, reason) in kept {
            let from = task.get(field).unwrap_or_default();
            let to = fields.get(field).cloned().unwrap_or_else(|| status_of(node.standing).json());
            let item = self
                .report
                .push(Mark::Kept, Entity::Task, task.id.uuid(), task.title.as_str())
                .because(reason);
            item.changes.push(FieldChange { field: field.to_owned(), from, to });
        }
        changes.extend(self.lines(node.span));
        let mut base = MergeBase::of(&fields, node.standing, self.planned_parent(index));
        base.after = self.remembered_links(index, task.id, Some(old));
        base.answers = self.remembered_answers(index, task.id, Some(old));
        if base != *old {
            changes.insert("metadata".to_owned(), base.write(&task.metadata).json());
        }
        match self.update_of(task, changes) {
            None => self.report.unchanged += 1,
            Some(patch) => {
                let has_moved = patch.fields.contains_key("source_line")
                    || patch.fields.contains_key("source_end_line");
                self.report.shifted += usize::from(!is_reported && has_moved);
                // A change of the remembered values alone leaves the task unchanged.
                self.report.unchanged += usize::from(!is_reported && !has_moved);
                self.patches.push(patch);
            }
        }
    }

    /// Applies a newly stated started or done status. Reopens a task that the description no longer
    /// cancels. Never reopens a completed task.
    fn update_status(
        &self,
        node: &Node,
        known: &ExistingTask<'_>,
        changes: &mut Fields,
        kept: &mut Vec<(&str, String)>,
    ) {
        use TaskStatus::{Assigned, InProgress, Pending, Review};
        let task = known.task;
        let status = status_of(node.standing);
        if known.base.cancelled && task.status == TaskStatus::Cancelled {
            changes.insert("status".to_owned(), status.unwrap_or(Pending).json());
            return;
        }
        if node.standing == known.base.standing || status == Some(task.status) {
            return;
        }
        let (follows, contradicts) = match node.standing {
            Progress::Open => (false, task.status == TaskStatus::Completed),
            Progress::Started => {
                (matches!(task.status, Pending | Assigned), task.status.is_closed())
            }
            Progress::Done => {
                (matches!(task.status, Pending | Assigned | InProgress | Review), true)
            }
        };
        if follows {
            changes.insert("status".to_owned(), status.json());
        } else if contradicts {
            kept.push(("status", format!("it is {}", task.status)));
        }
    }

    /// Returns an update of the fields that differ; each field expects its current value.
    pub(super) fn update_of(&self, task: &Task, fields: Fields) -> Option<Patch> {
        let mut patch = self.patch(Op::Update, Entity::Task, task.id.uuid());
        for (field, to) in fields {
            let from = task.get(&field).unwrap_or_default();
            if from != to {
                patch = patch.expecting(&field, from).with(&field, to);
            }
        }
        (!patch.fields.is_empty()).then_some(patch)
    }

    /// Returns the task of a row's parent in the plan, even if a person has moved or deleted it.
    pub(super) fn planned_parent(&self, index: usize) -> Option<TaskId> {
        let parent = self.parents[index]?;
        self.tasks[parent].or_else(|| self.of_node[parent].map(|known| self.known[known].task.id))
    }

    /// Returns the source and the lines of a row; the lines are null if they are unknown.
    pub(super) fn lines(&self, span: Option<Span>) -> Fields {
        let line = |of: fn(Span) -> usize| {
            span.map_or(Value::Null, |span| {
                Value::from(u32::try_from(of(span)).unwrap_or(u32::MAX))
            })
        };
        [
            ("source".to_owned(), self.input.source.json()),
            ("source_line".to_owned(), line(|span| span.start_line)),
            ("source_end_line".to_owned(), line(|span| span.end_line)),
        ]
        .into_iter()
        .collect()
    }
}
