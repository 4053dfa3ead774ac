//! What nothing else would notice: appended tables whose files cannot be read, and checkpoints that say something else
//! than the entries they stand for.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStore;

use super::{Checkup, FOLD, LET_GO, RECOUNT, RESTORE, SALVAGE, told};
use crate::store::appended::{APPENDED, Appended};
use crate::store::catalog::JOURNAL;
use crate::store::decode;
use crate::store::error::StoreError;
use crate::store::journal::entry;
use crate::store::journal::files::Files;
use crate::store::journal::verify::verify;
use crate::store::log_entry::LogEntry;
use crate::store::log_replay::{self, Replaying};
use crate::store::mark::Mark;
use crate::store::row::Hash;
use crate::store::table_log::{Belief, Table, TableLog, entry_path};
use crate::store::tables::LakeTables;

const REMOVE: &str = "remove this file and _last_checkpoint beside it; the entries of the log say the same without them";
const REMOVE_ENTRIES: &str = "keep this file and move the entries of the log up to its version out of the folder: they lack what it holds";
const MOVE_STRAY: &str = "move this file out of the folder and keep it: a checkpoint after it says all that belongs in its place, and what this entry committed is in the other copy only";
const KEEP_BOTH: &str = "remove neither: each says rows that the other does not; bring the log back from a backup, or the object's earlier version from the storage";
const REMOVE_ENTRY: &str = "remove this file; a checkpoint after it says all that it said";

/// Reads the appended tables and the logs of all tables that only Lakeplan writes. `marks` are those of the journal's sets, in
/// order, where it is sound.
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

/// Every file can be read and holds the rows that the log says. A log that cannot be read was told of already.
async fn check_rows(
    checkup: &mut Checkup,
    root: &Arc<dyn ObjectStore>,
    table: &Appended,
) -> Result<(), StoreError> {
    let log = TableLog::new(Arc::clone(root), table.name);
    let found = match log.load().await {
        Ok(Some(found)) => found,
        Err(fault) if fault.is_of_the_way() => return Err(fault),
        Ok(None) | Err(_) => return Ok(()),
    };
    for file in found.files.values() {
        let place = format!("{}/{}", table.name, file.path);
        // One that is missing or of another size was told of already.
        if checkup.findings.iter().any(|finding| finding.place == place) {
            continue;
        }
        match table.count(&log, file).await {
            Ok((read, Some(recorded))) if read != recorded => {
                checkup.find(
                    place,
                    format!("it holds {read} rows, the log says {recorded}"),
                    RECOUNT,
                );
            }
            Ok(_) => {}
            Err(fault) => checkup.unread(place, fault, LET_GO)?,
        }
    }
    Ok(())
}

/// Every checkpoint says what the entries say that it stands for. Where these were cleaned up, the next checkpoint is
/// compared with this one and the entries since.
async fn check_checkpoints(
    checkup: &mut Checkup,
    root: &Arc<dyn ObjectStore>,
    log: &TableLog,
    marks: Option<&Vec<Mark>>,
) -> Result<(), StoreError> {
    let names = log_replay::list(log, None).await?;
    let versions = |ending: &str| {
        names
            .iter()
            .filter_map(|name| log_replay::version_of(name, ending))
            .collect::<BTreeSet<u64>>()
    };
    let (entries, checkpoints) = (versions(".json"), versions(".checkpoint.parquet"));
    // What the log says, as long as it can be followed, and the version that comes next.
    let mut followed = entries.contains(&0).then(|| (Replaying::of(log, Belief::All), 0));
    let sound = newest_sound(log, &checkpoints).await?;
    let is_past = |version: u64| sound.is_some_and(|sound| version < sound);
    // What is before the newest checkpoint of these is nobody's any more: it may be why the table was rebuilt, or its log
    // written anew.
    let may_be_why = log.folder() != JOURNAL;
    let way_out = match log.folder() {
        JOURNAL => RESTORE,
        name if APPENDED.iter().any(|table| table.name == name) => SALVAGE,
        _ => FOLD,
    };
    for checkpoint in checkpoints.iter().copied() {
        let place = format!("{}/{}", log.folder(), log_replay::checkpoint_path(checkpoint));
        let Some(bytes) = log.get(&log_replay::checkpoint_path(checkpoint)).await? else {
            continue;
        };
        let read = read_whole(log, checkpoint, &place, bytes).map(|(read, _)| read);
        followed = match followed {
            Some((said, next)) => {
                let (said, broken) = follow(log, said, next..=checkpoint).await?;
                if let Some((version, fault)) = broken {
                    // The entry of a checkpoint is one that it stands for.
                    let is_past = is_past(version) || sound == Some(version);
                    if !(is_past && may_be_why) {
                        let way_out = if is_past { REMOVE_ENTRY } else { way_out };
                        checkup.find(
                            format!("{}/{}", log.folder(), entry_path(version)),
                            told(&fault),
                            way_out,
                        );
                    }
                }
                said.map(|said| (said, checkpoint + 1))
            }
            None => None,
        };
        match (read, followed.as_ref()) {
            (Ok(read), None) => followed = Some((read, checkpoint + 1)),
            (Ok(read), Some((said, _))) => {
                if let Some(what) = difference(&read.table, &said.table) {
                    let strays = strays(log, entries.range(..=checkpoint), marks).await?;
                    for version in &strays {
                        let what = "it is of another copy of the lake: its sets are not those of the journal";
                        checkup.find(
                            format!("{}/{}", log.folder(), entry_path(*version)),
                            what,
                            MOVE_STRAY,
                        );
                    }
                    let way_out = match strays.is_empty() {
                        true => one_to_keep(root, log, &read.table, &said.table).await,
                        false => MOVE_STRAY,
                    };
                    if strays.is_empty() {
                        checkup.find(place, what, way_out);
                    }
                    // What comes after it goes on from the side that is kept.
                    if way_out != REMOVE {
                        followed = Some((read, checkpoint + 1));
                    }
                }
            }
            (Err(_), _) if is_past(checkpoint) && may_be_why => followed = None,
            (Err(fault), Some(_)) => checkup.find(place, told(&fault), REMOVE),
            (Err(fault), None) if is_past(checkpoint) => {
                checkup.find(place, told(&fault), REMOVE_ENTRY)
            }
            (Err(fault), None) => checkup.find(place, told(&fault), way_out),
        }
    }
    Ok(())
}

/// The entries whose sets are not those that the journal has. Entries of earlier versions of Lakeplan do not tell.
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
            .and_then(|mark| Mark::said(*mark, seq))
            .is_some_and(|said| own != Some(&said))
        {
            strays.push(version);
        }
    }
    Ok(strays)
}

/// What to do where a checkpoint and the entries that it stands for differ: never what loses a row.
async fn one_to_keep(
    root: &Arc<dyn ObjectStore>,
    log: &TableLog,
    checkpoint: &Table,
    entries: &Table,
) -> &'static str {
    if log.folder() == JOURNAL {
        return match (holds(root, checkpoint).await, holds(root, entries).await) {
            (Some(one), Some(other)) if one == other => REMOVE,
            (Some(_), None) => REMOVE_ENTRIES,
            (None, Some(_)) => REMOVE,
            _ => KEEP_BOTH,
        };
    }
    // A folded table is rebuilt from the journal where the one that is kept does not hold.
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

/// The chain of the last set of a journal of these files, where it holds together up to it.
async fn holds(root: &Arc<dyn ObjectStore>, table: &Table) -> Option<Hash> {
    let mut files = Files::new(Arc::clone(root));
    files.take(table.clone()).await.ok()?;
    verify(&files).await.ok()?;
    files.read_last().await.ok()??.chain
}

/// The newest checkpoint that can be read: what is before it is needed no more.
async fn newest_sound(
    log: &TableLog,
    checkpoints: &BTreeSet<u64>,
) -> Result<Option<u64>, StoreError> {
    for checkpoint in checkpoints.iter().rev().copied() {
        let path = log_replay::checkpoint_path(checkpoint);
        let Some(bytes) = log.get(&path).await? else { continue };
        // Where only Lakeplan's commits count, a checkpoint of another writer stands for nothing.
        if read_whole(log, checkpoint, &path, bytes)
            .is_ok_and(|(_, is_own)| is_own || log.belief() == Belief::All)
        {
            return Ok(Some(checkpoint));
        }
    }
    Ok(None)
}

/// The table of a checkpoint and whether Lakeplan wrote it. Every column is read: maintenance and other engines need those
/// that a command does not.
fn read_whole(
    log: &TableLog,
    version: u64,
    place: &str,
    bytes: Bytes,
) -> Result<(Replaying, bool), StoreError> {
    for batch in decode::batches(place, decode::open(place, bytes.clone())?)? {
        batch?;
    }
    let mut read = Replaying::of(log, Belief::All);
    let is_own = read.checkpoint(version, bytes)?;
    Ok((read, is_own))
}

/// Follows the log through these versions: what it says then, if every entry is there and can be read, or the one that cannot.
async fn follow(
    log: &TableLog,
    mut said: Replaying,
    versions: RangeInclusive<u64>,
) -> Result<(Option<Replaying>, Option<(u64, StoreError)>), StoreError> {
    for version in versions {
        let Some(bytes) = log.get_entry(version).await? else { return Ok((None, None)) };
        if let Err(fault) = said.entry(version, &bytes) {
            return Ok((None, Some((version, fault))));
        }
    }
    Ok((Some(said), None))
}

/// What a checkpoint says otherwise than the entries.
fn difference(checkpoint: &Table, entries: &Table) -> Option<String> {
    let [more, fewer] = [(checkpoint, entries), (entries, checkpoint)].map(|(of, other)| {
        of.files
            .iter()
            .find(|(path, file)| other.files.get(*path) != Some(file))
            .map(|(path, _)| path)
    });
    if let Some(path) = more.or(fewer) {
        return Some(format!("it says otherwise of {path} than the entries up to it"));
    }
    (checkpoint.txns != entries.txns || checkpoint.described != entries.described)
        .then(|| "it says otherwise how far the table is, or which columns it has, than the entries up to it".to_owned())
}
