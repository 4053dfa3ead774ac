//! Which projects a use case needs at hand, from the words it was given.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{Service, ServiceError, find};
use crate::domain::id::EntityId;
use crate::domain::key::TaskKey;
use crate::domain::record::Entity;
use crate::domain::state::ProjectState;
use crate::exchange::patchset::Request;
use crate::store::{Scope, Sought};

impl Service {
    /// The projects that words for tasks or projects lead to. A word that leads nowhere is left to whoever uses it.
    pub async fn scope_of(&self, words: &[&str]) -> Result<Scope, ServiceError> {
        self.scope_of_records(words.iter().map(|word| (Entity::Task, *word))).await
    }

    /// The projects that a request speaks of.
    pub(super) async fn scope_of_request(&self, request: &Request) -> Result<Scope, ServiceError> {
        self.scope_of_records(request.references()).await
    }

    /// The one living project there is.
    pub async fn only_project(&self) -> Result<Scope, ServiceError> {
        let state = self.state(&Scope::outline()).await?;
        Ok(Scope::of([find::only_project(&state)?.1.id]))
    }

    /// A scope and the projects that links lead to from there.
    pub async fn with_far_ends(&self, scope: Scope) -> Result<Scope, ServiceError> {
        let Scope::Projects(mut projects) = scope else { return Ok(scope) };
        let state = self.state(&Scope::Projects(projects.clone())).await?;
        let found = projects.iter().filter_map(|project| state.project(*project));
        let far: Vec<Sought> = found.flat_map(ProjectState::far_ends).map(|task| Sought::Id(Entity::Task, task.uuid())).collect();
        projects.extend(self.store.find(&far).await?.into_iter().flatten());
        Ok(Scope::Projects(projects))
    }

    async fn scope_of_records(&self, words: impl Iterator<Item = (Entity, &str)>) -> Result<Scope, ServiceError> {
        let outline = self.state(&Scope::outline()).await?;
        let mut projects = BTreeSet::new();
        let mut keys: BTreeSet<TaskKey> = BTreeSet::new();
        let mut sought: Vec<Sought> = Vec::new();
        for (entity, word) in words.filter(|(entity, _)| !matches!(entity, Entity::User | Entity::Lake)) {
            // A requirement is written PROJECT/LABEL.
            let name = word.split_once('/').map_or(word, |(project, _)| project);
            if let Ok((_, project)) = find::project(&outline, name) {
                projects.insert(project.id);
            } else if let Ok(key) = word.to_ascii_uppercase().parse::<TaskKey>() {
                let project = outline.project_by_key(key.project()).and_then(|found| found.project());
                projects.extend(project.map(|project| project.id));
                keys.insert(key);
            } else if let Ok(id) = Uuid::try_parse(word) {
                sought.push(Sought::Id(entity, id));
            }
        }
        projects.extend(self.store.find(&sought).await?.into_iter().flatten());
        if !keys.is_empty() {
            let state = self.state(&Scope::Projects(projects.clone())).await?;
            let former = keys.into_iter().filter(|key| state.task_by_key(key).is_none()).map(Sought::FormerKey);
            let former: Vec<Sought> = former.collect();
            projects.extend(self.store.find(&former).await?.into_iter().flatten());
        }
        Ok(Scope::Projects(projects))
    }
}
