//! Resolves several live projects with one source by choosing one to keep.
//!
//! A project's source is unique, but a lake from an earlier version may hold two projects that were
//! planned from one text at the same time. A project is untouched if every change to it in the
//! journal was made by planning. If one project is touched, it is kept; if none is, the oldest is
//! kept. The untouched others are deleted, which `lakeplan project restore` undoes. If people
//! worked in more than one, nothing is decided here.

use futures::TryStreamExt;

use super::change::MAX_ATTEMPTS;
use super::plan::{PlanRequest, all_planned_from, source_name};
use super::{RequestContext, Service, ServiceError};
use crate::domain::id::{EntityId, ProjectId};
use crate::domain::patch::{Op, Patch, Source};
use crate::domain::project::Project;
use crate::domain::record::Entity;
use crate::domain::state::ProjectState;
use crate::domain::value::FieldValue;
use crate::store::Scope;
use crate::store::row::Stream;

/// Result for several live projects with one source: the key of the one to keep, and the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicates {
    pub kept: String,
    pub deleted: Vec<String>,
}

impl Service {
    /// Runs [`Self::decide`], and again if another process interfered.
    pub async fn delete_duplicates(
        &self,
        request: &PlanRequest,
        writes: bool,
        context: &RequestContext,
    ) -> Result<Option<Duplicates>, ServiceError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.decide(request, writes, context).await {
                Err(ServiceError::Conflicted { .. } | ServiceError::Refused(_))
                    if tries < MAX_ATTEMPTS => {}
                done => return done,
            }
        }
    }

    /// Returns the duplicates of a description's source. `None` if there is at most one project, or
    /// if people worked in more than one. Deletes the duplicates if `writes` is set.
    async fn decide(
        &self,
        request: &PlanRequest,
        writes: bool,
        context: &RequestContext,
    ) -> Result<Option<Duplicates>, ServiceError> {
        let Some(source) = &request.source else { return Ok(None) };
        let (state, source) = (self.state(&Scope::outline()).await?, source_name(source)?);
        let projects: Vec<&Project> = all_planned_from(&state, &source)
            .into_iter()
            .filter_map(ProjectState::project)
            .map(AsRef::as_ref)
            .collect();
        if projects.len() < 2 {
            return Ok(None);
        }
        let mut touched = Vec::new();
        for project in &projects {
            if self.is_touched(project.id).await? {
                touched.push(project.id);
            }
        }
        let kept = match touched.as_slice() {
            [] => projects[0].id,
            [one] => *one,
            _ => return Ok(None),
        };
        let key = |project: &&Project| project.key.to_string();
        let (stays, others): (Vec<&Project>, Vec<&Project>) =
            projects.into_iter().partition(|project| project.id == kept);
        let found = Duplicates {
            kept: stays.iter().map(key).collect(),
            deleted: others.iter().map(key).collect(),
        };
        if writes {
            let delete = |project: &&Project| {
                // A concurrent change to the project's own row keeps the project.
                let patch =
                    Patch::new(Op::Delete, Entity::Project, project.id.uuid(), Some(project.id));
                patch.expecting("updated_at", project.updated_at.json())
            };
            let set = context
                .through(Source::Plan)
                .patch_set(self.fresh_set_id(context), others.iter().map(delete).collect())
                .because(&format!("planned twice from {source}"));
            self.commit(&state, set).await?;
        }
        Ok(Some(found))
    }

    /// Whether anything other than planning changed a project.
    async fn is_touched(&self, project: ProjectId) -> Result<bool, ServiceError> {
        let mut rows = self.store.changes(0, Stream::Work, &Scope::of([project])).await?;
        while let Some(row) = rows.try_next().await? {
            let is_own = row.project_id == Some(project) || row.source_project() == Some(project);
            if is_own && row.source != Source::Plan {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
