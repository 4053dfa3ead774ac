//! From a request whose references are words to a patch set whose references are ids.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::{ServiceError, find};
use crate::domain::any::{AnyRecord, Slot};
use crate::domain::id::{EntityId, PatchSetId, ProjectId, RequirementId, TaskId, TaskLinkId, TaskRequirementId, derived};
use crate::domain::patch::{Op, Patch, PatchSet, Place, Source};
use crate::domain::record::{Entity, Fields};
use crate::domain::state::State;
use crate::domain::value::{Kind, Name};
use crate::domain::violation::{Rule, Violation};
use crate::exchange::patchset::{RawPatch, RawPlace, Request};

/// Resolves every reference against the lake, or says all that lead nowhere.
pub fn resolve(
    state: &State,
    request: &Request,
    id: PatchSetId,
    actor: &Name,
    source: Source,
) -> Result<PatchSet, Vec<Violation>> {
    let mut resolver = Resolver { state, set: id, patch: 0, local: BTreeMap::new(), also: Vec::new(), faults: Vec::new() };
    for (index, raw) in request.patches.iter().enumerate() {
        resolver.patch = index;
        resolver.declare(raw);
    }
    let mut patches = Vec::with_capacity(request.patches.len());
    for (index, raw) in request.patches.iter().enumerate() {
        resolver.patch = index;
        patches.extend(resolver.patch(raw));
    }
    if !resolver.faults.is_empty() {
        return Err(resolver.faults);
    }
    let actor = request.actor.clone().unwrap_or_else(|| actor.clone());
    Ok(PatchSet { id, request_hash: request.hash(), actor, source, reason: request.reason.clone(), patches, also: resolver.also })
}

struct Resolver<'a> {
    state: &'a State,
    set: PatchSetId,
    patch: usize,
    /// What the set itself creates under local names, and in which project as far as is known.
    local: BTreeMap<String, Local>,
    also: Vec<ProjectId>,
    faults: Vec<Violation>,
}

struct Local {
    entity: Entity,
    id: Uuid,
    project: Option<ProjectId>,
}

impl Resolver<'_> {
    fn fault(&mut self, field: &str, message: String, hint: Option<String>) {
        let fault = Violation::new(self.patch, Rule::UnknownReference, message).field(field);
        self.faults.push(match hint {
            Some(hint) => fault.hint(hint),
            None => fault,
        });
    }

    /// Notes what a patch creates under a local name.
    fn declare(&mut self, raw: &RawPatch) {
        let Some(name) = raw.id.as_deref().filter(|id| id.starts_with('$')) else { return };
        if !matches!(raw.op, Op::Create | Op::Link) {
            return;
        }
        let id = derived(self.set, name);
        let project = match raw.entity {
            Entity::Project => Some(ProjectId::of(id)),
            _ => raw.fields.get("project_id").and_then(Value::as_str).and_then(|name| self.project_named(name)),
        };
        let twice = self.local.insert(name.to_owned(), Local { entity: raw.entity, id, project });
        if twice.is_some() {
            let message = format!("the local name {name} is given to two things");
            self.faults.push(Violation::new(self.patch, Rule::Shape, message).field("id"));
        }
    }

    fn project_named(&self, name: &str) -> Option<ProjectId> {
        match self.local.get(name) {
            Some(local) => Some(ProjectId::of(local.id)),
            None => find::project(self.state, name).ok().map(|(_, project)| project.id),
        }
    }

    fn patch(&mut self, raw: &RawPatch) -> Option<Patch> {
        let fields = self.references(raw.entity, &raw.fields, "fields");
        let expect = self.references(raw.entity, &raw.expect, "expect");
        let creates = matches!(raw.op, Op::Create | Op::Link);
        let (id, project) = match raw.id.as_deref() {
            None if creates => (derived(self.set, &format!("#{}", self.patch)), self.project_of_new(raw.entity, &fields)),
            None if raw.op == Op::Unlink => self.link_between(raw.entity, &fields)?,
            None => {
                self.faults.push(Violation::new(self.patch, Rule::Required, "must say which one").field("id"));
                return None;
            }
            Some(name) => {
                let (id, known) = self.reference(raw.entity, name, "id", creates)?;
                (id, if creates { self.project_of_new(raw.entity, &fields) } else { known })
            }
        };
        let project = if raw.op == Op::Create && raw.entity == Entity::Project { Some(ProjectId::of(id)) } else { project };
        let unlinks_by_ends = raw.op == Op::Unlink && raw.id.is_none();
        let place = match &raw.place {
            None => None,
            Some(RawPlace::First) => Some(Place::First),
            Some(RawPlace::Last) => Some(Place::Last),
            Some(RawPlace::After(name)) => Some(Place::After(TaskId::of(self.reference(Entity::Task, name, "place", false)?.0))),
            Some(RawPlace::Before(name)) => {
                Some(Place::Before(TaskId::of(self.reference(Entity::Task, name, "place", false)?.0)))
            }
        };
        let fields = if unlinks_by_ends { Fields::new() } else { fields };
        Some(Patch { op: raw.op, entity: raw.entity, id, project, fields, place, expect })
    }

    /// The fields with every reference among them as an id.
    fn references(&mut self, entity: Entity, fields: &Fields, part: &str) -> Fields {
        let mut resolved = Fields::new();
        for (name, value) in fields {
            let of = match entity.field(name).map(|field| field.kind) {
                Some(Kind::Id(of)) => of.parse::<Entity>().ok(),
                _ => None,
            };
            let id = match (of, value.as_str()) {
                (Some(of), Some(text)) => match self.reference(of, text, &format!("{part}.{name}"), false) {
                    Some((id, project)) => {
                        self.also.extend(project.filter(|_| of == Entity::Task));
                        Some(Value::from(id.hyphenated().to_string()))
                    }
                    None => continue,
                },
                _ => None,
            };
            resolved.insert(name.clone(), id.unwrap_or_else(|| value.clone()));
        }
        resolved
    }

    /// What a word refers to: its id, and the project it is in.
    fn reference(&mut self, entity: Entity, name: &str, field: &str, new: bool) -> Option<(Uuid, Option<ProjectId>)> {
        if let Some(local) = self.local.get(name) {
            if local.entity == entity {
                return Some((local.id, local.project));
            }
            let message = format!("{name} is a {}, and a {} is wanted", local.entity.noun(), entity.noun());
            self.fault(field, message, None);
            return None;
        }
        if name.starts_with('$') {
            self.fault(field, format!("nothing in the set is called {name}"), None);
            return None;
        }
        if let Ok(id) = Uuid::try_parse(name) {
            return Some((id, if new { None } else { self.home(entity, id) }));
        }
        let found = match entity {
            Entity::Task => find::task(self.state, name).map(|task| (task.id.uuid(), Some(task.project_id))),
            Entity::Project => find::project(self.state, name).map(|(_, project)| (project.id.uuid(), Some(project.id))),
            Entity::User => find::user(self.state, name).map(|user| (user.id.uuid(), None)),
            Entity::Requirement => self.requirement(name),
            _ => Err(ServiceError::input(field, format!("must be the UUID of a {}", entity.noun()))),
        };
        match found {
            Ok(found) => Some(found),
            Err(error) => {
                self.fault(field, error.to_string(), error.hint());
                None
            }
        }
    }

    /// `PAY/R7`: a requirement by its project's key and its label.
    fn requirement(&self, name: &str) -> Result<(Uuid, Option<ProjectId>), ServiceError> {
        let missing = || ServiceError::NotFound {
            what: "requirement",
            name: name.to_owned(),
            hint: Some("a requirement is written PROJECT/LABEL, such as PAY/R7".to_owned()),
        };
        let (project, label) = name.split_once('/').ok_or_else(missing)?;
        let (state, project) = find::project(self.state, project)?;
        let found =
            state.requirements().find(|requirement| requirement.label.as_str() == label && requirement.deleted_at.is_none());
        found.map(|requirement| (requirement.id.uuid(), Some(project.id))).ok_or_else(missing)
    }

    /// The project that holds a record of this id.
    fn home(&self, entity: Entity, id: Uuid) -> Option<ProjectId> {
        match entity {
            Entity::Lake | Entity::User => None,
            Entity::Project => Some(ProjectId::of(id)),
            Entity::Task => self.state.task(TaskId::of(id)).map(|task| task.project_id),
            Entity::TaskLink | Entity::Requirement | Entity::TaskRequirement => self
                .state
                .projects()
                .filter_map(|state| state.project())
                .map(|project| project.id)
                .find(|project| self.state.get(Slot { entity, id, project: Some(*project) }).is_some()),
        }
    }

    /// The project a new record goes to.
    fn project_of_new(&self, entity: Entity, fields: &Fields) -> Option<ProjectId> {
        let id = |field: &str| fields.get(field).and_then(Value::as_str).and_then(|id| Uuid::try_parse(id).ok());
        let of_task = |field: &str| {
            let task = id(field)?;
            let local = self.local.values().find(|local| local.id == task);
            local.map_or_else(|| self.home(Entity::Task, task), |local| local.project)
        };
        match entity {
            Entity::Task | Entity::Requirement => id("project_id").map(ProjectId::of),
            Entity::TaskLink => of_task("from_id"),
            Entity::TaskRequirement => of_task("task_id"),
            Entity::Lake | Entity::User | Entity::Project => None,
        }
    }

    /// The living link between the two ends that an unlink names instead of an id.
    fn link_between(&mut self, entity: Entity, fields: &Fields) -> Option<(Uuid, Option<ProjectId>)> {
        let id = |field: &str| fields.get(field).and_then(Value::as_str).and_then(|id| Uuid::try_parse(id).ok());
        let found = match entity {
            Entity::TaskLink => {
                let (from, to) = (TaskId::of(id("from_id")?), TaskId::of(id("to_id")?));
                let kind = fields.get("kind").and_then(Value::as_str);
                let state = self.home(Entity::Task, from.uuid()).and_then(|project| self.state.project(project));
                let mut links = state.into_iter().flat_map(|state| state.links_at(from));
                links
                    .find(|link| link.from_id == from && link.to_id == to && kind.is_none_or(|kind| kind == link.kind.word()))
                    .map(|link| (TaskLinkId::uuid(link.id), Some(link.project_id)))
            }
            Entity::TaskRequirement => {
                let (task, requirement) = (id("task_id")?, RequirementId::of(id("requirement_id")?));
                let state = self.home(Entity::Task, task).and_then(|project| self.state.project(project));
                let mut answers = state.into_iter().flat_map(|state| state.answers_at(task));
                answers
                    .find(|answer| answer.requirement_id == requirement)
                    .map(|answer| (TaskRequirementId::uuid(answer.id), Some(answer.project_id)))
            }
            _ => None,
        };
        if found.is_none() {
            self.fault("fields", "there is no living link between the two".to_owned(), None);
        }
        found
    }
}

/// What a record is called among people: its key, handle or label.
pub fn name_of(state: &State, entity: Entity, id: Uuid, project: Option<ProjectId>) -> String {
    let task = |id: TaskId| state.task(id).map_or_else(|| id.to_string(), |task| task.key.to_string());
    match state.get(Slot { entity, id, project }) {
        Some(AnyRecord::Task(task)) => task.key.to_string(),
        Some(AnyRecord::Project(project)) => project.key.to_string(),
        Some(AnyRecord::User(user)) => format!("@{}", user.handle),
        Some(AnyRecord::Requirement(requirement)) => requirement.label.to_string(),
        Some(AnyRecord::TaskLink(link)) => format!("{} {} {}", task(link.from_id), link.kind, task(link.to_id)),
        Some(AnyRecord::TaskRequirement(answer)) => {
            let label = state.project(answer.project_id).and_then(|state| state.requirement(answer.requirement_id));
            format!("{} answers {}", task(answer.task_id), label.map_or_else(String::new, |found| found.label.to_string()))
        }
        Some(AnyRecord::Lake(_)) => "lake".to_owned(),
        None => format!("{} {id}", entity.noun()),
    }
}
