//! The check-up: reads the whole lake without changing it and says everything that is not as it should be.
//!
//! The journal is read in order: every entry of its log is there, every row's digest and every set's chain verify, no
//! seq is missing. Then it is replayed part by part, and each folded table is compared with what the journal says it
//! should hold. Last, every live file is there with the size its log says. A thorough one also reads what nothing else
//! would notice: the appended tables, and the checkpoints of the logs. The inbox, which is no part of the lake and may lie
//! elsewhere, is looked at by itself.
//!
//! Of an erased row the digest cannot be computed; it counts as sound where an erase names it, whose own digest verifies.

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

use super::copy::no_lake;
use super::error::StoreError;
use super::format::Format;
use super::journal::files::Files;
use super::parts::{BUDGET, Parts, Survey};
use super::row::Hash;

pub use inbox::examine_inbox;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub place: String,
    pub what: String,
    pub way_out: &'static str,
}

/// What a check-up saw.
#[derive(Clone, Debug, Default)]
pub struct Checkup {
    pub sets: u64,
    pub rows: usize,
    /// The chain after the last set.
    pub chain: Hash,
    /// Each folded table with its rows and the seq it is folded to.
    pub tables: Vec<(&'static str, usize, u64)>,
    pub findings: Vec<Finding>,
}

const RESTORE: &str =
    "bring the lake back from a backup, or the object's earlier version from the storage";
const LOST_END: &str = "bring the lake back from a backup, or the object's earlier version from the storage; but where the journal is whole and the table came from a copy of the lake, lakeplan fold --rebuild makes the table anew from the journal";
const ERASE: &str =
    "lakeplan erase finishes it: name the record by its id, which lakeplan history --json shows";
const REFOLD: &str = "lakeplan fold --rebuild rebuilds it from the journal";
const SALVAGE: &str = "lakeplan maintain writes its log anew from the files that are there";
const LET_GO: &str = "lakeplan maintain goes on without it, and its rows are lost; to keep them, first put the file back as it was";
const RECOUNT: &str = "lakeplan maintain notes how many it holds";
const TAKE_BACK: &str =
    "lakeplan fold takes it back, so that other readers see the journal as it is";
const UPKEEP: &str =
    "lakeplan maintain takes it back, so that other readers see the table as it is";
const TAKE_REST_BACK: &str = "lakeplan maintain takes the rest back; these rows are lost";
const FOLD: &str = "lakeplan fold rebuilds it from the journal";
const PASSED_OVER: &str = "it keeps nobody from the lake; lakeplan history shows what it says, to be made again where it is wanted";
const MEND: &str = "mend the journal first; until then keep the table as it is";

impl Checkup {
    fn find(&mut self, place: impl Into<String>, what: impl Into<String>, way_out: &'static str) {
        self.findings.push(Finding { place: place.into(), what: what.into(), way_out });
    }

    /// Notes what could not be read. A fault that tells nothing of what is stored is no finding and ends the check-up: a
    /// right that is missing, a catalog or storage that is away.
    fn unread(
        &mut self,
        place: impl Into<String>,
        fault: StoreError,
        way_out: &'static str,
    ) -> Result<(), StoreError> {
        if fault.is_of_the_way() {
            return Err(fault);
        }
        self.find(place, told(&fault), way_out);
        Ok(())
    }

    /// Whether something was found about a table or in it.
    fn has_found_in(&self, table: &str) -> bool {
        self.findings.iter().any(|finding| {
            finding
                .place
                .strip_prefix(table)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ',']))
        })
    }
}

/// A position and the chain that stood there, as an earlier check-up printed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    pub seq: u64,
    pub chain: Hash,
}

/// How much of a lake is examined.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    pub anchor: Option<Anchor>,
    /// Whether that is also looked at which nothing else would notice.
    pub is_full: bool,
    /// How many bytes of the journal's rows are replayed at a time, but always a bucket.
    pub budget: u64,
}

impl Extent {
    /// What is looked at usually.
    pub fn usual(anchor: Option<Anchor>) -> Self {
        Self { anchor, is_full: false, budget: BUDGET }
    }
}

/// Examines the lake at `root` as usual.
pub async fn examine(
    root: &Arc<dyn ObjectStore>,
    name: &str,
    format: &Format,
    anchor: Option<Anchor>,
) -> Result<Checkup, StoreError> {
    examine_to(root, name, format, Extent::usual(anchor)).await
}

/// Examines the lake at `root` to an extent.
pub async fn examine_to(
    root: &Arc<dyn ObjectStore>,
    name: &str,
    format: &Format,
    extent: Extent,
) -> Result<Checkup, StoreError> {
    let mut checkup = Checkup::default();
    let mut journal = Files::new(Arc::clone(root)).at(name);
    journal::check_log(&mut checkup, &journal.log, root).await?;
    // The tables are looked up before the end of the journal, so that none is ahead of it where others commit and fold
    // meanwhile; and how far the journal says that they are folded before both.
    let mut of_tables = Checkup::default();
    let mut standing = Vec::new();
    for has_looked_up in [false, true] {
        match journal.load().await {
            Ok(Some(_)) if has_looked_up => {}
            Ok(Some(_)) => standing = tables::find(&mut of_tables, root, &journal).await?,
            Ok(None) => return Err(no_lake(root, name).await),
            Err(fault) => {
                unloadable::tell(&mut checkup, root, name, &journal.log, fault).await?;
                names::check(&mut checkup, root, name).await?;
                return Ok(checkup);
            }
        }
    }
    let all: Vec<_> = journal.live().cloned().collect();
    let survey = Survey::of(&journal, &all).await;
    if let Some(fault) = &survey.unsaid {
        checkup.unread("journal", fault.again(), RESTORE)?;
    }
    let read = journal::check_rows(&mut checkup, &journal, &survey.erasures, extent.anchor).await?;
    let journal_is_sound = checkup.findings.is_empty();
    checkup.findings.extend(read.values.findings);
    foreign::check_journal(&mut checkup, &journal.log, &journal.others).await?;
    checkup.findings.append(&mut of_tables.findings);
    // A row that lost its payload to no erase is told of already; nothing after it can be replayed.
    // Nor does a journal that has lost something tell what the tables should hold.
    let parts = (read.is_whole && journal_is_sound)
        .then(|| Parts::new(&journal, read.files, format, survey));
    if !journal_is_sound {
        standing.iter_mut().for_each(tables::Standing::only_read);
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
            checkup.findings.iter_mut().filter(|finding| [REFOLD, FOLD].contains(&finding.way_out))
        {
            finding.way_out = MEND;
        }
    }
    Ok(checkup)
}

/// An error with what caused it.
fn told(fault: &StoreError) -> String {
    match std::error::Error::source(fault) {
        Some(cause) => format!("{fault}: {cause}"),
        None => fault.to_string(),
    }
}
