//! What all tables folded from the journal have in common.

use std::sync::Arc;

use object_store::ObjectStore;
use uuid::Uuid;

use super::definition::{self, Column, Description};
use super::read::{self, Found};
use super::{BUCKET, CurrentTable, TABLES, field_changes};
use crate::domain::record::Entity;
use crate::domain::time::Instant;
use crate::store::error::StoreError;
use crate::store::journal::files::Files;
use crate::store::table_log::TableLog;

/// A table that is folded from the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoldedTable {
    /// `field_changes`.
    Changes,
    Current(&'static CurrentTable),
}

impl FoldedTable {
    /// Every folded table; `field_changes` comes before the one that follows it.
    pub fn all() -> impl Iterator<Item = Self> {
        std::iter::once(Self::Changes).chain(TABLES.iter().map(Self::Current))
    }

    /// The table that a place is in, such as `tasks/bucket=7/file.parquet`.
    pub fn at(place: &str) -> Option<Self> {
        let name = place.split('/').next().unwrap_or_default();
        Self::all().find(|table| table.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Changes => field_changes::NAME,
            Self::Current(table) => table.name,
        }
    }

    /// The entity whose changes concern it.
    pub fn entity(self) -> Entity {
        match self {
            Self::Changes => Entity::Task,
            Self::Current(table) => table.entity,
        }
    }

    /// Whether a fold of it says that `field_changes` is folded as far.
    pub fn follows_changes(self) -> bool {
        self != Self::Changes && self.entity() == Entity::Task
    }

    pub fn columns(self) -> Vec<Column> {
        match self {
            Self::Changes => field_changes::columns(),
            Self::Current(table) => definition::columns(table.entity),
        }
    }

    pub fn log(self, root: &Arc<dyn ObjectStore>) -> TableLog {
        TableLog::new(Arc::clone(root), self.name())
    }

    /// What stands in its place, judged by what the journal knows of it; by itself alone before that was read.
    pub async fn find(
        self,
        root: &Arc<dyn ObjectStore>,
        files: Option<&Files>,
    ) -> Result<Found, StoreError> {
        read::find(&self.log(root), &self.columns(), files).await
    }

    /// The actions that describe it in the first entry of its log.
    pub(super) fn create(self, id: Uuid, at: Instant) -> [serde_json::Value; 2] {
        let doc = match self {
            Self::Changes => field_changes::DOC,
            Self::Current(table) => table.doc,
        };
        Description { name: self.name(), doc, columns: self.columns(), partitions: &[BUCKET] }
            .create(id, at)
    }
}
