//! Changes of tasks that are more than one patch, or need the state first.

use super::change::Done;
use super::{Service, ServiceError, find};
use crate::domain::patch::{Op, Patch, PatchSet, Source};
use crate::domain::record::Entity;
use crate::domain::state::State;
use crate::domain::task::TaskStatus;
use crate::domain::time::Minutes;
use crate::domain::value::{FieldValue, LongText};
use crate::domain::violation::Violation;
use crate::exchange::patchset::{RawPatch, Request};
use crate::planning::merge::merge;
use crate::planning::split::{Part, split};
use crate::runtime::fresh_set_id;
use crate::store::Scope;

/// How often a change that rests on a value just read is tried against a moving one.
const TRIES: usize = 5;

impl Service {
    /// Adds spent minutes to a task, whoever else does so at the same time, and gives it a status with the same change.
    pub async fn log_work(
        &self,
        task: &str,
        minutes: Minutes,
        status: Option<TaskStatus>,
    ) -> Result<(Minutes, Done), ServiceError> {
        let mut tries = 0;
        loop {
            let state = self.state_about(&[task]).await?;
            let found = find::live_task(&state, task)?;
            let spent = found.actual_minutes.unwrap_or_default().saturating_add(minutes);
            let mut patch = RawPatch::of(Op::Update, Entity::Task, found.id.to_string())
                .with("actual_minutes", spent.json())
                .expecting("actual_minutes", found.actual_minutes.json());
            if let Some(status) = status {
                patch = patch.with("status", status.json());
            }
            tries += 1;
            match self.change(&Request::of(vec![patch]), Source::Cli).await {
                Err(ServiceError::Conflicted { .. }) if tries < TRIES => {}
                done => return done.map(|done| (spent, done)),
            }
        }
    }

    /// Merges `gone` into `kept`.
    pub async fn merge_tasks(&self, kept: &str, gone: &str) -> Result<Done, ServiceError> {
        let state = self.state_about(&[kept, gone]).await?;
        let (kept, gone) = (find::live_task(&state, kept)?, find::live_task(&state, gone)?);
        let project = state.project(kept.project_id).ok_or_else(|| ServiceError::input("project", "is not there"))?;
        let set = fresh_set_id(self.clock.as_ref(), self.random.as_ref());
        let patches = merge(project, kept, gone, set).map_err(one)?;
        let reason = LongText::new(&format!("merge of {} into {}", gone.key, kept.key)).ok();
        self.commit_patches(&state, set, patches, reason).await
    }

    /// Splits a task into parts below it.
    pub async fn split_task(&self, task: &str, parts: &[Part]) -> Result<Done, ServiceError> {
        let state = self.state_about(&[task]).await?;
        let task = find::live_task(&state, task)?;
        let set = fresh_set_id(self.clock.as_ref(), self.random.as_ref());
        let patches = split(task, parts, set).map_err(one)?;
        let reason = LongText::new(&format!("split of {}", task.key)).ok();
        self.commit_patches(&state, set, patches, reason).await
    }

    /// Joins two users: `gone` becomes another name of `kept`, and its tasks are reassigned.
    pub async fn merge_users(&self, kept: &str, gone: &str) -> Result<(usize, Done), ServiceError> {
        // Their tasks may be anywhere.
        let state = self.state(&Scope::All).await?;
        let (kept, gone) = (find::user(&state, kept)?, find::user(&state, gone)?);
        let mut patches = vec![RawPatch::of(Op::Update, Entity::User, gone.id.to_string()).with("merged_into", kept.id.json())];
        let assigned = state.projects().flat_map(|project| project.tasks()).filter(|task| task.assignee_id == Some(gone.id));
        patches.extend(
            assigned.map(|task| RawPatch::of(Op::Update, Entity::Task, task.id.to_string()).with("assignee_id", kept.id.json())),
        );
        let reassigned = patches.len() - 1;
        patches.push(RawPatch::of(Op::Delete, Entity::User, gone.id.to_string()));
        let done = self.change(&Request::of(patches), Source::Cli).await?;
        Ok((reassigned, done))
    }

    async fn commit_patches(
        &self,
        state: &State,
        id: crate::domain::id::PatchSetId,
        patches: Vec<Patch>,
        reason: Option<LongText>,
    ) -> Result<Done, ServiceError> {
        let set = PatchSet {
            id,
            request_hash: [0; 32],
            actor: self.actor.clone(),
            source: Source::Cli,
            reason,
            patches,
            also: Vec::new(),
        };
        self.commit(state, set).await
    }
}

fn one(violation: Violation) -> ServiceError {
    ServiceError::Refused(vec![violation])
}
