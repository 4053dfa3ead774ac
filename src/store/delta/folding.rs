//! Folds the journal into the tables, immediately or in the background, and records the progress.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use tokio::sync::watch;

use super::DeltaStore;
use super::unrecorded::Unrecorded;
use crate::runtime::uuid_v7;
use crate::store::error::StoreError;
use crate::store::event_tables::TABLE_STATE;
use crate::store::head::Head;
use crate::store::journal::chain::Links;
use crate::store::journal::files::Files;
use crate::store::lake_state::writer::Message;
use crate::store::row::{Row, Stream};
use crate::store::stream_seqs::StreamSeqs;
use crate::store::table_state::{self, RowCount};
use crate::store::tables::FoldedTable;
use crate::store::tables::definition::Position;
use crate::store::tables::fold::MAX_ATTEMPTS;
use crate::store::tables::folding::{Folded, Folding};
use crate::store::tables::read::{Distrust, TableState};
use crate::store::tables::rebuild::{Rebuild, RebuildTarget};
use crate::store::throttle::throttled;
use crate::store::{FoldReport, Scope, Store};

/// Interval at which a long-lived process checks whether to fold.
const LOOK: Duration = Duration::from_millis(100);
/// Number of commits that trigger a fold.
const TAIL_COMMITS: u64 = 64;
/// Number of waiting rows that triggers a fold.
const TAIL_ROWS: usize = 2_000;
/// Age of waiting changes that triggers a fold.
const TAIL_AGE: Duration = Duration::from_secs(2);
/// Minimum interval between `table_state` records: a record takes two writes, and lag is shown in
/// minutes.
const NOTE_AGE: Duration = Duration::from_secs(30);

/// Number of tables folded concurrently.
const TABLE_CONCURRENCY: usize = 2;

/// Time and version of a long-lived process's last fold, and the time of its last `table_state`
/// record.
struct Last {
    version: u64,
    folded: tokio::time::Instant,
    noted: tokio::time::Instant,
}

impl DeltaStore {
    /// Folds in the background until the store is shut down or dropped, so that readers have little
    /// of the journal to read. For long-lived processes; a short one folds when it shuts down.
    pub fn keep_folded(self: &Arc<Self>) {
        let (store, stop) = (Arc::downgrade(self), self.stop_folding.clone());
        self.folds.spawn(async move {
            let now = tokio::time::Instant::now();
            let mut last = Last { version: 0, folded: now, noted: now };
            while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
                let Some(store) = store.upgrade() else { break };
                let done = store.fold_if_due(&mut last).await;
                if let Err(err) = done {
                    tracing::warn!(%err, "the tables lag behind the journal; the next fold updates them");
                }
            }
        });
    }

    /// Folds if the tail is long or old.
    async fn fold_if_due(&self, last: &mut Last) -> Result<(), StoreError> {
        let (head, rows) = self.ask(|answer| Message::CountWaiting { answer }).await?;
        let is_long = head.version >= last.version + TAIL_COMMITS || rows >= TAIL_ROWS;
        if rows > 0 && (is_long || last.folded.elapsed() >= TAIL_AGE) {
            throttled(self.fold_tail()).await?;
            (last.version, last.folded) = (head.version, tokio::time::Instant::now());
        }
        if last.noted.elapsed() >= NOTE_AGE {
            self.record_fold().await;
            last.noted = tokio::time::Instant::now();
        }
        Ok(())
    }

    /// Rebuilds one or all current tables from the journal, whatever they contain.
    pub async fn rebuild(&self, table: Option<FoldedTable>) -> Result<FoldReport, StoreError> {
        for _ in 0..MAX_ATTEMPTS {
            let head = self.head().await?;
            let files = self.files(&head).await?;
            let mut lost = Vec::new();
            for table in FoldedTable::all().filter(|one| table.is_none_or(|table| table == *one)) {
                let (replaces, broken_at) = match table.find(&self.root, Some(&files)).await? {
                    TableState::Missing => (None, None),
                    TableState::Broken(_, last) => (None, Some(last)),
                    TableState::Untrusted(old, _) | TableState::Ready(old, _) => (Some(old), None),
                };
                lost.push(RebuildTarget { table, replaces, broken_at, is_forced: true });
            }
            let tables = self.rebuilding(&head, &files).run(&lost).await?;
            if tables.len() == lost.len() {
                let written = tables.iter().map(|(name, folded)| (*name, folded.seq)).collect();
                // The other tables did not change.
                self.note_folded(head.folded, written).await?;
                return Ok(FoldReport { seq: head.seq, tables, skipped: Vec::new() });
            }
        }
        Err(StoreError::storage(
            "rebuilding",
            "the tables",
            "other writers committed first on every attempt",
        ))
    }

    /// Records the seqs up to which the tables of each stream are folded, and the seqs at which
    /// tables were written.
    async fn note_folded(
        &self,
        seqs: StreamSeqs,
        written: Vec<(&'static str, u64)>,
    ) -> Result<(), StoreError> {
        for stream in FoldedTable::streams() {
            let is_own = |name: &str| FoldedTable::of(stream).any(|table| table.name() == name);
            let written = written.iter().filter(|(name, _)| is_own(name)).copied().collect();
            self.writer
                .send(Message::Folded { stream, seq: seqs.of(stream), written })
                .await
                .map_err(|_| StoreError::WriterGone)?;
        }
        Ok(())
    }

    /// Folds each stream. A stream that cannot be folded does not hold up the other.
    pub(super) async fn fold_tail(&self) -> Result<FoldReport, StoreError> {
        let mut reports = Vec::new();
        for stream in FoldedTable::streams() {
            reports.push(self.fold_stream(stream).await);
        }
        let reports: Vec<FoldReport> = reports.into_iter().collect::<Result<_, _>>()?;
        let seq = reports.iter().map(|report| report.seq).min().unwrap_or(0);
        let mut whole = FoldReport { seq, ..FoldReport::default() };
        for report in reports {
            whole.tables.extend(report.tables);
            whole.skipped.extend(report.skipped);
        }
        Ok(whole)
    }

    /// Folds the rows of a stream after the seq to which all its tables are known to be folded.
    pub(super) async fn fold_stream(&self, stream: Stream) -> Result<FoldReport, StoreError> {
        let mut rebuilt = BTreeSet::new();
        let report = loop {
            match self.fold_once(stream).await {
                // The journal contains the data of a broken file.
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
        // Skipped tables do not show that seq.
        let seq = if report.skipped.is_empty() { report.seq } else { 0 };
        for table in &report.skipped {
            tracing::warn!(
                "the table {table} was not folded: another writer enabled features that Lakeplan does not write; run lakeplan fold --rebuild {table} to rebuild it without them"
            );
        }
        self.writer
            .send(Message::Folded { stream, seq, written })
            .await
            .map_err(|_| StoreError::WriterGone)?;
        if seq == 0 {
            return Ok(report);
        }
        let mut unrecorded = self.unrecorded.lock().unwrap_or_else(PoisonError::into_inner);
        unrecorded.seq = unrecorded.seq.max(report.seq);
        for (name, state) in table_state::written(&report) {
            let rows = unrecorded.tables.get(name).map_or(0, |earlier: &RowCount| earlier.rows)
                + state.rows;
            unrecorded.tables.insert(name, RowCount { rows, ..state });
        }
        drop(unrecorded);
        Ok(report)
    }

    async fn fold_once(&self, stream: Stream) -> Result<FoldReport, StoreError> {
        let head = self.head().await?;
        let is_unreadable =
            FoldedTable::of(stream).any(|table| head.unreadable.contains(&table.name()));
        // If no folded seq is known, or a table is missing or unreadable, check every table.
        let is_known = head.folded.of(stream) > 0 && !is_unreadable;
        let tail = if is_known { self.fold_after(&head, stream).await? } else { None };
        match tail {
            Some(report) => Ok(report),
            None => self.fold_all(stream).await,
        }
    }

    /// Takes the folds that are not recorded yet.
    pub(super) fn take_unnoted(&self) -> Unrecorded {
        mem::take(&mut *self.unrecorded.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Records the folds since the last record in `table_state`. The tables are valid without it.
    pub(super) async fn record_fold(&self) {
        let unrecorded = self.take_unnoted();
        if let Err(err) = self.note(unrecorded).await {
            tracing::warn!(%err, "the fold was not recorded in table_state, so the view lag counts its changes as waiting");
        }
    }

    pub(super) async fn note(&self, unrecorded: Unrecorded) -> Result<(), StoreError> {
        if unrecorded.tables.is_empty() {
            return Ok(());
        }
        let head = self.head().await?.seq;
        let now = self.clock.now();
        let run = uuid_v7(now, self.random.as_ref());
        let rows = table_state::rows(run, now, (unrecorded.seq, head), unrecorded.tables);
        TABLE_STATE.append(&self.root, &rows, self.clock.as_ref(), self.random.as_ref()).await
    }

    /// Folds the rows of a stream after its known folded seq into the tables they concern; `None`
    /// if a table must be rebuilt.
    async fn fold_after(
        &self,
        head: &Head,
        stream: Stream,
    ) -> Result<Option<FoldReport>, StoreError> {
        let known = head.folded.of(stream);
        let files = self.ask(|answer| Message::Files { stream, answer }).await?;
        let mut rows: Vec<Row> =
            self.changes(known, stream, &Scope::All).await?.try_collect().await?;
        rows.retain(|row| row.seq <= head.seq);
        // Skips the sets that also have rows in the other stream, which a fold does not read.
        Links::of(&rows).check_unbroken()?;
        // Tables without changes since all tables were known to be folded need no check.
        let concerned = FoldedTable::of(stream)
            .filter(|table| rows.iter().any(|row| row.entity == table.entity()));
        let (changes_are_folded, turn) = watch::channel(false);
        let mut changes_are_folded = Some(changes_are_folded);
        let folding = &self.folding(head, (known, &files), &rows, turn);
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
        // While one table waits for the disk, another is encoded. A failing table does not stop the
        // others.
        let folded: Vec<_> =
            futures::stream::iter(folded).buffered(TABLE_CONCURRENCY).collect().await;
        let tables: Option<Vec<_>> = folded.into_iter().collect::<Result<_, _>>()?;
        Ok(tables.map(|tables| FoldReport { seq: head.seq, tables, skipped: Vec::new() }))
    }

    /// Folds every table of a stream, and rebuilds tables that are missing or have an outdated
    /// schema.
    async fn fold_all(&self, stream: Stream) -> Result<FoldReport, StoreError> {
        let mut written: BTreeMap<&'static str, Folded> = BTreeMap::new();
        for _ in 0..MAX_ATTEMPTS {
            let head = self.head().await?;
            let files = self.files(&head).await?;
            let known = files.folded.of(stream);
            let (mut lost, mut whole, mut seqs) = (Vec::new(), Vec::new(), BTreeMap::new());
            let mut skipped = Vec::new();
            for table in FoldedTable::of(stream) {
                match table.find(&self.root, Some(&files)).await? {
                    TableState::Missing => lost.push(RebuildTarget {
                        table,
                        replaces: None,
                        broken_at: None,
                        is_forced: false,
                    }),
                    TableState::Broken(_, last) => {
                        lost.push(RebuildTarget {
                            table,
                            replaces: None,
                            broken_at: Some(last),
                            is_forced: false,
                        });
                    }
                    TableState::Untrusted(_, Distrust::Features) => skipped.push(table.name()),
                    TableState::Untrusted(old, _) => lost.push(RebuildTarget {
                        table,
                        replaces: Some(old),
                        broken_at: None,
                        is_forced: false,
                    }),
                    TableState::Ready(old, _)
                        if head.unreadable.contains(&table.name())
                            && !written.contains_key(table.name()) =>
                    {
                        lost.push(RebuildTarget {
                            table,
                            replaces: Some(old),
                            broken_at: None,
                            is_forced: true,
                        });
                    }
                    TableState::Ready(_, seq) => {
                        let from = seqs.entry(table.entity()).or_insert(u64::MAX);
                        *from = seq.max(known).min(*from);
                        whole.push(table);
                    }
                }
            }
            let mut report = FoldReport { seq: head.seq, tables: Vec::new(), skipped };
            let rows = files.rows_behind(&seqs, |row| row.seq <= head.seq).await?;
            for table in whole {
                let Some(folded) = self
                    .folding(&head, (known, &files), &rows, watch::channel(true).1)
                    .fold(table)
                    .await?
                else {
                    continue;
                };
                report.tables.push((table.name(), folded));
            }
            if !lost.is_empty() {
                report.tables.extend(self.rebuilding(&head, &files).run(&lost).await?);
            }
            let is_done =
                report.tables.len() + report.skipped.len() == FoldedTable::of(stream).count();
            for (name, folded) in &mut report.tables {
                // Tables that an earlier attempt wrote are reported too.
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
        Err(StoreError::storage(
            "folding",
            "the tables",
            "other writers committed first on every attempt",
        ))
    }

    /// Loads the current state of the journal from its log.
    async fn files(&self, head: &Head) -> Result<Files, StoreError> {
        let mut files = Files::new(Arc::clone(&self.root))
            .at(&self.name)
            .passing_over_ahead(self.ignores_tables_ahead);
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

    fn rebuilding<'a>(&'a self, head: &Head, files: &'a Files) -> Rebuild<'a> {
        Rebuild {
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
