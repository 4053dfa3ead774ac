//! Changes to tasks that take more than one patch or depend on the state.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::change::{Committed, MAX_ATTEMPTS};
use super::{RequestContext, Service, ServiceError, find};
use crate::domain::id::EntityId;
use crate::domain::key::TaskKey;
use crate::domain::patch::{Op, Patch};
use crate::domain::record::Entity;
use crate::domain::state::State;
use crate::domain::task::{Task, TaskStatus};
use crate::domain::time::Minutes;
use crate::domain::value::FieldValue;
use crate::domain::violation::Violation;
use crate::planning::merge::merge;
use crate::planning::split::{Part, split};
use crate::store::Scope;

/// A completed task, and what remains to be completed.
#[derive(Clone, Debug, Serialize)]
pub struct Completed {
    #[serde(flatten)]
    pub done: Committed,
    pub completed_parts: Vec<TaskKey>,
    pub open_parts: Vec<TaskKey>,
    /// The parent task, if this was its last open subtask.
    #[serde(rename = "last_part_of")]
    pub whole: Option<TaskKey>,
}

impl Service {
    /// Adds spent minutes to a task, even if others do so concurrently.
    pub async fn log_work(
        &self,
        task: &str,
        minutes: Minutes,
        context: &RequestContext,
    ) -> Result<(Minutes, Committed), ServiceError> {
        let mut tries = 0;
        loop {
            let state = self.state_for_names(&[task]).await?;
            let (patch, spent) = spending(find::live_task(&state, task)?, minutes);
            tries += 1;
            match self.commit_patches(&state, vec![patch], context).await {
                Err(ServiceError::Conflicted { .. }) if tries < MAX_ATTEMPTS => {}
                done => return done.map(|done| (spent, done)),
            }
        }
    }

    /// Completes a task, adds the time spent, and completes its open subtasks if `with_parts` is
    /// set.
    pub async fn complete_task(
        &self,
        task: &str,
        spent: Option<Minutes>,
        with_parts: bool,
        context: &RequestContext,
    ) -> Result<Completed, ServiceError> {
        let mut tries = 0;
        loop {
            let state = self.state_for_names(&[task]).await?;
            let found = find::live_task(&state, task)?;
            let project = state
                .project(found.project_id)
                .ok_or_else(|| ServiceError::input("project", "is not there"))?;
            let is_open = |task: &Task| task.is_live() && !task.status.is_closed();
            let open: Vec<&Arc<Task>> =
                project.descendants(found.id).into_iter().filter(|part| is_open(part)).collect();
            let completed = |patch: Patch| patch.with("status", TaskStatus::Completed.json());
            let own = spent.map_or_else(|| update_live(found), |spent| spending(found, spent).0);
            // A subtask that someone else closes concurrently keeps that status.
            let part = |part: &&Arc<Task>| {
                completed(update_live(part).expecting("status", part.status.json()))
            };
            let parts = open.iter().filter(|_| with_parts).map(part);
            let patches = std::iter::once(completed(own)).chain(parts).collect();
            tries += 1;
            let done = match self.commit_patches(&state, patches, context).await {
                Err(ServiceError::Conflicted { .. }) if tries < MAX_ATTEMPTS => continue,
                done => done?,
            };
            let keys: Vec<TaskKey> = open.iter().map(|part| part.key.clone()).collect();
            let (completed_parts, open_parts) =
                if with_parts { (keys, Vec::new()) } else { (Vec::new(), keys) };
            let whole = found
                .parent_id
                .and_then(|whole| project.task(whole))
                .filter(|whole| is_open(whole));
            let was_last = |whole: &&Arc<Task>| {
                let others = project
                    .descendants(whole.id)
                    .into_iter()
                    .filter(|part| is_open(part) && part.id != found.id);
                open_parts.is_empty() && others.count() == completed_parts.len()
            };
            let whole = whole.filter(was_last).map(|whole| whole.key.clone());
            return Ok(Completed { done, completed_parts, open_parts, whole });
        }
    }

    /// Merges `gone` into `kept`.
    pub async fn merge_tasks(
        &self,
        kept: &str,
        gone: &str,
        context: &RequestContext,
    ) -> Result<Committed, ServiceError> {
        let state = self.state_for_names(&[kept, gone]).await?;
        let tasks = [find::live_task(&state, kept)?, find::live_task(&state, gone)?];
        let elsewhere = self.store.linked_from(&tasks.iter().map(|task| task.id).collect()).await?;
        // A link that a merge takes over may lead to a task in any project.
        let ends = tasks.iter().filter_map(|task| Some((state.project(task.project_id)?, task.id)));
        let ends = ends
            .flat_map(|(project, task)| project.links_at(task))
            .flat_map(|link| [link.from_id, link.to_id]);
        let own = tasks.iter().map(|task| task.project_id).collect();
        let projects = self.projects_with(own, elsewhere, ends.collect()).await?;
        let state = self.state(&Scope::Projects(projects.clone())).await?;
        let (kept, gone) = (find::live_task(&state, kept)?, find::live_task(&state, gone)?);
        let id = self.fresh_set_id(context);
        let patches = merge(&state, kept, gone, id).map_err(one)?;
        let set = context
            .patch_set(id, patches)
            .because(&format!("merge of {} into {}", gone.key, kept.key))
            .with_also(projects);
        self.commit(&state, set).await
    }

    /// Splits a task into subtasks.
    pub async fn split_task(
        &self,
        task: &str,
        parts: &[Part],
        context: &RequestContext,
    ) -> Result<Committed, ServiceError> {
        let state = self.state_for_names(&[task]).await?;
        let task = find::live_task(&state, task)?;
        let id = self.fresh_set_id(context);
        let patches = split(task, parts, id).map_err(one)?;
        let set = context.patch_set(id, patches).because(&format!("split of {}", task.key));
        self.commit(&state, set).await
    }

    /// Merges two users: `gone` becomes an alias of `kept`, and its tasks are reassigned.
    pub async fn merge_users(
        &self,
        kept: &str,
        gone: &str,
        context: &RequestContext,
    ) -> Result<(usize, Committed), ServiceError> {
        // Their tasks may be in any project.
        let state = self.state(&Scope::All).await?;
        let (kept, gone) = (find::user(&state, kept)?, find::user(&state, gone)?);
        let mut patches = vec![
            Patch::new(Op::Update, Entity::User, gone.id.uuid(), None)
                .with("merged_into", kept.id.json()),
        ];
        let tasks = state.projects().flat_map(|project| project.tasks());
        let assigned: Vec<&Arc<Task>> =
            tasks.filter(|task| task.assignee_id == Some(gone.id)).collect();
        let reassign = |task: &&Arc<Task>| update(task).with("assignee_id", kept.id.json());
        patches.extend(assigned.iter().map(reassign));
        patches.push(Patch::new(Op::Delete, Entity::User, gone.id.uuid(), None));
        // Some tasks may be deleted; they hold the edit until they are restored.
        let done = self.commit_patches(&state, patches, context).await?;
        Ok((assigned.iter().filter(|task| task.is_live()).count(), done))
    }

    async fn commit_patches(
        &self,
        state: &State,
        patches: Vec<Patch>,
        context: &RequestContext,
    ) -> Result<Committed, ServiceError> {
        self.commit(state, context.patch_set(self.fresh_set_id(context), patches)).await
    }
}

fn one(violation: Violation) -> ServiceError {
    ServiceError::Refused(vec![violation])
}

/// Returns a patch without values for a task that must still be live.
fn update_live(task: &Task) -> Patch {
    update(task).expecting("deleted_at", Value::Null)
}

fn update(task: &Task) -> Patch {
    Patch::new(Op::Update, Entity::Task, task.id.uuid(), Some(task.project_id))
}

/// Returns the patch that adds minutes to a task's spent time, and the new total.
fn spending(task: &Task, minutes: Minutes) -> (Patch, Minutes) {
    let spent = task.actual_minutes.unwrap_or_default().saturating_add(minutes);
    let patch = update_live(task)
        .with("actual_minutes", spent.json())
        .expecting("actual_minutes", task.actual_minutes.json());
    (patch, spent)
}
