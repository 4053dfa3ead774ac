//! Changes to tasks that take more than one patch or depend on the state.

use std::sync::Arc;

use super::change::Committed;
use super::{Service, ServiceError, find};
use crate::domain::id::ProjectId;
use crate::domain::key::TaskKey;
use crate::domain::patch::{Op, Patch, PatchSet, Source};
use crate::domain::record::Entity;
use crate::domain::state::State;
use crate::domain::task::{Task, TaskStatus};
use crate::domain::time::Minutes;
use crate::domain::value::{FieldValue, LongText};
use crate::domain::violation::Violation;
use crate::exchange::patchset::{RawPatch, Request};
use crate::planning::merge::merge;
use crate::planning::split::{Part, split};
use crate::runtime::fresh_set_id;
use crate::store::Scope;

/// Maximum number of attempts for a change that depends on a value that others may change
/// concurrently.
const MAX_ATTEMPTS: usize = 5;

/// A completed task, and what remains to be completed.
pub struct Completed {
    pub done: Committed,
    pub completed_parts: Vec<TaskKey>,
    pub open_parts: Vec<TaskKey>,
    /// The parent task, if this was its last open subtask.
    pub whole: Option<TaskKey>,
}

impl Service {
    /// Adds spent minutes to a task, even if others do so concurrently.
    pub async fn log_work(
        &self,
        task: &str,
        minutes: Minutes,
    ) -> Result<(Minutes, Committed), ServiceError> {
        let mut tries = 0;
        loop {
            let state = self.state_for_names(&[task]).await?;
            let (patch, spent) = spending(find::live_task(&state, task)?, minutes);
            tries += 1;
            match self.change(&Request::of(vec![patch]), Source::Cli).await {
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
            let completed = |patch: RawPatch| patch.with("status", TaskStatus::Completed.json());
            let update = |task: &Task| RawPatch::of(Op::Update, Entity::Task, task.id.to_string());
            let own = spent.map_or_else(|| update(found), |spent| spending(found, spent).0);
            // A subtask that someone else closes concurrently keeps that status.
            let part =
                |part: &&Arc<Task>| completed(update(part).expecting("status", part.status.json()));
            let parts = open.iter().filter(|_| with_parts).map(part);
            let patches = std::iter::once(completed(own)).chain(parts).collect();
            tries += 1;
            let done = match self.change(&Request::of(patches), Source::Cli).await {
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
    pub async fn merge_tasks(&self, kept: &str, gone: &str) -> Result<Committed, ServiceError> {
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
        let set = fresh_set_id(self.clock.as_ref(), self.random.as_ref());
        let patches = merge(&state, kept, gone, set).map_err(one)?;
        let reason = LongText::new(&format!("merge of {} into {}", gone.key, kept.key)).ok();
        self.commit_patches(&state, set, patches, reason, projects.into_iter().collect()).await
    }

    /// Splits a task into subtasks.
    pub async fn split_task(&self, task: &str, parts: &[Part]) -> Result<Committed, ServiceError> {
        let state = self.state_for_names(&[task]).await?;
        let task = find::live_task(&state, task)?;
        let set = fresh_set_id(self.clock.as_ref(), self.random.as_ref());
        let patches = split(task, parts, set).map_err(one)?;
        let reason = LongText::new(&format!("split of {}", task.key)).ok();
        self.commit_patches(&state, set, patches, reason, Vec::new()).await
    }

    /// Merges two users: `gone` becomes an alias of `kept`, and its tasks are reassigned.
    pub async fn merge_users(
        &self,
        kept: &str,
        gone: &str,
    ) -> Result<(usize, Committed), ServiceError> {
        // Their tasks may be in any project.
        let state = self.state(&Scope::All).await?;
        let (kept, gone) = (find::user(&state, kept)?, find::user(&state, gone)?);
        let mut patches = vec![
            RawPatch::of(Op::Update, Entity::User, gone.id.to_string())
                .with("merged_into", kept.id.json()),
        ];
        let tasks = state.projects().flat_map(|project| project.tasks());
        let assigned: Vec<&Arc<Task>> =
            tasks.filter(|task| task.assignee_id == Some(gone.id)).collect();
        let reassign = |task: &&Arc<Task>| {
            RawPatch::of(Op::Update, Entity::Task, task.id.to_string())
                .with("assignee_id", kept.id.json())
        };
        patches.extend(assigned.iter().map(reassign));
        patches.push(RawPatch::of(Op::Delete, Entity::User, gone.id.to_string()));
        // Some tasks may be deleted; they hold the edit until they are restored.
        let set = self.resolve(&state, &Request::of(patches), Source::Cli)?;
        let done = self.commit(&state, set).await?;
        Ok((assigned.iter().filter(|task| task.is_live()).count(), done))
    }

    async fn commit_patches(
        &self,
        state: &State,
        id: crate::domain::id::PatchSetId,
        patches: Vec<Patch>,
        reason: Option<LongText>,
        also: Vec<ProjectId>,
    ) -> Result<Committed, ServiceError> {
        let set = PatchSet {
            id,
            request_hash: [0; 32],
            actor: self.actor.clone(),
            source: Source::Cli,
            reason,
            patches,
            also,
        };
        self.commit(state, set).await
    }
}

fn one(violation: Violation) -> ServiceError {
    ServiceError::Refused(vec![violation])
}

/// Returns the patch that adds minutes to a task's spent time, and the new total.
fn spending(task: &Task, minutes: Minutes) -> (RawPatch, Minutes) {
    let spent = task.actual_minutes.unwrap_or_default().saturating_add(minutes);
    let patch = RawPatch::of(Op::Update, Entity::Task, task.id.to_string())
        .with("actual_minutes", spent.json())
        .expecting("actual_minutes", task.actual_minutes.json());
    (patch, spent)
}
