//! Selects the part of a lake that a caller wants to see.

use std::collections::BTreeSet;

use super::row::Row;
use crate::domain::id::ProjectId;
use crate::domain::record::Entity;

/// Projects that a caller wants to see. Users, the lake's row and the projects' own rows belong to
/// every scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    Projects(BTreeSet<ProjectId>),
}

impl Scope {
    /// Returns the scope with only the data of every scope.
    pub fn outline() -> Self {
        Self::Projects(BTreeSet::new())
    }

    pub fn of(projects: impl IntoIterator<Item = ProjectId>) -> Self {
        Self::Projects(projects.into_iter().collect())
    }

    /// Returns the projects that the scope is limited to.
    pub fn projects(&self) -> Option<&BTreeSet<ProjectId>> {
        match self {
            Self::All => None,
            Self::Projects(projects) => Some(projects),
        }
    }

    pub fn holds(&self, project: Option<ProjectId>) -> bool {
        match (self, project) {
            (Self::All, _) | (_, None) => true,
            (Self::Projects(projects), Some(project)) => projects.contains(&project),
        }
    }

    /// Returns whether a change concerns the scope, by the project of its record or by the project
    /// that the record left.
    pub fn concerns(&self, row: &Row) -> bool {
        in_every_scope(row.entity)
            || self.holds(row.project_id)
            || row.source_project().is_some_and(|left| self.holds(Some(left)))
    }
}

/// Returns whether an entity's records belong to every scope.
pub fn in_every_scope(entity: Entity) -> bool {
    matches!(entity, Entity::Lake | Entity::User | Entity::Project)
}
