//! Checks the journal: its log, each of its rows, and the hash chain.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;

use super::checkup::{Anchor, Checkup, ERASE, RESTORE, message};
use super::values;
use crate::domain::hint::Hint;
use crate::store::delta_log::paths::{version_in, version_of};
use crate::store::delta_log::table_log::TableLog;
use crate::store::erasure::{Erasures, unnamed};
use crate::store::error::StoreError;
use crate::store::journal::entry::JournalFile;
use crate::store::journal::files::Files;
use crate::store::journal::merge::Merge;
use crate::store::mark::Mark;
use crate::store::row::{Hash, Row, hex, next_chain};
use crate::store::unreadable::UnreadableValues;

/// Checks that every entry of the log between the first and the last existing one exists.
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
        .map_err(|err| StoreError::storage("listing", place.clone(), err))?;
    let versions: BTreeSet<u64> =
        names.iter().filter_map(|name| version_of(name, ".json")).collect();
    let checkpoint = names
        .iter()
        .filter(|name| name.contains(".checkpoint"))
        .filter_map(|name| version_in(name))
        .max();
    let Some(first) = versions.first().copied() else { return Ok(()) };
    // Entries behind a checkpoint may have been cleaned up, in any order.
    let from = checkpoint.map_or(first, |checkpoint| first.max(checkpoint + 1));
    if first > 0 && checkpoint.is_none_or(|checkpoint| checkpoint + 1 < first) {
        checkup.find(
            format!("{place}/{:020}.json", first - 1),
            "the entry is missing, and no checkpoint covers it",
            RESTORE,
        );
    }
    let mut next = from;
    for version in versions.range(from..) {
        // A stray file may be any number of versions ahead.
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

/// The readable content of the journal.
pub struct Read {
    pub files: Vec<JournalFile>,
    /// Whether every row has its payload, except those that an erase names.
    pub is_whole: bool,
    /// Findings about unreadable values.
    pub values: Checkup,
    /// Mark of every set, in order.
    pub marks: Vec<Mark>,
}

/// Checks every row and every set, in order.
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
            Err((file, err)) => checkup.unread(format!("journal/{}", file.path), err, RESTORE)?,
        }
    }
    read.marks = chain.finish(checkup);
    values::find(unreadable, &mut read.values);
    for (file, found) in rows.read() {
        if *found != file.rows {
            let what = format!("it has {found} rows, but the log says {}", file.rows);
            checkup.find(format!("journal/{}", file.path), what, RESTORE);
        }
        read.files.push(file.clone());
    }
    Ok(read)
}

/// The sets so far, and the current set.
#[derive(Default)]
struct Chain {
    chain: Hash,
    /// Seq of the current set; 0 before the first.
    seq: u64,
    digests: Vec<Hash>,
    /// Chain that the last row states.
    stated: Option<Hash>,
    /// Whether a row of the set is missing, so that the positions of the others prove nothing.
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
            && let Some((what, advice)) = error_of(row, erasures)
        {
            checkup.find(place, what, advice);
        }
        self.digests.push(row.digest);
        self.stated = row.chain;
        self.rows += 1;
    }

    /// Checks the current set after its last row.
    fn close(&mut self, checkup: &mut Checkup) {
        if self.digests.is_empty() {
            return;
        }
        let place = format!("journal, seq {}", self.seq);
        self.chain = next_chain(self.chain, self.digests.drain(..));
        if self.stated != Some(self.chain) {
            checkup.find(
                place.clone(),
                "the hash chain breaks here: this set or an earlier one was changed, or this set belongs to another copy of the lake",
                RESTORE,
            );
            self.chain = self.stated.unwrap_or(self.chain);
        }
        self.marks.push(Mark::of(self.seq, &self.chain));
        if let Some(anchor) =
            self.anchor.filter(|anchor| anchor.seq == self.seq && anchor.chain != self.chain)
        {
            let what = format!(
                "the chain is {}, but the anchor says {}: the history up to here was rewritten",
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
                format!("the anchor refers to a set that does not exist; the last is {}", self.seq),
                RESTORE,
            );
        }
        (checkup.sets, checkup.rows, checkup.chain) = (self.seq, self.rows, self.chain);
        self.marks
    }
}

/// Returns what is wrong with a single row.
fn error_of(row: &Row, erasures: &Erasures) -> Option<(String, Hint)> {
    let place = (row.seq, row.ordinal);
    let is_bare = row.before.is_none() && row.after.is_none() && row.request_hash.is_none();
    match (row.is_erased(), erasures.names(place)) {
        (true, true) if is_bare => None,
        (true, true) => Some((
            "an erase names it, but it has a payload that is not its own".to_owned(),
            RESTORE,
        )),
        (true, false) => match unnamed(place) {
            StoreError::Damaged { what, .. } => Some((what, RESTORE)),
            other => Some((message(&other), RESTORE)),
        },
        (false, _) if row.compute_digest() != row.digest => {
            Some(("its digest does not match its content: it was changed".to_owned(), RESTORE))
        }
        (false, true) => {
            Some(("an erase names it, but its payload still exists".to_owned(), ERASE))
        }
        (false, false) => None,
    }
}
