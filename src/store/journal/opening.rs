//! Opening the journal at its head, with what belongs to every scope at hand and no project yet.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use object_store::ObjectStore;

use super::Journal;
use super::files::Files;
use super::hand::{Hand, folded_to};
use crate::domain::record::Entity;
use crate::runtime::{Clock, Random};
use crate::store::Scope;
use crate::store::error::StoreError;
use crate::store::ledger::Ledger;
use crate::store::scope::in_every_scope;
use crate::store::tables::read::{self, Contents};
use crate::store::tables::{CurrentTable, TABLES};

impl Journal {
    /// Opens the journal at its head, to keep at most so many records at hand beside those in use.
    pub async fn open(
        store: Arc<dyn ObjectStore>,
        ledger: Ledger,
        most: usize,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, StoreError> {
        let looked = clock.now();
        let not_a_lake = || StoreError::NotALake { root: ledger.root().to_owned() };
        let mut files = Files::new(Arc::clone(&store));
        let mut version = files.load().await?.ok_or_else(not_a_lake)?;
        let tables = TABLES.iter().filter(|table| in_every_scope(table.entity));
        let (seqs, records) = sound(&store, tables, &Scope::outline()).await?;
        let ahead = seqs.values().copied().max().unwrap_or(0);
        if ahead > files.end() {
            // They may have been folded past the head that was just read.
            version = files.load().await?.ok_or_else(not_a_lake)?;
        }
        if ahead > files.end() {
            return Err(lost_its_end(files.end(), ahead));
        }
        let is_missing = seqs.values().any(|seq| *seq == 0);
        // Where a table is missing, nothing counts as folded: the next fold makes it anew.
        let folded = if is_missing { 0 } else { files.folded };
        let (open, hand) = (HashMap::new(), Hand::new(most));
        let mut journal =
            Self { files, ledger, version, looked, folded, tables: BTreeMap::new(), hand, root: store, open, clock, random };
        let from = seqs.values().map(|seq| (*seq).max(folded)).min().unwrap_or(0);
        journal.ledger.restore(records.into_iter(), from);
        let rows = journal.rows_after(&journal.files, from).await?;
        journal.refuse_gap(&rows)?;
        journal.ledger.replay_outline(&rows, &seqs)?;
        if rows.is_empty()
            && let Some(last) = journal.files.read_last().await?
        {
            journal.ledger.stand_at(&last);
        }
        journal.note_tables(seqs, &rows);
        journal.ledger.may_read()?;
        Ok(journal)
    }

    /// Notes how far tables say they are folded; `rows` are the journal's after the least of what is known.
    pub(super) fn note_tables(&mut self, seqs: BTreeMap<Entity, u64>, rows: &[crate::store::row::Row]) {
        let is_missing = seqs.values().any(|seq| *seq == 0);
        self.tables.extend(seqs);
        let of = |table: &CurrentTable| (table.entity, self.tables.get(&table.entity).copied().unwrap_or(0).max(self.folded));
        let known: Vec<(Entity, u64)> = TABLES.iter().map(of).collect();
        self.folded = if is_missing { 0 } else { folded_to(&known, rows).max(self.folded) };
    }
}

pub(super) fn lost_its_end(end: u64, ahead: u64) -> StoreError {
    StoreError::damaged("journal", format!("it ends at seq {end}, and a table is folded to {ahead}: it has lost its end"))
}

/// How far tables say they are folded, 0 where one is missing, and the records they hold of a scope. One that is damaged
/// can be made anew from the journal, so it counts as missing.
pub(super) async fn sound(
    root: &Arc<dyn ObjectStore>,
    tables: impl Iterator<Item = &CurrentTable>,
    scope: &Scope,
) -> Result<(BTreeMap<Entity, u64>, Vec<crate::domain::any::AnyRecord>), StoreError> {
    let (mut seqs, mut all) = (BTreeMap::new(), Vec::new());
    for table in tables {
        let (seq, records) = match read::one(root, table, scope).await {
            Ok(Some(Contents { seq, records, .. })) => (seq, records),
            Ok(None) => (0, Vec::new()),
            Err(fault @ StoreError::Damaged { .. }) => {
                tracing::warn!(%fault, "what the table held is read from the journal; lakeplan doctor tells more");
                (0, Vec::new())
            }
            Err(fault) => return Err(fault),
        };
        seqs.insert(table.entity, seq);
        all.extend(records);
    }
    Ok((seqs, all))
}
