//! Explains a journal with an unreadable log: which entry is the cause, and how to leave the lake
//! whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::ObjectStore;

use super::checkup::{Checkup, RESTORE, message};
use crate::domain::hint::{Hint, Repair};
use crate::store::delta_log::entry::LogEntry;
use crate::store::delta_log::paths::{self, checkpoint_path, entry_path};
use crate::store::delta_log::replay::LogReplay;
use crate::store::delta_log::table_log::{TableLog, Trust};
use crate::store::error::StoreError;
use crate::store::journal::files::Files;
use crate::store::journal::verify::verify;
use crate::store::tables::FoldedTable;
use crate::store::tables::read::TableState;

const RESTORE_JOURNAL: Hint = Hint::Repair(Repair::RestoreJournal);
const UNMIX: Hint = Hint::Repair(Repair::SeparateCopies);
pub const STRAY: Hint = Hint::advice(
    "move this file out of the folder; the journal is whole without it, and nothing is lost",
);

/// Explains why the journal's log is unreadable. A stray file is reported if the journal is whole
/// without it.
pub async fn explain(
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
        checkup.find(path.clone(), message(&err), UNMIX);
        return Ok(());
    }
    let strays = strays(root, name, log, &reach).await?;
    if !strays.is_empty() {
        // Entries missing before a stray file never existed.
        checkup.findings.clear();
        for (file, what) in strays {
            checkup.find(format!("{place}/{file}"), what, STRAY);
        }
        return Ok(());
    }
    let is_foreign = reach.replayed.table.files.is_empty() && reach.is_whole;
    checkup.unread(place, err, if is_foreign { RESTORE_JOURNAL } else { RESTORE })
}

/// How far the log can be followed from its first entry, or from the newest readable checkpoint of
/// Lakeplan.
struct Reach {
    names: Vec<String>,
    replayed: LogReplay,
    /// Last version that could be replayed.
    version: Option<u64>,
    /// Whether that is the last version that has anything in the log.
    is_whole: bool,
    /// Whether the next version is an entry of Lakeplan that belongs to another history.
    is_mixed: bool,
}

impl Reach {
    async fn of(log: &TableLog) -> Result<Self, StoreError> {
        let names = log.list(None).await?;
        let checkpoints: BTreeSet<u64> = names
            .iter()
            .filter_map(|name| paths::version_of(name, ".checkpoint.parquet"))
            .collect();
        let (mut replayed, mut version) = (LogReplay::of(log, Trust::Own), None);
        for checkpoint in checkpoints.into_iter().rev() {
            let mut read = LogReplay::of(log, Trust::Own);
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
            .filter_map(|name| paths::version_in(name))
            .any(|at| version.is_none_or(|end| at > end));
        Ok(Self { names, replayed, version, is_whole, is_mixed })
    }
}

/// Returns the log files after the last readable entry, each with its problem, if nothing shows
/// that a commit of Lakeplan followed that entry: the chain verifies up to it, no journal file was
/// written for a later version, and no table is folded further.
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
        if let TableState::Ready(_, seq) = table.find(root, Some(&files)).await?
            && seq > files.end()
        {
            return Ok(Vec::new());
        }
    }
    let mut strays = Vec::new();
    for file in &reach.names {
        let Some(version) = paths::version_in(file).filter(|version| *version > end) else {
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
            format!("the log ends at version {end}, and this file does not continue it"),
        ));
    }
    Ok(strays)
}

/// Returns whether rows were written for a version after `end`. A file name begins with the version
/// that its rows were for.
async fn has_later_rows(log: &TableLog, end: u64) -> Result<bool, StoreError> {
    let listed: Vec<_> = log
        .store()
        .list(None)
        .try_collect()
        .await
        .map_err(|err| StoreError::storage("listing", log.folder(), err))?;
    let is_later = |name: &str| {
        name.ends_with(".parquet") && paths::version_in(name).is_some_and(|version| version > end)
    };
    let is_of_log = |path: &str| path.starts_with("_delta_log/");
    Ok(listed.iter().any(|meta| {
        !is_of_log(meta.location.as_ref()) && meta.location.filename().is_some_and(is_later)
    }))
}
