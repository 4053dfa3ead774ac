//! Creates lakes, projects, tasks, users and requirements.

use std::sync::Arc;

use super::fields::id_field;
use super::{Applier, ApplyResult};
use crate::domain::any_record::AnyRecord;
use crate::domain::id::{ProjectId, TaskId};
use crate::domain::key::{ProjectKey, TaskKey};
use crate::domain::patch::{Op, Patch};
use crate::domain::state::{ProjectState, State};
use crate::domain::task::Task;
use crate::domain::value::{FieldValue, Name};
use crate::domain::violation::{Rule, Violation};

impl Applier<'_> {
    /// Returns a new record with the fields of the patch. Fails if the id is already in use.
    fn fresh(&mut self, patch: &Patch) -> ApplyResult<AnyRecord> {
        self.check_id_is_free(patch)?;
        let mut record = AnyRecord::empty(patch.entity, patch.id);
        self.fill(&mut record, patch, true)?;
        Ok(record)
    }

    /// Refuses an id that any record in the lake has, whatever its entity or project.
    pub(super) fn check_id_is_free(&mut self, patch: &Patch) -> ApplyResult {
        let Some(record_by_id) = self.state.record_by_id(patch.id) else { return Ok(()) };
        let message =
            format!("the id {} belongs to {}", patch.id, described(self.state, &record_by_id));
        let hint = "omit the id, or give the new record a local name such as $a";
        self.fail(Violation::new(self.patch, Rule::AlreadyExists, message).field("id").hint(hint))
    }

    fn create(&mut self, mut record: AnyRecord, patch: &Patch) -> ApplyResult {
        self.check(&mut record, patch)?;
        self.write(Op::Create, record, None);
        Ok(())
    }

    /// Creates the lake's row. Only the store does this, and it sets fields that no author may
    /// write.
    pub(super) fn create_lake(&mut self, patch: &Patch) -> ApplyResult {
        if self.state.lake.is_some() {
            return self.fail(Violation::new(
                self.patch,
                Rule::AlreadyExists,
                "the lake exists already",
            ));
        }
        let mut record = AnyRecord::empty(patch.entity, patch.id);
        for (field, value) in &patch.fields {
            if let Err(invalid) = record.set(field, value) {
                return self.fail(
                    Violation::new(self.patch, Rule::Value, invalid.0)
                        .field(format!("fields.{field}")),
                );
            }
        }
        self.write(Op::Create, record, None);
        Ok(())
    }

    pub(super) fn create_project(&mut self, patch: &Patch) -> ApplyResult {
        let mut record = self.fresh(patch)?;
        if let AnyRecord::Project(project) = &mut record {
            let project = Arc::make_mut(project);
            if !patch.fields.contains_key("key") {
                project.key = ProjectKey::suggest(project.name.as_str(), |key| {
                    self.state.project_by_key(key).is_some()
                });
            } else if let Some(other) =
                self.state.project_by_key(&project.key).and_then(ProjectState::project)
            {
                let message =
                    format!("{} is the key of the project {:?}", project.key, other.name.as_str());
                let hint = "omit key to have one chosen";
                return self.fail(
                    Violation::new(self.patch, Rule::KeyTaken, message)
                        .field("fields.key")
                        .hint(hint),
                );
            }
        }
        self.create(record, patch)
    }

    pub(super) fn create_user(&mut self, patch: &Patch) -> ApplyResult {
        let record = self.fresh(patch)?;
        self.create(record, patch)
    }

    pub(super) fn create_requirement(&mut self, patch: &Patch) -> ApplyResult {
        let project = self.required_project(patch)?;
        self.project(project)?;
        let record = self.fresh(patch)?;
        self.create(record, patch)
    }

    pub(super) fn create_task(&mut self, patch: &Patch) -> ApplyResult {
        let project_id = self.required_project(patch)?;
        self.project(project_id)?;
        let parent = match id_field::<TaskId>(patch, "parent_id") {
            Some(parent) => Some(self.live_task(project_id, parent, "fields.parent_id")?),
            None => None,
        };
        self.check_parent_kind(parent.as_deref(), "fields.parent_id")?;
        let record = self.fresh(patch)?;
        let AnyRecord::Task(task) = record else { return self.create(record, patch) };
        let mut task = Arc::unwrap_or_clone(task);
        let number = self.next_number(project_id);
        self.assign_key(&mut task, project_id, number);
        self.attach_to_parent(&mut task, parent.as_deref())?;
        task.position = self.position(project_id, task.parent_id, patch, task.id)?;
        let mut record = AnyRecord::Task(Arc::new(task));
        self.note_progress(&mut record, None);
        self.create(record, patch)
    }

    fn required_project(&mut self, patch: &Patch) -> ApplyResult<ProjectId> {
        match id_field(patch, "project_id").or(patch.project) {
            Some(project) => Ok(project),
            None => self.fail(
                Violation::new(self.patch, Rule::Required, "must be given")
                    .field("fields.project_id"),
            ),
        }
    }

    pub(super) fn next_number(&self, project: ProjectId) -> u32 {
        self.state.project(project).map_or(1, |state| state.highest_number() + 1)
    }

    pub(super) fn assign_key(&self, task: &mut Task, project: ProjectId, number: u32) {
        task.project_id = project;
        let key = self
            .state
            .project(project)
            .and_then(ProjectState::project)
            .map(|project| project.key.clone());
        task.key = TaskKey::new(key.unwrap_or_default(), number);
    }

    /// Sets the task's parent, and the depth, path and root that follow from it.
    pub(super) fn attach_to_parent(
        &mut self,
        task: &mut Task,
        parent: Option<&Task>,
    ) -> ApplyResult {
        task.parent_id = parent.map(|parent| parent.id);
        task.depth = parent.map_or(0, |parent| parent.depth + 1);
        task.root_id = parent.map_or(task.id, |parent| parent.root_id);
        let path = match parent {
            Some(parent) => format!("{}/{}", parent.path, task.key),
            None => task.key.to_string(),
        };
        task.path = Name::new(&path).unwrap_or_else(|_| Name::absent());
        let deepest = self.state.lake.as_ref().map_or(5, |lake| lake.max_depth);
        if task.depth > deepest {
            let name = match parent {
                Some(parent) => format!("below {}", parent.key),
                None => "here".to_owned(),
            };
            let message =
                format!("{name} a task would be on level {}; the deepest is {deepest}", task.depth);
            let hint = "put it next to its parent, or raise max_depth of the lake (at most 5)";
            return self.fail(
                Violation::new(self.patch, Rule::Depth, message)
                    .field("fields.parent_id")
                    .hint(hint),
            );
        }
        Ok(())
    }
}

/// Describes a record for use in a sentence.
fn described(state: &State, record: &AnyRecord) -> String {
    let project = record
        .project()
        .and_then(|id| state.project(id)?.project())
        .map(|project| project.key.to_string());
    let of = project.map_or_else(String::new, |key| format!(" of the project {key}"));
    match record {
        AnyRecord::Task(task) => format!("the task {}{of}", task.key),
        AnyRecord::Project(project) => format!("the project {}", project.key),
        AnyRecord::User(user) => format!("the user @{}", user.handle),
        AnyRecord::Requirement(requirement) => format!("the requirement {}{of}", requirement.label),
        AnyRecord::Lake(_) => "the lake".to_owned(),
        AnyRecord::TaskLink(_) | AnyRecord::TaskRequirement(_) | AnyRecord::Sync(_) => {
            format!("a {}{of}", record.entity().noun())
        }
    }
}
