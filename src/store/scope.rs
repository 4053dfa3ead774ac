//! Which part of a lake a caller wants to see.

use std::collections::BTreeSet;

use super::row::Row;
use crate::domain::id::ProjectId;
use crate::domain::record::Entity;

/// Which projects a caller wants to see. Users, the lake's row and the projects' own rows belong to every scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    Projects(BTreeSet<ProjectId>),
}

impl Scope {
    /// What belongs to every scope, and nothing else.
    pub fn outline() -> Self {
        Self::Projects(BTreeSet::new())
    }

    pub fn of(projects: impl IntoIterator<Item = ProjectId>) -> Self {
        Self::Projects(projects.into_iter().collect())
    }

    /// The projects it is limited to.
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

    /// Whether a change concerns what the scope shows: what it made of a record, or whence it took it.
    pub fn concerns(&self, row: &Row) -> bool {
        in_every_scope(row.entity)
            || self.holds(row.project_id)
            || row.left_project().is_some_and(|left| self.holds(Some(left)))
    }
}

/// Whether an entity's records belong to every scope.
pub fn in_every_scope(entity: Entity) -> bool {
    matches!(entity, Entity::Lake | Entity::User | Entity::Project)
}
