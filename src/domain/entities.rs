//! The fields of every entity, each from the declaration of its record.

use super::lake::Lake;
use super::link::TaskLink;
use super::project::Project;
use super::record::{Entity, Field, Record, SyncEntity};
use super::requirement::{Requirement, TaskRequirement};
use super::task::Task;
use super::user::User;

impl Entity {
    /// Fields of the entity's record.
    pub fn fields(self) -> &'static [Field] {
        match self {
            Self::Lake => Lake::FIELDS,
            Self::Project => Project::FIELDS,
            Self::Task => Task::FIELDS,
            Self::TaskLink => TaskLink::FIELDS,
            Self::User => User::FIELDS,
            Self::Requirement => Requirement::FIELDS,
            Self::TaskRequirement => TaskRequirement::FIELDS,
            Self::Sync(entity) => entity.fields(),
        }
    }

    pub fn field(self, name: &str) -> Option<&'static Field> {
        self.fields().iter().find(|field| field.name == name)
    }
}

impl SyncEntity {
    /// Fields of the entity's record.
    pub fn fields(self) -> &'static [Field] {
        match self {
            #[cfg(test)]
            Self::Note => super::sync_record::SyncNote::FIELDS,
        }
    }
}
