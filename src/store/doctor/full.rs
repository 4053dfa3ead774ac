//! Checks what nothing else would notice: appended tables with unreadable files, and checkpoints
//! that differ from the entries they replace.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStore;

use super::checkup::{Checkup, FOLD, LET_GO, RECOUNT, RESTORE, SALVAGE, message};
use crate::domain::hint::Hint;
use crate::store::decode;
use crate::store::delta_log::entry::LogEntry;
use crate::store::delta_log::paths::{self, entry_path};
use crate::store::delta_log::replay::LogReplay;
use crate::store::delta_log::table::Table;
use crate::store::delta_log::table_log::{TableLog, Trust};
use crate::store::error::StoreError;
use crate::store::event_tables::{APPENDED, EventTable};
use crate::store::journal::entry;
use crate::store::journal::files::Files;
use crate::store::journal::verify::verify;
use crate::store::lake_tables::LakeTables;
use crate::store::mark::Mark;
use crate::store::names::JOURNAL;
use crate::store::row::Hash;

const REMOVE: Hint = Hint::advice(
    "remove this file and _last_checkpoint next to it; the entries of the log contain the same data",
);
const REMOVE_ENTRIES: Hint = Hint::advice(
    "keep this file and move the entries of the log up to its version out of the folder: they lack data that it has",
);
const MOVE_STRAY: Hint = Hint::advice(
    "move this file out of the folder and keep it: a later checkpoint covers this version, and only the other copy has what this entry committed",
);
const KEEP_BOTH: Hint = Hint::advice(
    "do not remove either: each has rows that the other lacks; restore the log from a backup, or the object's earlier version from the storage",
);
const REMOVE_ENTRY: Hint =
    Hint::advice("remove this file; a later checkpoint has everything in it");

/// Reads the appended tables and the logs of all tables that only Lakeplan writes. `marks` are
/// those of the journal's sets, in order, if the journal is sound.
pub async fn check(
    checkup: &mut Checkup,
    root: &Arc<dyn ObjectStore>,
    marks: Option<&Vec<Mark>>,
) -> Result<(), StoreError> {
    for table in APPENDED {
        check_rows(checkup, root, table).await?;
    }
    for name in LakeTables::own() {
        check_checkpoints(checkup, root, &TableLog::new(Arc::clone(root), name), marks).await?;
    }
    Ok(())
}

/// Checks that every file is readable and holds the number of rows that the log states. Unreadable
/// logs have been reported already.
async fn check_rows(
    checkup: &mut Checkup,
    root: &Arc<dyn ObjectStore>,
    table: &EventTable,
) -> Result<(), StoreError> {
    let log = TableLog::new(Arc::clone(root), table.name);
    let found = match log.load().await {
        Ok(Some(found)) => found,
        Err(err) if err.is_access_error() => return Err(err),
        Ok(None) | Err(_) => return Ok(()),
    };
    for file in found.files.values() {
        let place = format!("{}/{}", table.name, file.path);
        // Missing files and files of another size have been reported already.
        if checkup.findings.iter().any(|finding| finding.place == place) {
            continue;
        }
        match table.measure(&log, file).await {
            Ok(found) => {
                if let Some(recorded) = found.other_rows(file) {
                    let what = format!("it has {} rows, but the log says {recorded}", found.rows);
                    checkup.find(place, what, RECOUNT);
                }
            }
            Err(err) => checkup.unread(place, err, LET_GO)?,
        }
    }
    Ok(())
}

/// Checks that every checkpoint matches the entries it replaces. If these were cleaned up, the next
/// checkpoint is compared with this one and the entries since.
async fn check_checkpoints(
    checkup: &mut Checkup,
    root: &Arc<dyn ObjectStore>,
    log: &TableLog,
    marks: Option<&Vec<Mark>>,
) -> Result<(), StoreError> {
    let names = log.list(None).await?;
    let versions = |ending: &str| {
        names.iter().filter_map(|name| paths::version_of(name, ending)).collect::<BTreeSet<u64>>()
    };
    let (entries, checkpoints) = (versions(".json"), versions(".checkpoint.parquet"));
    // The replayed state of the log, while it can be followed, and the next version.
    let mut followed = entries.contains(&0).then(|| (LogReplay::of(log, Trust::All), 0));
    let sound = newest_sound(log, &checkpoints).await?;
    let is_past = |version: u64| sound.is_some_and(|sound| version < sound);
    // Nobody needs what precedes the newest checkpoint of these tables: it may be the reason why
    // the table was rebuilt or its log rewritten.
    let may_be_why = log.folder() != JOURNAL;
    let advice = match log.folder() {
        JOURNAL => RESTORE,
        name if APPENDED.iter().any(|table| table.name == name) => SALVAGE,
        _ => FOLD,
    };
    for checkpoint in checkpoints.iter().copied() {
        let place = format!("{}/{}", log.folder(), paths::checkpoint_path(checkpoint));
        let Some(bytes) = log.get(&paths::checkpoint_path(checkpoint)).await? else {
            continue;
        };
        let read = read_whole(log, checkpoint, &place, bytes).map(|(read, _)| read);
        followed = match followed {
            Some((stated, next)) => {
                let (stated, broken) = follow(log, stated, next..=checkpoint).await?;
                if let Some((version, err)) = broken {
                    // A checkpoint also replaces the entry of its own version.
                    let is_past = is_past(version) || sound == Some(version);
                    if !(is_past && may_be_why) {
                        let advice = if is_past { REMOVE_ENTRY } else { advice.clone() };
                        checkup.find(
                            format!("{}/{}", log.folder(), entry_path(version)),
                            message(&err),
                            advice,
                        );
                    }
                }
                stated.map(|stated| (stated, checkpoint + 1))
            }
            None => None,
        };
        match (read, followed.as_ref()) {
            (Ok(read), None) => followed = Some((read, checkpoint + 1)),
            (Ok(read), Some((stated, _))) => {
                if let Some(what) = difference(&read.table, &stated.table) {
                    let strays = strays(log, entries.range(..=checkpoint), marks).await?;
                    for version in &strays {
                        let what = "it belongs to another copy of the lake: its sets are not those of the journal";
                        checkup.find(
                            format!("{}/{}", log.folder(), entry_path(*version)),
                            what,
                            MOVE_STRAY,
                        );
                    }
                    let advice = match strays.is_empty() {
                        true => one_to_keep(root, log, &read.table, &stated.table).await,
                        false => MOVE_STRAY,
                    };
                    if strays.is_empty() {
                        checkup.find(place, what, advice.clone());
                    }
                    // The comparison continues from the side that is kept.
                    if advice != REMOVE {
                        followed = Some((read, checkpoint + 1));
                    }
                }
            }
            (Err(_), _) if is_past(checkpoint) && may_be_why => followed = None,
            (Err(err), Some(_)) => checkup.find(place, message(&err), REMOVE),
            (Err(err), None) if is_past(checkpoint) => {
                checkup.find(place, message(&err), REMOVE_ENTRY)
            }
            (Err(err), None) => checkup.find(place, message(&err), advice.clone()),
        }
    }
    Ok(())
}

/// Returns the entries whose sets are not the journal's. Entries of earlier versions of Lakeplan do
/// not state this.
async fn strays<'v>(
    log: &TableLog,
    versions: impl Iterator<Item = &'v u64>,
    marks: Option<&Vec<Mark>>,
) -> Result<Vec<u64>, StoreError> {
    let mut strays = Vec::new();
    let Some(marks) = marks.filter(|_| log.folder() == JOURNAL) else { return Ok(strays) };
    for version in versions.copied() {
        let Some(bytes) = log.get_entry(version).await? else { continue };
        let Ok(LogEntry { is_own: true, txns, .. }) = LogEntry::read(&bytes) else { continue };
        let Some(seq) = txns.get(entry::TXN).and_then(|seq| u64::try_from(*seq).ok()) else {
            continue;
        };
        let own = usize::try_from(seq).ok().and_then(|seq| marks.get(seq.checked_sub(1)?));
        if txns
            .get(entry::CHAIN)
            .and_then(|mark| Mark::stated(*mark, seq))
            .is_some_and(|stated| own != Some(&stated))
        {
            strays.push(version);
        }
    }
    Ok(strays)
}

/// Returns the advice for a checkpoint that differs from its entries; it never loses a row.
async fn one_to_keep(
    root: &Arc<dyn ObjectStore>,
    log: &TableLog,
    checkpoint: &Table,
    entries: &Table,
) -> Hint {
    if log.folder() == JOURNAL {
        return match (holds(root, checkpoint).await, holds(root, entries).await) {
            (Some(one), Some(other)) if one == other => REMOVE,
            (Some(_), None) => REMOVE_ENTRIES,
            (None, Some(_)) => REMOVE,
            _ => KEEP_BOTH,
        };
    }
    // A folded table is rebuilt from the journal if the kept side is wrong.
    let is_appended = APPENDED.iter().any(|table| table.name == log.folder());
    let has_all =
        |of: &Table, other: &Table| other.files.keys().all(|path| of.files.contains_key(path));
    match (has_all(entries, checkpoint), has_all(checkpoint, entries)) {
        (true, _) => REMOVE,
        _ if !is_appended => REMOVE,
        (false, true) => REMOVE_ENTRIES,
        (false, false) => KEEP_BOTH,
    }
}

/// Returns the chain of the last set of a journal with these files, if its chain verifies.
async fn holds(root: &Arc<dyn ObjectStore>, table: &Table) -> Option<Hash> {
    let mut files = Files::new(Arc::clone(root));
    files.take(table.clone()).await.ok()?;
    verify(&files).await.ok()?;
    files.read_last().await.ok()??.chain
}

/// Returns the newest readable checkpoint; nothing before it is needed.
async fn newest_sound(
    log: &TableLog,
    checkpoints: &BTreeSet<u64>,
) -> Result<Option<u64>, StoreError> {
    for checkpoint in checkpoints.iter().rev().copied() {
        let path = paths::checkpoint_path(checkpoint);
        let Some(bytes) = log.get(&path).await? else { continue };
        // If only Lakeplan's commits are trusted, a checkpoint of another writer replaces nothing.
        if read_whole(log, checkpoint, &path, bytes)
            .is_ok_and(|(_, is_own)| is_own || log.belief() == Trust::All)
        {
            return Ok(Some(checkpoint));
        }
    }
    Ok(None)
}

/// Reads the table of a checkpoint, and whether Lakeplan wrote it. Every column is read:
/// maintenance and other engines need columns that a command does not.
fn read_whole(
    log: &TableLog,
    version: u64,
    place: &str,
    bytes: Bytes,
) -> Result<(LogReplay, bool), StoreError> {
    for batch in decode::batches(place, decode::open(place, bytes.clone())?)? {
        batch?;
    }
    let mut read = LogReplay::of(log, Trust::All);
    let is_own = read.checkpoint(version, bytes)?;
    Ok((read, is_own))
}

/// Replays the log through these versions. Returns the resulting state if every entry exists and is
/// readable, or else the bad entry.
async fn follow(
    log: &TableLog,
    mut stated: LogReplay,
    versions: RangeInclusive<u64>,
) -> Result<(Option<LogReplay>, Option<(u64, StoreError)>), StoreError> {
    for version in versions {
        let Some(bytes) = log.get_entry(version).await? else { return Ok((None, None)) };
        if let Err(err) = stated.entry(version, &bytes) {
            return Ok((None, Some((version, err))));
        }
    }
    Ok((Some(stated), None))
}

/// Describes how a checkpoint differs from the entries.
fn difference(checkpoint: &Table, entries: &Table) -> Option<String> {
    let [more, fewer] = [(checkpoint, entries), (entries, checkpoint)].map(|(of, other)| {
        of.files
            .iter()
            .find(|(path, file)| other.files.get(*path) != Some(file))
            .map(|(path, _)| path)
    });
    if let Some(path) = more.or(fewer) {
        return Some(format!("it disagrees about {path} with the entries up to it"));
    }
    (checkpoint.txns != entries.txns || checkpoint.described != entries.described)
        .then(|| "it disagrees with the entries up to it about how far the table is or which columns it has".to_owned())
}
