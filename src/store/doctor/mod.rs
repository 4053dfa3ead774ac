//! The check-up: reads the whole lake without changing it and reports everything that is wrong.
//!
//! The journal is read in order: every log entry exists, every row's digest and every set's chain
//! verify, and no seq is missing. Then the journal is replayed part by part, and each folded table
//! is compared with the result. Last, every live file exists with the size its log states. A full
//! check-up also reads what nothing else would notice: the appended tables, and the checkpoints of
//! the logs. The inbox, which is no part of the lake and may be elsewhere, is checked separately.
//!
//! The digest of an erased row cannot be computed; the row counts as sound if an erase names it
//! whose own digest verifies.

mod changes;
mod files;
mod foreign;
mod full;
mod inbox;
mod journal;
mod names;
mod records;
mod tables;
mod unloadable;
mod values;

use std::sync::Arc;

use object_store::ObjectStore;

use super::backup::no_lake;
use super::error::StoreError;
use super::format::Format;
use super::journal::files::Files;
use super::replay::{BucketReplay, JournalScan, REPLAY_BUDGET_BYTES};
use super::row::Hash;

pub use inbox::examine_inbox;

/// A problem in the lake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub place: String,
    pub what: String,
    pub advice: &'static str,
}

/// Result of a check-up.
#[derive(Clone, Debug, Default)]
pub struct Checkup {
    pub sets: u64,
    pub rows: usize,
    /// Chain after the last set.
    pub chain: Hash,
    /// Each folded table with its number of rows and the seq it is folded to.
    pub tables: Vec<(&'static str, usize, u64)>,
    pub findings: Vec<Finding>,
}

const RESTORE: &str =
    "restore the lake from a backup, or the object's earlier version from the storage";
const LOST_END: &str = "restore the lake from a backup, or the object's earlier version from the storage; but if the journal is whole and the table came from a copy of the lake, run lakeplan fold --rebuild to rebuild the table from the journal";
const ERASE: &str = "run lakeplan erase to finish it: name the record by its id, which lakeplan history --json shows";
const REFOLD: &str = "run lakeplan fold --rebuild to rebuild it from the journal";
const SALVAGE: &str = "run lakeplan maintain to rewrite its log from the files that exist";
const LET_GO: &str = "run lakeplan maintain to remove it from the table if it cannot be read, which loses its rows; to keep them, first restore the file";
const RECOUNT: &str = "run lakeplan maintain to record how many it has";
const TAKE_BACK: &str =
    "run lakeplan fold to revert it, so that other readers see the journal as it is";
const UPKEEP: &str =
    "run lakeplan maintain to revert it, so that other readers see the table as it is";
const TAKE_REST_BACK: &str = "run lakeplan maintain to revert the rest; these rows are lost";
const FOLD: &str = "run lakeplan fold to rebuild it from the journal";
const PASSED_OVER: &str = "the lake remains usable; lakeplan history shows the change, so you can make it again if you need it";
const MEND: &str = "repair the journal first; until then keep the table as it is";

impl Checkup {
    fn find(&mut self, place: impl Into<String>, what: impl Into<String>, advice: &'static str) {
        self.findings.push(Finding { place: place.into(), what: what.into(), advice });
    }

    /// Records a read error as a finding. An error that says nothing about the stored data ends the
    /// check-up instead: a missing right, or an unreachable catalog or storage.
    fn unread(
        &mut self,
        place: impl Into<String>,
        err: StoreError,
        advice: &'static str,
    ) -> Result<(), StoreError> {
        if err.is_access_error() {
            return Err(err);
        }
        self.find(place, message(&err), advice);
        Ok(())
    }

    /// Returns whether there is a finding about a table or in it.
    fn has_found_in(&self, table: &str) -> bool {
        self.findings.iter().any(|finding| {
            finding
                .place
                .strip_prefix(table)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ',']))
        })
    }
}

/// A position and its chain, as printed by an earlier check-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    pub seq: u64,
    pub chain: Hash,
}

/// How much of a lake to check.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    pub anchor: Option<Anchor>,
    /// Whether to also check what nothing else would notice.
    pub is_full: bool,
    /// Bytes of journal rows replayed at a time; at least one bucket is replayed.
    pub budget: u64,
}

impl Extent {
    /// Returns the usual extent.
    pub fn usual(anchor: Option<Anchor>) -> Self {
        Self { anchor, is_full: false, budget: REPLAY_BUDGET_BYTES }
    }
}

/// Checks the lake at `root` to the usual extent.
pub async fn examine(
    root: &Arc<dyn ObjectStore>,
    name: &str,
    format: &Format,
    anchor: Option<Anchor>,
) -> Result<Checkup, StoreError> {
    examine_to(root, name, format, Extent::usual(anchor)).await
}

/// Checks the lake at `root` to an extent.
pub async fn examine_to(
    root: &Arc<dyn ObjectStore>,
    name: &str,
    format: &Format,
    extent: Extent,
) -> Result<Checkup, StoreError> {
    let mut checkup = Checkup::default();
    let mut journal = Files::new(Arc::clone(root)).at(name);
    journal::check_log(&mut checkup, &journal.log, root).await?;
    // Look up the tables before the end of the journal, so that no table is ahead of it if others
    // commit and fold meanwhile; look up the journal's stated folded seq before both.
    let mut of_tables = Checkup::default();
    let mut standing = Vec::new();
    for has_looked_up in [false, true] {
        match journal.load().await {
            Ok(Some(_)) if has_looked_up => {}
            Ok(Some(_)) => standing = tables::find(&mut of_tables, root, &journal).await?,
            Ok(None) => return Err(no_lake(root, name).await),
            Err(err) => {
                unloadable::explain(&mut checkup, root, name, &journal.log, err).await?;
                names::check(&mut checkup, root, name).await?;
                return Ok(checkup);
            }
        }
    }
    let all: Vec<_> = journal.live().cloned().collect();
    let scan = JournalScan::of(&journal, &all).await;
    if let Some(err) = &scan.invalid_erase {
        checkup.unread("journal", err.again(), RESTORE)?;
    }
    let read = journal::check_rows(&mut checkup, &journal, &scan.erasures, extent.anchor).await?;
    let journal_is_sound = checkup.findings.is_empty();
    checkup.findings.extend(read.values.findings);
    foreign::check_journal(&mut checkup, &journal.log, &journal.others).await?;
    checkup.findings.append(&mut of_tables.findings);
    // A row that lost its payload without an erase has been reported already; nothing after it can
    // be replayed. A journal that lost something does not define what the tables should hold
    // either.
    let parts = (read.is_whole && journal_is_sound)
        .then(|| BucketReplay::new(&journal, read.files, format, scan));
    if !journal_is_sound {
        standing.iter_mut().for_each(tables::TableCheck::only_read);
    }
    tables::check(&mut checkup, standing, parts.as_ref(), extent.budget).await?;
    foreign::check_appended(&mut checkup, root).await?;
    files::check(&mut checkup, root).await?;
    names::check(&mut checkup, root, name).await?;
    if extent.is_full {
        full::check(&mut checkup, root, journal_is_sound.then_some(&read.marks)).await?;
    }
    if !journal_is_sound {
        // The tables may be all that is left of what the journal lost.
        for finding in
            checkup.findings.iter_mut().filter(|finding| [REFOLD, FOLD].contains(&finding.advice))
        {
            finding.advice = MEND;
        }
    }
    Ok(checkup)
}

/// Formats an error with its cause.
fn message(err: &StoreError) -> String {
    match std::error::Error::source(err) {
        Some(cause) => format!("{err}: {cause}"),
        None => err.to_string(),
    }
}
