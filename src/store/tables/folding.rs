//! The inputs and the result of a fold.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::ObjectStore;
use tokio::sync::watch;

use super::CurrentTable;
use super::definition::Position;
use super::output::FileNamer;
use crate::runtime::{Clock, Random};
use crate::store::delta_log::action::Action;
use crate::store::delta_log::table::{Table, TableSize};
use crate::store::delta_log::table_log::TableLog;
use crate::store::error::StoreError;
use crate::store::format::Format;
use crate::store::journal::files::Files;
use crate::store::row::Row;

/// Number of buckets rewritten at once: while one waits for the disk, another is encoded.
pub(super) const CONCURRENCY: usize = 8;

/// Result of folding a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    pub seq: u64,
    pub rows: usize,
    pub files: usize,
    /// Size of the table after the fold; `None` if this fold wrote nothing.
    pub written: Option<TableSize>,
}

/// Inputs of a fold.
pub struct Folding<'a> {
    pub root: &'a Arc<dyn ObjectStore>,
    pub format: &'a Format,
    /// Target position.
    pub to: Position,
    /// Journal rows up to `seq`, in order: for every table, all that it does not show yet.
    pub rows: &'a [Row],
    /// Seq up to which every existing table is known to be folded, whatever it states itself.
    pub known: u64,
    /// The journal's knowledge of its tables.
    pub files: &'a Files,
    /// Whether `field_changes` is folded to `seq`. `tasks` states that it is, so it commits no
    /// earlier.
    pub turn: watch::Receiver<bool>,
    pub clock: &'a dyn Clock,
    pub random: &'a dyn Random,
}

impl Folding<'_> {
    pub(super) fn rows_after(&self, seq: u64) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.seq > seq)
    }

    pub(super) fn naming(&self) -> FileNamer<'_> {
        FileNamer { seq: self.to.seq, at: self.to.at, random: self.random }
    }
}

/// What a fold would commit; `None` if the table needs nothing.
pub(super) type Prepared = Option<(Vec<Action>, Folded)>;

/// A way to bring a table up to the target.
#[async_trait]
pub(super) trait Prepare: Sync {
    async fn prepare(&self, current: &Table, from: u64) -> Result<Prepared, StoreError>;
}

/// Rewrites the files of the buckets that changed.
pub(super) struct Rewrite<'a> {
    pub table: &'a CurrentTable,
    pub log: &'a TableLog,
    pub folding: &'a Folding<'a>,
}
