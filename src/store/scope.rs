//! Selects the part of a lake that a caller wants to see.

use std::collections::BTreeSet;

use super::row::Row;
use crate::domain::id::ProjectId;
use crate::domain::record::Entity;
use crate::domain::state::State;

/// Projects that a caller wants to see. Users, the lake's row and the projects' own rows belong to
/// every scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    Projects(BTreeSet<ProjectId>),
}

/// How current a read must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Contains every commit of any process that returned before the read. Looks at the storage, and
    /// waits for the commits before it.
    Latest,
    /// Contains the commit with this seq.
    AtLeast(u64),
    /// Contains every commit that this process has acknowledged, returned or announced.
    Cached,
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

    /// Returns whether a state contains all projects of the scope completely.
    pub(super) fn is_loaded_in(&self, state: &State) -> bool {
        match self {
            Self::All => state.stubs().next().is_none(),
            Self::Projects(projects) => projects.iter().all(|project| state.is_loaded(*project)),
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
