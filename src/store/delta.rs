//! The lake on an object store: one writer task a process, through which every commit and every look goes.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as StorePath;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use url::Url;

use super::appended::Appended;
use super::durable::DurableLocal;
use super::error::StoreError;
use super::format::Format;
use super::journal::{Journal, JournalReader};
use super::ledger::Ledger;
use super::row::{Row, Stream};
use super::table_log::TableLog;
use super::tables::fold::{Folding, Target};
use super::tables::{LakeTables, TABLES, field_changes};
use super::vacuum::{self, Retention};
use super::{Compacted, FoldReport, Head, Maintained, Outcome, Scope, Snapshot, Store};
use crate::domain::patch::PatchSet;
use crate::domain::record::{Entity, Fields};
use crate::runtime::{Clock, Random, uuid_v7};

/// The most sets of one commit.
const GROUP_SETS: usize = 500;
/// The most patches of one commit; a larger set goes alone.
const GROUP_PATCHES: usize = 20_000;
/// A busy writer commits at most this often, so that the log stays short.
const SHORTEST_COMMIT: Duration = Duration::from_millis(5);
/// Commits between two checkpoints.
const CHECKPOINT_EVERY: u64 = 100;

/// A place for a lake: its URL and the store rooted there.
#[derive(Clone, Debug)]
pub struct Root {
    pub url: Url,
    pub store: Arc<dyn ObjectStore>,
}

impl Root {
    /// The root that a person named: a folder, or a storage URL.
    pub fn open(name: &str, create: bool) -> Result<Self, StoreError> {
        let unusable = |why: String| StoreError::UnusableRoot { root: name.to_owned(), why };
        match Url::parse(name) {
            Ok(url) if url.scheme() == "file" => {
                let path = url.to_file_path().map_err(|()| unusable("it is no path on this machine".to_owned()))?;
                Self::local(name, &path, create)
            }
            Ok(url) if url.scheme().len() > 1 => {
                let options = crate::config::variables().into_iter().map(|(key, value)| (key.to_ascii_lowercase(), value));
                let (store, path) = object_store::parse_url_opts(&url, options).map_err(|fault| unusable(fault.to_string()))?;
                let store: Arc<dyn ObjectStore> = Arc::from(store);
                Ok(Self { url, store: Arc::new(object_store::prefix::PrefixStore::new(store, path)) })
            }
            _ => Self::local(name, Path::new(name), create),
        }
    }

    fn local(name: &str, path: &Path, create: bool) -> Result<Self, StoreError> {
        let unusable = |why: std::io::Error| StoreError::UnusableRoot { root: name.to_owned(), why: why.to_string() };
        if create {
            std::fs::create_dir_all(path).map_err(unusable)?;
        } else if !path.exists() {
            return Err(StoreError::NotALake { root: name.to_owned() });
        }
        let path: PathBuf = path.canonicalize().map_err(unusable)?;
        if !path.is_dir() {
            return Err(unusable(std::io::ErrorKind::NotADirectory.into()));
        }
        let url = Url::from_directory_path(&path).map_err(|()| unusable(std::io::ErrorKind::InvalidFilename.into()))?;
        let store = DurableLocal::new(path).map_err(|fault| StoreError::storage("opening", name, fault))?;
        Ok(Self { url, store: Arc::new(store) })
    }
}

/// A lake on an object store.
pub struct DeltaStore {
    name: String,
    root: Arc<dyn ObjectStore>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    writer: mpsc::Sender<Message>,
    task: JoinHandle<()>,
    /// Something was committed that the tables do not show yet.
    unfolded: AtomicBool,
}

enum Message {
    Commit { sets: Vec<PatchSet>, answer: oneshot::Sender<Vec<Outcome>> },
    Look { answer: oneshot::Sender<Result<(Snapshot, Head), StoreError>> },
    Folded { seq: u64 },
    Compact { answer: oneshot::Sender<Result<Compacted, StoreError>> },
    Read { after: u64, stream: Stream, answer: oneshot::Sender<Result<JournalReader, StoreError>> },
}

impl DeltaStore {
    /// Makes a new lake.
    pub async fn create(root: &Root, format: Format, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Result<Self, StoreError> {
        refuse_remains(root).await?;
        probe(root, clock.as_ref(), random.as_ref()).await?;
        let ledger = Ledger::new(format.clone(), root.url.as_str());
        let journal = Journal::create(Arc::clone(&root.store), ledger, &format, Arc::clone(&clock), Arc::clone(&random)).await?;
        Ok(Self::start(root, journal, clock, random))
    }

    /// Opens the lake that is there.
    pub async fn open(root: &Root, format: Format, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Result<Self, StoreError> {
        let ledger = Ledger::new(format, root.url.as_str());
        let journal = Journal::open(Arc::clone(&root.store), ledger, Arc::clone(&clock), Arc::clone(&random)).await?;
        Ok(Self::start(root, journal, clock, random))
    }

    fn start(root: &Root, journal: Journal, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let (writer, inbox) = mpsc::channel(4096);
        let task = tokio::spawn(run(journal, inbox));
        Self {
            name: root.url.to_string(),
            root: Arc::clone(&root.store),
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
            if let Some(table) = log.load(&mut BTreeMap::new()).await?.filter(|table| table.version > 0) {
                log.checkpoint(table.version).await?;
            }
            let vacuumed = vacuum::vacuum(&log, retention, self.clock.as_ref(), self.random.as_ref()).await?;
            report.vacuumed.push((name, vacuumed));
        }
        Ok(report)
    }

    /// The tables, for an engine that reads them.
    pub fn tables(&self) -> LakeTables {
        LakeTables(Arc::clone(&self.root))
    }

    /// Whether this process committed something.
    pub fn has_written(&self) -> bool {
        self.unfolded.load(Ordering::Acquire)
    }

    /// Folds what this process committed and waits until everything begun is done. Dropping the store does neither:
    /// the next process folds what is left.
    pub async fn close(self) {
        if self.has_written()
            && let Err(fault) = self.fold().await
        {
            tracing::warn!(%fault, "the tables lag behind the journal; the next command or lakeplan fold brings them up");
        }
        drop(self.writer);
        if let Err(fault) = self.task.await {
            tracing::error!(%fault, "the writer ended before its time");
        }
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
    async fn snapshot(&self, _scope: &Scope) -> Result<Snapshot, StoreError> {
        self.ask(|answer| Message::Look { answer }).await.map(|(snapshot, _)| snapshot)
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

    async fn changes(
        &self,
        after: u64,
        stream: Stream,
        scope: &Scope,
    ) -> Result<BoxStream<'static, Result<Row, StoreError>>, StoreError> {
        let reader = self.ask(|answer| Message::Read { after, stream, answer }).await?;
        let scope = scope.clone();
        let batches = stream::unfold(reader, |mut reader| async move { reader.next().await.map(|batch| (batch, reader)) });
        let rows = batches.flat_map(|batch| match batch {
            Ok(rows) => stream::iter(rows.into_iter().map(Ok).collect::<Vec<_>>()),
            Err(fault) => stream::iter(vec![Err(fault)]),
        });
        let wanted = move |row: &Result<Row, StoreError>| row.as_ref().map_or(true, |row| scope.holds(row.project_id));
        Ok(rows.filter(move |row| std::future::ready(wanted(row))).boxed())
    }

    async fn append(&self, table: &'static Appended, row: Fields) -> Result<(), StoreError> {
        table.append(&self.root, &row, self.clock.now(), self.random.as_ref()).await
    }

    async fn fold(&self) -> Result<FoldReport, StoreError> {
        let (snapshot, head) = self.ask(|answer| Message::Look { answer }).await?;
        let rows: Vec<Row> = self.changes(head.folded, Stream::Work, &Scope::All).await?.try_collect().await?;
        let rows: Vec<Row> = rows.into_iter().filter(|row| row.seq <= snapshot.seq).collect();
        let target = Target { state: &snapshot.state, seq: snapshot.seq, at: snapshot.at };
        let folding = Folding {
            root: &self.root,
            target,
            rows: &rows,
            known: head.folded,
            clock: self.clock.as_ref(),
            random: self.random.as_ref(),
        };
        let mut report = FoldReport { seq: snapshot.seq, tables: Vec::new() };
        // What nothing concerns since all tables were known to be folded needs no look.
        let concerned = |entity| head.folded == 0 || rows.iter().any(|row| row.entity == entity);
        for table in TABLES.iter().filter(|table| concerned(table.entity)) {
            report.tables.push((table.name, folding.current(table).await?));
        }
        if concerned(Entity::Task) {
            report.tables.push((field_changes::NAME, folding.field_changes().await?));
        }
        self.writer.send(Message::Folded { seq: snapshot.seq }).await.map_err(|_| StoreError::WriterGone)?;
        Ok(report)
    }

    async fn head(&self) -> Result<Head, StoreError> {
        self.ask(|answer| Message::Look { answer }).await.map(|(_, head)| head)
    }
}

/// The writer: commits in groups of what arrived while the last commit was in flight, and answers looks in between.
async fn run(mut journal: Journal, mut inbox: mpsc::Receiver<Message>) {
    let mut waiting: Option<Message> = None;
    let mut checkpoints: Vec<JoinHandle<()>> = Vec::new();
    loop {
        let first = match waiting.take() {
            Some(message) => message,
            None => match inbox.recv().await {
                Some(message) => message,
                None => break,
            },
        };
        match first {
            Message::Look { answer } => {
                let looked = journal.refresh().await.map(|_| (journal.snapshot(), journal.head()));
                // Whoever asked may be gone.
                let _ = answer.send(looked);
            }
            Message::Folded { seq } => journal.note_folded(seq),
            Message::Compact { answer } => {
                let _ = answer.send(journal.compact().await);
            }
            Message::Read { after, stream, answer } => {
                let looked = journal.refresh().await.map(|_| journal.reader(after, stream));
                let _ = answer.send(looked);
            }
            Message::Commit { sets, answer } => {
                let begun = tokio::time::Instant::now();
                let before = journal.head().version;
                let mut answers = vec![(sets.len(), answer)];
                let mut group = sets;
                while room(&group) {
                    match inbox.try_recv() {
                        Ok(Message::Commit { sets, answer }) if fits(&group, &sets) => {
                            answers.push((sets.len(), answer));
                            group.extend(sets);
                        }
                        Ok(other) => {
                            waiting = Some(other);
                            break;
                        }
                        Err(_) => break,
                    }
                }
                let mut outcomes = journal.commit(&group).await.into_iter();
                for (count, answer) in answers {
                    let _ = answer.send(outcomes.by_ref().take(count).collect());
                }
                let head = journal.head();
                if head.version / CHECKPOINT_EVERY > before / CHECKPOINT_EVERY {
                    checkpoints.retain(|checkpoint| !checkpoint.is_finished());
                    checkpoints.push(tokio::spawn(journal.checkpoint()));
                }
                if waiting.is_some() || !inbox.is_empty() {
                    tokio::time::sleep_until(begun + SHORTEST_COMMIT).await;
                }
            }
        }
    }
    for checkpoint in checkpoints {
        if let Err(fault) = checkpoint.await {
            tracing::warn!(%fault, "a checkpoint was cut short; the next one makes up for it");
        }
    }
}

fn room(group: &[PatchSet]) -> bool {
    group.len() < GROUP_SETS && patches(group) < GROUP_PATCHES
}

fn fits(group: &[PatchSet], more: &[PatchSet]) -> bool {
    group.len() + more.len() <= GROUP_SETS && patches(group) + patches(more) <= GROUP_PATCHES
}

fn patches(group: &[PatchSet]) -> usize {
    group.iter().map(|set| set.patches.len()).sum()
}

/// A lake whose journal is gone is not begun anew over what is left of it.
async fn refuse_remains(root: &Root) -> Result<(), StoreError> {
    let has_log = async |name: &str| root.store.list(Some(&StorePath::from(format!("{name}/_delta_log")))).next().await.is_some();
    if has_log("journal").await {
        // There is a lake, which making the journal will find.
        return Ok(());
    }
    for name in LakeTables::names() {
        if has_log(name).await {
            let why = format!(
                "it holds the table {name} of a lake whose journal is missing; bring the journal back, or use another place"
            );
            return Err(StoreError::UnusableRoot { root: root.url.to_string(), why });
        }
    }
    Ok(())
}

/// Finds out whether the storage creates a name only where there is none, which everything rests on.
async fn probe(root: &Root, clock: &dyn Clock, random: &dyn Random) -> Result<(), StoreError> {
    let name = StorePath::from(format!("_probe/{}", uuid_v7(clock.now(), random)));
    let put = || {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        root.store.put_opts(&name, "probe".into(), options)
    };
    let failed = |fault: Error| StoreError::storage("writing to", root.url.to_string(), fault);
    put().await.map_err(failed)?;
    let second = put().await;
    root.store.delete(&name).await.map_err(failed)?;
    match second {
        Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(()),
        _ => Err(StoreError::UnusableRoot {
            root: root.url.to_string(),
            why: "it does not keep two writers from creating the same name, which a lake needs".to_owned(),
        }),
    }
}
