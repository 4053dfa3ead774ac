//! Resolves a request with names to a patch set with ids.
//!
//! Every patch of the request becomes one patch of the set, or the request is refused:
//! [`Unresolved`] can only be made from a violation.
//!
//! A name means what it means at that point of the set. A record that an earlier patch creates or
//! renames is found by its new name; a link that an earlier patch unlinks is no longer found. A
//! record that an earlier patch deletes or renames is also found by its name before the set. A task
//! is found by its keys before the set.

mod ahead;

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use uuid::Uuid;

use super::{RequestContext, ServiceError, find};
use crate::domain::any_record::{AnyRecord, RecordKey};
use crate::domain::apply::patch_preview::PatchPreview;
use crate::domain::hint::Hint;
use crate::domain::id::{
    EntityId, PatchSetId, ProjectId, RequirementId, TaskId, TaskLinkId, TaskRequirementId, derived,
};
use crate::domain::link::LinkKind;
use crate::domain::patch::{Op, Patch, PatchSet, Placement};
use crate::domain::record::{Entity, Fields};
use crate::domain::state::State;
use crate::domain::value::{FieldValue, Kind};
use crate::domain::violation::{Rule, Violation};
use crate::exchange::patchset::{RawPatch, RawPlacement, Request};

/// Resolves every reference against the lake, or returns all that lead nowhere.
pub fn resolve(
    state: &State,
    request: &Request,
    id: PatchSetId,
    context: &RequestContext,
) -> Result<PatchSet, Vec<Violation>> {
    let ahead = ahead::is_needed(request)
        .then(|| PatchPreview::new(state, id, &context.actor, context.source));
    let mut resolver = Resolver {
        state,
        ahead,
        names: find::ProjectNames::of(state),
        set: id,
        patch: 0,
        local: BTreeMap::new(),
        made: HashMap::new(),
        also: Vec::new(),
        violations: Vec::new(),
        preview_violations: Vec::new(),
    };
    for (index, raw) in request.patches.iter().enumerate() {
        resolver.patch = index;
        resolver.declare(raw);
    }
    let mut patches = Vec::with_capacity(request.patches.len());
    for (index, raw) in request.patches.iter().enumerate() {
        resolver.patch = index;
        // Resolves the rest too, to report every violation at once.
        if let Ok(patch) = resolver.patch(raw) {
            resolver.apply_ahead(raw, &patch);
            patches.push(patch);
        }
    }
    if !resolver.violations.is_empty() {
        // A reference to a record that was not created is reported after the reason why it was not.
        resolver.preview_violations.append(&mut resolver.violations);
        resolver.preview_violations.sort_by_key(|err| err.patch);
        return Err(resolver.preview_violations);
    }
    let set = context.patch_set(id, patches).requested(request.hash()).with_also(resolver.also);
    Ok(PatchSet { reason: request.reason.clone(), ..set })
}

/// A patch or reference could not be resolved; the reason is in `violations`.
struct Unresolved(());

struct Resolver<'a> {
    /// The lake before the set.
    state: &'a State,
    /// The lake at this point of the set, if a name may depend on it.
    ahead: Option<PatchPreview>,
    names: find::ProjectNames<'a>,
    set: PatchSetId,
    patch: usize,
    /// Records that the set creates under local names, with their project as far as known.
    local: BTreeMap<String, Local>,
    /// Projects of the records that the set creates, as far as known.
    made: HashMap<Uuid, Option<ProjectId>>,
    also: Vec<ProjectId>,
    violations: Vec<Violation>,
    /// Violations of patches that would create or change names.
    preview_violations: Vec<Violation>,
}

/// Id of a record, and its project.
type Found = (Uuid, Option<ProjectId>);

struct Local {
    entity: Entity,
    id: Uuid,
    project: Option<ProjectId>,
}

impl Resolver<'_> {
    fn refuse<T>(&mut self, violation: Violation) -> Result<T, Unresolved> {
        self.violations.push(violation);
        Err(Unresolved(()))
    }

    fn err<T>(
        &mut self,
        field: &str,
        message: String,
        hint: Option<Hint>,
    ) -> Result<T, Unresolved> {
        let err = Violation::new(self.patch, Rule::UnknownReference, message).field(field);
        self.refuse(match hint {
            Some(hint) => err.hint(hint),
            None => err,
        })
    }

    /// Declares the local name of a record that a patch creates.
    fn declare(&mut self, raw: &RawPatch) {
        let Some(name) = raw.id.as_deref().filter(|id| id.starts_with('$')) else { return };
        if !matches!(raw.op, Op::Create | Op::Link) {
            return;
        }
        let id = derived(self.set, name);
        let project = match raw.entity {
            Entity::Project => Some(ProjectId::of(id)),
            _ => raw
                .fields
                .get("project_id")
                .and_then(Value::as_str)
                .and_then(|name| self.project_named(name)),
        };
        self.made.insert(id, project);
        let twice = self.local.insert(name.to_owned(), Local { entity: raw.entity, id, project });
        if twice.is_some() {
            let message = format!("the local name {name} is used for two records");
            self.violations.push(Violation::new(self.patch, Rule::Shape, message).field("id"));
        }
    }

    /// The lake at this point of the set.
    fn now(&self) -> &State {
        self.ahead.as_ref().map_or(self.state, PatchPreview::state)
    }

    /// Applies a patch ahead, so that later names resolve against its result.
    fn apply_ahead(&mut self, raw: &RawPatch, patch: &Patch) {
        if matches!(patch.op, Op::Create | Op::Link)
            && let Some(project) = patch.project
        {
            self.made.insert(patch.id, Some(project));
            if let Some(local) = raw.id.as_ref().and_then(|name| self.local.get_mut(name)) {
                local.project = Some(project);
            }
        }
        let Some(ahead) = &mut self.ahead else { return };
        let violations = ahead.take(patch);
        if matches!(patch.op, Op::Create | Op::Update)
            && !matches!(patch.entity, Entity::Task | Entity::Lake)
        {
            let index = self.patch;
            self.preview_violations
                .extend(violations.iter().map(|err| Violation { patch: index, ..err.clone() }));
        }
    }

    fn project_named(&self, name: &str) -> Option<ProjectId> {
        match self.local.get(name) {
            Some(local) => Some(ProjectId::of(local.id)),
            None => self.names.get(name),
        }
    }

    fn patch(&mut self, raw: &RawPatch) -> Result<Patch, Unresolved> {
        // Both are resolved before either stops the patch, to report every violation at once.
        let (fields, expect) = (
            self.references(raw.entity, &raw.fields, "fields"),
            self.references(raw.entity, &raw.expect, "expect"),
        );
        let (fields, expect) = (fields?, expect?);
        let creates = matches!(raw.op, Op::Create | Op::Link);
        let (id, project) = match raw.id.as_deref() {
            None if creates => (
                derived(self.set, &format!("#{}", self.patch)),
                self.project_of_new(raw.entity, &fields),
            ),
            None if raw.op == Op::Unlink => self.link_between(raw.entity, &fields)?,
            None => {
                return self.refuse(
                    Violation::new(self.patch, Rule::Required, "must say which one").field("id"),
                );
            }
            Some(name) => {
                if creates {
                    self.check_new_id(raw.entity, name)?;
                }
                let (id, known) = self.reference(raw.entity, name, "id", creates)?;
                (id, if creates { self.project_of_new(raw.entity, &fields) } else { known })
            }
        };
        let project = if raw.op == Op::Create && raw.entity == Entity::Project {
            Some(ProjectId::of(id))
        } else {
            project
        };
        // The fields of an unlink without an id only identify the link.
        let unlinks_by_ends = raw.op == Op::Unlink && raw.id.is_none();
        let place = match &raw.place {
            None => None,
            Some(RawPlacement::First) => Some(Placement::First),
            Some(RawPlacement::Last) => Some(Placement::Last),
            Some(RawPlacement::After(name)) => Some(Placement::After(TaskId::of(
                self.reference(Entity::Task, name, "place", false)?.0,
            ))),
            Some(RawPlacement::Before(name)) => Some(Placement::Before(TaskId::of(
                self.reference(Entity::Task, name, "place", false)?.0,
            ))),
        };
        let fields = if unlinks_by_ends { Fields::new() } else { fields };
        let has_given_id = creates && raw.id.as_deref().is_some_and(|name| !name.starts_with('$'));
        Ok(Patch {
            op: raw.op,
            entity: raw.entity,
            id,
            has_given_id,
            project,
            fields,
            place,
            position: None,
            expect,
        })
    }

    /// Returns the fields with every reference resolved to an id.
    fn references(
        &mut self,
        entity: Entity,
        fields: &Fields,
        part: &str,
    ) -> Result<Fields, Unresolved> {
        let mut resolved = Fields::new();
        let mut lost = Ok(());
        for (name, value) in fields {
            let of = match entity.field(name).map(|field| field.kind) {
                Some(Kind::Id(of)) => of.parse::<Entity>().ok(),
                _ => None,
            };
            let id = match (of, value.as_str()) {
                (Some(of), Some(text)) => {
                    match self.reference(of, text, &format!("{part}.{name}"), false) {
                        Ok((id, project)) => {
                            self.also.extend(project.filter(|_| of == Entity::Task));
                            Some(Value::from(id.hyphenated().to_string()))
                        }
                        Err(unresolved) => {
                            lost = Err(unresolved);
                            continue;
                        }
                    }
                }
                _ => None,
            };
            resolved.insert(name.clone(), id.unwrap_or_else(|| value.clone()));
        }
        lost.map(|()| resolved)
    }

    /// Refuses a name that cannot be the id of a new record, such as another record's key, handle
    /// or label. If a record already has the id, its project is loaded with the set, so that the
    /// refusal can name that record.
    fn check_new_id(&mut self, entity: Entity, name: &str) -> Result<(), Unresolved> {
        if name.starts_with('$') {
            return Ok(());
        }
        let message = match Uuid::try_parse(name) {
            Err(_) => format!(
                "{name:?} is not a valid id for a new {}: an id is a UUID or a local name",
                entity.noun()
            ),
            Ok(id) if id.is_nil() || id.is_max() => format!("{id} is reserved"),
            Ok(id) => {
                self.also.extend(
                    self.state.record_by_id(id).and_then(|record_by_id| record_by_id.project()),
                );
                return Ok(());
            }
        };
        let hint = "omit the id, or give the new record a local name such as $a";
        self.refuse(Violation::new(self.patch, Rule::Value, message).field("id").hint(hint))
    }

    /// Resolves a name to the id of its record and its project.
    fn reference(
        &mut self,
        entity: Entity,
        name: &str,
        field: &str,
        new: bool,
    ) -> Result<Found, Unresolved> {
        if let Some(local) = self.local.get(name) {
            if local.entity == entity {
                return Ok((local.id, local.project));
            }
            let message =
                format!("{name} is a {}, but a {} is expected", local.entity.noun(), entity.noun());
            return self.err(field, message, None);
        }
        if name.starts_with('$') {
            return self.err(field, format!("nothing in the set is called {name}"), None);
        }
        if let Ok(id) = Uuid::try_parse(name) {
            return Ok((id, if new { None } else { self.home(entity, id) }));
        }
        let found = match entity {
            Entity::Task => {
                find::task(self.state, name).map(|task| (task.id.uuid(), Some(task.project_id)))
            }
            Entity::Project => {
                match self.ahead.as_ref().and_then(|ahead| find::project(ahead.state(), name).ok())
                {
                    Some((_, project)) => Ok((project.id.uuid(), Some(project.id))),
                    None => match self.names.get(name) {
                        Some(project) => Ok((project.uuid(), Some(project))),
                        None => find::project(self.state, name)
                            .map(|(_, project)| (project.id.uuid(), Some(project.id))),
                    },
                }
            }
            Entity::User => {
                let user = find::user(self.now(), name).or_else(|_| find::user(self.state, name));
                user.map(|user| (user.id.uuid(), None))
            }
            Entity::Requirement => {
                requirement(self.now(), name).or_else(|_| requirement(self.state, name))
            }
            _ => {
                Err(ServiceError::input(field, format!("must be the UUID of a {}", entity.noun())))
            }
        };
        match found {
            Ok(found) => Ok(found),
            Err(err) => self.err(field, err.to_string(), err.hint()),
        }
    }

    /// Returns the project of the record with this id.
    fn home(&self, entity: Entity, id: Uuid) -> Option<ProjectId> {
        match entity {
            Entity::Project => Some(ProjectId::of(id)),
            _ => self
                .state
                .home(entity, id)
                .or_else(|| self.ahead.as_ref()?.state().home(entity, id)),
        }
    }

    /// Returns the project of a new record.
    fn project_of_new(&self, entity: Entity, fields: &Fields) -> Option<ProjectId> {
        let id = |field: &str| {
            fields.get(field).and_then(Value::as_str).and_then(|id| Uuid::try_parse(id).ok())
        };
        let of_task = |field: &str| {
            let task = id(field)?;
            self.made.get(&task).copied().unwrap_or_else(|| self.home(Entity::Task, task))
        };
        match entity {
            Entity::Task | Entity::Requirement => id("project_id").map(ProjectId::of),
            Entity::TaskLink => of_task("from_id"),
            Entity::TaskRequirement => of_task("task_id"),
            Entity::Lake | Entity::User | Entity::Project | Entity::Sync(_) => None,
        }
    }

    /// Returns the live link between the two ends that an unlink names instead of an id.
    fn link_between(&mut self, entity: Entity, fields: &Fields) -> Result<Found, Unresolved> {
        let (ends, kinds): ([&str; 2], &[&str]) = match entity {
            Entity::TaskLink => (["from_id", "to_id"], &["kind"]),
            Entity::TaskRequirement => (["task_id", "requirement_id"], &[]),
            _ => {
                let message = format!("a {} cannot be the object of unlink", entity.noun());
                return self
                    .refuse(Violation::new(self.patch, Rule::Operation, message).field("entity"));
            }
        };
        let before = self.violations.len();
        let hint = format!("name the link by its id, or by {} and {}", ends[0], ends[1]);
        let mut id = |field: &str| {
            let id =
                fields.get(field).and_then(Value::as_str).and_then(|id| Uuid::try_parse(id).ok());
            if id.is_none() {
                let err = Violation::new(self.patch, Rule::Required, "must be given")
                    .field(format!("fields.{field}"));
                self.violations.push(err.hint(hint.clone()));
            }
            id
        };
        let (from, to) = (id(ends[0]), id(ends[1]));
        for field in fields
            .keys()
            .filter(|field| !ends.contains(&field.as_str()) && !kinds.contains(&field.as_str()))
        {
            let err = Violation::new(self.patch, Rule::Operation, "does not specify which link");
            self.violations.push(err.field(format!("fields.{field}")).hint(hint.clone()));
        }
        let kind = fields
            .get("kind")
            .filter(|_| entity == Entity::TaskLink)
            .map(LinkKind::read)
            .transpose();
        let kind = kind.or_else(|invalid| {
            self.refuse(Violation::new(self.patch, Rule::Value, invalid.0).field("fields.kind"))
        });
        let (Some(from), Some(to), Ok(kind)) = (from, to, kind) else { return Err(Unresolved(())) };
        if self.violations.len() > before {
            return Err(Unresolved(()));
        }
        let now = self.now();
        let state = now.home(Entity::Task, from).and_then(|project| now.project(project));
        let found: Vec<Found> = match entity {
            Entity::TaskLink => {
                let links = state
                    .into_iter()
                    .flat_map(|state| state.links_between(TaskId::of(from), TaskId::of(to)));
                let wanted = links.filter(|link| kind.is_none_or(|kind| kind == link.kind));
                wanted.map(|link| (TaskLinkId::uuid(link.id), Some(link.project_id))).collect()
            }
            _ => {
                let answers = state.into_iter().flat_map(|state| state.coverage_of(from));
                let wanted =
                    answers.filter(|answer| answer.requirement_id == RequirementId::of(to));
                wanted
                    .map(|answer| (TaskRequirementId::uuid(answer.id), Some(answer.project_id)))
                    .collect()
            }
        };
        match found.as_slice() {
            [one] => Ok(*one),
            [] => self.err("fields", "there is no active link between the two".to_owned(), None),
            _ => {
                let err = Violation::new(
                    self.patch,
                    Rule::Required,
                    "the two are linked in several ways; specify which link",
                );
                self.refuse(err.field("fields.kind").hint(LinkKind::NAMES.join(", ")))
            }
        }
    }
}

/// Finds a requirement by its project's key and its label, such as `PAY/R7`.
fn requirement(state: &State, name: &str) -> Result<Found, ServiceError> {
    let missing = || ServiceError::NotFound {
        what: "requirement",
        name: name.to_owned(),
        hint: Some("a requirement is written PROJECT/LABEL, such as PAY/R7".into()),
    };
    let (project, label) = name.split_once('/').ok_or_else(missing)?;
    let (state, project) = find::project(state, project)?;
    let found = state.requirements().find(|requirement| {
        requirement.label.as_str() == label && requirement.deleted_at.is_none()
    });
    found.map(|requirement| (requirement.id.uuid(), Some(project.id))).ok_or_else(missing)
}

/// Returns the name of a record for people: its key, handle or label.
pub fn name_of(state: &State, entity: Entity, id: Uuid, project: Option<ProjectId>) -> String {
    let task =
        |id: TaskId| state.task(id).map_or_else(|| id.to_string(), |task| task.key.to_string());
    match state.get(RecordKey { entity, id, project }) {
        Some(AnyRecord::Task(task)) => task.key.to_string(),
        Some(AnyRecord::Project(project)) => project.key.to_string(),
        Some(AnyRecord::User(user)) => format!("@{}", user.handle),
        Some(AnyRecord::Requirement(requirement)) => requirement.label.to_string(),
        Some(AnyRecord::TaskLink(link)) => {
            format!("{} {} {}", task(link.from_id), link.kind, task(link.to_id))
        }
        Some(AnyRecord::TaskRequirement(answer)) => {
            let label = state
                .project(answer.project_id)
                .and_then(|state| state.requirement(answer.requirement_id));
            format!(
                "{} answers {}",
                task(answer.task_id),
                label.map_or_else(String::new, |found| found.label.to_string())
            )
        }
        Some(AnyRecord::Lake(_)) => "lake".to_owned(),
        Some(AnyRecord::Sync(_)) | None => format!("{} {id}", entity.noun()),
    }
}
