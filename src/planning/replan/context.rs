//! What every step of a re-plan reads.

use serde_json::Value;
use uuid::Uuid;

use crate::domain::id::{EntityId, PatchSetId, ProjectId, TaskId, derived};
use crate::domain::project::Project;
use crate::domain::record::Fields;
use crate::domain::state::{ProjectState, State};
use crate::domain::value::{FieldValue, Name, Title};
use crate::planning::plan::Span;
use crate::planning::valid_plan::ValidPlan;

/// A description and the plan extracted from it.
#[derive(Clone, Copy, Debug)]
pub struct Description<'a> {
    /// Name of the text, such as its file name.
    pub source: &'a Name,
    pub text: &'a str,
    pub plan: &'a ValidPlan,
    /// Name of the project, if it differs from the plan's title.
    pub name: Option<&'a Title>,
}

pub(super) struct Context<'a> {
    pub state: &'a State,
    pub project: Option<&'a ProjectState>,
    /// Id of the project, which may be new.
    pub id: ProjectId,
    pub input: Description<'a>,
    set: PatchSetId,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        state: &'a State,
        project: Option<&'a ProjectState>,
        input: Description<'a>,
        set: PatchSetId,
    ) -> Self {
        let known = project.and_then(ProjectState::project).map(|project| project.id);
        let id = known.unwrap_or_else(|| ProjectId::of(derived(set, "project")));
        Self { state, project, id, input, set }
    }

    pub(super) fn plan(&self) -> &'a ValidPlan {
        self.input.plan
    }

    /// Returns the project's record; `None` if the project is new.
    pub(super) fn record(&self) -> Option<&'a Project> {
        self.project.and_then(ProjectState::project).map(AsRef::as_ref)
    }

    /// Returns the id of a new record. The same set and name give the same id.
    pub(super) fn new_id(&self, name: &str) -> Uuid {
        derived(self.set, name)
    }

    /// Returns the id of the task that a row creates.
    pub(super) fn new_task(&self, row: &str) -> TaskId {
        TaskId::of(self.new_id(&format!("task {row}")))
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
