//! Opens the state of a lake at the head of its journal, with the data of every scope loaded and no
//! project yet.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use object_store::ObjectStore;

use super::cache::ProjectCache;
use super::current_tables::{CurrentTables, lost_its_end, read_current_tables};
use super::ledger::Ledger;
use super::state::LakeState;
use crate::domain::record::Entity;
use crate::runtime::{Clock, Random};
use crate::store::Scope;
use crate::store::backup::no_lake;
use crate::store::error::StoreError;
use crate::store::journal::files::Files;
use crate::store::journal::verify::verify;
use crate::store::mark::FoldPositions;
use crate::store::scope::in_every_scope;
use crate::store::stream_seqs::StreamSeqs;
use crate::store::tables::{CurrentTable, FoldedTable, TABLES};

/// Options for opening a journal.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// Maximum number of cached records besides those in use.
    pub most: usize,
    /// Whether tables ahead of the journal are ignored and rebuilt, instead of proving that the
    /// journal has lost its end.
    pub ignores_tables_ahead: bool,
}

impl LakeState {
    /// Opens the journal at its head.
    pub async fn open(
        store: Arc<dyn ObjectStore>,
        ledger: Ledger,
        Opening { most, ignores_tables_ahead }: Opening,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, StoreError> {
        let log_checked_at = clock.now();
        let mut files = Files::new(Arc::clone(&store))
            .at(ledger.root())
            .passing_over_ahead(ignores_tables_ahead);
        let tables = TABLES.iter().filter(|table| in_every_scope(table.entity));
        let scope = Scope::outline();
        let (version, found) =
            futures::join!(files.load(), read_current_tables(&store, tables.clone(), &scope, None));
        let Some(mut version) = version? else { return Err(no_lake(&store, ledger.root()).await) };
        let mut found = found?;
        let mut is_judged = false;
        let last = loop {
            if found.end() > files.end() {
                // The tables may have been folded past the head that was just read.
                version = match files.load().await? {
                    Some(version) => version,
                    None => return Err(no_lake(&store, ledger.root()).await),
                };
            }
            if is_judged && found.end() > files.end() {
                return Err(lost_its_end(files.end(), found.end()));
            }
            files.check_no_gap()?;
            let last = files.read_last().await?;
            if files.confirm(&found.stands).await? {
                break last;
            }
            // A table is an older copy or of another journal, which only reading this journal
            // reveals.
            found = read_current_tables(&store, tables.clone(), &scope, Some(&files)).await?;
            is_judged = true;
        };
        let CurrentTables { stands, records, unreadable } = found;
        let is_missing = stands.values().any(|stand| stand.seq == 0);
        // If a table is missing, nothing counts as folded: the next fold rebuilds the table.
        let folded =
            StreamSeqs { work: if is_missing { 0 } else { files.folded.work }, ..files.folded };
        let (open, projects) = (HashMap::new(), ProjectCache::new(most));
        let mut journal = Self {
            files,
            ledger,
            version,
            log_checked_at,
            folded,
            written: BTreeMap::new(),
            unreadable,
            tables: BTreeMap::new(),
            projects,
            root: store,
            open,
            has_warned_clock: false,
            clock,
            random,
        };
        journal.files.others.warn(journal.files.log.folder());
        if journal.files.others.unverified_checkpoint.is_some() {
            verify(&journal.files).await?;
        }
        let rows = journal.files.rows_behind(&journal.folded_seqs(&stands), |_| true).await?;
        journal.ledger.outline(records.into_iter(), &rows, last.as_ref())?;
        journal.note_tables(stands);
        journal.ledger.may_read()?;
        Ok(journal)
    }

    /// Returns the seq up to which the records of each table's entity are folded; 0 for a missing
    /// table.
    pub(super) fn folded_seqs(&self, stands: &FoldPositions) -> BTreeMap<Entity, u64> {
        let of = |table: &CurrentTable| {
            let seq = stands.get(table.name)?.seq;
            let known = self.folded.of(table.entity.stream());
            Some((table.entity, if seq == 0 { 0 } else { seq.max(known) }))
        };
        TABLES.iter().filter_map(of).collect()
    }

    /// Returns whether every table was looked at.
    pub(super) fn is_surveyed(&self) -> bool {
        FoldedTable::all().all(|table| self.tables.contains_key(table.name()))
    }

    /// Records the positions to which tables state they are folded.
    pub(super) fn note_tables(&mut self, stands: FoldPositions) {
        for (table, stand) in &stands {
            let written = self.written.entry((*table).to_owned()).or_default();
            if stand.seq >= written.seq {
                *written = *stand;
            }
        }
        self.tables.extend(stands.into_iter().map(|(table, stand)| (table, stand.seq)));
        for stream in FoldedTable::streams() {
            let (known, seq_of) = (self.folded.of(stream), |name| self.tables.get(name).copied());
            // This includes a table found missing earlier, until a fold has created it.
            let is_missing = FoldedTable::of(stream).any(|table| seq_of(table.name()) == Some(0));
            let through = |table: FoldedTable| {
                let seq = seq_of(table.name()).unwrap_or(0).max(known);
                self.files.folded_through(table.entity(), seq)
            };
            let together = FoldedTable::of(stream).map(through).min().unwrap_or(0);
            self.folded.set(stream, if is_missing { 0 } else { together.max(known) });
        }
    }
}
