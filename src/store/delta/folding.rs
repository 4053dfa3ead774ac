//! Folding what is in the journal into the tables, at once or in the background, and noting how far it is.

use std::mem;
use std::sync::Arc;
use std::sync::PoisonError;
use std::time::Duration;

use futures::TryStreamExt;
use tokio::task::JoinHandle;

use super::DeltaStore;
use crate::domain::record::Entity;
use crate::runtime::uuid_v7;
use crate::store::appended::TABLE_STATE;
use crate::store::error::StoreError;
use crate::store::row::{Row, Stream};
use crate::store::table_state::{self, TableState};
use crate::store::tables::fold::Folding;
use crate::store::tables::{TABLES, field_changes};
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
            self.fold_tail().await?;
            (last.version, last.folded) = (head.version, tokio::time::Instant::now());
        }
        if last.noted.elapsed() >= NOTE_AGE {
            self.note_fold().await;
            last.noted = tokio::time::Instant::now();
        }
        Ok(())
    }

    /// Folds what is after the seq to which all tables are known to be folded.
    pub(super) async fn fold_tail(&self) -> Result<FoldReport, StoreError> {
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
        let mut unnoted = self.unnoted.lock().unwrap_or_else(PoisonError::into_inner);
        unnoted.seq = unnoted.seq.max(report.seq);
        for (name, state) in table_state::written(&report) {
            let rows = unnoted.tables.get(name).map_or(0, |earlier: &TableState| earlier.rows) + state.rows;
            unnoted.tables.insert(name, TableState { rows, ..state });
        }
        drop(unnoted);
        Ok(report)
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
}

/// What was folded and is not noted yet: how far, and the tables that were written.
#[derive(Debug, Default)]
pub(super) struct Unnoted {
    pub seq: u64,
    pub tables: std::collections::BTreeMap<&'static str, TableState>,
}
