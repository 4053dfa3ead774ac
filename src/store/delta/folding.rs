//! Folding what is in the journal into the tables, at once or in the background, and noting how far it is.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::sync::PoisonError;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::DeltaStore;
use crate::runtime::uuid_v7;
use crate::store::appended::TABLE_STATE;
use crate::store::error::StoreError;
use crate::store::gently::gently;
use crate::store::journal::chain::Links;
use crate::store::journal::files::Files;
use crate::store::row::{Row, Stream};
use crate::store::table_state::{self, TableState};
use crate::store::tables::FoldedTable;
use crate::store::tables::anew::{Anew, Lost};
use crate::store::tables::definition::Position;
use crate::store::tables::fold::{Folded, Folding, TRIES};
use crate::store::tables::read::{Distrust, Found};
use crate::store::writer::Message;
use crate::store::{FoldReport, Head, Scope, Store};

/// How often a process that lives long looks whether to fold.
const LOOK: Duration = Duration::from_millis(100);
/// It folds after so many commits,
const TAIL_COMMITS: u64 = 64;
/// or so many rows,
const TAIL_ROWS: usize = 2_000;
/// or where changes have waited for so long.
const TAIL_AGE: Duration = Duration::from_secs(2);
/// It notes its folds no more often than this: a note is two writes, and lag is told in minutes.
const NOTE_AGE: Duration = Duration::from_secs(30);

/// Tables folded at once.
const TABLES_AT_ONCE: usize = 2;

/// When a long-lived process last folded, at which version, and when it last noted that.
struct Last {
    version: u64,
    folded: tokio::time::Instant,
    noted: tokio::time::Instant,
}

impl DeltaStore {
    /// Folds in the background for as long as the store is held, so that what readers have to read of the journal stays
    /// short. For processes that live long; a short one folds when it closes.
    pub fn keep_folded(self: &Arc<Self>) -> JoinHandle<()> {
        let store = Arc::downgrade(self);
        tokio::spawn(async move {
            let now = tokio::time::Instant::now();
            let mut last = Last { version: 0, folded: now, noted: now };
            loop {
                tokio::time::sleep(LOOK).await;
                let Some(store) = store.upgrade() else { break };
                let done = store.fold_if_due(&mut last).await;
                if let Err(fault) = done {
                    tracing::warn!(%fault, "the tables lag behind the journal; the next fold brings them up");
                }
            }
        })
    }

    /// Folds where the tail has become long or old.
    async fn fold_if_due(&self, last: &mut Last) -> Result<(), StoreError> {
        let (head, rows) = self.ask(|answer| Message::CountWaiting { answer }).await?;
        let is_long = head.version >= last.version + TAIL_COMMITS || rows >= TAIL_ROWS;
        if head.seq > head.folded && (is_long || last.folded.elapsed() >= TAIL_AGE) {
            gently(self.fold_tail()).await?;
            (last.version, last.folded) = (head.version, tokio::time::Instant::now());
        }
        if last.noted.elapsed() >= NOTE_AGE {
            self.note_fold().await;
            last.noted = tokio::time::Instant::now();
        }
        Ok(())
    }

    /// Rebuilds a current table from the journal, or all of them, whatever they hold.
    pub async fn rebuild(&self, table: Option<FoldedTable>) -> Result<FoldReport, StoreError> {
        for _ in 0..TRIES {
            let head = self.head().await?;
            let files = self.files(&head).await?;
            let mut lost = Vec::new();
            for table in FoldedTable::all().filter(|one| table.is_none_or(|table| table == *one)) {
                let (instead_of, broken_at) = match table.find(&self.root, Some(&files)).await? {
                    Found::Nothing => (None, None),
                    Found::Broken(_, last) => (None, Some(last)),
                    Found::Outdated(old, _) | Found::Whole(old, _) => (Some(old), None),
                };
                lost.push(Lost { table, instead_of, broken_at, is_forced: true });
            }
            let tables = self.anew(&head, &files).make(&lost).await?;
            if tables.len() == lost.len() {
                let written = tables.iter().map(|(name, folded)| (*name, folded.seq)).collect();
                // What the other tables show is as it was.
                self.writer
                    .send(Message::Folded { seq: head.folded, written })
                    .await
                    .map_err(|_| StoreError::WriterGone)?;
                return Ok(FoldReport { seq: head.seq, tables, skipped: Vec::new() });
            }
        }
        Err(StoreError::storage("rebuilding", "the tables", "other writers were faster each time"))
    }

    /// Folds what is after the seq to which all tables are known to be folded.
    pub(super) async fn fold_tail(&self) -> Result<FoldReport, StoreError> {
        let mut rebuilt = BTreeSet::new();
        let report = loop {
            match self.fold_once().await {
                // The journal has what a broken file held.
                Err(StoreError::Damaged { path, what })
                    if let Some(table) = FoldedTable::at(&path) =>
                {
                    if !rebuilt.insert(table.name()) {
                        return Err(StoreError::Damaged { path, what });
                    }
                    tracing::warn!(
                        "{path} is damaged: {what}; the table is rebuilt from the journal"
                    );
                    self.rebuild(Some(table)).await?;
                }
                folded => break folded?,
            }
        };
        let written = report.tables.iter().filter(|(_, folded)| folded.written.is_some());
        let written = written.map(|(name, folded)| (*name, folded.seq)).collect();
        // What was left out does not show that seq.
        let seq = if report.skipped.is_empty() { report.seq } else { 0 };
        for table in &report.skipped {
            tracing::warn!(
                "the table {table} is not folded: another writer gave it features that Lakeplan does not write; lakeplan fold --rebuild {table} rebuilds it without them"
            );
        }
        self.writer
            .send(Message::Folded { seq, written })
            .await
            .map_err(|_| StoreError::WriterGone)?;
        if seq == 0 {
            return Ok(report);
        }
        let mut unnoted = self.unnoted.lock().unwrap_or_else(PoisonError::into_inner);
        unnoted.seq = unnoted.seq.max(report.seq);
        for (name, state) in table_state::written(&report) {
            let rows = unnoted.tables.get(name).map_or(0, |earlier: &TableState| earlier.rows)
                + state.rows;
            unnoted.tables.insert(name, TableState { rows, ..state });
        }
        drop(unnoted);
        Ok(report)
    }

    async fn fold_once(&self) -> Result<FoldReport, StoreError> {
        let head = self.head().await?;
        // Where nothing is known to be folded, or a table is missing or could not be read, every table is looked at.
        let is_known = head.folded > 0 && head.unreadable.is_empty();
        let tail = if is_known { self.fold_after(&head).await? } else { None };
        match tail {
            Some(report) => Ok(report),
            None => self.fold_all().await,
        }
    }

    /// What was folded since it was last noted.
    pub(super) fn take_unnoted(&self) -> Unnoted {
        mem::take(&mut *self.unnoted.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes in `table_state` what was folded since the last note. The tables are what they are without it.
    pub(super) async fn note_fold(&self) {
        let unnoted = self.take_unnoted();
        if let Err(fault) = self.note(unnoted).await {
            tracing::warn!(%fault, "the fold was not noted in table_state, so the view lag counts its changes as waiting");
        }
    }

    pub(super) async fn note(&self, unnoted: Unnoted) -> Result<(), StoreError> {
        if unnoted.tables.is_empty() {
            return Ok(());
        }
        let head = self.head().await?.seq;
        let now = self.clock.now();
        let run = uuid_v7(now, self.random.as_ref());
        let rows = table_state::rows(run, now, (unnoted.seq, head), unnoted.tables);
        TABLE_STATE.append(&self.root, &rows, self.clock.as_ref(), self.random.as_ref()).await
    }

    /// Folds the rows after what is known to be folded into the tables they concern; `None` where one has to be made anew.
    async fn fold_after(&self, head: &Head) -> Result<Option<FoldReport>, StoreError> {
        let files = self.ask(|answer| Message::Files { answer }).await?;
        let mut rows: Vec<Row> =
            self.changes(head.folded, Stream::Work, &Scope::All).await?.try_collect().await?;
        rows.retain(|row| row.seq <= head.seq);
        Links::of(&rows).refuse_break()?;
        // What nothing concerns since all tables were known to be folded needs no look.
        let concerned =
            FoldedTable::all().filter(|table| rows.iter().any(|row| row.entity == table.entity()));
        let (changes_are_folded, turn) = watch::channel(false);
        let mut changes_are_folded = Some(changes_are_folded);
        let folding = &self.folding(head, (head.folded, &files), &rows, turn);
        let folded: Vec<_> = concerned
            .map(|table| {
                let is_folded = changes_are_folded.take_if(|_| table == FoldedTable::Changes);
                async move {
                    let folded = folding.fold(table).await?;
                    if let Some(is_folded) = is_folded {
                        is_folded.send_replace(folded.is_some());
                    }
                    Ok::<_, StoreError>(folded.map(|folded| (table.name(), folded)))
                }
            })
            .collect();
        // While one table waits for the disk another is encoded. What befalls one keeps the others from nothing.
        let folded: Vec<_> = futures::stream::iter(folded).buffered(TABLES_AT_ONCE).collect().await;
        let tables: Option<Vec<_>> = folded.into_iter().collect::<Result<_, _>>()?;
        Ok(tables.map(|tables| FoldReport { seq: head.seq, tables, skipped: Vec::new() }))
    }

    /// Folds every table, and makes those anew that are missing or whose columns are of another time.
    async fn fold_all(&self) -> Result<FoldReport, StoreError> {
        let mut written: BTreeMap<&'static str, Folded> = BTreeMap::new();
        for _ in 0..TRIES {
            let head = self.head().await?;
            let files = self.files(&head).await?;
            let (mut lost, mut whole, mut seqs) = (Vec::new(), Vec::new(), BTreeMap::new());
            let mut skipped = Vec::new();
            for table in FoldedTable::all() {
                match table.find(&self.root, Some(&files)).await? {
                    Found::Nothing => lost.push(Lost {
                        table,
                        instead_of: None,
                        broken_at: None,
                        is_forced: false,
                    }),
                    Found::Broken(_, last) => {
                        lost.push(Lost {
                            table,
                            instead_of: None,
                            broken_at: Some(last),
                            is_forced: false,
                        });
                    }
                    Found::Outdated(_, Distrust::Features) => skipped.push(table.name()),
                    Found::Outdated(old, _) => lost.push(Lost {
                        table,
                        instead_of: Some(old),
                        broken_at: None,
                        is_forced: false,
                    }),
                    Found::Whole(old, _)
                        if head.unreadable.contains(&table.name())
                            && !written.contains_key(table.name()) =>
                    {
                        lost.push(Lost {
                            table,
                            instead_of: Some(old),
                            broken_at: None,
                            is_forced: true,
                        });
                    }
                    Found::Whole(_, seq) => {
                        let known = seqs.entry(table.entity()).or_insert(u64::MAX);
                        *known = seq.max(files.folded).min(*known);
                        whole.push(table);
                    }
                }
            }
            let mut report = FoldReport { seq: head.seq, tables: Vec::new(), skipped };
            let rows = files
                .rows_behind(&seqs, |row| row.seq <= head.seq && row.stream == Stream::Work)
                .await?;
            for table in whole {
                let Some(folded) = self
                    .folding(&head, (files.folded, &files), &rows, watch::channel(true).1)
                    .fold(table)
                    .await?
                else {
                    continue;
                };
                report.tables.push((table.name(), folded));
            }
            if !lost.is_empty() {
                report.tables.extend(self.anew(&head, &files).make(&lost).await?);
            }
            let is_done = report.tables.len() + report.skipped.len() == FoldedTable::all().count();
            for (name, folded) in &mut report.tables {
                // What an earlier try wrote is told too.
                *folded = match written.get(name) {
                    Some(earlier) if folded.written.is_none() => *earlier,
                    _ => *folded,
                };
                written.insert(*name, *folded);
            }
            if is_done {
                return Ok(report);
            }
        }
        Err(StoreError::storage("folding", "the tables", "other writers were faster each time"))
    }

    /// The journal as its log tells it now.
    async fn files(&self, head: &Head) -> Result<Files, StoreError> {
        let mut files = Files::new(Arc::clone(&self.root))
            .at(&self.name)
            .passing_over_ahead(self.passes_over_ahead);
        files.load().await?;
        files.note_mark(head.seq, &head.chain);
        Ok(files)
    }

    fn folding<'a>(
        &'a self,
        head: &Head,
        (known, files): (u64, &'a Files),
        rows: &'a [Row],
        turn: watch::Receiver<bool>,
    ) -> Folding<'a> {
        Folding {
            root: &self.root,
            format: &self.format,
            to: Position::of(head),
            rows,
            known,
            files,
            turn,
            clock: self.clock.as_ref(),
            random: self.random.as_ref(),
        }
    }

    fn anew<'a>(&'a self, head: &Head, files: &'a Files) -> Anew<'a> {
        Anew {
            root: &self.root,
            files,
            format: &self.format,
            to: Position::of(head),
            budget: self.budget,
            clock: self.clock.as_ref(),
            random: self.random.as_ref(),
        }
    }
}

/// What was folded and is not noted yet: how far, and the tables that were written.
#[derive(Debug, Default)]
pub(super) struct Unnoted {
    pub seq: u64,
    pub tables: BTreeMap<&'static str, TableState>,
}
