//! A lake in memory, for tests and dry runs: the same ledger without storage. It is the strictest
//! store: before every snapshot it checks that replaying its rows gives its state, and that the chain
//! verifies.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::watch;

use super::error::StoreError;
use super::event_tables::EventTable;
use super::format::Format;
use super::head::{Head, Snapshot, SyncSnapshot};
use super::lake_state::ledger::{Ledger, Proposal};
use super::outcome::Outcome;
use super::row::{Row, Stream, next_chain};
use super::stream_seqs::StreamSeqs;
use super::{FoldReport, RecordLookup, Scope, Store};
use crate::domain::any_record::AnyRecord;
use crate::domain::id::{LakeId, ProjectId, TaskId};
use crate::domain::patch::PatchSet;
use crate::domain::record::Fields;
use crate::domain::sync_state::SyncState;
use crate::domain::task_counts::TaskCounts;
use crate::runtime::{Clock, Random, fresh_id, random_bytes};

/// A lake that lives as long as the value.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    inner: Mutex<Inner>,
    heads: watch::Sender<Head>,
}

struct Inner {
    ledger: Ledger,
    rows: Vec<Row>,
}

impl MemoryStore {
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Result<Self, StoreError> {
        let format = Format::default();
        let mut ledger = new_ledger(format.clone());
        let now = clock.now();
        let set = super::journal::genesis::set(
            fresh_id::<LakeId>(now, random.as_ref()),
            "memory",
            &format,
            now,
            random.as_ref(),
        );
        let rows = match ledger.try_apply(&set, None, now, || random_bytes(random.as_ref())) {
            Proposal::Accepted(accepted) => accepted.rows,
            other => {
                return Err(StoreError::damaged(
                    "memory",
                    format!("the first row was not accepted: {other:?}"),
                ));
            }
        };
        let inner = Inner { ledger, rows };
        let heads = watch::Sender::new(inner.head());
        Ok(Self { clock, random, inner: Mutex::new(inner), heads })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn commit_one(&self, inner: &mut Inner, set: &PatchSet) -> Outcome {
        let now = self.clock.now();
        // A repeat is answered however old its id is.
        let is_known = inner.ledger.seen(set.id).is_some();
        if !is_known && let Some(violation) = inner.ledger.check_id(set, now) {
            return Outcome::Refused(vec![violation]);
        }
        let at = inner.ledger.time(now);
        match inner.ledger.try_apply(set, None, at, || random_bytes(self.random.as_ref())) {
            Proposal::Accepted(accepted) => {
                let (seq, keys) = (inner.ledger.seq, accepted.keys);
                inner.rows.extend(accepted.rows);
                Outcome::Committed { seq, keys }
            }
            Proposal::Repeat { seq, id } => Outcome::AlreadyCommitted { seq, id },
            Proposal::Refused(violations) => Outcome::Refused(violations),
            Proposal::Conflicted(conflict) => Outcome::Conflicted(conflict),
        }
    }
}

impl Inner {
    fn head(&self) -> Head {
        Head {
            seq: self.ledger.seq,
            at: self.ledger.at,
            chain: self.ledger.chain,
            version: self.ledger.seq,
            folded: StreamSeqs { work: self.ledger.seq, sync: self.ledger.seq },
            unreadable: Vec::new(),
            lake: None,
        }
    }

    /// Replays everything and compares: the journal alone must determine the state.
    fn verify(&self) -> Result<(), StoreError> {
        let mut replayed = new_ledger(Format::default());
        let mut chain = [0; 32];
        for set in self.rows.chunk_by(|a, b| a.seq == b.seq) {
            chain = next_chain(chain, set.iter().map(Row::compute_digest));
            replayed.replay(set)?;
        }
        let same = replayed.state.records().eq(self.ledger.state.records());
        let is_current = chain == self.ledger.chain && replayed.seq == self.ledger.seq;
        if same && is_current && replayed.sync == self.ledger.sync {
            return Ok(());
        }
        let differs =
            replayed.state.records().zip(self.ledger.state.records()).find(|(a, b)| a != b);
        let name = differs.map_or_else(String::new, |(replayed, held)| {
            format!(": {:?}", AnyRecord::diff(&held, &replayed))
        });
        Err(StoreError::damaged("memory", format!("replaying the rows gives another state{name}")))
    }
}

/// Returns an empty ledger that keeps the records of both streams.
fn new_ledger(format: Format) -> Ledger {
    let mut ledger = Ledger::new(format, "memory");
    ledger.sync = Some(SyncState::default());
    ledger
}

impl fmt::Display for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory")
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn snapshot(&self, _scope: &Scope) -> Result<Snapshot, StoreError> {
        let inner = self.inner();
        inner.verify()?;
        Ok(Snapshot {
            seq: inner.ledger.seq,
            at: inner.ledger.at,
            state: inner.ledger.state.clone(),
        })
    }

    async fn sync_snapshot(&self) -> Result<SyncSnapshot, StoreError> {
        let inner = self.inner();
        inner.verify()?;
        let state = inner.ledger.sync.clone().unwrap_or_default();
        Ok(SyncSnapshot { seq: inner.ledger.seq, at: inner.ledger.at, state })
    }

    async fn commit(&self, sets: Vec<PatchSet>) -> Vec<Outcome> {
        let mut inner = self.inner();
        let outcomes = sets.iter().map(|set| self.commit_one(&mut inner, set)).collect();
        self.heads.send_if_modified(|head| {
            let has_moved = head.seq != inner.ledger.seq;
            *head = inner.head();
            has_moved
        });
        outcomes
    }

    async fn changes(
        &self,
        after: u64,
        stream: Stream,
        scope: &Scope,
    ) -> Result<BoxStream<'static, Result<Row, StoreError>>, StoreError> {
        let wanted = |row: &&Row| row.seq > after && row.stream == stream && scope.concerns(row);
        let rows: Vec<Row> = self.inner().rows.iter().filter(wanted).cloned().collect();
        Ok(stream::iter(rows.into_iter().map(Ok)).boxed())
    }

    async fn changes_back(
        &self,
        stream: Stream,
        scope: &Scope,
    ) -> Result<BoxStream<'static, Result<Row, StoreError>>, StoreError> {
        let wanted = |row: &&Row| row.stream == stream && scope.concerns(row);
        let rows: Vec<Row> = self.inner().rows.iter().rev().filter(wanted).cloned().collect();
        Ok(stream::iter(rows.into_iter().map(Ok)).boxed())
    }

    async fn find(&self, lookup: &[RecordLookup]) -> Result<Vec<Option<ProjectId>>, StoreError> {
        let inner = self.inner();
        Ok(lookup.iter().map(|lookup| lookup.project_in(&inner.ledger.state)).collect())
    }

    async fn linked_from(
        &self,
        tasks: &BTreeSet<TaskId>,
    ) -> Result<BTreeSet<ProjectId>, StoreError> {
        let inner = self.inner();
        Ok(tasks
            .iter()
            .flat_map(|task| inner.ledger.state.links_to(*task))
            .map(|link| link.project_id)
            .collect())
    }

    async fn tally(&self) -> Result<TaskCounts, StoreError> {
        Ok(TaskCounts::of(&self.inner().ledger.state))
    }

    /// Checks the rows as a table would, and keeps none of them: nothing in memory reads them.
    async fn append(
        &self,
        table: &'static EventTable,
        rows: Vec<Fields>,
    ) -> Result<(), StoreError> {
        table.check(&rows)
    }

    /// Does nothing: there are no tables.
    async fn fold(&self) -> Result<FoldReport, StoreError> {
        Ok(FoldReport { seq: self.inner().ledger.seq, tables: Vec::new(), ..FoldReport::default() })
    }

    fn subscribe(&self) -> watch::Receiver<Head> {
        self.heads.subscribe()
    }

    async fn head(&self) -> Result<Head, StoreError> {
        Ok(self.inner().head())
    }
}
