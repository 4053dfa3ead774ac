//! Stores the lake: one journal that every change goes through, and the tables folded from it.
//!
//! This folder holds everything that knows Delta, object stores and Parquet, and the [`Store`]
//! trait that the rest of the product uses. It does not decide what should change (`service` and
//! the pure modules do that) and holds no SQL (`analytics` does). Data leaves as [`State`] values,
//! as [`Row`]s and as [`Outcome`]s.

mod aux_tables;
pub mod backup;
pub mod catalog;
mod checkpoint;
mod cloud;
pub mod decode;
pub mod delta;
pub mod doctor;
pub mod durable;
pub mod enclosing;
pub mod erasure;
mod error;
pub mod event_tables;
mod foreign;
mod format;
pub mod inbox;
mod journal;
pub mod ledger;
mod location;
mod log_entry;
mod log_replay;
mod mark;
pub mod memory;
pub mod read_only_dir;
mod replay;
pub mod row;
mod scope;
mod table_log;
mod table_state;
pub mod tables;
mod throttle;
pub mod unreadable;
pub mod vacuum;
mod writer;

use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;
use futures::stream::BoxStream;
use uuid::Uuid;

pub use durable::Temporaries;
pub use error::StoreError;
pub use format::Format;
pub use inbox::NAME as INBOX;

use crate::domain::apply::Conflict;
use crate::domain::id::{PatchSetId, ProjectId, TaskId};
use crate::domain::patch::PatchSet;
use crate::domain::record::Fields;
use crate::domain::state::State;
use crate::domain::task_counts::TaskCounts;
use crate::domain::time::Instant;
use crate::domain::violation::Violation;
use event_tables::EventTable;
pub use event_tables::compact::CompactionStats;
pub use journal::compact::Compacted;
pub use journal::erase::Erased;
pub use mark::LakeMark;
use row::{Row, Stream};
pub use scope::{Scope, in_every_scope};
pub use table_log::LiveFile;
pub use tables::LakeTables;
pub use tables::fold::Folded;
pub use tables::read::RecordLookup;
pub use vacuum::{Retention, Vacuumed};

/// State of the lake at one position.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub seq: u64,
    pub at: Instant,
    pub state: State,
}

/// End of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of patch sets.
    pub seq: u64,
    /// Commit time of the last patch set.
    pub at: Instant,
    /// Hash chain over all patch sets.
    pub chain: [u8; 32],
    /// Delta version of the journal.
    pub version: u64,
    /// Seq up to which the current tables are known to be folded.
    pub folded: u64,
    /// Current tables with unreadable files; the next fold rebuilds them.
    pub unreadable: Vec<&'static str>,
    /// Identity of the lake; `None` if it has no tables.
    pub lake: Option<LakeMark>,
}

/// Result of a fold: the seq that the tables now show, and what was written to each table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoldReport {
    pub seq: u64,
    pub tables: Vec<(&'static str, Folded)>,
    /// Tables left unchanged because another writer gave them features that Lakeplan does not
    /// write.
    pub skipped: Vec<&'static str>,
}

/// Result of a maintenance run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintained {
    pub seq: u64,
    pub journal: Compacted,
    pub compacted: Vec<(&'static str, CompactionStats)>,
    pub vacuumed: Vec<(&'static str, Vacuumed)>,
    pub temporaries: Temporaries,
}

/// Result of committing a patch set.
#[must_use = "an outcome decides what the caller may say has happened"]
#[derive(Debug)]
pub enum Outcome {
    /// The set is durably in the journal, at `seq`; `keys` are the names given to the records it
    /// created.
    Committed { seq: u64, keys: Vec<(Uuid, String)> },
    /// The same set was already committed, or another set of the same inbox request; `seq` and `id`
    /// identify the committed set.
    AlreadyCommitted { seq: u64, id: PatchSetId },
    /// A value that the set expected is no longer current.
    Conflicted(Conflict),
    /// The set breaks rules; all violations are listed.
    Refused(Vec<Violation>),
    /// The set is not in the journal and this attempt can never put it there; a retry is safe.
    NotWritten { cause: StoreError },
    /// The storage did not reveal the result. Repeating the set with the same id is safe and
    /// settles it.
    Unknown { patch_set_id: PatchSetId, cause: StoreError },
}

/// A lake that can be read and changed.
///
/// # Atomicity
/// A patch set is in the journal completely or not at all, at one position. `commit` reports each
/// set separately.
///
/// # Idempotency
/// A set is identified by its id. The same id with the same request returns the first result again;
/// the same id with another request is refused. An id made by a client is valid for seven days. Of
/// all sets made from one inbox request, only one is committed, even if several rows of the inbox
/// carry the request.
///
/// # Order
/// Sets have one total order, `seq`, without gaps. A snapshot taken after a commit returned
/// includes that commit.
///
/// # Errors
/// Results that a caller branches on are [`Outcome`]s; `Err` means that the lake cannot be read at
/// all.
#[async_trait]
pub trait Store: fmt::Display + Send + Sync {
    /// Returns the current lake, with at least the part that `scope` names.
    async fn snapshot(&self, scope: &Scope) -> Result<Snapshot, StoreError>;

    /// Commits each set, all or nothing, in the given order; returns one outcome per set.
    async fn commit(&self, sets: Vec<PatchSet>) -> Vec<Outcome>;

    /// Returns the projects that hold these records, in the same order; `None` for a record that
    /// does not exist.
    async fn find(&self, lookup: &[RecordLookup]) -> Result<Vec<Option<ProjectId>>, StoreError>;

    /// Returns the projects with links to these tasks, deleted links included. Dependencies are
    /// left out: they stay inside the project of their tasks.
    async fn linked_from(
        &self,
        tasks: &BTreeSet<TaskId>,
    ) -> Result<BTreeSet<ProjectId>, StoreError>;

    /// Counts the living tasks of the current lake.
    async fn tally(&self) -> Result<TaskCounts, StoreError>;

    /// Streams the committed changes after a position that concern a scope, in order. Items that
    /// are not consumed are not read.
    async fn changes(
        &self,
        after: u64,
        stream: Stream,
        scope: &Scope,
    ) -> Result<BoxStream<'static, Result<Row, StoreError>>, StoreError>;

    /// Streams the changes like [`Self::changes`], from the last one back to the first.
    async fn changes_back(
        &self,
        stream: Stream,
        scope: &Scope,
    ) -> Result<BoxStream<'static, Result<Row, StoreError>>, StoreError>;

    /// Returns the end of the journal.
    async fn head(&self) -> Result<Head, StoreError>;

    /// Appends rows to one of the tables beside the journal, in one commit.
    async fn append(&self, table: &'static EventTable, rows: Vec<Fields>)
    -> Result<(), StoreError>;

    /// Folds the current tables up to the head, if there are tables.
    async fn fold(&self) -> Result<FoldReport, StoreError>;
}
