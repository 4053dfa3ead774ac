//! Links tasks with each other and with requirements.

use std::sync::Arc;

use super::fields::id_field;
use super::{Applier, ApplyResult};
use crate::domain::any_record::AnyRecord;
use crate::domain::id::{EntityId, RequirementId, TaskId};
use crate::domain::link::{LinkKind, TaskLink};
use crate::domain::patch::{Op, Patch};
use crate::domain::record::Entity;
use crate::domain::violation::{Rule, Violation};

impl Applier<'_> {
    pub(super) fn link_tasks(&mut self, patch: &Patch) -> ApplyResult {
        let from = self.end_of_link(patch, "from_id")?;
        let to = self.end_of_link(patch, "to_id")?;
        let mut record = AnyRecord::empty(patch.entity, patch.id);
        self.fill(&mut record, patch, true)?;
        let AnyRecord::TaskLink(link) = record else { return self.other_kind(patch) };
        let mut link = Arc::unwrap_or_clone(link);
        link.project_id = from.project_id;
        let is_dependency = link.kind == LinkKind::DependsOn;
        let err =
            |rule, message: String| Violation::new(self.patch, rule, message).field("fields.to_id");
        if from.id == to.id {
            return self
                .fail(err(Rule::SelfLink, format!("{} cannot be linked to itself", from.key)));
        }
        if is_dependency && from.project_id != to.project_id {
            let message = format!(
                "{} and {} are in different projects, but a dependency must stay inside one",
                from.key, to.key
            );
            return self.fail(
                err(Rule::DependencyAcrossProjects, message).hint("link them with kind relates"),
            );
        }
        if !is_dependency
            && (patch.fields.contains_key("dependency") || patch.fields.contains_key("lag_minutes"))
        {
            let message = "only a dependency has a type and a lag".to_owned();
            return self.fail(err(Rule::Operation, message));
        }
        self.check_no_duplicate(&link)?;
        if is_dependency {
            self.touch_graph(link.project_id);
            self.linked.insert(link.id, self.patch);
        }
        self.write(Op::Link, AnyRecord::TaskLink(Arc::new(link)), None);
        Ok(())
    }

    /// Refuses a link that duplicates a live one.
    pub(super) fn check_no_duplicate(&mut self, link: &TaskLink) -> ApplyResult {
        let says_the_same = |from: TaskId, to: TaskId| {
            let state = self.state.task(from).and_then(|task| self.state.project(task.project_id));
            state.is_some_and(|state| {
                state
                    .links_between(from, to)
                    .any(|other| other.id != link.id && other.kind == link.kind)
            })
        };
        let is_mutual = link.kind == LinkKind::Relates;
        if !(says_the_same(link.from_id, link.to_id)
            || is_mutual && says_the_same(link.to_id, link.from_id))
        {
            return Ok(());
        }
        let message = format!("the two tasks are linked by {} already", link.kind);
        self.fail(Violation::new(self.patch, Rule::DuplicateLink, message).field("fields.to_id"))
    }

    pub(super) fn link_requirement(&mut self, patch: &Patch) -> ApplyResult {
        let task = self.end_of_link(patch, "task_id")?;
        let Some(id) = id_field::<RequirementId>(patch, "requirement_id") else {
            return self.fail(
                Violation::new(self.patch, Rule::Required, "must be given")
                    .field("fields.requirement_id"),
            );
        };
        let project = self.project(task.project_id)?;
        let known =
            project.requirement(id).is_some_and(|requirement| requirement.deleted_at.is_none());
        let twice = project.coverage_of(task.id.uuid()).any(|answer| answer.requirement_id == id);
        if !known {
            let message = format!("the task's project has no active requirement {id}");
            let err = Violation::new(self.patch, Rule::UnknownReference, message)
                .field("fields.requirement_id");
            return self.lost(id.uuid(), err);
        }
        if twice {
            let message = format!("{} answers that requirement already", task.key);
            return self.fail(
                Violation::new(self.patch, Rule::DuplicateLink, message)
                    .field("fields.requirement_id"),
            );
        }
        let mut record = AnyRecord::empty(patch.entity, patch.id);
        self.fill(&mut record, patch, true)?;
        if let AnyRecord::TaskRequirement(answer) = &mut record {
            Arc::make_mut(answer).project_id = task.project_id;
        }
        self.write(Op::Link, record, None);
        Ok(())
    }

    fn other_kind(&mut self, patch: &Patch) -> ApplyResult {
        let message = format!("a {} cannot be the object of {}", patch.entity.noun(), patch.op);
        self.fail(Violation::new(self.patch, Rule::Operation, message).field("entity"))
    }

    fn end_of_link(
        &mut self,
        patch: &Patch,
        field: &str,
    ) -> ApplyResult<Arc<crate::domain::task::Task>> {
        self.check_id_is_free(patch)?;
        let place = format!("fields.{field}");
        let Some(id) = id_field::<TaskId>(patch, field) else {
            return self.fail(
                Violation::new(self.patch, Rule::Required, "must be the id of a task").field(place),
            );
        };
        // Looks for the ends only in the projects in the scope of the set, not in the whole lake.
        let project =
            self.state.home(Entity::Task, id.uuid()).filter(|project| self.scope.contains(project));
        match project.or(patch.project) {
            Some(project) => self.live_task(project, id, &place),
            None => {
                let err = Violation::new(
                    self.patch,
                    Rule::UnknownReference,
                    format!("there is no task {id}"),
                )
                .field(place);
                self.lost(id.uuid(), err)
            }
        }
    }
}
