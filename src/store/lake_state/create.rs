//! Creates the journal of a new lake.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use object_store::ObjectStore;

use super::cache::{MAX_CACHED_RECORDS, ProjectCache};
use super::ledger::{Ledger, Proposal};
use super::state::LakeState;
use crate::runtime::{Clock, Random, fresh_id, random_bytes, uuid_v7};
use crate::store::delta_log::action::Action;
use crate::store::error::StoreError;
use crate::store::format::Format;
use crate::store::journal::commit::{self, CommitResult, DEADLINE};
use crate::store::journal::files::Files;
use crate::store::journal::{entry, genesis, schema};
use crate::store::mark::Mark;
use crate::store::row::Row;
use crate::store::stream_seqs::StreamSeqs;

impl LakeState {
    /// Creates a lake in a place without one: entry 0 creates the table and holds its first row.
    pub async fn create(
        store: Arc<dyn ObjectStore>,
        mut ledger: Ledger,
        format: &Format,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, StoreError> {
        let now = clock.now();
        let id = fresh_id(now, random.as_ref());
        let set = genesis::set(id, ledger.root(), format, now, random.as_ref());
        let Proposal::Accepted(first) =
            ledger.try_apply(&set, None, now, || random_bytes(random.as_ref()))
        else {
            return Err(StoreError::damaged("journal", "the first row was refused"));
        };
        let files = Files::new(Arc::clone(&store)).at(ledger.root());
        let attempt = uuid_v7(now, random.as_ref());
        let rows: Vec<&Row> = first.rows.iter().collect();
        let added = files.put_rows(0, attempt, &rows).await?;
        let mut actions = vec![Action::from(entry::commit_info("CREATE TABLE", attempt, now))];
        actions.extend(schema::actions(attempt, now));
        let chain = Mark::of(ledger.seq, &ledger.chain);
        actions.extend([entry::txn(entry::TXN, 1), entry::chain_txn(chain), added.into()]);
        let root = ledger.root().to_owned();
        match commit::put_entry(&files, 0, &actions, attempt, DEADLINE, random.as_ref()).await {
            CommitResult::Committed => {}
            CommitResult::LostTo(_) | CommitResult::LogMovedOn => {
                return Err(StoreError::AlreadyALake { root });
            }
            CommitResult::NotCommitted { cause, .. } | CommitResult::Unknown(cause) => {
                return Err(cause);
            }
        }
        let mut journal = Self {
            files,
            ledger,
            version: 0,
            log_checked_at: now,
            folded: StreamSeqs::default(),
            written: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            tables: BTreeMap::new(),
            projects: ProjectCache::new(MAX_CACHED_RECORDS),
            root: store,
            open: HashMap::new(),
            has_warned_clock: false,
            clock,
            random,
        };
        journal.files.note(&journal.files.read_entry(0).await?.unwrap_or_default());
        Ok(journal)
    }
}
