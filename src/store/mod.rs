//! Keeping the lake: one journal that every change goes through, and the tables folded from it.
//!
//! Belongs here: everything that knows Delta, object stores and Parquet, and the trait the rest of the product sees.
//! Does not: what should change (that is `service` and the pure rooms), SQL (`analytics`). Data leaves as
//! [`State`] values, as [`Row`]s and as [`Outcome`]s.

pub mod appended;
mod beside;
pub mod catalog;
mod checkpoint;
mod cloud;
pub mod copy;
pub mod decode;
pub mod delta;
pub mod doctor;
pub mod durable;
pub mod erasure;
mod error;
pub mod folder;
mod foreign;
mod format;
mod gently;
pub mod inbox;
mod journal;
pub mod ledger;
mod log_entry;
mod log_replay;
mod mark;
pub mod memory;
pub mod outer;
mod parts;
mod root;
pub mod row;
mod scope;
mod table_log;
mod table_state;
pub mod tables;
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
use crate::domain::tally::Tallies;
use crate::domain::time::Instant;
use crate::domain::violation::Violation;
use appended::Appended;
pub use appended::compact::Condensed;
pub use journal::compact::Compacted;
pub use journal::erase::Erased;
pub use mark::LakeMark;
use row::{Row, Stream};
pub use scope::{Scope, in_every_scope};
pub use table_log::LiveFile;
pub use tables::LakeTables;
pub use tables::fold::Folded;
pub use tables::read::Sought;
pub use vacuum::{Retention, Vacuumed};

/// The lake at one position.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub seq: u64,
    pub at: Instant,
    pub state: State,
}

/// The end of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many patch sets there are.
    pub seq: u64,
    /// When the last one was committed.
    pub at: Instant,
    /// The hash chain over all of them.
    pub chain: [u8; 32],
    /// The Delta version of the journal.
    pub version: u64,
    /// How far the current tables are known to be folded.
    pub folded: u64,
    /// Current tables whose files could not be read, which the next fold rebuilds.
    pub unreadable: Vec<&'static str>,
    /// Which lake it is; `None` of one that has no tables.
    pub lake: Option<LakeMark>,
}

/// What a fold did: the seq the tables now show, and for each what was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoldReport {
    pub seq: u64,
    pub tables: Vec<(&'static str, Folded)>,
    /// Tables that were left as they are, because another writer gave them features that Lakeplan does not write.
    pub skipped: Vec<&'static str>,
}

/// What a round of maintenance did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintained {
    pub seq: u64,
    pub compacted: Compacted,
    pub condensed: Vec<(&'static str, Condensed)>,
    pub vacuumed: Vec<(&'static str, Vacuumed)>,
    pub temporaries: Temporaries,
}

/// What became of a patch set.
#[must_use = "an outcome decides what the caller may say has happened"]
#[derive(Debug)]
pub enum Outcome {
    /// It is in the journal, durable, at `seq`; `keys` are the names given to what it created.
    Committed { seq: u64, keys: Vec<(Uuid, String)> },
    /// The same set was committed before, or another set of the same request of the inbox. This is its place and its id.
    AlreadyCommitted { seq: u64, id: PatchSetId },
    /// A value it expected does not stand.
    Conflicted(Conflict),
    /// It breaks rules; all of them.
    Refused(Vec<Violation>),
    /// It is not in the journal and never will be under this attempt; trying again is safe.
    NotWritten { cause: StoreError },
    /// The storage would not say. Repeating it with the same id is safe and will tell.
    Unknown { patch_set_id: PatchSetId, cause: StoreError },
}

/// A lake that can be read and changed.
///
/// # Atomicity
/// A patch set is wholly in the journal or not at all, in one place, and `commit` answers for each set by itself.
///
/// # Idempotency
/// A set is known by its id. The same id and request give the first answer again; the same id with another request is
/// refused. An id made by a client counts for seven days. Of the sets that come of one request of the inbox, one is
/// committed, though the rows of the request have several times.
///
/// # Order
/// Sets have one order, `seq`, without gaps; a snapshot taken after an answer shows what was answered for.
///
/// # Errors
/// What a caller branches on is an [`Outcome`]; `Err` is for a lake that cannot be read at all.
#[async_trait]
pub trait Store: fmt::Display + Send + Sync {
    /// The lake as it is now, at least as far as `scope` asks.
    async fn snapshot(&self, scope: &Scope) -> Result<Snapshot, StoreError>;

    /// Commits each set, all or nothing, in the order given; one outcome per set.
    async fn commit(&self, sets: Vec<PatchSet>) -> Vec<Outcome>;

    /// The projects that hold these records, in the same order; `None` of what is nowhere.
    async fn find(&self, sought: &[Sought]) -> Result<Vec<Option<ProjectId>>, StoreError>;

    /// The projects with links that lead to these tasks, deleted links included. Dependencies are left out: they stay
    /// inside the project of their tasks.
    async fn linked_from(
        &self,
        tasks: &BTreeSet<TaskId>,
    ) -> Result<BTreeSet<ProjectId>, StoreError>;

    /// The living tasks of the lake as it is now, counted.
    async fn tally(&self) -> Result<Tallies, StoreError>;

    /// The committed changes of a stream after a position that concern a scope, in order. What is not taken is not read.
    async fn changes(
        &self,
        after: u64,
        stream: Stream,
        scope: &Scope,
    ) -> Result<BoxStream<'static, Result<Row, StoreError>>, StoreError>;

    /// The same from the last change back to the first.
    async fn changes_back(
        &self,
        stream: Stream,
        scope: &Scope,
    ) -> Result<BoxStream<'static, Result<Row, StoreError>>, StoreError>;

    /// The end of the journal.
    async fn head(&self) -> Result<Head, StoreError>;

    /// Appends rows to one of the tables beside the journal, all in one commit.
    async fn append(&self, table: &'static Appended, rows: Vec<Fields>) -> Result<(), StoreError>;

    /// Brings the current tables up to the head, where there are tables.
    async fn fold(&self) -> Result<FoldReport, StoreError>;
}
