//! Which projects a use case needs at hand, from the words it was given.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{Service, ServiceError, find};
use crate::domain::apply::reach::{Reach, reach};
use crate::domain::id::{EntityId, ProjectId, TaskId};
use crate::domain::key::TaskKey;
use crate::domain::patch::PatchSet;
use crate::domain::record::Entity;
use crate::domain::state::{ProjectState, State};
use crate::domain::time::AsOf;
use crate::exchange::patchset::Request;
use crate::store::{Scope, Snapshot, Sought};

impl Service {
    /// The lake as it is, or was, with the projects at hand that words for tasks or projects lead to. A word that leads
    /// nowhere is left to whoever uses it.
    pub async fn read_about(
        &self,
        words: &[&str],
        as_of: Option<AsOf>,
    ) -> Result<Snapshot, ServiceError> {
        let mut projects = self.projects_of(words.iter().map(|word| (Entity::Task, *word))).await?;
        loop {
            let snapshot = self.read(&Scope::Projects(projects.clone()), as_of).await?;
            // In the past a name may have been another project's.
            let led = words.iter().filter_map(|word| find::project(&snapshot.state, word).ok());
            let away: Vec<ProjectId> = led
                .map(|(_, project)| project.id)
                .filter(|project| !snapshot.state.is_whole(*project))
                .collect();
            if away.is_empty() {
                return Ok(snapshot);
            }
            projects.extend(away);
        }
    }

    /// The state with the projects at hand that words lead to.
    pub async fn state_about(&self, words: &[&str]) -> Result<State, ServiceError> {
        Ok(self.read_about(words, None).await?.state)
    }

    /// The lake as it is, or was, with what a task's page shows: its project, and the tasks elsewhere that it is linked to.
    pub async fn read_page(
        &self,
        task: &str,
        as_of: Option<AsOf>,
    ) -> Result<Snapshot, ServiceError> {
        let snapshot = self.read_about(&[task], as_of).await?;
        let Ok(found) = find::task(&snapshot.state, task) else { return Ok(snapshot) };
        let project = snapshot.state.project(found.project_id);
        let ends = project
            .into_iter()
            .flat_map(|project| project.links_at(found.id))
            .flat_map(|link| [link.from_id, link.to_id]);
        let far: Vec<Sought> =
            ends.filter(|task| snapshot.state.task(*task).is_none()).map(sought).collect();
        if far.is_empty() {
            return Ok(snapshot);
        }
        let mut projects: BTreeSet<ProjectId> =
            self.store.find(&far).await?.into_iter().flatten().collect();
        projects.insert(found.project_id);
        self.read(&Scope::Projects(projects), as_of).await
    }

    /// The lake as it is, or was, with its one living project at hand.
    pub async fn read_only_project(&self, as_of: Option<AsOf>) -> Result<Snapshot, ServiceError> {
        let outline = self.read(&Scope::outline(), as_of).await?;
        let only = find::only_project(&outline.state)?.1.id;
        self.read(&Scope::of([only]), as_of).await
    }

    /// The lake as it is, or was, at least with the projects at hand that are in sight.
    pub async fn read_in_sight(&self, as_of: Option<AsOf>) -> Result<Snapshot, ServiceError> {
        if as_of.is_some() {
            return self.read(&Scope::All, as_of).await;
        }
        let outline = self.state(&Scope::outline()).await?;
        let projects = outline
            .projects()
            .filter_map(ProjectState::project)
            .filter(|project| project.is_in_sight());
        self.read(&Scope::of(projects.map(|project| project.id)), None).await
    }

    /// The state that a request is resolved against: the projects it speaks of.
    pub(super) async fn state_for(&self, request: &Request) -> Result<State, ServiceError> {
        let projects = self.projects_of(request.references()).await?;
        self.state(&Scope::Projects(projects)).await
    }

    /// The state that a set is judged against: the projects it names and those it reaches. A store loads the same before
    /// it commits the set.
    pub(super) async fn state_judging(&self, set: &PatchSet) -> Result<State, ServiceError> {
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

    /// These projects and those of some tasks.
    pub(super) async fn projects_with(
        &self,
        projects: BTreeSet<ProjectId>,
        more: BTreeSet<ProjectId>,
        tasks: BTreeSet<TaskId>,
    ) -> Result<BTreeSet<ProjectId>, ServiceError> {
        let homes = self.store.find(&tasks.into_iter().map(sought).collect::<Vec<_>>()).await?;
        Ok(projects.into_iter().chain(more).chain(homes.into_iter().flatten()).collect())
    }

    async fn projects_of(
        &self,
        words: impl Iterator<Item = (Entity, &str)>,
    ) -> Result<BTreeSet<ProjectId>, ServiceError> {
        let outline = self.state(&Scope::outline()).await?;
        let mut projects = BTreeSet::new();
        let mut keys: BTreeSet<TaskKey> = BTreeSet::new();
        let mut far: BTreeSet<Sought> = BTreeSet::new();
        let names = find::ProjectNames::of(&outline);
        let words: BTreeSet<(Entity, &str)> =
            words.filter(|(entity, _)| !matches!(entity, Entity::User | Entity::Lake)).collect();
        for (entity, word) in words {
            let named = names.get(word).or_else(|| match word.split_once('/') {
                // A requirement is written PROJECT/LABEL.
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
                far.insert(Sought::Id(entity, id));
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
                .map(Sought::FormerKey);
            projects
                .extend(self.store.find(&former.collect::<Vec<_>>()).await?.into_iter().flatten());
        }
        Ok(projects)
    }
}

fn sought(task: TaskId) -> Sought {
    Sought::Id(Entity::Task, task.uuid())
}
