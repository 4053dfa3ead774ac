//! Deletes and restores records. Both are soft and include the records that belong to the record.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Applier, ApplyResult, Marks};
use crate::domain::any_record::{AnyRecord, RecordKey};
use crate::domain::hint::Hint;
use crate::domain::id::EntityId;
use crate::domain::link::{LinkKind, TaskLink};
use crate::domain::patch::{Op, Patch};
use crate::domain::record::Entity;
use crate::domain::task::Task;
use crate::domain::violation::{Rule, Violation};

/// Status of the two ends of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    Fit,
    Gone,
    /// The ends are in different projects, and the link must stay inside one.
    Apart,
}

impl Applier<'_> {
    pub(super) fn delete(&mut self, patch: &Patch) -> ApplyResult {
        let record = self.target(patch)?;
        if !record.is_live() {
            let message = format!("the {} is deleted already", patch.entity.noun());
            return self.fail(Violation::new(self.patch, Rule::Deleted, message).field("id"));
        }
        let carried = self.belongings(&record);
        self.end(patch.op, record);
        for record in carried.into_iter().filter(AnyRecord::is_live) {
            let op = match record.entity() {
                Entity::TaskLink | Entity::TaskRequirement => Op::Unlink,
                _ => Op::Delete,
            };
            self.end(op, record);
        }
        Ok(())
    }

    pub(super) fn restore(&mut self, patch: &Patch) -> ApplyResult {
        let record = self.target(patch)?;
        if record.is_live() {
            let message = format!("the {} is not deleted", patch.entity.noun());
            return self.fail(Violation::new(self.patch, Rule::NotDeleted, message).field("id"));
        }
        let deleted_in = record.get("deleted_in");
        self.restore_record(record.clone())?;
        for carried in self.belongings(&record) {
            let same_set = !carried.is_live() && carried.get("deleted_in") == deleted_in;
            if same_set && self.ends(&carried) == Ends::Fit {
                self.restore_record(carried)?;
            }
        }
        Ok(())
    }

    /// Returns what is deleted and restored with a record, live or deleted: parents before
    /// children, links after both ends.
    fn belongings(&self, record: &AnyRecord) -> Vec<AnyRecord> {
        let Some(state) = record.project().and_then(|project| self.state.project(project)) else {
            return Vec::new();
        };
        match record {
            AnyRecord::Project(_) => {
                let tops = state.children(None).flat_map(|top| {
                    std::iter::once(Arc::clone(top))
                        .chain(state.descendants(top.id).into_iter().cloned())
                });
                let far = state.tasks().flat_map(|task| self.links_from_elsewhere(task));
                tops.map(AnyRecord::Task)
                    .chain(state.requirements().cloned().map(AnyRecord::Requirement))
                    .chain(state.links().cloned().map(AnyRecord::TaskLink))
                    .chain(far.map(AnyRecord::TaskLink))
                    .chain(state.covers().cloned().map(AnyRecord::TaskRequirement))
                    .collect()
            }
            AnyRecord::Task(task) => {
                let below = state.descendants(task.id);
                let branch = || std::iter::once(task).chain(below.iter().copied());
                // A link inside the branch is found at both of its ends.
                let own: BTreeMap<_, _> = branch()
                    .flat_map(|task| state.all_links_at(task.id))
                    .map(|link| (link.id, Arc::clone(link)))
                    .collect();
                let far = branch().flat_map(|task| self.links_from_elsewhere(task));
                let covers =
                    branch().flat_map(|task| state.all_answers_at(task.id.uuid())).cloned();
                let tasks = below.iter().copied().cloned().map(AnyRecord::Task);
                tasks
                    .chain(own.into_values().map(AnyRecord::TaskLink))
                    .chain(far.map(AnyRecord::TaskLink))
                    .chain(covers.map(AnyRecord::TaskRequirement))
                    .collect()
            }
            AnyRecord::Requirement(requirement) => state
                .all_answers_at(requirement.id.uuid())
                .cloned()
                .map(AnyRecord::TaskRequirement)
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Returns the links from other projects to a task, including deleted ones.
    fn links_from_elsewhere(&self, task: &Task) -> Vec<Arc<TaskLink>> {
        self.state
            .links_to(task.id)
            .filter(|link| link.project_id != task.project_id)
            .cloned()
            .collect()
    }

    /// Marks a record as deleted by this set.
    pub(super) fn end(&mut self, op: Op, mut record: AnyRecord) {
        let slot = record.record_key();
        self.mark(&mut record, true);
        self.write(op, record, Some(slot));
    }

    fn restore_record(&mut self, mut record: AnyRecord) -> ApplyResult {
        if let AnyRecord::Task(task) = &record
            && let Some(parent) = task.parent_id
            && let Some(parent) =
                self.state.project(task.project_id).and_then(|state| state.task(parent))
            && !parent.is_live()
        {
            let message = format!("{} is below {}, which is deleted too", task.key, parent.key);
            let hint = Hint::RestoreTask { key: parent.key.clone() };
            return self.fail(
                Violation::new(self.patch, Rule::ParentDeleted, message).field("id").hint(hint),
            );
        }
        if let AnyRecord::Task(task) = &record
            && let Some(parent) = task.parent_id
        {
            let project = self.state.project(task.project_id);
            let parent = project.and_then(|state| state.task(parent)).cloned();
            self.check_parent_kind(parent.as_deref(), "id")?;
        }
        let project_gone = record.entity() != Entity::Project
            && record
                .project()
                .and_then(|id| self.state.project(id)?.project())
                .is_some_and(|project| project.deleted_at.is_some());
        if project_gone {
            let err = Violation::new(self.patch, Rule::ParentDeleted, "its project is deleted")
                .field("id");
            return self.fail(err.hint("restore the project"));
        }
        match self.ends(&record) {
            Ends::Fit => {}
            Ends::Gone => {
                let message = "one of the two it links is deleted";
                return self.fail(
                    Violation::new(self.patch, Rule::Deleted, message)
                        .field("id")
                        .hint("restore that first"),
                );
            }
            Ends::Apart => {
                let message = "the two it links are in different projects now";
                return self.fail(
                    Violation::new(self.patch, Rule::DependencyAcrossProjects, message).field("id"),
                );
            }
        }
        record = self.follow_start(record);
        if let AnyRecord::Project(project) = &mut record
            && self.other_of_source(project).is_some()
        {
            Arc::make_mut(project).source = None;
        }
        let slot = record.record_key();
        self.mark(&mut record, false);
        self.check(&mut record, &Patch::new(Op::Restore, slot.entity, slot.id, slot.project))?;
        if let AnyRecord::TaskLink(link) = &record {
            self.check_no_duplicate(link)?;
            if link.kind == LinkKind::DependsOn {
                self.touch_graph(link.project_id);
                self.linked.insert(link.id, self.patch);
            }
        }
        self.write(Op::Restore, record, Some(slot));
        Ok(())
    }

    /// Moves a link to the project of the task that it starts from. Earlier versions did not move a
    /// deleted link with its task.
    fn follow_start(&mut self, record: AnyRecord) -> AnyRecord {
        let AnyRecord::TaskLink(link) = &record else { return record };
        match self.state.task(link.from_id).map(|task| task.project_id) {
            Some(project) if project != link.project_id => {
                let slot = record.record_key();
                let mut moved = Arc::unwrap_or_clone(Arc::clone(link));
                moved.project_id = project;
                self.write(Op::Move, AnyRecord::TaskLink(Arc::new(moved)), Some(slot));
                self.state.get(RecordKey { project: Some(project), ..slot }).unwrap_or(record)
            }
            _ => record,
        }
    }

    /// Returns the status of the ends of a link; [`Ends::Fit`] for other records.
    fn ends(&self, record: &AnyRecord) -> Ends {
        let task =
            |id| self.state.task(id).filter(|task| task.is_live()).map(|task| task.project_id);
        let (ends, stays_inside) = match record {
            AnyRecord::TaskLink(link) => {
                ((task(link.from_id), task(link.to_id)), link.kind == LinkKind::DependsOn)
            }
            AnyRecord::TaskRequirement(answer) => {
                let requirement = self
                    .state
                    .project(answer.project_id)
                    .and_then(|state| state.requirement(answer.requirement_id));
                let requirement =
                    requirement.filter(|requirement| requirement.deleted_at.is_none());
                (
                    (task(answer.task_id), requirement.map(|requirement| requirement.project_id)),
                    true,
                )
            }
            _ => return Ends::Fit,
        };
        match ends {
            (Some(from), Some(to)) if stays_inside && from != to => Ends::Apart,
            (Some(_), Some(_)) => Ends::Fit,
            _ => Ends::Gone,
        }
    }

    fn mark(&self, record: &mut AnyRecord, deleted: bool) {
        let null = serde_json::Value::Null;
        let Marks { at, actor, set } = &self.marks;
        for (field, value) in [("deleted_at", at), ("deleted_by", actor), ("deleted_in", set)] {
            // Every entity that can be deleted has the three fields; the lake cannot be deleted.
            let _ = record.set(field, if deleted { value } else { &null });
        }
    }
}
