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
mod checkup;
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

pub use checkup::{Anchor, Checkup, Finding};
use checkup::{FOLD, MEND, REFOLD, RESTORE};
pub use inbox::examine_inbox;

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
        checkup.unread("journal", err.clone(), RESTORE)?;
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
