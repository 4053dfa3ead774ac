//! Lists projects with the numbers of their tasks.

use serde::Serialize;

use crate::domain::project::ProjectStatus;
use crate::domain::state::{ProjectState, State};
use crate::domain::task_counts::TaskCounts;
use crate::domain::time::AsOf;
use crate::exchange::view::record::ProjectView;
use crate::service::{Service, ServiceError};

/// Filter of a list of projects.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProjectQuery {
    /// Whether to include archived projects.
    pub archived: bool,
    pub as_of: Option<AsOf>,
}

/// The live projects that pass the filter.
#[derive(Clone, Debug, Serialize)]
pub struct ProjectList {
    pub projects: Vec<ProjectView>,
}

impl Service {
    pub async fn list_projects(&self, query: &ProjectQuery) -> Result<ProjectList, ServiceError> {
        let (state, counts) = self.task_counts(query.as_of).await?;
        Ok(select(query, &state, &counts))
    }
}

fn select(query: &ProjectQuery, state: &State, counts: &TaskCounts) -> ProjectList {
    let listed = state.projects().filter_map(ProjectState::project).filter(|project| {
        project.deleted_at.is_none()
            && (query.archived || project.status != ProjectStatus::Archived)
    });
    let projects =
        listed.map(|project| ProjectView::of(project, counts.project(project.id))).collect();
    ProjectList { projects }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::any_record::AnyRecord;
    use crate::domain::id::{EntityId, ProjectId};
    use crate::domain::project::Project;
    use crate::domain::record::Record;
    use crate::domain::task::TaskStatus;
    use uuid::Uuid;

    #[test]
    fn archived_projects_are_listed_on_request_and_deleted_ones_never() {
        let mut state = State::default();
        let id = |number| ProjectId::of(Uuid::from_u128(number));
        let project =
            |number, key: &str| Project { key: key.parse().unwrap(), ..Project::empty(id(number)) };
        let deleted_at = chrono::DateTime::from_timestamp(0, 0);
        let projects = [
            project(1, "PAY"),
            Project { status: ProjectStatus::Archived, ..project(2, "OLD") },
            Project { deleted_at, ..project(3, "GONE") },
        ];
        for project in projects {
            state.put(AnyRecord::Project(Arc::new(project)));
        }
        let mut counts = TaskCounts::default();
        counts.add(id(1), None, TaskStatus::Completed, None);
        let keys = |archived| -> Vec<String> {
            let query = ProjectQuery { archived, ..ProjectQuery::default() };
            let listed = select(&query, &state, &counts).projects;
            listed.iter().map(|view| view.project.key.to_string()).collect()
        };
        assert_eq!(keys(false), ["PAY"]);
        assert_eq!(keys(true), ["PAY", "OLD"]);
        let listed = select(&ProjectQuery::default(), &state, &counts).projects;
        assert_eq!((listed[0].open_tasks, listed[0].closed_tasks), (0, 1));
    }
}
