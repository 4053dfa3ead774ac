//! A journal whose log cannot be read: which of its entries is why, and what leaves the lake whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::ObjectStore;

use super::{Checkup, RESTORE, told};
use crate::store::error::StoreError;
use crate::store::journal::files::Files;
use crate::store::journal::verify::verify;
use crate::store::log_entry::LogEntry;
use crate::store::log_replay::{self, Replaying, checkpoint_path};
use crate::store::table_log::{Belief, TableLog, entry_path};
use crate::store::tables::FoldedTable;
use crate::store::tables::read::Found;

const BRING_BACK: &str = "neither fold nor maintain the lake as it is; bring the folder journal with the _delta_log that Lakeplan wrote back, from a backup or from the lake that this is a copy of, then lakeplan fold rebuilds the other tables from it";
const UNMIX: &str = "bring the journal of the copy that is to go on back, from a backup or from that copy; where it is the one up to this entry, move this entry and all after it out of the folder instead, then lakeplan fold --rebuild";
pub const STRAY: &str =
    "move this file out of the folder; the journal is whole without it, and nothing of it is lost";

/// Tells why the journal's log cannot be read. A file that is none of the log is named where the journal is whole without it.
pub async fn tell(
    checkup: &mut Checkup,
    root: &Arc<dyn ObjectStore>,
    name: &str,
    log: &TableLog,
    err: StoreError,
) -> Result<(), StoreError> {
    let place = format!("{}/_delta_log", log.folder());
    let StoreError::Damaged { path, .. } = &err else { return checkup.unread(place, err, RESTORE) };
    let reach = Reach::of(log).await?;
    if reach.is_mixed {
        checkup.findings.clear();
        checkup.find(path.clone(), told(&err), UNMIX);
        return Ok(());
    }
    let strays = strays(root, name, log, &reach).await?;
    if !strays.is_empty() {
        // What is missing before a stray file was never there.
        checkup.findings.clear();
        for (file, what) in strays {
            checkup.find(format!("{place}/{file}"), what, STRAY);
        }
        return Ok(());
    }
    let is_foreign = reach.replayed.table.files.is_empty() && reach.is_whole;
    checkup.unread(place, err, if is_foreign { BRING_BACK } else { RESTORE })
}

/// How far the log can be followed from its first entry, or from the newest checkpoint of Lakeplan that can be read.
struct Reach {
    names: Vec<String>,
    replayed: Replaying,
    /// The last version that could be taken in.
    version: Option<u64>,
    /// Whether that is the last of which there is anything.
    is_whole: bool,
    /// Whether the next one is an entry of Lakeplan that could not be taken in: it is of another history.
    is_mixed: bool,
}

impl Reach {
    async fn of(log: &TableLog) -> Result<Self, StoreError> {
        let names = log_replay::list(log, None).await?;
        let checkpoints: BTreeSet<u64> = names
            .iter()
            .filter_map(|name| log_replay::version_of(name, ".checkpoint.parquet"))
            .collect();
        let (mut replayed, mut version) = (Replaying::of(log, Belief::Own), None);
        for checkpoint in checkpoints.into_iter().rev() {
            let mut read = Replaying::of(log, Belief::Own);
            if let Some(bytes) = log.get(&checkpoint_path(checkpoint)).await?
                && matches!(read.checkpoint(checkpoint, bytes), Ok(true))
            {
                (replayed, version) = (read, Some(checkpoint));
                break;
            }
        }
        let mut is_mixed = false;
        loop {
            let next = version.map_or(0, |version| version + 1);
            let Some(bytes) = log.get_entry(next).await? else { break };
            if replayed.entry(next, &bytes).is_err() {
                is_mixed = LogEntry::read(&bytes).is_ok_and(|entry| entry.is_own);
                break;
            }
            version = Some(next);
        }
        let is_whole = !names
            .iter()
            .filter_map(|name| log_replay::version_in(name))
            .any(|at| version.is_none_or(|end| at > end));
        Ok(Self { names, replayed, version, is_whole, is_mixed })
    }
}

/// The files of the log after the last entry that can be read, each with what is wrong with it, where nothing tells that a
/// commit of Lakeplan came after that entry: the chain verifies up to it, no file of the journal was written for a later
/// version, and no table is folded further.
async fn strays(
    root: &Arc<dyn ObjectStore>,
    name: &str,
    log: &TableLog,
    reach: &Reach,
) -> Result<Vec<(String, String)>, StoreError> {
    let Some(end) = reach.version.filter(|_| !reach.is_whole) else { return Ok(Vec::new()) };
    let mut files = Files::new(Arc::clone(root)).at(name);
    let taken = files.take(reach.replayed.table.clone()).await;
    if taken.is_err() || verify(&files).await.is_err() || has_later_rows(log, end).await? {
        return Ok(Vec::new());
    }
    for table in FoldedTable::all() {
        if let Found::Whole(_, seq) = table.find(root, Some(&files)).await?
            && seq > files.end()
        {
            return Ok(Vec::new());
        }
    }
    let mut strays = Vec::new();
    for file in &reach.names {
        let Some(version) = log_replay::version_in(file).filter(|version| *version > end) else {
            continue;
        };
        if file.ends_with(".json")
            && let Some(bytes) = log.get(&entry_path(version)).await?
            && LogEntry::read(&bytes).is_ok_and(|entry| entry.is_own)
        {
            return Ok(Vec::new());
        }
        strays.push((
            file.clone(),
            format!("the log ends at version {end}, and this file does not go on from it"),
        ));
    }
    Ok(strays)
}

/// Whether rows were written for a version after one. A name begins with the version that the rows were for.
async fn has_later_rows(log: &TableLog, end: u64) -> Result<bool, StoreError> {
    let listed: Vec<_> = log
        .store()
        .list(None)
        .try_collect()
        .await
        .map_err(|err| StoreError::storage("listing", log.folder(), err))?;
    let is_later = |name: &str| {
        name.ends_with(".parquet")
            && log_replay::version_in(name).is_some_and(|version| version > end)
    };
    let is_of_log = |path: &str| path.starts_with("_delta_log/");
    Ok(listed.iter().any(|meta| {
        !is_of_log(meta.location.as_ref()) && meta.location.filename().is_some_and(is_later)
    }))
}
