//! Stores the lake: one journal that every change goes through, and the tables folded from it.
//!
//! This folder holds everything that knows Delta, object stores and Parquet, and the [`Store`]
//! trait that the rest of the product uses. It does not decide what should change (`service` and
//! the pure modules do that) and holds no SQL (`analytics` does). Data leaves as
//! [`State`](crate::domain::state::State) values, as [`Row`]s and as [`Outcome`]s.

mod aux_tables;
pub mod backup;
pub mod decode;
pub mod delta;
mod delta_log;
pub mod dictionary;
pub mod doctor;
pub mod erasure;
mod error;
pub mod event_tables;
mod format;
mod head;
pub mod inbox;
mod journal;
pub mod lake_state;
mod lake_tables;
pub mod location;
mod mark;
pub mod memory;
mod names;
mod outcome;
mod remains;
mod replay;
mod reports;
pub mod row;
mod scope;
mod stream_seqs;
mod table_state;
pub mod tables;
mod throttle;
pub mod unreadable;
mod vacant;
pub mod vacuum;
mod whole;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use tokio::sync::watch;

pub use delta_log::table::LiveFile;
pub use error::StoreError;
pub use event_tables::compact::CompactionStats;
pub use format::Format;
pub use head::{Head, Snapshot, SyncSnapshot};
pub use lake_state::compact::Compacted;
pub use lake_state::erase::Erased;
pub use lake_tables::{LakeTables, TableLocation};
pub use location::LakeLocation;
pub use location::durable::Temporaries;
pub use mark::LakeMark;
pub use names::INBOX;
pub use outcome::Outcome;
pub use reports::{FoldReport, Maintained};
pub use scope::{Freshness, Scope, in_every_scope};
pub use stream_seqs::StreamSeqs;
pub use tables::folding::Folded;
pub use tables::read::RecordLookup;
pub use vacuum::{Retention, Vacuumed};

use crate::domain::id::{ProjectId, TaskId};
use crate::domain::patch::PatchSet;
use crate::domain::record::Fields;
use crate::domain::task_counts::TaskCounts;
use event_tables::EventTable;
use row::{Row, Stream};

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
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use lakeplan::domain::patch::Source;
/// use lakeplan::domain::value::Name;
/// use lakeplan::exchange::patchset::Request;
/// use lakeplan::runtime::{Clock, SystemClock, SystemRandom, fresh_set_id};
/// use lakeplan::service::RequestContext;
/// use lakeplan::service::resolve::resolve;
/// use lakeplan::store::memory::MemoryStore;
/// use lakeplan::store::{Outcome, Scope, Store};
/// use serde_json::json;
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom::default()));
/// let store = MemoryStore::new(clock.clone(), random.clone()).unwrap();
/// let request = json!({"patches": [
///     {"op": "create", "entity": "project", "id": "$pay", "fields": {"name": "Payments"}},
///     {"op": "create", "entity": "task", "fields": {"project_id": "$pay", "title": "Move the ledger"}},
/// ]});
/// let request = Request::from_json(&request).unwrap();
///
/// let before = store.snapshot(&Scope::All).await.unwrap();
/// let id = fresh_set_id(clock.as_ref(), random.as_ref());
/// let actor = Name::new("ana").unwrap();
/// let context = RequestContext { actor, source: Source::Api, now: clock.now() };
/// let set = resolve(&before.state, &request, id, &context).unwrap();
///
/// let outcomes = store.commit(vec![set.clone()]).await;
/// let [Outcome::Committed { seq, .. }] = outcomes[..] else { panic!("{outcomes:?}") };
/// let after = store.snapshot(&Scope::All).await.unwrap();
/// assert_eq!(after.seq, seq);
/// assert!(after.state.task_by_key(&"PAYM-1".parse().unwrap()).is_some());
///
/// // A repeat returns the first result.
/// let outcomes = store.commit(vec![set]).await;
/// assert!(matches!(outcomes[..], [Outcome::AlreadyCommitted { seq: first, .. }] if first == seq));
/// # });
/// ```
#[async_trait]
pub trait Store: fmt::Display + Send + Sync {
    /// Returns the current lake, with at least the part that `scope` names.
    async fn snapshot(&self, scope: &Scope) -> Result<Snapshot, StoreError>;

    /// Returns the lake like [`Self::snapshot`], but only as current as the caller needs it. A store
    /// may answer a read that need not be [`Freshness::Latest`] from memory, without waiting for
    /// commits in progress.
    async fn snapshot_at(
        &self,
        scope: &Scope,
        _freshness: Freshness,
    ) -> Result<Arc<Snapshot>, StoreError> {
        self.snapshot(scope).await.map(Arc::new)
    }

    /// Returns the current records of the stream `sync`. No other read returns them.
    async fn sync_snapshot(&self) -> Result<SyncSnapshot, StoreError>;

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

    /// Returns a receiver of the head. It changes when this process commits or sees the commits of
    /// others; [`Self::changes`] after the last known seq returns what they changed.
    fn subscribe(&self) -> watch::Receiver<Head>;

    /// Appends rows to one of the tables beside the journal, in one commit.
    async fn append(&self, table: &'static EventTable, rows: Vec<Fields>)
    -> Result<(), StoreError>;

    /// Folds the current tables up to the head, if there are tables.
    async fn fold(&self) -> Result<FoldReport, StoreError>;
}
