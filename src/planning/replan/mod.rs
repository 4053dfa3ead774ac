//! Converts a description to patches: a complete project at first, only the differences later.
//!
//! # Rules of a re-plan
//! - An unchanged statement keeps its task and the task's id, even if a person has moved the task.
//! - A changed statement updates a field only if the plan has a new value and the task still has
//!   the plan's previous value. A person's edit wins, and the report mentions it. `metadata.plan`
//!   stores the plan's previous values.
//! - A moved statement moves its task. A new statement creates a task.
//! - A removed statement deletes its task only if nobody touched the task: it has its planned
//!   status, no spent time, no edits, links or moves by a person, and no subtask that stays. Any
//!   other task stays and is reported.
//! - A statement marked as cancelled cancels its task and the tasks below, unless a person started
//!   or closed the task. A statement that returns reopens the task cancelled this way.
//! - Apart from that, a closed task is never reopened, renamed, moved or re-estimated; only its line
//!   numbers follow the text.
//! - A task deleted by a person is not created again while its statement is unchanged.
//! - Dependencies and covered requirements follow the description if the plan created them. A link
//!   created by a person stays. A link removed by a person is not created again. A link that would
//!   form a cycle with a person's link is left out.
//!
//! Planning the same description twice gives no patches. Every update expects the values that it
//! replaces, so a concurrent change causes a conflict and is never overwritten.

mod links;
mod matching;
mod merge_base;
mod moves;
mod owners;
mod removed;
pub mod report;
mod requirements;
mod task_graph;
mod tasks;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use matching::ExistingTask;
use merge_base::MergeBase;
use report::{FieldChange, Mark, Report, Row};
use task_graph::TaskGraph;

use crate::domain::id::{EntityId, PatchSetId, ProjectId, RequirementId, TaskId, UserId, derived};
use crate::domain::link::TaskLink;
use crate::domain::patch::{Op, Patch};
use crate::domain::project::Project;
use crate::domain::record::{Entity, Fields, Record};
use crate::domain::state::{ProjectState, State};
use crate::domain::value::{FieldValue, Name, Title};
use crate::planning::plan::{Plan, fitting_title};
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

/// Patches and report of a re-plan.
#[derive(Clone, Debug)]
pub struct Replan {
    pub project: ProjectId,
    pub patches: Vec<Patch>,
    pub report: Report,
}

/// Plans the changes that bring `project` (a new project if `None`) in line with the description.
/// `previous` is the plan of the project's current description, extracted again. Ids are derived
/// from `set`.
pub fn replan(
    state: &State,
    project: Option<&ProjectState>,
    input: Description<'_>,
    previous: Option<&Plan>,
    set: PatchSetId,
) -> Replan {
    let existing = project.and_then(ProjectState::project);
    let id = existing.map_or_else(|| ProjectId::of(derived(set, "project")), |project| project.id);
    let known = project.map(|project| matching::known(project, previous)).unwrap_or_default();
    let of_node = matching::matches(input.plan, &known);
    let deepest = state.lake.as_ref().map_or(5, |lake| lake.max_depth);
    let mut work = Replanner {
        state,
        project,
        id,
        input,
        set,
        deepest: deepest.into(),
        graph: TaskGraph::of(project),
        known: &known,
        by_task: Replanner::index(&known),
        of_node: &of_node,
        parents: input.plan.parents(),
        tasks: vec![None; input.plan.nodes.len()],
        owners: BTreeMap::new(),
        wanted: vec![BTreeSet::new(); input.plan.nodes.len()],
        wanted_requirements: vec![BTreeSet::new(); input.plan.nodes.len()],
        left_out: BTreeSet::new(),
        deleted_tasks: BTreeSet::new(),
        removed_links: Vec::new(),
        ended_requirements: BTreeSet::new(),
        patches: Vec::new(),
        report: Report::default(),
    };
    work.name_owners();
    work.describe(existing.map(AsRef::as_ref));
    let requirements = work.requirements(previous);
    work.assign_tasks();
    work.want_links(&requirements);
    work.unlink();
    let moves = work.moves();
    let ended = work.resolve_removed();
    work.try_links();
    work.write_tasks(&moves);
    work.link();
    work.answer();
    work.end_vanished(&ended);
    work.end_requirements();
    work.report.rows = (input.plan.nodes.iter().zip(&work.tasks))
        .map(|(node, task)| Row { key: node.key.clone(), task: *task })
        .collect();
    Replan { project: id, patches: work.patches, report: work.report }
}

/// State of a re-plan in progress.
struct Replanner<'a> {
    state: &'a State,
    project: Option<&'a ProjectState>,
    id: ProjectId,
    input: Description<'a>,
    set: PatchSetId,
    deepest: usize,
    /// Task tree and dependencies after the re-plan.
    graph: TaskGraph,
    known: &'a [ExistingTask<'a>],
    by_task: BTreeMap<TaskId, usize>,
    /// Matched existing task of each row.
    of_node: &'a [Option<usize>],
    /// Parent row of each row.
    parents: &'a [Option<usize>],
    /// Live task of each row, existing or new.
    tasks: Vec<Option<TaskId>>,
    owners: BTreeMap<String, UserId>,
    /// Prerequisite tasks of each row.
    wanted: Vec<BTreeSet<TaskId>>,
    /// Covered requirements of each row.
    wanted_requirements: Vec<BTreeSet<RequirementId>>,
    /// Dependencies that would form a cycle.
    left_out: BTreeSet<(TaskId, TaskId)>,
    /// Tasks that will be deleted.
    deleted_tasks: BTreeSet<TaskId>,
    /// Dependencies that the plan created and no longer contains.
    removed_links: Vec<Arc<TaskLink>>,
    ended_requirements: BTreeSet<RequirementId>,
    patches: Vec<Patch>,
    report: Report,
}

impl<'a> Replanner<'a> {
    /// Returns the live existing task of a row.
    fn live(&self, node: usize) -> Option<&'a ExistingTask<'a>> {
        self.of_node[node].map(|index| &self.known[index]).filter(|known| known.task.is_live())
    }

    fn patch(&self, op: Op, entity: Entity, id: uuid::Uuid) -> Patch {
        Patch::new(op, entity, id, Some(self.id))
    }

    /// Creates or updates the project. Its name follows the description until somebody renames it.
    fn describe(&mut self, existing: Option<&Project>) {
        let title = fitting_title(&self.input.plan.title);
        let mut fields = Fields::new();
        fields.insert("description".to_owned(), self.input.text.into());
        fields.insert("source".to_owned(), self.input.source.json());
        let Some(project) = existing else {
            let name = self.input.name.map_or(title.as_str(), Title::as_str);
            self.report.push(Mark::New, Entity::Project, self.id.uuid(), name);
            let metadata = serde_json::json!({"plan": {"title": title}});
            let mut patch = self
                .patch(Op::Create, Entity::Project, self.id.uuid())
                .with("metadata", metadata)
                .with("name", name);
            patch.fields.extend(fields);
            self.patches.push(patch);
            return;
        };
        let called = project
            .metadata
            .0
            .get("plan")
            .and_then(|plan| plan.get("title"))
            .and_then(|title| title.as_str());
        if let Some(name) = self.input.name {
            fields.insert("name".to_owned(), name.json());
        } else if called == Some(project.name.as_str()) {
            fields.insert("name".to_owned(), title.as_str().into());
        }
        if called != Some(title.as_str()) {
            let mut metadata = project.metadata.clone();
            metadata.0.insert("plan".to_owned(), serde_json::json!({ "title": title }));
            fields.insert("metadata".to_owned(), metadata.json());
        }
        let mut patch = self.patch(Op::Update, Entity::Project, self.id.uuid());
        let mut changes = Vec::new();
        for (field, to) in fields {
            let from = project.get(&field).unwrap_or_default();
            if from == to {
                continue;
            }
            if matches!(field.as_str(), "name" | "source") {
                changes.push(FieldChange {
                    field: field.clone(),
                    from: from.clone(),
                    to: to.clone(),
                });
            }
            patch = patch.expecting(&field, from).with(&field, to);
        }
        if !changes.is_empty() {
            self.report
                .push(Mark::Changed, Entity::Project, self.id.uuid(), project.name.as_str())
                .changes = changes;
        }
        if !patch.fields.is_empty() {
            self.patches.push(patch);
        }
    }

    /// Returns the merge base of a task.
    fn base_of(&self, task: TaskId) -> Option<&'a MergeBase> {
        self.by_task.get(&task).map(|index| &self.known[*index].base)
    }
}
