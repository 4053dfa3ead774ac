//! The journal itself: its log, its rows one by one, and the chain that holds them together.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;

use super::values;
use super::{Anchor, Checkup, ERASE, RESTORE, told};
use crate::store::erasure::{Erasures, unnamed};
use crate::store::error::StoreError;
use crate::store::journal::entry::JournalFile;
use crate::store::journal::files::Files;
use crate::store::journal::merge::Merge;
use crate::store::log_replay::{version_in, version_of};
use crate::store::mark::Mark;
use crate::store::row::{Hash, Row, hex, next_chain};
use crate::store::table_log::TableLog;
use crate::store::unreadable::UnreadableValues;

/// Every entry of the log between the first and the last that are there.
pub async fn check_log(
    checkup: &mut Checkup,
    log: &TableLog,
    root: &Arc<dyn ObjectStore>,
) -> Result<(), StoreError> {
    let place = format!("{}/_delta_log", log.folder());
    let listed = root.list(Some(&Path::from(place.as_str())));
    let names: Vec<String> = listed
        .map_ok(|meta| meta.location.filename().unwrap_or_default().to_owned())
        .try_collect()
        .await
        .map_err(|fault| StoreError::storage("listing", place.clone(), fault))?;
    let versions: BTreeSet<u64> =
        names.iter().filter_map(|name| version_of(name, ".json")).collect();
    let checkpoint = names
        .iter()
        .filter(|name| name.contains(".checkpoint"))
        .filter_map(|name| version_in(name))
        .max();
    let Some(first) = versions.first().copied() else { return Ok(()) };
    // What lies behind a checkpoint may have been cleaned up, in whatever order.
    let from = checkpoint.map_or(first, |checkpoint| first.max(checkpoint + 1));
    if first > 0 && checkpoint.is_none_or(|checkpoint| checkpoint + 1 < first) {
        checkup.find(
            format!("{place}/{:020}.json", first - 1),
            "the entry is missing, and no checkpoint stands for it",
            RESTORE,
        );
    }
    let mut next = from;
    for version in versions.range(from..) {
        // A stray file may lie any number of versions ahead.
        let what = match version.saturating_sub(next) {
            0 => None,
            1 => Some("the entry is missing".to_owned()),
            count => Some(format!(
                "this entry and those after it up to version {} are missing, {count} in all",
                version - 1
            )),
        };
        what.into_iter()
            .for_each(|what| checkup.find(format!("{place}/{next:020}.json"), what, RESTORE));
        next = version + 1;
    }
    Ok(())
}

/// What could be read of the journal.
pub struct Read {
    pub files: Vec<JournalFile>,
    /// No row lacks its payload but those that an erase names.
    pub is_whole: bool,
    /// The values that cannot be read.
    pub values: Checkup,
    /// The mark of every set, in order.
    pub marks: Vec<Mark>,
}

/// Every row and every set, in order.
pub async fn check_rows(
    checkup: &mut Checkup,
    files: &Files,
    erasures: &Erasures,
    anchor: Option<Anchor>,
) -> Result<Read, StoreError> {
    let mut chain = Chain { anchor, ..Chain::default() };
    let mut read =
        Read { files: Vec::new(), is_whole: true, values: Checkup::default(), marks: Vec::new() };
    let mut unreadable = UnreadableValues::default();
    let mut rows = Merge::new(files, files.live().cloned(), None);
    while let Some(row) = rows.next().await {
        match row {
            Ok(row) => {
                read.is_whole &= !row.is_erased() || erasures.names((row.seq, row.ordinal));
                chain.take(checkup, &row, erasures);
                unreadable.note(&row);
            }
            Err((file, fault)) => {
                checkup.unread(format!("journal/{}", file.path), fault, RESTORE)?
            }
        }
    }
    read.marks = chain.finish(checkup);
    values::find(unreadable, &mut read.values);
    for (file, found) in rows.read() {
        if *found != file.rows {
            let what = format!("it holds {found} rows, the log says {}", file.rows);
            checkup.find(format!("journal/{}", file.path), what, RESTORE);
        }
        read.files.push(file.clone());
    }
    Ok(read)
}

/// The sets so far, and the one whose rows are coming.
#[derive(Default)]
struct Chain {
    chain: Hash,
    /// The seq of the set whose rows are coming; 0 before the first.
    seq: u64,
    digests: Vec<Hash>,
    /// What the last row says the chain is.
    said: Option<Hash>,
    /// A row of the set is missing, so the places of the others tell nothing.
    has_gap: bool,
    anchor: Option<Anchor>,
    rows: usize,
    marks: Vec<Mark>,
}

impl Chain {
    fn take(&mut self, checkup: &mut Checkup, row: &Row, erasures: &Erasures) {
        if row.seq != self.seq {
            let expected = self.seq + 1;
            self.close(checkup);
            if row.seq != expected {
                let what = format!("it is missing; the next set is seq {}", row.seq);
                checkup.find(format!("journal, seq {expected}"), what, RESTORE);
            }
            (self.seq, self.has_gap) = (row.seq, false);
        }
        let place = format!("journal, row {}.{}", row.seq, self.digests.len());
        if !self.has_gap && row.ordinal as usize != self.digests.len() {
            self.has_gap = true;
            checkup.find(place, "it is missing", RESTORE);
        } else if !self.has_gap
            && let Some((what, way_out)) = fault_of(row, erasures)
        {
            checkup.find(place, what, way_out);
        }
        self.digests.push(row.digest);
        self.said = row.chain;
        self.rows += 1;
    }

    /// All rows of the set are here.
    fn close(&mut self, checkup: &mut Checkup) {
        if self.digests.is_empty() {
            return;
        }
        let place = format!("journal, seq {}", self.seq);
        self.chain = next_chain(self.chain, self.digests.drain(..));
        if self.said != Some(self.chain) {
            checkup.find(
                place.clone(),
                "the hash chain breaks here: a set before it was changed, or it was, or it is of another copy of the lake",
                RESTORE,
            );
            self.chain = self.said.unwrap_or(self.chain);
        }
        self.marks.push(Mark::of(self.seq, &self.chain));
        if let Some(anchor) =
            self.anchor.filter(|anchor| anchor.seq == self.seq && anchor.chain != self.chain)
        {
            let what = format!(
                "the chain is {}, the anchor says {}: the history up to here was rewritten",
                hex(&self.chain),
                hex(&anchor.chain)
            );
            checkup.find(place, what, RESTORE);
        }
    }

    fn finish(mut self, checkup: &mut Checkup) -> Vec<Mark> {
        self.close(checkup);
        if let Some(anchor) = self.anchor.filter(|anchor| anchor.seq > self.seq) {
            checkup.find(
                format!("journal, seq {}", anchor.seq),
                format!("the anchor is of a set that is not there; the last is {}", self.seq),
                RESTORE,
            );
        }
        (checkup.sets, checkup.rows, checkup.chain) = (self.seq, self.rows, self.chain);
        self.marks
    }
}

/// What is wrong with a row by itself.
fn fault_of(row: &Row, erasures: &Erasures) -> Option<(String, &'static str)> {
    let place = (row.seq, row.ordinal);
    let is_bare = row.before.is_none() && row.after.is_none() && row.request_hash.is_none();
    match (row.is_erased(), erasures.names(place)) {
        (true, true) if is_bare => None,
        (true, true) => Some((
            "an erase names it, and it has a payload that is not its own".to_owned(),
            RESTORE,
        )),
        (true, false) => match unnamed(place) {
            StoreError::Damaged { what, .. } => Some((what, RESTORE)),
            other => Some((told(&other), RESTORE)),
        },
        (false, _) if row.compute_digest() != row.digest => {
            Some(("its digest does not fit what it says: it was changed".to_owned(), RESTORE))
        }
        (false, true) => {
            Some(("an erase names it, and its payload is still there".to_owned(), ERASE))
        }
        (false, false) => None,
    }
}
