//! Reports what other writers did to the tables in which only commits of Lakeplan are trusted.

use std::sync::Arc;

use object_store::ObjectStore;

use super::checkup::{Checkup, RESTORE, TAKE_BACK, TAKE_REST_BACK, UPKEEP};
use crate::store::delta_log::paths::entry_path;
use crate::store::delta_log::table::{Foreign, ForeignChanges, LiveFile};
use crate::store::delta_log::table_log::TableLog;
use crate::store::error::StoreError;
use crate::store::event_tables::APPENDED;
use crate::store::journal::entry;
use crate::store::location::catalog::features::WAY_OUT;
use crate::store::names::JOURNAL;

/// Reports the untrusted commits of others to the journal.
pub async fn check_journal(
    checkup: &mut Checkup,
    log: &TableLog,
    others: &ForeignChanges,
) -> Result<(), StoreError> {
    check(checkup, log, others).await
}

/// Reports the untrusted commits of others to the event tables. Unreadable logs are reported
/// elsewhere.
pub async fn check_appended(
    checkup: &mut Checkup,
    root: &Arc<dyn ObjectStore>,
) -> Result<(), StoreError> {
    for table in APPENDED {
        let log = TableLog::new(Arc::clone(root), table.name);
        match log.load().await {
            Ok(Some(found)) => check(checkup, &log, &found.others).await?,
            Err(err) if err.is_access_error() => return Err(err),
            Ok(None) | Err(_) => {}
        }
    }
    Ok(())
}

async fn check(
    checkup: &mut Checkup,
    log: &TableLog,
    others: &ForeignChanges,
) -> Result<(), StoreError> {
    if let Some((place, features)) = &others.features {
        checkup.find(
            place,
            format!("another writer enabled the table features {features}, which Lakeplan does not write"),
            WAY_OUT,
        );
    }
    let is_journal = log.folder() == JOURNAL;
    for commit in &others.commits {
        let mut gone: Vec<&LiveFile> = Vec::new();
        for path in &commit.removed {
            if let Some(file) = others.removed_files.get(path)
                && !log.has(path).await?
            {
                gone.push(file);
            }
        }
        let place = format!("{}/{}", log.folder(), entry_path(commit.version));
        let did = did(commit, others.has_other_columns);
        match (gone.as_slice(), is_journal) {
            ([], _) => checkup.find(
                place,
                format!("{did}; the change is ignored"),
                if is_journal { TAKE_BACK } else { UPKEEP },
            ),
            (gone, true) => {
                let seqs = gone
                    .iter()
                    .filter_map(|file| entry::file(file))
                    .map(|file| format!("{} to {}", file.seq.0, file.seq.1));
                let seqs = seqs.collect::<Vec<_>>().join(", ");
                checkup.find(
                    place,
                    format!("{did}; the files have since been deleted, and with them seq {seqs}"),
                    RESTORE,
                );
            }
            (gone, false) => {
                let rows: u64 = gone.iter().filter_map(|file| file.rows()).sum();
                checkup.find(
                    place,
                    format!("{did}; the files have since been deleted, and with them {rows} rows"),
                    TAKE_REST_BACK,
                );
            }
        }
    }
    Ok(())
}

/// Describes what a commit did.
fn did(commit: &Foreign, has_other_columns: bool) -> String {
    match (commit.removed.len(), commit.added) {
        (0, 0) if has_other_columns => format!("{commit} changed the columns of the table"),
        (removed, added) => format!("{commit} removed {removed} of its files and added {added}"),
    }
}
