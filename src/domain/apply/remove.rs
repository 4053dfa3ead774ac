//! Deleting and restoring. Both are soft and take along what belongs to the record.

use std::sync::Arc;

use super::{Bench, Step};
use crate::domain::any::AnyRecord;
use crate::domain::id::EntityId;
use crate::domain::patch::{Op, Patch};
use crate::domain::record::Entity;
use crate::domain::value::FieldValue;
use crate::domain::violation::{Rule, Violation};

impl Bench<'_> {
    pub(super) fn delete(&mut self, patch: &Patch) -> Step {
        let record = self.target(patch)?;
        self.refuse_fields(patch)?;
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

    pub(super) fn restore(&mut self, patch: &Patch) -> Step {
        let record = self.target(patch)?;
        self.refuse_fields(patch)?;
        if record.is_live() {
            let message = format!("the {} is not deleted", patch.entity.noun());
            return self.fail(Violation::new(self.patch, Rule::NotDeleted, message).field("id"));
        }
        let deleted_in = record.get("deleted_in");
        self.begin_again(record.clone())?;
        for carried in self.belongings(&record) {
            let same_set = !carried.is_live() && carried.get("deleted_in") == deleted_in;
            if same_set && self.ends_live(&carried) {
                self.begin_again(carried)?;
            }
        }
        Ok(())
    }

    fn refuse_fields(&mut self, patch: &Patch) -> Step {
        if patch.fields.is_empty() {
            return Ok(());
        }
        let message = format!("{} takes no fields", patch.op);
        self.fail(Violation::new(self.patch, Rule::Operation, message).field("fields"))
    }

    /// What goes and comes with a record, living or deleted: parents before children, links after both ends.
    fn belongings(&self, record: &AnyRecord) -> Vec<AnyRecord> {
        let Some(state) = record.project().and_then(|project| self.state.project(project)) else { return Vec::new() };
        match record {
            AnyRecord::Project(_) => {
                let tops = state
                    .children(None)
                    .flat_map(|top| std::iter::once(Arc::clone(top)).chain(state.descendants(top.id).into_iter().cloned()));
                let others = state.records().filter(|record| !matches!(record, AnyRecord::Project(_) | AnyRecord::Task(_)));
                let mut others: Vec<AnyRecord> = others.collect();
                others.sort_by_key(|record| record.entity() != Entity::Requirement);
                tops.map(AnyRecord::Task).chain(others).collect()
            }
            AnyRecord::Task(task) => {
                let below: Vec<AnyRecord> = state.descendants(task.id).into_iter().cloned().map(AnyRecord::Task).collect();
                let branch: std::collections::BTreeSet<_> = below.iter().map(AnyRecord::id).chain([task.id.uuid()]).collect();
                let links =
                    state.links().filter(|link| branch.contains(&link.from_id.uuid()) || branch.contains(&link.to_id.uuid()));
                let answers = state.records().filter(|record| match record {
                    AnyRecord::TaskRequirement(answer) => branch.contains(&answer.task_id.uuid()),
                    _ => false,
                });
                below.iter().cloned().chain(links.cloned().map(AnyRecord::TaskLink)).chain(answers).collect()
            }
            AnyRecord::Requirement(requirement) => state
                .records()
                .filter(|record| matches!(record, AnyRecord::TaskRequirement(answer) if answer.requirement_id == requirement.id))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Marks a record as deleted by this set.
    pub(super) fn end(&mut self, op: Op, mut record: AnyRecord) {
        let slot = record.slot();
        self.mark(&mut record, true);
        self.write(op, record, Some(slot));
    }

    fn begin_again(&mut self, mut record: AnyRecord) -> Step {
        if let AnyRecord::Task(task) = &record
            && let Some(parent) = task.parent_id
            && let Some(parent) = self.state.project(task.project_id).and_then(|state| state.task(parent))
            && !parent.is_live()
        {
            let message = format!("{} stands below {}, which is deleted too", task.key, parent.key);
            let hint = format!("lakeplan task restore {}", parent.key);
            return self.fail(Violation::new(self.patch, Rule::ParentDeleted, message).field("id").hint(hint));
        }
        let project_gone = record.entity() != Entity::Project
            && record
                .project()
                .and_then(|id| self.state.project(id)?.project())
                .is_some_and(|project| project.deleted_at.is_some());
        if project_gone {
            let fault = Violation::new(self.patch, Rule::ParentDeleted, "its project is deleted").field("id");
            return self.fail(fault.hint("restore the project"));
        }
        if !self.ends_live(&record) {
            let message = "one of the two it links is deleted";
            return self.fail(Violation::new(self.patch, Rule::Deleted, message).field("id").hint("restore that first"));
        }
        if let AnyRecord::Project(project) = &mut record
            && self.other_of_source(project).is_some()
        {
            Arc::make_mut(project).source = None;
        }
        let slot = record.slot();
        self.mark(&mut record, false);
        self.check(&mut record, &Patch::new(Op::Restore, slot.entity, slot.id, slot.project))?;
        if let AnyRecord::TaskLink(link) = &record {
            self.refuse_second(link)?;
            self.touch_graph(link.project_id);
            self.linked.insert(link.id, self.patch);
        }
        self.write(Op::Restore, record, Some(slot));
        Ok(())
    }

    /// Both ends of a link live; true of what is no link.
    fn ends_live(&self, record: &AnyRecord) -> bool {
        let task = |id| self.state.task(id).is_some_and(|task| task.is_live());
        match record {
            AnyRecord::TaskLink(link) => task(link.from_id) && task(link.to_id),
            AnyRecord::TaskRequirement(answer) => {
                let requirement =
                    self.state.project(answer.project_id).and_then(|state| state.requirement(answer.requirement_id));
                task(answer.task_id) && requirement.is_some_and(|requirement| requirement.deleted_at.is_none())
            }
            _ => true,
        }
    }

    fn mark(&self, record: &mut AnyRecord, deleted: bool) {
        let null = serde_json::Value::Null;
        let marks = [("deleted_at", self.at.json()), ("deleted_by", self.set.actor.json()), ("deleted_in", self.set.id.json())];
        for (field, value) in marks {
            // Every entity that can be deleted has the three fields; the lake cannot.
            let _ = record.set(field, if deleted { &value } else { &null });
        }
    }
}
