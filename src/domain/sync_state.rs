//! The records of the stream `sync` at one seq of the journal. It is cheap to copy.
//!
//! They are no part of [`State`](super::state::State): planning, undo, history and the audit work
//! on a `State`, so they never see them. Only the callers that ask for them load them.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::any_record::AnyRecord;
use super::record::{Entity, Stream};

/// Every record of the stream `sync`, including deleted ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SyncState(Arc<BTreeMap<(Entity, Uuid), AnyRecord>>);

impl SyncState {
    pub fn get(&self, entity: Entity, id: Uuid) -> Option<&AnyRecord> {
        self.0.get(&(entity, id))
    }

    /// Puts a record into the state and replaces the one with the same id.
    pub fn put(&mut self, record: AnyRecord) {
        debug_assert_eq!(record.entity().stream(), Stream::Sync);
        Arc::make_mut(&mut self.0).insert((record.entity(), record.id()), record);
    }

    pub fn remove(&mut self, entity: Entity, id: Uuid) {
        Arc::make_mut(&mut self.0).remove(&(entity, id));
    }

    /// Returns every record, in the order of entities and ids.
    pub fn records(&self) -> impl Iterator<Item = &AnyRecord> {
        self.0.values()
    }
}
