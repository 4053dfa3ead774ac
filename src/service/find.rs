//! Finds records by the keys, ids, handles and names that people type.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use super::ServiceError;
use crate::domain::hint::Hint;
use crate::domain::id::{EntityId, ProjectId, TaskId, UserId};
use crate::domain::key::{ProjectKey, TaskKey};
use crate::domain::project::Project;
use crate::domain::state::{ProjectState, State};
use crate::domain::task::Task;
use crate::domain::user::User;

/// Finds a task by its key (`PAY-42`, in any case) or id, including deleted ones.
pub fn task<'s>(state: &'s State, name: &str) -> Result<&'s Arc<Task>, ServiceError> {
    let by_key =
        name.to_ascii_uppercase().parse::<TaskKey>().ok().and_then(|key| state.task_by_key(&key));
    let by_id = || Uuid::try_parse(name).ok().and_then(|id| state.task(TaskId::of(id)));
    by_key.or_else(by_id).ok_or_else(|| {
        let example = state.projects().filter_map(ProjectState::project).next();
        let hint = Hint::ListTasks { project: example.map(|project| project.key.clone()) };
        ServiceError::NotFound { what: "task", name: name.to_owned(), hint: Some(hint) }
    })
}

/// Finds a live task.
pub fn live_task<'s>(state: &'s State, name: &str) -> Result<&'s Arc<Task>, ServiceError> {
    let task = task(state, name)?;
    if task.is_live() {
        return Ok(task);
    }
    let hint = Some(Hint::RestoreTask { key: task.key.clone() });
    Err(ServiceError::Input {
        place: task.key.to_string(),
        message: "the task is deleted".to_owned(),
        hint,
    })
}

/// Finds a project by its key (in any case), id or full name.
pub fn project<'s>(
    state: &'s State,
    name: &str,
) -> Result<(&'s ProjectState, &'s Arc<Project>), ServiceError> {
    let by_key = name
        .to_ascii_uppercase()
        .parse::<ProjectKey>()
        .ok()
        .and_then(|key| state.project_by_key(&key));
    let by_id = || Uuid::try_parse(name).ok().and_then(|id| state.project(ProjectId::of(id)));
    let by_name = || {
        state
            .projects()
            .find(|found| found.project().is_some_and(|project| project.name.as_str() == name))
    };
    let found = by_key.or_else(by_id).or_else(by_name);
    found.and_then(|found| Some((found, found.project()?))).ok_or_else(|| {
        let keys: Vec<String> = state
            .projects()
            .filter_map(|found| Some(found.project()?.key.to_string()))
            .take(8)
            .collect();
        let hint = match keys.as_slice() {
            [] => Hint::CreateFirstProject,
            keys => format!("there are {}", keys.join(", ")).into(),
        };
        ServiceError::NotFound { what: "project", name: name.to_owned(), hint: Some(hint) }
    })
}

/// Projects of a state by every name that [`project`] accepts, for repeated lookups.
pub struct ProjectNames<'s> {
    state: &'s State,
    by_name: OnceCell<HashMap<&'s str, ProjectId>>,
}

impl<'s> ProjectNames<'s> {
    pub fn of(state: &'s State) -> Self {
        Self { state, by_name: OnceCell::new() }
    }

    pub fn get(&self, name: &str) -> Option<ProjectId> {
        let by_key = name
            .to_ascii_uppercase()
            .parse::<ProjectKey>()
            .ok()
            .and_then(|key| self.state.project_by_key(&key));
        let by_id =
            || Uuid::try_parse(name).ok().and_then(|id| self.state.project(ProjectId::of(id)));
        let found = by_key.or_else(by_id).and_then(ProjectState::project).map(|project| project.id);
        found.or_else(|| self.by_name.get_or_init(|| self.index()).get(name).copied())
    }

    fn index(&self) -> HashMap<&'s str, ProjectId> {
        let mut names = HashMap::new();
        for project in self.state.projects().filter_map(ProjectState::project) {
            names.entry(project.name.as_str()).or_insert(project.id);
        }
        names
    }
}

/// Returns the only live project, for when none is named.
pub fn only_project(state: &State) -> Result<(&ProjectState, &Arc<Project>), ServiceError> {
    let mut living = state
        .projects()
        .filter_map(|found| found.project().map(|project| (found, project)))
        .filter(|(_, project)| project.deleted_at.is_none());
    match (living.next(), living.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(ServiceError::Parameter {
            name: "project",
            message: "the lake has no project yet".to_owned(),
            hint: Some(Hint::CreateProject),
        }),
        (Some(_), Some(_)) => Err(ServiceError::Parameter {
            name: "project",
            message: "there are several projects; specify which one".to_owned(),
            hint: Some(Hint::ListProjects),
        }),
    }
}

/// Finds a user by handle (with or without `@`), e-mail address or id.
pub fn user<'s>(state: &'s State, name: &str) -> Result<&'s Arc<User>, ServiceError> {
    let by_id = || Uuid::try_parse(name).ok().and_then(|id| state.user(UserId::of(id)));
    state.user_by_name(name).or_else(by_id).ok_or_else(|| ServiceError::NotFound {
        what: "user",
        name: name.to_owned(),
        hint: Some(Hint::AddUser { name: name.trim_start_matches('@').to_owned() }),
    })
}
