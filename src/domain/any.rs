//! A record of any entity: what the state holds and the journal replays without asking which one it is.

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::id::{EntityId, ProjectId};
use super::lake::Lake;
use super::link::TaskLink;
use super::project::Project;
use super::record::{Entity, Fields, Record};
use super::requirement::{Requirement, TaskRequirement};
use super::task::Task;
use super::user::User;
use super::value::Misfit;

/// A record and which entity it is of.
#[derive(Clone, Debug, PartialEq)]
pub enum AnyRecord {
    Lake(Arc<Lake>),
    Project(Arc<Project>),
    Task(Arc<Task>),
    TaskLink(Arc<TaskLink>),
    User(Arc<User>),
    Requirement(Arc<Requirement>),
    TaskRequirement(Arc<TaskRequirement>),
}

/// Where a record stands in the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    pub entity: Entity,
    pub id: Uuid,
    /// The project that holds it; `None` for what belongs to the whole lake.
    pub project: Option<ProjectId>,
}

macro_rules! each {
    ($any:expr, $record:ident => $body:expr) => {
        match $any {
            AnyRecord::Lake($record) => $body,
            AnyRecord::Project($record) => $body,
            AnyRecord::Task($record) => $body,
            AnyRecord::TaskLink($record) => $body,
            AnyRecord::User($record) => $body,
            AnyRecord::Requirement($record) => $body,
            AnyRecord::TaskRequirement($record) => $body,
        }
    };
}

impl AnyRecord {
    pub fn blank(entity: Entity, id: Uuid) -> Self {
        fn fresh<R: Record>(id: Uuid) -> Arc<R> {
            Arc::new(R::blank(R::Id::of(id)))
        }
        match entity {
            Entity::Lake => Self::Lake(fresh(id)),
            Entity::Project => Self::Project(fresh(id)),
            Entity::Task => Self::Task(fresh(id)),
            Entity::TaskLink => Self::TaskLink(fresh(id)),
            Entity::User => Self::User(fresh(id)),
            Entity::Requirement => Self::Requirement(fresh(id)),
            Entity::TaskRequirement => Self::TaskRequirement(fresh(id)),
        }
    }

    pub fn entity(&self) -> Entity {
        match self {
            Self::Lake(_) => Entity::Lake,
            Self::Project(_) => Entity::Project,
            Self::Task(_) => Entity::Task,
            Self::TaskLink(_) => Entity::TaskLink,
            Self::User(_) => Entity::User,
            Self::Requirement(_) => Entity::Requirement,
            Self::TaskRequirement(_) => Entity::TaskRequirement,
        }
    }

    pub fn id(&self) -> Uuid {
        each!(self, record => record.id.uuid())
    }

    /// The project the record belongs to; a project belongs to itself.
    pub fn project(&self) -> Option<ProjectId> {
        match self {
            Self::Lake(_) | Self::User(_) => None,
            Self::Project(record) => Some(record.id),
            Self::Task(record) => Some(record.project_id),
            Self::TaskLink(record) => Some(record.project_id),
            Self::Requirement(record) => Some(record.project_id),
            Self::TaskRequirement(record) => Some(record.project_id),
        }
    }

    pub fn slot(&self) -> Slot {
        Slot { entity: self.entity(), id: self.id(), project: self.project() }
    }

    /// The record lives: it was not deleted. The lake always does.
    pub fn is_live(&self) -> bool {
        match self {
            Self::Lake(_) => true,
            Self::Project(record) => record.deleted_at.is_none(),
            Self::Task(record) => record.deleted_at.is_none(),
            Self::TaskLink(record) => record.deleted_at.is_none(),
            Self::User(record) => record.deleted_at.is_none(),
            Self::Requirement(record) => record.deleted_at.is_none(),
            Self::TaskRequirement(record) => record.deleted_at.is_none(),
        }
    }

    pub fn get(&self, field: &str) -> Option<Value> {
        each!(self, record => record.get(field))
    }

    pub fn set(&mut self, field: &str, value: &Value) -> Result<(), Misfit> {
        each!(self, record => Arc::make_mut(record).set(field, value))
    }

    /// Sets a field from a stored value. One that the field cannot hold leaves it absent, and the error says why.
    pub fn restore(&mut self, field: &str, value: &Value) -> Result<(), Misfit> {
        each!(self, record => Arc::make_mut(record).restore(field, value))
    }

    pub fn present(&self) -> Fields {
        each!(self, record => record.present())
    }

    /// The fields in which `self` differs from `old`, a record of the same entity: before, and after.
    pub fn touched(&self, old: &Self) -> (Fields, Fields) {
        macro_rules! pairs {
            ($($variant:ident),+) => {
                match (self, old) {
                    $((Self::$variant(new), Self::$variant(old)) => new.touched(old),)+
                    (new, _) => (Fields::new(), new.present()),
                }
            };
        }
        pairs!(Lake, Project, Task, TaskLink, User, Requirement, TaskRequirement)
    }
}
