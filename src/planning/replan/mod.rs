//! From a description to patches: the first time a project, after that the difference.
//!
//! # What a second time does
//! - An unchanged statement keeps its task and the task's id, wherever people have moved it.
//! - A changed statement changes a field only where the plan says something new and the task still has what the plan
//!   said before: a person's edit wins, and the report says so. What the plan last said is in `metadata.plan`.
//! - A moved statement moves its task; a new one makes a task.
//! - A statement that is gone deletes its task only if nobody touched it: its status as planned, nothing spent, edited,
//!   linked or placed by a person, and nothing below it that stays. Any other stays and is reported.
//! - A statement that is called cancelled cancels its task, with what is below it, unless a person began or closed it; a
//!   statement that is back opens what was cancelled so.
//! - Work that is closed is never reopened, renamed, moved or estimated anew; only its lines follow the text.
//! - A task that a person deleted does not come back while its statement stays as it is.
//! - Dependencies and answers to requirements follow the description where the plan made them. A link a person made
//!   stays, one a person ended is not made again, and one that would close a circle with a person's is left out.
//!
//! The same description twice gives no patches. Every update expects the values it replaces, so a change made at the
//! same time is a conflict and is never written over.

mod base;
mod links;
mod matching;
mod moves;
mod owners;
pub mod report;
mod requirements;
mod shape;
mod tasks;
mod vanished;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::Base;
use matching::Known;
use report::{FieldChange, Mark, Report, Row};
use shape::Shape;

use crate::domain::id::{EntityId, PatchSetId, ProjectId, RequirementId, TaskId, UserId, derived};
use crate::domain::link::TaskLink;
use crate::domain::patch::{Op, Patch};
use crate::domain::project::Project;
use crate::domain::record::{Entity, Fields, Record};
use crate::domain::state::{ProjectState, State};
use crate::domain::value::{FieldValue, Name, Title};
use crate::planning::plan::Plan;

/// A description and what was read out of it.
#[derive(Clone, Copy, Debug)]
pub struct Description<'a> {
    /// What the text is called, such as its file's name.
    pub source: &'a Name,
    pub text: &'a str,
    pub plan: &'a Plan,
    /// What to call the project, where not as the plan does.
    pub name: Option<&'a Title>,
}

/// What a description asks for.
#[derive(Clone, Debug)]
pub struct Replan {
    pub project: ProjectId,
    pub patches: Vec<Patch>,
    pub report: Report,
}

/// What to do to make `project` (a new one, for `None`) say what the description says. `previous` is the plan of the
/// description the project holds, read again; ids are derived from `set`.
pub fn replan(
    state: &State,
    project: Option<&ProjectState>,
    said: Description<'_>,
    previous: Option<&Plan>,
    set: PatchSetId,
) -> Replan {
    let existing = project.and_then(ProjectState::project);
    let id = existing.map_or_else(|| ProjectId::of(derived(set, "project")), |project| project.id);
    let known = project.map(|project| matching::known(project, previous)).unwrap_or_default();
    let of_node = matching::matches(said.plan, &known);
    let deepest = state.lake.as_ref().map_or(5, |lake| lake.max_depth);
    let rows: BTreeMap<&str, usize> = said
        .plan
        .nodes
        .iter()
        .enumerate()
        .map(|(index, node)| (node.key.as_str(), index))
        .collect();
    let mut work = Work {
        state,
        project,
        id,
        said,
        set,
        deepest: deepest.into(),
        shape: Shape::of(project),
        known: &known,
        by_task: Work::index(&known),
        of_node: &of_node,
        parents: said
            .plan
            .nodes
            .iter()
            .map(|node| rows.get(node.parent.as_deref()?).copied())
            .collect(),
        tasks: vec![None; said.plan.nodes.len()],
        owners: BTreeMap::new(),
        wanted: vec![BTreeSet::new(); said.plan.nodes.len()],
        wanted_answers: vec![BTreeSet::new(); said.plan.nodes.len()],
        left_out: BTreeSet::new(),
        ending: BTreeSet::new(),
        ended_links: Vec::new(),
        ended_requirements: BTreeSet::new(),
        patches: Vec::new(),
        report: Report::default(),
    };
    work.name_owners();
    work.describe(existing.map(AsRef::as_ref));
    let requirements = work.requirements(previous);
    work.name_tasks();
    work.want_links(&requirements);
    work.unlink();
    let moves = work.moves();
    let ended = work.vanished();
    work.try_links();
    work.write_tasks(&moves);
    work.link();
    work.answer();
    work.end_vanished(&ended);
    work.end_requirements();
    work.report.rows = (said.plan.nodes.iter().zip(&work.tasks))
        .map(|(node, task)| Row { key: node.key.clone(), task: *task })
        .collect();
    Replan { project: id, patches: work.patches, report: work.report }
}

/// The re-plan while it is being made.
struct Work<'a> {
    state: &'a State,
    project: Option<&'a ProjectState>,
    id: ProjectId,
    said: Description<'a>,
    set: PatchSetId,
    deepest: usize,
    /// The tree and the dependencies as they will stand.
    shape: Shape,
    known: &'a [Known<'a>],
    by_task: BTreeMap<TaskId, usize>,
    /// For each row the known task it is.
    of_node: &'a [Option<usize>],
    /// For each row the one it stands below.
    parents: Vec<Option<usize>>,
    /// For each row its living task, old or new.
    tasks: Vec<Option<TaskId>>,
    owners: BTreeMap<String, UserId>,
    /// For each row the tasks it waits for.
    wanted: Vec<BTreeSet<TaskId>>,
    /// For each row the requirements it answers.
    wanted_answers: Vec<BTreeSet<RequirementId>>,
    /// Dependencies that would make a circle.
    left_out: BTreeSet<(TaskId, TaskId)>,
    /// Tasks that will be deleted.
    ending: BTreeSet<TaskId>,
    /// Dependencies that the plan made and no longer says.
    ended_links: Vec<Arc<TaskLink>>,
    ended_requirements: BTreeSet<RequirementId>,
    patches: Vec<Patch>,
    report: Report,
}

impl<'a> Work<'a> {
    /// The living known task a row is.
    fn live(&self, node: usize) -> Option<&'a Known<'a>> {
        self.of_node[node].map(|index| &self.known[index]).filter(|known| known.task.is_live())
    }

    fn patch(&self, op: Op, entity: Entity, id: uuid::Uuid) -> Patch {
        Patch::new(op, entity, id, Some(self.id))
    }

    /// Creates the project, or has it say what the description says. It is named after the description as long as
    /// nobody calls it otherwise.
    fn describe(&mut self, existing: Option<&Project>) {
        let title = base::title(&self.said.plan.title);
        let mut fields = Fields::new();
        fields.insert("description".to_owned(), self.said.text.into());
        fields.insert("source".to_owned(), self.said.source.json());
        let Some(project) = existing else {
            let name = self.said.name.map_or(title.as_str(), Title::as_str);
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
        if let Some(name) = self.said.name {
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

    /// What the plan last said of a task.
    fn base_of(&self, task: TaskId) -> Option<&'a Base> {
        self.by_task.get(&task).map(|index| &self.known[*index].base)
    }
}
