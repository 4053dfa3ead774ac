//! Implements [`Store`] for a lake on an object store. Commits and reads go to the single writer
//! task.

mod erasing;
mod folding;
mod maintenance;
#[cfg(test)]
mod stream_tests;
mod unrecorded;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::ObjectStore;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::error::StoreError;
use super::event_tables::EventTable;
use super::format::Format;
use super::head::{Head, Snapshot, SyncSnapshot};
use super::journal::Order;
use super::lake_state::ledger::Ledger;
use super::lake_state::published::{self, Published};
use super::lake_state::writer::{self, Message};
use super::lake_state::{LakeState, MAX_CACHED_RECORDS, Opening};
use super::lake_tables::LakeTables;
pub use super::location::LakeLocation;
use super::location::probe;
use super::outcome::Outcome;
use super::replay::REPLAY_BUDGET_BYTES;
use super::row::{Row, Stream};
use super::vacant::check_not_orphaned;
use super::{FoldReport, Freshness, RecordLookup, Scope, Store, aux_tables};
use crate::domain::id::{ProjectId, TaskId};
use crate::domain::patch::PatchSet;
use crate::domain::record::Fields;
use crate::domain::task_counts::TaskCounts;
use crate::runtime::{Clock, Random};
use unrecorded::Unrecorded;

/// A lake on an object store.
pub struct DeltaStore {
    name: String,
    root: Arc<dyn ObjectStore>,
    format: Format,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    writer: mpsc::Sender<Message>,
    published: Published,
    /// The writer. It ends when `stop` is cancelled.
    tasks: TaskTracker,
    stop: DropGuard,
    /// Background folds. They end when `stop_folding` or `stop` is cancelled.
    folds: TaskTracker,
    stop_folding: CancellationToken,
    /// Whether this process committed something that the tables do not show yet.
    unfolded: AtomicBool,
    /// Last seq that this process committed; 0 for none.
    committed: AtomicU64,
    unrecorded: Mutex<Unrecorded>,
    budget: u64,
    /// Whether a table ahead of the journal counts as a table of another lake.
    ignores_tables_ahead: bool,
}

impl DeltaStore {
    /// Creates a new lake.
    pub async fn create(
        root: &LakeLocation,
        format: Format,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, StoreError> {
        check_not_orphaned(root).await?;
        probe(root, clock.as_ref(), random.as_ref()).await?;
        // Created before the journal, whose first entry makes this a lake: an existing lake has all
        // its tables.
        aux_tables::ensure(&root.store, clock.now(), random.as_ref()).await?;
        let ledger = Ledger::new(format.clone(), root.url.as_str());
        let state = LakeState::create(
            Arc::clone(&root.store),
            ledger,
            &format,
            Arc::clone(&clock),
            Arc::clone(&random),
        )
        .await?;
        Ok(Self::start(root, format, state, clock, random))
    }

    /// Opens an existing lake.
    pub async fn open(
        root: &LakeLocation,
        format: Format,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, StoreError> {
        Self::open_keeping(root, format, MAX_CACHED_RECORDS, clock, random).await
    }

    /// Opens an existing lake and keeps at most `most` cached records besides those in use.
    pub async fn open_keeping(
        root: &LakeLocation,
        format: Format,
        most: usize,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, StoreError> {
        Self::open_so(root, format, Opening { most, ignores_tables_ahead: false }, clock, random)
            .await
    }

    /// Opens an existing lake to rebuild tables: a table ahead of the journal does not prevent
    /// opening.
    pub async fn open_to_rebuild(
        root: &LakeLocation,
        format: Format,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, StoreError> {
        Self::open_so(
            root,
            format,
            Opening { most: MAX_CACHED_RECORDS, ignores_tables_ahead: true },
            clock,
            random,
        )
        .await
    }

    async fn open_so(
        root: &LakeLocation,
        format: Format,
        opening: Opening,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, StoreError> {
        let ledger = Ledger::new(format.clone(), root.url.as_str());
        let state = LakeState::open(
            Arc::clone(&root.store),
            ledger,
            opening,
            Arc::clone(&clock),
            Arc::clone(&random),
        )
        .await?;
        let ignores_tables_ahead = opening.ignores_tables_ahead;
        Ok(Self { ignores_tables_ahead, ..Self::start(root, format, state, clock, random) })
    }

    fn start(
        root: &LakeLocation,
        format: Format,
        state: LakeState,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        let (writer, inbox) = mpsc::channel(4096);
        let (publisher, published) = published::channel(state.head());
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let writer_task = tokio::spawn(writer::run(state, inbox, publisher, stop.clone()));
        tasks.spawn(async move {
            if let Err(err) = writer_task.await {
                tracing::error!(%err, "the writer stopped unexpectedly");
            }
        });
        Self {
            name: root.url.to_string(),
            root: Arc::clone(&root.store),
            format,
            clock,
            random,
            writer,
            published,
            tasks,
            stop_folding: stop.child_token(),
            stop: stop.drop_guard(),
            folds: TaskTracker::new(),
            unfolded: AtomicBool::new(false),
            committed: AtomicU64::new(0),
            unrecorded: Mutex::default(),
            budget: REPLAY_BUDGET_BYTES,
            ignores_tables_ahead: false,
        }
    }

    /// Limits the bytes of the journal that a rebuild replays at a time; at least one bucket is
    /// replayed.
    pub fn with_replay_budget(self, budget: u64) -> Self {
        Self { budget, ..self }
    }

    /// Returns the tables, for an engine that reads them.
    pub fn tables(&self) -> LakeTables {
        LakeTables::new(Arc::clone(&self.root))
    }

    /// Returns whether this process committed something.
    pub fn has_written(&self) -> bool {
        self.unfolded.load(Ordering::Acquire)
    }

    /// Returns the last seq that this process committed; 0 for none.
    pub fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// Folds what this process committed, stops the writer after the requests that have already
    /// arrived, and waits until all started work is done. Later requests fail with
    /// [`StoreError::WriterGone`]. Dropping the store only stops the writer: the next process folds
    /// the rest.
    pub async fn shutdown(&self) {
        self.stop_folding.cancel();
        self.folds.close();
        self.folds.wait().await;
        let is_first = !self.stop.token().is_cancelled();
        if is_first
            && self.has_written()
            && let Err(err) = self.fold_tail().await
        {
            tracing::warn!(%err, "the tables lag behind the journal; the next command or lakeplan fold updates them");
        }
        self.record_fold().await;
        self.stop.token().cancel();
        self.finished().await;
    }

    async fn snapshot_with_head(&self, scope: Scope) -> Result<(Snapshot, Head), StoreError> {
        self.ask(|answer| Message::Look { scope, answer }).await
    }

    async fn read(
        &self,
        after: u64,
        stream: Stream,
        order: Order,
        scope: Scope,
    ) -> Result<BoxStream<'static, Result<Row, StoreError>>, StoreError> {
        let reader = self.ask(|answer| Message::Read { after, stream, order, answer }).await?;
        let batches = stream::unfold(reader, |mut reader| async move {
            reader.next().await.map(|batch| (batch, reader))
        });
        let rows = batches.flat_map(|batch| match batch {
            Ok(rows) => stream::iter(rows.into_iter().map(Ok).collect::<Vec<_>>()),
            Err(err) => stream::iter(vec![Err(err)]),
        });
        let wanted = move |row: &Result<Row, StoreError>| {
            row.as_ref().map_or(true, |row| scope.concerns(row))
        };
        Ok(rows.filter(move |row| std::future::ready(wanted(row))).boxed())
    }

    /// Folds everything, also the commits of others, and rebuilds the tables with files that are
    /// missing or have another size.
    pub async fn fold_and_verify(&self) -> Result<FoldReport, StoreError> {
        let report = self.fold_unrecorded(self.lost().await?).await?;
        self.record_fold().await;
        Ok(report)
    }

    /// Folds everything, also the commits of others, and rebuilds the tables in `lost`. The caller
    /// must write the `table_state` rows.
    async fn fold_unrecorded(
        &self,
        lost: BTreeSet<&'static str>,
    ) -> Result<FoldReport, StoreError> {
        self.ask(|answer| Message::JournalScan { lost, answer }).await?;
        self.fold_tail().await
    }

    /// Waits until the store was shut down or dropped, and its started work is done.
    pub fn finished(&self) -> impl Future<Output = ()> + Send + 'static {
        let trackers = [self.tasks.clone(), self.folds.clone()];
        async move {
            for tracker in trackers {
                tracker.close();
                tracker.wait().await;
            }
        }
    }

    async fn ask<T>(
        &self,
        message: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Message,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.writer.send(message(answer)).await.map_err(|_| StoreError::WriterGone)?;
        answered.await.map_err(|_| StoreError::WriterGone)?
    }
}

impl fmt::Display for DeltaStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

#[async_trait]
impl Store for DeltaStore {
    async fn snapshot(&self, scope: &Scope) -> Result<Snapshot, StoreError> {
        self.snapshot_with_head(scope.clone()).await.map(|(snapshot, _)| snapshot)
    }

    async fn snapshot_at(
        &self,
        scope: &Scope,
        freshness: Freshness,
    ) -> Result<Arc<Snapshot>, StoreError> {
        match self.published.get(scope, freshness) {
            Some(published) => Ok(published),
            None => self.snapshot(scope).await.map(Arc::new),
        }
    }

    async fn sync_snapshot(&self) -> Result<SyncSnapshot, StoreError> {
        self.ask(|answer| Message::LookAtSync { answer }).await
    }

    async fn commit(&self, sets: Vec<PatchSet>) -> Vec<Outcome> {
        let ids: Vec<_> = sets.iter().map(|set| set.id).collect();
        let (answer, answered) = oneshot::channel();
        if self.writer.send(Message::Commit { sets, answer }).await.is_err() {
            return ids
                .iter()
                .map(|_| Outcome::NotWritten { cause: StoreError::WriterGone })
                .collect();
        }
        let outcomes = answered.await;
        for outcome in outcomes.iter().flatten() {
            if let Outcome::Committed { seq, .. } = outcome {
                self.committed.fetch_max(*seq, Ordering::AcqRel);
                self.unfolded.store(true, Ordering::Release);
            }
        }
        outcomes.unwrap_or_else(|_| {
            ids.into_iter()
                .map(|patch_set_id| Outcome::Unknown {
                    patch_set_id,
                    cause: StoreError::WriterGone,
                })
                .collect()
        })
    }

    async fn find(&self, lookup: &[RecordLookup]) -> Result<Vec<Option<ProjectId>>, StoreError> {
        self.ask(|answer| Message::Find { lookup: lookup.to_vec(), answer }).await
    }

    async fn linked_from(
        &self,
        tasks: &BTreeSet<TaskId>,
    ) -> Result<BTreeSet<ProjectId>, StoreError> {
        self.ask(|answer| Message::LinkedFrom { tasks: tasks.clone(), answer }).await
    }

    async fn tally(&self) -> Result<TaskCounts, StoreError> {
        self.ask(|answer| Message::TaskCount { answer }).await
    }

    async fn changes(
        &self,
        after: u64,
        stream: Stream,
        scope: &Scope,
    ) -> Result<BoxStream<'static, Result<Row, StoreError>>, StoreError> {
        self.read(after, stream, Order::OldestFirst, scope.clone()).await
    }

    async fn changes_back(
        &self,
        stream: Stream,
        scope: &Scope,
    ) -> Result<BoxStream<'static, Result<Row, StoreError>>, StoreError> {
        self.read(0, stream, Order::NewestFirst, scope.clone()).await
    }

    fn subscribe(&self) -> watch::Receiver<Head> {
        self.published.heads()
    }

    async fn append(
        &self,
        table: &'static EventTable,
        rows: Vec<Fields>,
    ) -> Result<(), StoreError> {
        table.append(&self.root, &rows, self.clock.as_ref(), self.random.as_ref()).await
    }

    async fn fold(&self) -> Result<FoldReport, StoreError> {
        let report = self.fold_unrecorded(BTreeSet::new()).await?;
        self.record_fold().await;
        Ok(report)
    }

    async fn head(&self) -> Result<Head, StoreError> {
        self.snapshot_with_head(Scope::outline()).await.map(|(_, head)| head)
    }
}
