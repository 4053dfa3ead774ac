//! A record of any entity. The state stores it and the journal replays it without knowing the
//! entity.

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::id::{EntityId, ProjectId};
use super::lake::Lake;
use super::link::TaskLink;
use super::project::Project;
#[cfg(test)]
use super::record::SyncEntity;
use super::record::{Entity, Fields, Record};
use super::requirement::{Requirement, TaskRequirement};
use super::sync_record::SyncRecord;
use super::task::Task;
use super::user::User;
use super::value::InvalidValue;

/// Record, tagged with its entity.
#[derive(Clone, Debug, PartialEq)]
pub enum AnyRecord {
    Lake(Arc<Lake>),
    Project(Arc<Project>),
    Task(Arc<Task>),
    TaskLink(Arc<TaskLink>),
    User(Arc<User>),
    Requirement(Arc<Requirement>),
    TaskRequirement(Arc<TaskRequirement>),
    /// A record of the stream `sync`.
    Sync(SyncRecord),
}

/// Location of a record in the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    pub entity: Entity,
    pub id: Uuid,
    /// Project that contains the record; `None` for records of the whole lake.
    pub project: Option<ProjectId>,
}

macro_rules! each {
    ($any:expr, $record:ident => $body:expr, $sync:ident => $sync_body:expr) => {
        match $any {
            AnyRecord::Lake($record) => $body,
            AnyRecord::Project($record) => $body,
            AnyRecord::Task($record) => $body,
            AnyRecord::TaskLink($record) => $body,
            AnyRecord::User($record) => $body,
            AnyRecord::Requirement($record) => $body,
            AnyRecord::TaskRequirement($record) => $body,
            AnyRecord::Sync($sync) => $sync_body,
        }
    };
}

impl AnyRecord {
    pub fn empty(entity: Entity, id: Uuid) -> Self {
        fn fresh<R: Record>(id: Uuid) -> Arc<R> {
            Arc::new(R::empty(R::Id::of(id)))
        }
        match entity {
            Entity::Lake => Self::Lake(fresh(id)),
            Entity::Project => Self::Project(fresh(id)),
            Entity::Task => Self::Task(fresh(id)),
            Entity::TaskLink => Self::TaskLink(fresh(id)),
            Entity::User => Self::User(fresh(id)),
            Entity::Requirement => Self::Requirement(fresh(id)),
            Entity::TaskRequirement => Self::TaskRequirement(fresh(id)),
            Entity::Sync(entity) => match entity {
                #[cfg(test)]
                SyncEntity::Note => Self::Sync(SyncRecord::Note(fresh(id))),
            },
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
            Self::Sync(record) => record.entity(),
        }
    }

    pub fn id(&self) -> Uuid {
        each!(self, record => record.id.uuid(), sync => sync.record().uuid())
    }

    /// Returns the project of the record; a project belongs to itself.
    pub fn project(&self) -> Option<ProjectId> {
        match self {
            Self::Lake(_) | Self::User(_) => None,
            Self::Project(record) => Some(record.id),
            Self::Task(record) => Some(record.project_id),
            Self::TaskLink(record) => Some(record.project_id),
            Self::Requirement(record) => Some(record.project_id),
            Self::TaskRequirement(record) => Some(record.project_id),
            Self::Sync(record) => record.project(),
        }
    }

    pub fn record_key(&self) -> RecordKey {
        RecordKey { entity: self.entity(), id: self.id(), project: self.project() }
    }

    /// Whether the record is live, that is, not deleted. The lake is always live.
    pub fn is_live(&self) -> bool {
        match self {
            Self::Lake(_) => true,
            Self::Project(record) => record.deleted_at.is_none(),
            Self::Task(record) => record.deleted_at.is_none(),
            Self::TaskLink(record) => record.deleted_at.is_none(),
            Self::User(record) => record.deleted_at.is_none(),
            Self::Requirement(record) => record.deleted_at.is_none(),
            Self::TaskRequirement(record) => record.deleted_at.is_none(),
            Self::Sync(record) => record.is_live(),
        }
    }

    pub fn get(&self, field: &str) -> Option<Value> {
        each!(self, record => record.get(field), sync => sync.record().value(field))
    }

    pub fn set(&mut self, field: &str, value: &Value) -> Result<(), InvalidValue> {
        each!(
            self,
            record => Arc::make_mut(record).set(field, value),
            sync => sync.record_mut().set_value(field, value)
        )
    }

    /// Sets a field from a stored value. If the field cannot hold the value, the field becomes
    /// absent and the error gives the reason.
    pub fn restore(&mut self, field: &str, value: &Value) -> Result<(), InvalidValue> {
        each!(
            self,
            record => Arc::make_mut(record).restore(field, value),
            sync => sync.record_mut().restore_value(field, value)
        )
    }

    pub fn to_fields(&self) -> Fields {
        each!(self, record => record.to_fields(), sync => sync.record().all_fields())
    }

    /// Returns the fields in which `self` differs from `old`, a record of the same entity: the
    /// values before and after.
    pub fn diff(&self, old: &Self) -> (Fields, Fields) {
        macro_rules! pairs {
            ($($variant:ident),+) => {
                match (self, old) {
                    $((Self::$variant(new), Self::$variant(old)) => new.diff(old),)+
                    (Self::Sync(new), Self::Sync(old)) => new.diff(old),
                    (new, _) => (Fields::new(), new.to_fields()),
                }
            };
        }
        pairs!(Lake, Project, Task, TaskLink, User, Requirement, TaskRequirement)
    }
}
