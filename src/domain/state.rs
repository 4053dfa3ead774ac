//! The state of a lake, or of some of its projects, at one seq of the journal. It is cheap to copy.
//!
//! Everything is behind `Arc`: a snapshot is a few pointers, and a writer copies a project only
//! while another holder still uses the old one. Iteration order is always fixed, so that the same
//! state gives the same results.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use uuid::Uuid;

use super::any_record::{AnyRecord, RecordKey};
use super::id::{
    EntityId, ProjectId, RequirementId, TaskId, TaskLinkId, TaskRequirementId, UserId,
};
use super::index::Index;
use super::key::{ProjectKey, TaskKey};
use super::lake::Lake;
use super::link::{LinkKind, TaskLink};
use super::project::Project;
use super::record::Entity;
use super::requirement::{Requirement, TaskRequirement};
use super::task::Task;
use super::user::User;

/// Loaded part of a lake: its own row, its users, its projects.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub lake: Option<Arc<Lake>>,
    users: BTreeMap<UserId, Arc<User>>,
    projects: BTreeMap<ProjectId, Arc<ProjectState>>,
    keys: BTreeMap<ProjectKey, ProjectId>,
    index: Index,
}

/// A project with all its records, including deleted ones; for a project that is not loaded, only
/// its own row.
#[derive(Clone, Debug, Default)]
pub struct ProjectState {
    project: Option<Arc<Project>>,
    /// Whether only the project's own row is loaded.
    is_outline: bool,
    tasks: BTreeMap<TaskId, Arc<Task>>,
    numbers: BTreeMap<u32, TaskId>,
    /// Tasks by parent, in sibling order, including deleted ones.
    children: BTreeMap<Option<TaskId>, BTreeSet<(i64, TaskId)>>,
    links: BTreeMap<TaskLinkId, Arc<TaskLink>>,
    links_of: BTreeSet<(TaskId, TaskLinkId)>,
    /// Live links, keyed by source and target task.
    pairs: BTreeSet<(TaskId, TaskId, TaskLinkId)>,
    requirements: BTreeMap<RequirementId, Arc<Requirement>>,
    covers: BTreeMap<TaskRequirementId, Arc<TaskRequirement>>,
    answers_of: BTreeSet<(Uuid, TaskRequirementId)>,
}

impl State {
    pub fn project(&self, id: ProjectId) -> Option<&ProjectState> {
        self.projects.get(&id).map(Arc::as_ref)
    }

    pub fn project_by_key(&self, key: &ProjectKey) -> Option<&ProjectState> {
        self.project(*self.keys.get(key)?)
    }

    /// Returns every project by id, which is the order of creation.
    pub fn projects(&self) -> impl Iterator<Item = &ProjectState> {
        self.projects.values().map(Arc::as_ref)
    }

    pub fn user(&self, id: UserId) -> Option<&Arc<User>> {
        self.users.get(&id)
    }

    pub fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.users.values()
    }

    /// Returns the live user with this handle (with or without `@`) or e-mail address.
    pub fn user_by_name(&self, name: &str) -> Option<&Arc<User>> {
        let handle = name.strip_prefix('@').unwrap_or(name);
        self.users.values().find(|user| {
            user.deleted_at.is_none()
                && (user.handle.as_str() == handle
                    || user.email.as_ref().is_some_and(|email| email.as_str() == name))
        })
    }

    /// Returns the user that assignments to `id` mean, with merges followed.
    pub fn acting_user(&self, id: UserId) -> UserId {
        self.merge_chain(id).last().unwrap_or(id)
    }

    /// Returns the user `id`, the user it was merged into, and so on.
    pub fn merge_chain(&self, id: UserId) -> impl Iterator<Item = UserId> {
        let next = |at: &UserId| self.users.get(at).and_then(|user| user.merged_into);
        // `apply` refuses a cycle. A lake that an earlier version wrote may hold one, which must not be followed forever.
        std::iter::successors(Some(id), next).take(self.users.len() + 1)
    }

    /// Returns the task with this key, including keys it had before a move to another project.
    pub fn task_by_key(&self, key: &TaskKey) -> Option<&Arc<Task>> {
        let here = self
            .project_by_key(key.project())
            .and_then(|project| project.task_by_number(key.number()));
        here.or_else(|| self.index.had(key).find_map(|id| self.task(id)))
    }

    /// Returns the task with this id, in any loaded project.
    pub fn task(&self, id: TaskId) -> Option<&Arc<Task>> {
        self.index.homes(id.uuid()).find_map(|project| self.project(project)?.task(id))
    }

    /// Returns the loaded project that contains a record; `None` for users and the lake, which
    /// belong to no project.
    pub fn home(&self, entity: Entity, id: Uuid) -> Option<ProjectId> {
        match entity {
            Entity::Lake | Entity::User | Entity::Sync(_) => None,
            Entity::Project => self.project(ProjectId::of(id))?.project().map(|project| project.id),
            Entity::Task | Entity::TaskLink | Entity::Requirement | Entity::TaskRequirement => {
                self.index.homes(id).find(|project| {
                    self.project(*project).is_some_and(|state| state.get(entity, id).is_some())
                })
            }
        }
    }

    /// Returns the loaded record with an id, of any entity.
    pub fn record_by_id(&self, id: Uuid) -> Option<AnyRecord> {
        let lake =
            self.lake.as_ref().filter(|lake| lake.id.uuid() == id).cloned().map(AnyRecord::Lake);
        let user = || self.users.get(&UserId::of(id)).cloned().map(AnyRecord::User);
        let project = || self.project(ProjectId::of(id))?.project.clone().map(AnyRecord::Project);
        let within = || {
            let held =
                [Entity::Task, Entity::TaskLink, Entity::Requirement, Entity::TaskRequirement];
            self.index
                .homes(id)
                .filter_map(|home| self.project(home))
                .find_map(|state| held.iter().find_map(|entity| state.get(*entity, id)))
        };
        lake.or_else(user).or_else(project).or_else(within)
    }

    /// Returns the loaded links to a task that may come from another project, including deleted
    /// ones.
    pub fn links_to(&self, task: TaskId) -> impl Iterator<Item = &Arc<TaskLink>> {
        self.index.links_to(task).filter_map(|(project, link)| self.project(project)?.link(link))
    }

    pub fn get(&self, slot: RecordKey) -> Option<AnyRecord> {
        match slot.entity {
            Entity::Lake => self.lake.clone().map(AnyRecord::Lake),
            Entity::User => self.users.get(&UserId::of(slot.id)).cloned().map(AnyRecord::User),
            Entity::Sync(_) => None,
            _ => self.project(slot.project?)?.get(slot.entity, slot.id),
        }
    }

    /// Puts a record into the state and replaces the one with the same location. For a project that
    /// is not loaded, keeps only its own row. A record of the stream `sync` has no place here.
    pub fn put(&mut self, record: AnyRecord) {
        match (record.project(), record) {
            (_, AnyRecord::Lake(lake)) => self.lake = Some(lake),
            (_, AnyRecord::User(user)) => {
                self.users.insert(user.id, user);
            }
            (_, AnyRecord::Sync(_)) => {}
            (Some(project), record) => {
                if let AnyRecord::Project(project) = &record {
                    self.keys.insert(project.key.clone(), project.id);
                }
                let place = self.projects.entry(project).or_default();
                if !place.is_outline || record.entity() == Entity::Project {
                    let old = place.get(record.entity(), record.id());
                    self.index.put(&record, old.as_ref());
                    Arc::make_mut(place).put(record);
                }
            }
            (None, _) => {}
        }
    }

    /// Whether all records of a project are loaded; true for a project that does not exist.
    pub fn is_loaded(&self, project: ProjectId) -> bool {
        self.projects.get(&project).is_none_or(|project| !project.is_outline)
    }

    pub fn project_ids(&self) -> impl Iterator<Item = ProjectId> {
        self.projects.keys().copied()
    }

    /// Returns the projects of which only their own row is loaded.
    pub fn stubs(&self) -> impl Iterator<Item = ProjectId> {
        self.projects.iter().filter(|(_, project)| project.is_outline).map(|(id, _)| *id)
    }

    /// Unloads everything in a project except its own row.
    pub fn evict(&mut self, project: ProjectId) {
        if let Some(place) = self.projects.get_mut(&project) {
            place.records().for_each(|record| self.index.remove(&record));
            let own = place.project.clone();
            *place = Arc::new(ProjectState {
                project: own,
                is_outline: true,
                ..ProjectState::default()
            });
        }
    }

    /// Loads the records of a project; its own row is already there.
    pub fn load(&mut self, project: ProjectId, records: impl IntoIterator<Item = AnyRecord>) {
        if let Some(place) = self.projects.get_mut(&project) {
            place.records().for_each(|record| self.index.remove(&record));
            let own = place.project.clone();
            let mut whole = ProjectState { project: own, ..ProjectState::default() };
            for record in records {
                self.index.put(&record, whole.get(record.entity(), record.id()).as_ref());
                whole.put(record);
            }
            *place = Arc::new(whole);
        }
    }

    pub fn remove(&mut self, slot: RecordKey) {
        match (slot.entity, slot.project) {
            (Entity::Lake, _) => self.lake = None,
            (Entity::User, _) => {
                self.users.remove(&UserId::of(slot.id));
            }
            (Entity::Project, Some(id)) => {
                if let Some(state) = self.projects.remove(&id) {
                    state.records().for_each(|record| self.index.remove(&record));
                    if let Some(gone) = &state.project {
                        self.keys.remove(&gone.key);
                    }
                }
            }
            (entity, Some(project)) => {
                if let Some(state) = self.projects.get_mut(&project)
                    && let Some(gone) = state.get(entity, slot.id)
                {
                    self.index.remove(&gone);
                    Arc::make_mut(state).remove(entity, slot.id);
                }
            }
            (_, None) => {}
        }
    }

    /// Returns every record, in a fixed order.
    pub fn records(&self) -> impl Iterator<Item = AnyRecord> {
        let lake = self.lake.iter().cloned().map(AnyRecord::Lake);
        let users = self.users.values().cloned().map(AnyRecord::User);
        lake.chain(users).chain(self.projects.values().flat_map(|project| project.records()))
    }
}

impl ProjectState {
    /// Returns the project's own row; absent only until its create is replayed.
    pub fn project(&self) -> Option<&Arc<Project>> {
        self.project.as_ref()
    }

    pub fn task(&self, id: TaskId) -> Option<&Arc<Task>> {
        self.tasks.get(&id)
    }

    pub fn task_by_number(&self, number: u32) -> Option<&Arc<Task>> {
        self.tasks.get(self.numbers.get(&number)?)
    }

    fn last_number_in_use(&self) -> u32 {
        self.numbers.last_key_value().map_or(0, |(number, _)| *number)
    }

    /// Highest task number ever assigned in the project.
    pub fn highest_number(&self) -> u32 {
        self.project().map_or(0, |project| project.left_number).max(self.last_number_in_use())
    }

    pub fn tasks(&self) -> impl Iterator<Item = &Arc<Task>> {
        self.tasks.values()
    }

    /// Returns the children of a task (the top-level tasks for `None`) in sibling order, including
    /// deleted ones.
    pub fn children(&self, parent: Option<TaskId>) -> impl DoubleEndedIterator<Item = &Arc<Task>> {
        self.children.get(&parent).into_iter().flatten().filter_map(|(_, id)| self.tasks.get(id))
    }

    /// Returns the siblings before a place in sibling order, nearest first, including deleted ones.
    pub fn before(
        &self,
        parent: Option<TaskId>,
        place: (i64, TaskId),
    ) -> impl Iterator<Item = &Arc<Task>> {
        let siblings = self.children.get(&parent).into_iter();
        siblings
            .flat_map(move |siblings| siblings.range(..place).rev())
            .filter_map(|(_, id)| self.tasks.get(id))
    }

    /// Returns the siblings after a place in sibling order, nearest first, including deleted ones.
    pub fn behind(
        &self,
        parent: Option<TaskId>,
        place: (i64, TaskId),
    ) -> impl Iterator<Item = &Arc<Task>> {
        let siblings = self.children.get(&parent).into_iter();
        let behind = (Bound::Excluded(place), Bound::Unbounded);
        siblings
            .flat_map(move |siblings| siblings.range(behind))
            .filter_map(|(_, id)| self.tasks.get(id))
    }

    /// Returns all descendants of a task, parents before children, including deleted ones.
    pub fn descendants(&self, id: TaskId) -> Vec<&Arc<Task>> {
        let mut found = Vec::new();
        let mut open: Vec<&Arc<Task>> = self.children(Some(id)).rev().collect();
        while let Some(task) = open.pop() {
            found.push(task);
            open.extend(self.children(Some(task.id)).rev());
        }
        found
    }

    /// Whether `id` is `ancestor` or one of its descendants.
    pub fn is_within(&self, id: TaskId, ancestor: TaskId) -> bool {
        let mut at = Some(id);
        while let Some(here) = at {
            if here == ancestor {
                return true;
            }
            at = self.tasks.get(&here).and_then(|task| task.parent_id);
        }
        false
    }

    /// Returns the live links at either end of a task. From links across projects, returns only
    /// those that start here.
    pub fn links_at(&self, task: TaskId) -> impl Iterator<Item = &Arc<TaskLink>> {
        self.all_links_at(task).filter(|link| link.deleted_at.is_none())
    }

    /// Like [`Self::links_at`], including deleted links.
    pub fn all_links_at(&self, task: TaskId) -> impl Iterator<Item = &Arc<TaskLink>> {
        let first = (task, TaskLinkId::default());
        self.links_of
            .range(first..)
            .take_while(move |(at, _)| *at == task)
            .filter_map(|(_, id)| self.links.get(id))
    }

    /// Returns the live links from one task to another.
    pub fn links_between(&self, from: TaskId, to: TaskId) -> impl Iterator<Item = &Arc<TaskLink>> {
        let first = (from, to, TaskLinkId::default());
        let own = self
            .pairs
            .range(first..)
            .take_while(move |(own, other, _)| (*own, *other) == (from, to));
        own.filter_map(|(_, _, id)| self.links.get(id))
    }

    pub fn link(&self, id: TaskLinkId) -> Option<&Arc<TaskLink>> {
        self.links.get(&id)
    }

    /// Returns every link, including deleted ones.
    pub fn links(&self) -> impl Iterator<Item = &Arc<TaskLink>> {
        self.links.values()
    }

    /// Returns the live dependencies of the project.
    pub fn dependencies(&self) -> impl Iterator<Item = &Arc<TaskLink>> {
        self.links
            .values()
            .filter(|link| link.deleted_at.is_none() && link.kind == LinkKind::DependsOn)
    }

    pub fn requirement(&self, id: RequirementId) -> Option<&Arc<Requirement>> {
        self.requirements.get(&id)
    }

    pub fn requirements(&self) -> impl Iterator<Item = &Arc<Requirement>> {
        self.requirements.values()
    }

    pub fn answer(&self, id: TaskRequirementId) -> Option<&Arc<TaskRequirement>> {
        self.covers.get(&id)
    }

    /// Returns the live links between tasks and requirements at a task or requirement.
    pub fn coverage_of(&self, id: Uuid) -> impl Iterator<Item = &Arc<TaskRequirement>> {
        self.all_answers_at(id).filter(|answer| answer.deleted_at.is_none())
    }

    /// Like [`Self::coverage_of`], including deleted links.
    pub fn all_answers_at(&self, id: Uuid) -> impl Iterator<Item = &Arc<TaskRequirement>> {
        self.answers_of
            .range((id, TaskRequirementId::default())..)
            .take_while(move |(at, _)| *at == id)
            .filter_map(|(_, answer)| self.covers.get(answer))
    }

    /// Returns every link between a task and a requirement, including deleted ones.
    pub fn covers(&self) -> impl Iterator<Item = &Arc<TaskRequirement>> {
        self.covers.values()
    }

    pub fn get(&self, entity: Entity, id: Uuid) -> Option<AnyRecord> {
        match entity {
            Entity::Project => self.project.clone().map(AnyRecord::Project),
            Entity::Task => self.tasks.get(&TaskId::of(id)).cloned().map(AnyRecord::Task),
            Entity::TaskLink => {
                self.links.get(&TaskLinkId::of(id)).cloned().map(AnyRecord::TaskLink)
            }
            Entity::Requirement => {
                self.requirements.get(&RequirementId::of(id)).cloned().map(AnyRecord::Requirement)
            }
            Entity::TaskRequirement => {
                self.covers.get(&TaskRequirementId::of(id)).cloned().map(AnyRecord::TaskRequirement)
            }
            Entity::Lake | Entity::User | Entity::Sync(_) => None,
        }
    }

    /// Number of records besides the project's own row.
    pub fn len(&self) -> usize {
        self.tasks.len() + self.links.len() + self.requirements.len() + self.covers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the tasks in other projects that links and requirement links here refer to,
    /// including deleted ones.
    pub fn external_task_ids(&self) -> impl Iterator<Item = TaskId> {
        let linked = self.links.values().flat_map(|link| [link.from_id, link.to_id]);
        let answering = self.covers.values().map(|answer| answer.task_id);
        linked.chain(answering).filter(|task| !self.tasks.contains_key(task))
    }

    pub fn records(&self) -> impl Iterator<Item = AnyRecord> + '_ {
        let project = self.project.iter().cloned().map(AnyRecord::Project);
        project
            .chain(self.tasks.values().cloned().map(AnyRecord::Task))
            .chain(self.links.values().cloned().map(AnyRecord::TaskLink))
            .chain(self.requirements.values().cloned().map(AnyRecord::Requirement))
            .chain(self.covers.values().cloned().map(AnyRecord::TaskRequirement))
    }

    fn put(&mut self, record: AnyRecord) {
        self.remove(record.entity(), record.id());
        match record {
            AnyRecord::Project(project) => self.project = Some(project),
            AnyRecord::Task(task) => {
                self.numbers.insert(task.key.number(), task.id);
                self.children.entry(task.parent_id).or_default().insert((task.position, task.id));
                self.tasks.insert(task.id, task);
            }
            AnyRecord::TaskLink(link) => {
                self.links_of.insert((link.from_id, link.id));
                self.links_of.insert((link.to_id, link.id));
                if link.deleted_at.is_none() {
                    self.pairs.insert((link.from_id, link.to_id, link.id));
                }
                self.links.insert(link.id, link);
            }
            AnyRecord::Requirement(requirement) => {
                self.requirements.insert(requirement.id, requirement);
            }
            AnyRecord::TaskRequirement(answer) => {
                self.answers_of.insert((answer.task_id.uuid(), answer.id));
                self.answers_of.insert((answer.requirement_id.uuid(), answer.id));
                self.covers.insert(answer.id, answer);
            }
            AnyRecord::Lake(_) | AnyRecord::User(_) | AnyRecord::Sync(_) => {}
        }
    }

    fn remove(&mut self, entity: Entity, id: Uuid) {
        match entity {
            Entity::Project => self.project = None,
            Entity::Task => {
                if let Some(task) = self.tasks.remove(&TaskId::of(id)) {
                    self.numbers.remove(&task.key.number());
                    if let Some(siblings) = self.children.get_mut(&task.parent_id) {
                        siblings.remove(&(task.position, task.id));
                        if siblings.is_empty() {
                            self.children.remove(&task.parent_id);
                        }
                    }
                }
            }
            Entity::TaskLink => {
                if let Some(link) = self.links.remove(&TaskLinkId::of(id)) {
                    self.links_of.remove(&(link.from_id, link.id));
                    self.links_of.remove(&(link.to_id, link.id));
                    self.pairs.remove(&(link.from_id, link.to_id, link.id));
                }
            }
            Entity::Requirement => {
                self.requirements.remove(&RequirementId::of(id));
            }
            Entity::TaskRequirement => {
                if let Some(answer) = self.covers.remove(&TaskRequirementId::of(id)) {
                    self.answers_of.remove(&(answer.task_id.uuid(), answer.id));
                    self.answers_of.remove(&(answer.requirement_id.uuid(), answer.id));
                }
            }
            Entity::Lake | Entity::User | Entity::Sync(_) => {}
        }
    }
}
