//! Records of the stream `sync`: the memory of synchronization with trackers. They refer to
//! nothing, and nothing in a plan refers to them.

use serde_json::Value;
use uuid::Uuid;

use super::id::{EntityId, ProjectId};
use super::record::{Entity, Fields, Record};
use super::value::InvalidValue;

/// Record of the stream `sync`, tagged with its entity.
#[derive(Clone, Debug, PartialEq)]
pub enum SyncRecord {
    #[cfg(test)]
    Note(std::sync::Arc<SyncNote>),
}

/// The part of [`Record`] that does not depend on the type of the record.
pub(super) trait AnyFields {
    fn uuid(&self) -> Uuid;
    fn value(&self, field: &str) -> Option<Value>;
    fn set_value(&mut self, field: &str, value: &Value) -> Result<(), InvalidValue>;
    fn restore_value(&mut self, field: &str, value: &Value) -> Result<(), InvalidValue>;
    fn all_fields(&self) -> Fields;
}

impl<R: Record> AnyFields for R {
    fn uuid(&self) -> Uuid {
        self.id().uuid()
    }
    fn value(&self, field: &str) -> Option<Value> {
        self.get(field)
    }
    fn set_value(&mut self, field: &str, value: &Value) -> Result<(), InvalidValue> {
        self.set(field, value)
    }
    fn restore_value(&mut self, field: &str, value: &Value) -> Result<(), InvalidValue> {
        self.restore(field, value)
    }
    fn all_fields(&self) -> Fields {
        self.to_fields()
    }
}

impl SyncRecord {
    pub fn entity(&self) -> Entity {
        match *self {
            #[cfg(test)]
            Self::Note(_) => SyncNote::ENTITY,
        }
    }

    /// Returns the project of the record; `None` if it belongs to the whole lake.
    pub fn project(&self) -> Option<ProjectId> {
        match *self {
            #[cfg(test)]
            Self::Note(ref note) => note.project_id,
        }
    }

    /// Whether the record is not deleted. A record that cannot be deleted is always live.
    pub fn is_live(&self) -> bool {
        self.record().value("deleted_at").is_none_or(|at| at.is_null())
    }

    /// Returns the fields in which `self` differs from `old`: the values in `old` and in `self`.
    pub fn diff(&self, old: &Self) -> (Fields, Fields) {
        let (mut before, mut after) = (Fields::new(), Fields::new());
        for field in self.entity().fields() {
            let value = |of: &Self| of.record().value(field.name).unwrap_or_default();
            let (was, is) = (value(old), value(self));
            if was != is {
                before.insert(field.name.to_owned(), was);
                after.insert(field.name.to_owned(), is);
            }
        }
        (before, after)
    }

    pub(super) fn record(&self) -> &dyn AnyFields {
        match *self {
            #[cfg(test)]
            Self::Note(ref note) => note.as_ref(),
        }
    }

    pub(super) fn record_mut(&mut self) -> &mut dyn AnyFields {
        match *self {
            #[cfg(test)]
            Self::Note(ref mut note) => std::sync::Arc::<SyncNote>::make_mut(note),
        }
    }
}

#[cfg(test)]
super::record::record! {
    /// A record that only unit tests have. It stands for the records that sync will bring.
    SyncNote: Sync(Note), SyncNoteId, tracked {
        /// The project that the note is about; absent if it is about the whole lake.
        project_id: Option<ProjectId>, SetOnCreate;
        /// Position in the news of a tracker.
        cursor: Option<super::value::Name>, Editable;
        /// Number of takeovers.
        epoch: u32, Editable;
    }
}
