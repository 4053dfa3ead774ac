//! Defines the common operations of all tables folded from the journal.

use std::sync::Arc;

use object_store::ObjectStore;
use uuid::Uuid;

use super::read::{self, TableState};
use super::{BUCKET, CurrentTable, TABLES, definition, field_changes};
use crate::domain::record::Entity;
use crate::domain::time::Instant;
use crate::store::delta_log::action::Action;
use crate::store::delta_log::spec::{Column, TableSpec};
use crate::store::delta_log::table_log::TableLog;
use crate::store::error::StoreError;
use crate::store::journal::files::Files;
use crate::store::row::Stream;

/// A table that is folded from the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoldedTable {
    /// `field_changes`.
    Changes,
    Current(&'static CurrentTable),
}

impl FoldedTable {
    /// Returns every folded table; `field_changes` comes before the table that follows it.
    pub fn all() -> impl Iterator<Item = Self> {
        std::iter::once(Self::Changes).chain(TABLES.iter().map(Self::Current))
    }

    /// Returns the tables that are folded from a stream.
    pub fn of(stream: Stream) -> impl Iterator<Item = Self> {
        Self::all().filter(move |table| table.stream() == stream)
    }

    /// Returns the streams that have tables.
    pub fn streams() -> impl Iterator<Item = Stream> {
        Stream::ALL.iter().copied().filter(|stream| Self::of(*stream).next().is_some())
    }

    /// Returns the table of a path like `tasks/bucket=7/file.parquet`.
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

    /// Returns the entity whose changes concern the table.
    pub fn entity(self) -> Entity {
        match self {
            Self::Changes => Entity::Task,
            Self::Current(table) => table.entity,
        }
    }

    /// Returns the stream whose rows the table is folded from.
    pub fn stream(self) -> Stream {
        self.entity().stream()
    }

    /// Returns whether a fold of the table states that `field_changes` is folded as far.
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

    /// Loads the table and checks it against the journal, or only by itself if the journal has not
    /// been read yet.
    pub async fn find(
        self,
        root: &Arc<dyn ObjectStore>,
        files: Option<&Files>,
    ) -> Result<TableState, StoreError> {
        read::find(&self.log(root), &self.columns(), files).await
    }

    /// Returns the actions that describe the table in the first entry of its log.
    pub(super) fn create(self, id: Uuid, at: Instant) -> [Action; 2] {
        let doc = match self {
            Self::Changes => field_changes::DOC,
            Self::Current(table) => table.doc,
        };
        TableSpec { name: self.name(), doc, columns: self.columns(), partitions: &[BUCKET] }
            .create(id, at)
    }
}
