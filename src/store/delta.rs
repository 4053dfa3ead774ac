//! The lake on an object store: what callers see of it. Commits and looks go to the one writer task.

mod erasing;
mod folding;
mod maintenance;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::ObjectStore;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::appended::Appended;
use super::error::StoreError;
use super::format::Format;
use super::journal::hand::MOST_RECORDS;
use super::journal::opening::Opening;
use super::journal::{Journal, Order};
use super::ledger::Ledger;
use super::parts::BUDGET;
pub use super::root::Root;
use super::root::{probe, refuse_remains};
use super::row::{Row, Stream};
use super::tables::LakeTables;
use super::writer::{self, Message};
use super::{FoldReport, Head, Outcome, Scope, Snapshot, Sought, Store, beside};
use crate::domain::id::{ProjectId, TaskId};
use crate::domain::patch::PatchSet;
use crate::domain::record::Fields;
use crate::domain::tally::Tallies;
use crate::runtime::{Clock, Random};
use folding::Unnoted;

/// A lake on an object store.
pub struct DeltaStore {
    name: String,
    root: Arc<dyn ObjectStore>,
    format: Format,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    writer: mpsc::Sender<Message>,
    task: JoinHandle<()>,
    ended: Mutex<Option<oneshot::Receiver<()>>>,
    /// Something was committed that the tables do not show yet.
    unfolded: AtomicBool,
    /// The last seq that this process committed, 0 for none.
    committed: AtomicU64,
    unnoted: Mutex<Unnoted>,
    budget: u64,
    /// Tables that are ahead of the journal count as those of another.
    passes_over_ahead: bool,
}

impl DeltaStore {
    /// Makes a new lake.
    pub async fn create(
        root: &Root,
        format: Format,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, StoreError> {
        refuse_remains(root).await?;
        probe(root, clock.as_ref(), random.as_ref()).await?;
        // Before the journal, whose first entry makes it a lake: one that is there has all its tables.
        beside::ensure(&root.store, clock.now(), random.as_ref()).await?;
        let ledger = Ledger::new(format.clone(), root.url.as_str());
        let journal = Journal::create(
            Arc::clone(&root.store),
            ledger,
            &format,
            Arc::clone(&clock),
            Arc::clone(&random),
        )
        .await?;
        Ok(Self::start(root, format, journal, clock, random))
    }

    /// Opens the lake that is there.
    pub async fn open(
        root: &Root,
        format: Format,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, StoreError> {
        Self::open_keeping(root, format, MOST_RECORDS, clock, random).await
    }

    /// Opens the lake that is there, to keep at most so many records at hand beside those in use.
    pub async fn open_keeping(
        root: &Root,
        format: Format,
        most: usize,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, StoreError> {
        Self::open_so(root, format, Opening { most, passes_over_ahead: false }, clock, random).await
    }

    /// Opens the lake that is there to rebuild tables: one that is ahead of the journal does not keep anybody out.
    pub async fn open_to_rebuild(
        root: &Root,
        format: Format,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, StoreError> {
        Self::open_so(
            root,
            format,
            Opening { most: MOST_RECORDS, passes_over_ahead: true },
            clock,
            random,
        )
        .await
    }

    async fn open_so(
        root: &Root,
        format: Format,
        opening: Opening,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, StoreError> {
        let ledger = Ledger::new(format.clone(), root.url.as_str());
        let journal = Journal::open(
            Arc::clone(&root.store),
            ledger,
            opening,
            Arc::clone(&clock),
            Arc::clone(&random),
        )
        .await?;
        let passes_over_ahead = opening.passes_over_ahead;
        Ok(Self { passes_over_ahead, ..Self::start(root, format, journal, clock, random) })
    }

    fn start(
        root: &Root,
        format: Format,
        journal: Journal,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        let (writer, inbox) = mpsc::channel(4096);
        let (end, ended) = oneshot::channel();
        let task = tokio::spawn(async move {
            writer::run(journal, inbox).await;
            // Whoever waited may be gone.
            let _ = end.send(());
        });
        Self {
            name: root.url.to_string(),
            root: Arc::clone(&root.store),
            format,
            clock,
            random,
            writer,
            task,
            ended: Mutex::new(Some(ended)),
            unfolded: AtomicBool::new(false),
            committed: AtomicU64::new(0),
            unnoted: Mutex::default(),
            budget: BUDGET,
            passes_over_ahead: false,
        }
    }

    /// Replays at most so many bytes of the journal at a time when it makes a table anew, but always a bucket.
    pub fn replaying(self, budget: u64) -> Self {
        Self { budget, ..self }
    }

    /// The tables, for an engine that reads them.
    pub fn tables(&self) -> LakeTables {
        LakeTables::new(Arc::clone(&self.root))
    }

    /// Whether this process committed something.
    pub fn has_written(&self) -> bool {
        self.unfolded.load(Ordering::Acquire)
    }

    /// The last seq that this process committed, 0 for none.
    pub fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// Folds what this process committed and waits until everything begun is done. Dropping the store does neither:
    /// the next process folds what is left.
    pub async fn close(self) {
        if self.has_written()
            && let Err(fault) = self.fold_tail().await
        {
            tracing::warn!(%fault, "the tables lag behind the journal; the next command or lakeplan fold brings them up");
        }
        self.note_fold().await;
        drop(self.writer);
        if let Err(fault) = self.task.await {
            tracing::error!(%fault, "the writer ended before its time");
        }
    }

    async fn look(&self, scope: Scope) -> Result<(Snapshot, Head), StoreError> {
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
            Err(fault) => stream::iter(vec![Err(fault)]),
        });
        let wanted = move |row: &Result<Row, StoreError>| {
            row.as_ref().map_or(true, |row| scope.concerns(row))
        };
        Ok(rows.filter(move |row| std::future::ready(wanted(row))).boxed())
    }

    /// Folds everything, whoever committed it, and rebuilds the tables of which a file is missing or has another size.
    pub async fn fold_looking(&self) -> Result<FoldReport, StoreError> {
        let report = self.fold_unnoted(self.lost().await?).await?;
        self.note_fold().await;
        Ok(report)
    }

    /// Folds everything, whoever committed it, rebuilds the tables of which something is lost, and leaves the note to the
    /// caller.
    async fn fold_unnoted(&self, lost: BTreeSet<&'static str>) -> Result<FoldReport, StoreError> {
        self.ask(|answer| Message::Survey { lost, answer }).await?;
        self.fold_tail().await
    }

    /// Comes when the store was dropped and what it had begun is done; `None` the second time.
    pub fn ended(&self) -> Option<oneshot::Receiver<()>> {
        self.ended.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
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
        self.look(scope.clone()).await.map(|(snapshot, _)| snapshot)
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

    async fn find(&self, sought: &[Sought]) -> Result<Vec<Option<ProjectId>>, StoreError> {
        self.ask(|answer| Message::Find { sought: sought.to_vec(), answer }).await
    }

    async fn linked_from(
        &self,
        tasks: &BTreeSet<TaskId>,
    ) -> Result<BTreeSet<ProjectId>, StoreError> {
        self.ask(|answer| Message::LinkedFrom { tasks: tasks.clone(), answer }).await
    }

    async fn tally(&self) -> Result<Tallies, StoreError> {
        self.ask(|answer| Message::Tally { answer }).await
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

    async fn append(&self, table: &'static Appended, rows: Vec<Fields>) -> Result<(), StoreError> {
        table.append(&self.root, &rows, self.clock.as_ref(), self.random.as_ref()).await
    }

    async fn fold(&self) -> Result<FoldReport, StoreError> {
        let report = self.fold_unnoted(BTreeSet::new()).await?;
        self.note_fold().await;
        Ok(report)
    }

    async fn head(&self) -> Result<Head, StoreError> {
        self.look(Scope::outline()).await.map(|(_, head)| head)
    }
}
