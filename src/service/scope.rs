//! Reads the lake, with the projects loaded that a use case needs for the names it receives.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::as_of::read_as_of;
use super::{Service, ServiceError, find};
use crate::domain::apply::reach::{Reach, reach};
use crate::domain::id::{EntityId, ProjectId, TaskId};
use crate::domain::key::TaskKey;
use crate::domain::patch::PatchSet;
use crate::domain::record::Entity;
use crate::domain::state::{ProjectState, State};
use crate::domain::task_counts::TaskCounts;
use crate::domain::time::AsOf;
use crate::exchange::patchset::Request;
use crate::store::{RecordLookup, Scope, Snapshot};

impl Service {
    /// Reads the lake, now or as of a seq or time, as far as the scope requires.
    pub async fn read(&self, scope: &Scope, as_of: Option<AsOf>) -> Result<Snapshot, ServiceError> {
        match as_of {
            None => Ok(self.store.snapshot(scope).await?),
            Some(as_of) => read_as_of(self.store.as_ref(), scope, as_of).await,
        }
    }

    /// Returns the records of every scope and the counts of live tasks, now or in the past.
    pub async fn task_counts(
        &self,
        as_of: Option<AsOf>,
    ) -> Result<(State, TaskCounts), ServiceError> {
        if as_of.is_some() {
            let state = self.read(&Scope::All, as_of).await?.state;
            let task_counts = TaskCounts::of(&state);
            return Ok((state, task_counts));
        }
        Ok((self.state(&Scope::outline()).await?, self.store.tally().await?))
    }

    /// Reads the current lake, as far as the scope requires.
    pub async fn state(&self, scope: &Scope) -> Result<State, ServiceError> {
        Ok(self.read(scope, None).await?.state)
    }

    /// Reads the lake, now or in the past, with the projects loaded that `words` (names of tasks or
    /// projects) lead to. The caller handles words that lead nowhere.
    pub async fn read_projects_of(
        &self,
        words: &[&str],
        as_of: Option<AsOf>,
    ) -> Result<Snapshot, ServiceError> {
        let mut projects = self.projects_of(words.iter().map(|word| (Entity::Task, *word))).await?;
        loop {
            let snapshot = self.read(&Scope::Projects(projects.clone()), as_of).await?;
            // In the past, the name may have belonged to another project.
            let led = words.iter().filter_map(|word| find::project(&snapshot.state, word).ok());
            let away: Vec<ProjectId> = led
                .map(|(_, project)| project.id)
                .filter(|project| !snapshot.state.is_loaded(*project))
                .collect();
            if away.is_empty() {
                return Ok(snapshot);
            }
            projects.extend(away);
        }
    }

    /// Returns the current state with the projects loaded that `words` lead to.
    pub async fn state_for_names(&self, words: &[&str]) -> Result<State, ServiceError> {
        Ok(self.read_projects_of(words, None).await?.state)
    }

    /// Reads the lake, now or in the past, with the data of a task's page: its project, and the
    /// linked tasks in other projects.
    pub async fn read_task_page(
        &self,
        task: &str,
        as_of: Option<AsOf>,
    ) -> Result<Snapshot, ServiceError> {
        let snapshot = self.read_projects_of(&[task], as_of).await?;
        let Ok(found) = find::task(&snapshot.state, task) else { return Ok(snapshot) };
        let project = snapshot.state.project(found.project_id);
        let ends = project
            .into_iter()
            .flat_map(|project| project.links_at(found.id))
            .flat_map(|link| [link.from_id, link.to_id]);
        let far: Vec<RecordLookup> =
            ends.filter(|task| snapshot.state.task(*task).is_none()).map(lookup).collect();
        if far.is_empty() {
            return Ok(snapshot);
        }
        let mut projects: BTreeSet<ProjectId> =
            self.store.find(&far).await?.into_iter().flatten().collect();
        projects.insert(found.project_id);
        self.read(&Scope::Projects(projects), as_of).await
    }

    /// Reads the lake, now or in the past, with its only live project loaded.
    pub async fn read_only_project(&self, as_of: Option<AsOf>) -> Result<Snapshot, ServiceError> {
        let outline = self.read(&Scope::outline(), as_of).await?;
        let only = find::only_project(&outline.state)?.1.id;
        self.read(&Scope::of([only]), as_of).await
    }

    /// Reads the lake, now or in the past, with at least the visible projects loaded.
    pub async fn read_visible(&self, as_of: Option<AsOf>) -> Result<Snapshot, ServiceError> {
        if as_of.is_some() {
            return self.read(&Scope::All, as_of).await;
        }
        let outline = self.state(&Scope::outline()).await?;
        let projects = outline
            .projects()
            .filter_map(ProjectState::project)
            .filter(|project| project.is_visible());
        self.read(&Scope::of(projects.map(|project| project.id)), None).await
    }

    /// Returns the state for resolving a request: the projects to which it refers.
    pub(super) async fn state_for_request(&self, request: &Request) -> Result<State, ServiceError> {
        let projects = self.projects_of(request.references()).await?;
        self.state(&Scope::Projects(projects)).await
    }

    /// Returns the state for checking a set: the projects that it names and reaches. A store loads
    /// the same before it commits the set.
    pub(super) async fn state_for_set(&self, set: &PatchSet) -> Result<State, ServiceError> {
        let projects: BTreeSet<ProjectId> = set.scope().collect();
        let state = self.state(&Scope::Projects(projects.clone())).await?;
        let Reach { linked, ends } = reach(&state, set.patches.iter());
        if linked.is_empty() && ends.is_empty() {
            return Ok(state);
        }
        let elsewhere = self.store.linked_from(&linked).await?;
        let projects = self.projects_with(projects, elsewhere, ends).await?;
        self.state(&Scope::Projects(projects)).await
    }

    /// Adds the projects of some tasks to `projects` and `more`.
    pub(super) async fn projects_with(
        &self,
        projects: BTreeSet<ProjectId>,
        more: BTreeSet<ProjectId>,
        tasks: BTreeSet<TaskId>,
    ) -> Result<BTreeSet<ProjectId>, ServiceError> {
        let homes = self.store.find(&tasks.into_iter().map(lookup).collect::<Vec<_>>()).await?;
        Ok(projects.into_iter().chain(more).chain(homes.into_iter().flatten()).collect())
    }

    async fn projects_of(
        &self,
        words: impl Iterator<Item = (Entity, &str)>,
    ) -> Result<BTreeSet<ProjectId>, ServiceError> {
        let outline = self.state(&Scope::outline()).await?;
        let mut projects = BTreeSet::new();
        let mut keys: BTreeSet<TaskKey> = BTreeSet::new();
        let mut far: BTreeSet<RecordLookup> = BTreeSet::new();
        let names = find::ProjectNames::of(&outline);
        let words: BTreeSet<(Entity, &str)> =
            words.filter(|(entity, _)| !matches!(entity, Entity::User | Entity::Lake)).collect();
        for (entity, word) in words {
            let named = names.get(word).or_else(|| match word.split_once('/') {
                // A requirement is written as PROJECT/LABEL.
                Some((project, _)) if entity == Entity::Requirement => names.get(project),
                _ => None,
            });
            if let Some(project) = named {
                projects.insert(project);
            } else if let Ok(key) = word.to_ascii_uppercase().parse::<TaskKey>() {
                let project = outline.project_by_key(key.project()).and_then(ProjectState::project);
                projects.extend(project.map(|project| project.id));
                keys.insert(key);
            } else if let Ok(id) = Uuid::try_parse(word) {
                far.insert(RecordLookup::Id(entity, id));
            }
        }
        projects.extend(
            self.store.find(&far.into_iter().collect::<Vec<_>>()).await?.into_iter().flatten(),
        );
        if !keys.is_empty() {
            let state = self.state(&Scope::Projects(projects.clone())).await?;
            let former = keys
                .into_iter()
                .filter(|key| state.task_by_key(key).is_none())
                .map(RecordLookup::FormerKey);
            projects
                .extend(self.store.find(&former.collect::<Vec<_>>()).await?.into_iter().flatten());
        }
        Ok(projects)
    }
}

fn lookup(task: TaskId) -> RecordLookup {
    RecordLookup::Id(Entity::Task, task.uuid())
}
