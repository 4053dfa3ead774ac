//! The lake on an object store: what callers see of it. Commits and looks go to the one writer task.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::appended::Appended;
use super::erasure::Place;
use super::error::StoreError;
use super::format::Format;
use super::journal::entry::JournalFile;
use super::journal::files::Files;
use super::journal::hand::MOST_RECORDS;
use super::journal::{Journal, Order};
use super::ledger::Ledger;
pub use super::root::Root;
use super::root::{probe, refuse_remains};
use super::row::{Row, Stream};
use super::table_log::TableLog;
use super::tables::fold::Folding;
use super::tables::{LakeTables, TABLES, bucket, field_changes, in_bucket};
use super::vacuum::{self, Retention};
use super::writer::{self, Message};
use super::{Erased, FoldReport, Head, Maintained, Outcome, Scope, Snapshot, Sought, Store};
use crate::domain::any::Slot;
use crate::domain::id::ProjectId;
use crate::domain::patch::PatchSet;
use crate::domain::record::{Entity, Fields};
use crate::runtime::{Clock, Random};

/// How often a process that lives long looks whether to fold.
const LOOK: Duration = Duration::from_millis(100);
/// It folds after so many commits,
const TAIL_COMMITS: u64 = 64;
/// or where changes have waited for so long.
const TAIL_AGE: Duration = Duration::from_secs(2);

/// A lake on an object store.
pub struct DeltaStore {
    name: String,
    root: Arc<dyn ObjectStore>,
    format: Format,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    writer: mpsc::Sender<Message>,
    task: JoinHandle<()>,
    /// Something was committed that the tables do not show yet.
    unfolded: AtomicBool,
}

impl DeltaStore {
    /// Makes a new lake.
    pub async fn create(root: &Root, format: Format, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Result<Self, StoreError> {
        refuse_remains(root).await?;
        probe(root, clock.as_ref(), random.as_ref()).await?;
        let ledger = Ledger::new(format.clone(), root.url.as_str());
        let journal = Journal::create(Arc::clone(&root.store), ledger, &format, Arc::clone(&clock), Arc::clone(&random)).await?;
        Ok(Self::start(root, format, journal, clock, random))
    }

    /// Opens the lake that is there.
    pub async fn open(root: &Root, format: Format, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Result<Self, StoreError> {
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
        let ledger = Ledger::new(format.clone(), root.url.as_str());
        let journal = Journal::open(Arc::clone(&root.store), ledger, most, Arc::clone(&clock), Arc::clone(&random)).await?;
        Ok(Self::start(root, format, journal, clock, random))
    }

    fn start(root: &Root, format: Format, journal: Journal, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let (writer, inbox) = mpsc::channel(4096);
        let task = tokio::spawn(writer::run(journal, inbox));
        Self {
            name: root.url.to_string(),
            root: Arc::clone(&root.store),
            format,
            clock,
            random,
            writer,
            task,
            unfolded: AtomicBool::new(false),
        }
    }

    /// Folds, compacts the journal, writes checkpoints, and deletes what is older than the retention.
    pub async fn maintain(&self, retention: Retention) -> Result<Maintained, StoreError> {
        let folded = self.fold().await?;
        let compacted = self.ask(|answer| Message::Compact { answer }).await?;
        let mut report = Maintained { seq: folded.seq, compacted, vacuumed: Vec::new() };
        for name in LakeTables::names() {
            let log = TableLog::new(Arc::clone(&self.root), name);
            if let Some(table) = log.load().await?.filter(|table| table.version > 0) {
                log.checkpoint(table.version).await?;
            }
            let vacuumed = vacuum::vacuum(&log, retention, self.clock.as_ref(), self.random.as_ref()).await?;
            report.vacuumed.push((name, vacuumed));
        }
        Ok(report)
    }

    /// Takes every payload that an erase names out of the journal, after the tables show what stands in its place.
    pub async fn erase_named(&self) -> Result<Erased, StoreError> {
        self.fold().await?;
        self.ask(|answer| Message::Erase { answer }).await
    }

    /// How many files of the journal hold these rows, and how many of its table the record.
    pub async fn files_holding(&self, rows: &[Place], record: Slot) -> Result<(usize, usize), StoreError> {
        let mut files = Files::new(Arc::clone(&self.root));
        files.load().await?;
        let holds = |file: &&JournalFile| rows.iter().any(|(seq, _)| (file.seq.0..=file.seq.1).contains(seq));
        let journal = files.live().filter(holds).count();
        let Some(table) = TABLES.iter().find(|table| table.entity == record.entity) else { return Ok((journal, 0)) };
        let log = TableLog::new(Arc::clone(&self.root), table.name);
        let table = log.load().await?;
        Ok((journal, table.map_or(0, |table| in_bucket(&table, bucket(record.entity, record.project)).len())))
    }

    /// The tables, for an engine that reads them.
    pub fn tables(&self) -> LakeTables {
        LakeTables(Arc::clone(&self.root))
    }

    /// Folds in the background for as long as the store is held, so that what readers have to read of the journal stays
    /// short. For processes that live long; a short one folds when it closes.
    pub fn keep_folded(self: &Arc<Self>) -> JoinHandle<()> {
        let store = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut folded = (0, tokio::time::Instant::now());
            loop {
                tokio::time::sleep(LOOK).await;
                let Some(store) = store.upgrade() else { break };
                let done = store.fold_if_due(&mut folded).await;
                if let Err(fault) = done {
                    tracing::warn!(%fault, "the tables lag behind the journal; the next fold brings them up");
                }
            }
        })
    }

    /// Folds where the tail has become long or old; `folded` is the version and the time of the last fold.
    async fn fold_if_due(&self, folded: &mut (u64, tokio::time::Instant)) -> Result<(), StoreError> {
        let head = self.head().await?;
        let is_behind = head.seq > head.folded;
        if is_behind && (head.version >= folded.0 + TAIL_COMMITS || folded.1.elapsed() >= TAIL_AGE) {
            self.fold_tail().await?;
            *folded = (head.version, tokio::time::Instant::now());
        }
        Ok(())
    }

    /// Whether this process committed something.
    pub fn has_written(&self) -> bool {
        self.unfolded.load(Ordering::Acquire)
    }

    /// Folds what this process committed and waits until everything begun is done. Dropping the store does neither:
    /// the next process folds what is left.
    pub async fn close(self) {
        if self.has_written()
            && let Err(fault) = self.fold_tail().await
        {
            tracing::warn!(%fault, "the tables lag behind the journal; the next command or lakeplan fold brings them up");
        }
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
        let batches = stream::unfold(reader, |mut reader| async move { reader.next().await.map(|batch| (batch, reader)) });
        let rows = batches.flat_map(|batch| match batch {
            Ok(rows) => stream::iter(rows.into_iter().map(Ok).collect::<Vec<_>>()),
            Err(fault) => stream::iter(vec![Err(fault)]),
        });
        let wanted = move |row: &Result<Row, StoreError>| row.as_ref().map_or(true, |row| scope.concerns(row));
        Ok(rows.filter(move |row| std::future::ready(wanted(row))).boxed())
    }

    /// Folds what is after the seq to which all tables are known to be folded.
    async fn fold_tail(&self) -> Result<FoldReport, StoreError> {
        let mut head = self.head().await?;
        let mut report = FoldReport { seq: head.seq, tables: Vec::new() };
        let mut from = head.folded;
        while !self.fold_after(from, &head, &mut report).await? {
            // A table turned out to be missing: it is made anew from everything there is by now.
            from = 0;
            head = self.head().await?;
            report = FoldReport { seq: head.seq, tables: Vec::new() };
        }
        self.writer.send(Message::Folded { seq: head.seq }).await.map_err(|_| StoreError::WriterGone)?;
        Ok(report)
    }

    /// Folds the rows after `from` into the tables they concern; `false` where that is not enough for one.
    async fn fold_after(&self, from: u64, head: &Head, report: &mut FoldReport) -> Result<bool, StoreError> {
        let mut rows: Vec<Row> = self.changes(from, Stream::Work, &Scope::All).await?.try_collect().await?;
        rows.retain(|row| row.seq <= head.seq);
        let folding = Folding {
            root: &self.root,
            format: &self.format,
            seq: head.seq,
            at: head.at,
            rows: &rows,
            from,
            known: head.folded,
            clock: self.clock.as_ref(),
            random: self.random.as_ref(),
        };
        // What nothing concerns since all tables were known to be folded needs no look.
        let concerned = |entity| from == 0 || rows.iter().any(|row| row.entity == entity);
        if concerned(Entity::Task) {
            // Before the tasks, so that a folded `tasks` says that this is too.
            let Some(folded) = folding.field_changes().await? else { return Ok(false) };
            report.tables.push((field_changes::NAME, folded));
        }
        for table in TABLES.iter().filter(|table| concerned(table.entity)) {
            let Some(folded) = folding.current(table).await? else { return Ok(false) };
            report.tables.push((table.name, folded));
        }
        Ok(true)
    }

    async fn ask<T>(&self, message: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Message) -> Result<T, StoreError> {
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
            return ids.iter().map(|_| Outcome::NotWritten { cause: StoreError::WriterGone }).collect();
        }
        let outcomes = answered.await;
        if outcomes.iter().flatten().any(|outcome| matches!(outcome, Outcome::Committed { .. })) {
            self.unfolded.store(true, Ordering::Release);
        }
        outcomes.unwrap_or_else(|_| {
            ids.into_iter().map(|patch_set_id| Outcome::Unknown { patch_set_id, cause: StoreError::WriterGone }).collect()
        })
    }

    async fn find(&self, sought: &[Sought]) -> Result<Vec<Option<ProjectId>>, StoreError> {
        self.ask(|answer| Message::Find { sought: sought.to_vec(), answer }).await
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

    async fn append(&self, table: &'static Appended, row: Fields) -> Result<(), StoreError> {
        table.append(&self.root, &row, self.clock.now(), self.random.as_ref()).await
    }

    async fn fold(&self) -> Result<FoldReport, StoreError> {
        self.ask(|answer| Message::Survey { answer }).await?;
        self.fold_tail().await
    }

    async fn head(&self) -> Result<Head, StoreError> {
        self.look(Scope::outline()).await.map(|(_, head)| head)
    }
}
