//! Opening the journal at its head, with what belongs to every scope at hand and no project yet.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use object_store::ObjectStore;

use super::Journal;
use super::files::Files;
use super::hand::Hand;
use super::verify::verify;
use crate::domain::any::AnyRecord;
use crate::domain::record::Entity;
use crate::runtime::{Clock, Random};
use crate::store::Scope;
use crate::store::copy::no_lake;
use crate::store::error::StoreError;
use crate::store::ledger::Ledger;
use crate::store::scope::in_every_scope;
use crate::store::tables::read::{self, Contents, Stand};
use crate::store::tables::{CurrentTable, FoldedTable, TABLES};

/// How a journal is opened.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// So many records at most are kept at hand beside those in use.
    pub most: usize,
    /// Tables that are ahead of the journal are passed over, to be rebuilt, and do not mean that it has lost its end.
    pub passes_over_ahead: bool,
}

impl Journal {
    /// Opens the journal at its head.
    pub async fn open(
        store: Arc<dyn ObjectStore>,
        ledger: Ledger,
        Opening { most, passes_over_ahead }: Opening,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, StoreError> {
        let looked = clock.now();
        let mut files =
            Files::new(Arc::clone(&store)).at(ledger.root()).passing_over_ahead(passes_over_ahead);
        let tables = TABLES.iter().filter(|table| in_every_scope(table.entity));
        let scope = Scope::outline();
        let (version, found) =
            futures::join!(files.load(), sound(&store, tables.clone(), &scope, None));
        let Some(mut version) = version? else { return Err(no_lake(&store, ledger.root()).await) };
        let mut found = found?;
        let mut is_judged = false;
        let last = loop {
            if found.end() > files.end() {
                // They may have been folded past the head that was just read.
                version = match files.load().await? {
                    Some(version) => version,
                    None => return Err(no_lake(&store, ledger.root()).await),
                };
            }
            if is_judged && found.end() > files.end() {
                return Err(lost_its_end(files.end(), found.end()));
            }
            files.refuse_gap()?;
            let last = files.read_last().await?;
            if files.confirm(&found.stands).await? {
                break last;
            }
            // One is an older copy or of another journal, which could not be known before this one was read.
            found = sound(&store, tables.clone(), &scope, Some(&files)).await?;
            is_judged = true;
        };
        let Sound { stands, records, unreadable } = found;
        let is_missing = stands.values().any(|stand| stand.seq == 0);
        // Where a table is missing, nothing counts as folded: the next fold makes it anew.
        let folded = if is_missing { 0 } else { files.folded };
        let (open, hand) = (HashMap::new(), Hand::new(most));
        let mut journal = Self {
            files,
            ledger,
            version,
            looked,
            folded,
            written: BTreeMap::new(),
            unreadable,
            tables: BTreeMap::new(),
            hand,
            root: store,
            open,
            has_told_clock: false,
            clock,
            random,
        };
        journal.files.others.warn(journal.files.log.folder());
        if journal.files.others.unsure.is_some() {
            verify(&journal.files).await?;
        }
        let rows = journal.files.rows_behind(&journal.known(&stands), |_| true).await?;
        journal.ledger.outline(records.into_iter(), &rows, last.as_ref())?;
        journal.note_tables(stands);
        journal.ledger.may_read()?;
        Ok(journal)
    }

    /// How far the records of each table's entity are folded; what is missing is not.
    pub(super) fn known(&self, stands: &Stands) -> BTreeMap<Entity, u64> {
        let of = |table: &CurrentTable| {
            let seq = stands.get(table.name)?.seq;
            Some((table.entity, if seq == 0 { 0 } else { seq.max(self.folded) }))
        };
        TABLES.iter().filter_map(of).collect()
    }

    /// Whether every table was looked at.
    pub(super) fn is_surveyed(&self) -> bool {
        FoldedTable::all().all(|table| self.tables.contains_key(table.name()))
    }

    /// Notes how far tables say they are folded.
    pub(super) fn note_tables(&mut self, stands: Stands) {
        for (table, stand) in &stands {
            let written = self.written.entry((*table).to_owned()).or_default();
            if stand.seq >= written.seq {
                *written = *stand;
            }
        }
        self.tables.extend(stands.into_iter().map(|(table, stand)| (table, stand.seq)));
        // Also one that was missed earlier, until a fold has made it.
        let is_missing = self.tables.values().any(|seq| *seq == 0);
        let of = |name: &str| self.tables.get(name).copied().unwrap_or(0).max(self.folded);
        let together = FoldedTable::all()
            .map(|table| self.files.reach(table.entity(), of(table.name())))
            .min();
        self.folded = if is_missing { 0 } else { together.unwrap_or(0).max(self.folded) };
    }
}

/// How far tables say they are folded, by name; 0 where one is missing.
pub(super) type Seqs = BTreeMap<&'static str, u64>;

/// How far tables say they are folded, and from which journal, by name.
pub(super) type Stands = BTreeMap<&'static str, Stand>;

/// What was read of the current tables.
pub(super) struct Sound {
    pub stands: Stands,
    pub records: Vec<AnyRecord>,
    /// Those whose files could not be read.
    pub unreadable: BTreeSet<&'static str>,
}

impl Sound {
    /// The seq of the table that is folded the furthest.
    pub fn end(&self) -> u64 {
        self.stands.values().map(|stand| stand.seq).max().unwrap_or(0)
    }
}

pub(super) fn lost_its_end(end: u64, ahead: u64) -> StoreError {
    StoreError::damaged(
        "journal",
        format!("it ends at seq {end}, and a table is folded to {ahead}: it has lost its end"),
    )
}

/// How far tables say they are folded, 0 where one is missing, and the records they hold of a scope, judged by what the journal
/// knows of them where it was read. One that is damaged can be made anew from the journal, so it counts as missing.
pub(super) async fn sound(
    root: &Arc<dyn ObjectStore>,
    tables: impl Iterator<Item = &CurrentTable>,
    scope: &Scope,
    files: Option<&Files>,
) -> Result<Sound, StoreError> {
    let read = tables.map(|table| async move {
        match read::one(root, table, scope, files).await {
            Ok(Some(Contents { stand, records, .. })) => Ok((table.name, stand, records, false)),
            Ok(None) => Ok((table.name, Stand::default(), Vec::new(), false)),
            Err(fault @ StoreError::Damaged { .. }) => {
                // A plain fold finds what is missing or has another size, and other bytes where it reads them.
                tracing::warn!(%fault, "the table is read from the journal, and lakeplan fold --rebuild {} rebuilds it", table.name);
                Ok((table.name, Stand::default(), Vec::new(), true))
            }
            Err(fault) => Err(fault),
        }
    });
    let found: Vec<_> = futures::future::try_join_all(read).await?;
    let stands = found.iter().map(|(name, stand, ..)| (*name, *stand)).collect();
    let unreadable =
        found.iter().filter(|(.., is_unreadable)| *is_unreadable).map(|(name, ..)| *name).collect();
    Ok(Sound {
        stands,
        records: found.into_iter().flat_map(|(_, _, records, _)| records).collect(),
        unreadable,
    })
}
