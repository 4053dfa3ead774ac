//! Deleting what no longer belongs to a table: files that are not live, and log entries behind a checkpoint.
//!
//! A writer puts its file before its log entry, so a file that is not live may be about to become it. Vacuum therefore
//! chooses its files at version h, puts an empty commit at h+1, and deletes only if that slot became its own: whoever
//! still meant to add one of these files meant to do so at h+1, loses the slot and writes a new file. The age is for
//! readers of older versions.

use chrono::TimeDelta;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error, ObjectMeta, ObjectStoreExt};

use super::error::StoreError;
use super::journal::{STALE, entry};
use super::table_log::{Table, TableLog, entry_bytes};
use crate::domain::time::Instant;
use crate::runtime::{Clock, Random, uuid_v7};

/// How old something must be before it is deleted.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    pub files: TimeDelta,
    pub log: TimeDelta,
}

impl Default for Retention {
    fn default() -> Self {
        Self { files: TimeDelta::days(7), log: TimeDelta::days(2) }
    }
}

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vacuumed {
    pub files: usize,
    pub bytes: u64,
    pub entries: usize,
}

const TRIES: usize = 5;

/// Vacuums a table, which is as it was read just now, and cleans its log up.
pub async fn vacuum(
    log: &TableLog,
    table: &Table,
    retention: Retention,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<Vacuumed, StoreError> {
    let mut listed = list(log).await?;
    let mut vacuumed = clean_log(log, &listed, retention.log, clock).await?;
    for attempt in 0..TRIES {
        let begun = clock.now();
        if attempt > 0 {
            listed = list(log).await?;
        }
        let now = storage_now(&listed, begun);
        let old: Vec<&ObjectMeta> = listed
            .iter()
            .filter(|meta| meta.location.as_ref().ends_with(".parquet") && !is_of_log(meta))
            .filter(|meta| {
                meta.last_modified < now - retention.files
                    && !table.files.contains_key(meta.location.as_ref())
            })
            .collect();
        // Most nights there is nothing to ask about.
        if old.is_empty() {
            return Ok(vacuumed);
        }
        let Some((version, unneeded)) = log.unneeded(retention.files, now).await? else {
            return Ok(vacuumed);
        };
        let dead: Vec<&ObjectMeta> =
            old.into_iter().filter(|meta| unneeded.contains(meta.location.as_ref())).collect();
        if dead.is_empty() {
            return Ok(vacuumed);
        }
        let fence = entry::json_of(&[entry::commit_info("VACUUM", uuid_v7(begun, random), begun)])?;
        match log.put_entry(version + 1, entry_bytes(&fence)).await {
            Ok(()) if clock.now() - begun <= STALE => {}
            // It slept, so the fence may stand in a hole; or another commit came first: choose again.
            Ok(()) | Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => continue,
            Err(fault) => return Err(StoreError::storage("vacuuming", log.folder(), fault)),
        }
        delete_all(log, &dead).await?;
        vacuumed.files += dead.len();
        vacuumed.bytes += dead.iter().map(|meta| meta.size).sum::<u64>();
        return Ok(vacuumed);
    }
    Ok(vacuumed)
}

/// Deletes log entries and checkpoints older than the last checkpoint, oldest first, so that what is left has no gap.
async fn clean_log(
    log: &TableLog,
    listed: &[ObjectMeta],
    retention: TimeDelta,
    clock: &dyn Clock,
) -> Result<Vacuumed, StoreError> {
    let version = |meta: &ObjectMeta| meta.location.filename()?.get(..20)?.parse::<u64>().ok();
    let before = storage_now(listed, clock.now()) - retention;
    let mut listed: Vec<&ObjectMeta> = listed.iter().filter(|meta| is_of_log(meta)).collect();
    listed.sort_by_key(|meta| version(meta));
    // A checkpoint counts when it is as old as what it lets go: a fresh one may not have reached the disk yet.
    let is_checkpoint = |meta: &&ObjectMeta| {
        meta.location.filename().is_some_and(|name| name.contains(".checkpoint"))
            && meta.size > 0
            && meta.last_modified <= before
    };
    let last = listed.iter().copied().filter(is_checkpoint).filter_map(version).max();
    let mut cleaned = Vacuumed::default();
    let Some(last) = last else { return Ok(cleaned) };
    for meta in listed.iter().filter(|meta| version(meta).is_some_and(|version| version < last)) {
        // Oldest first, and stop at the first that is too young: a gap would look like a free slot.
        if meta.last_modified >= before {
            break;
        }
        delete(log, &meta.location).await?;
        cleaned.entries += 1;
    }
    Ok(cleaned)
}

/// The time by which ages are judged: the storage's own, as its newest object tells, where this machine's clock is ahead.
fn storage_now(listed: &[ObjectMeta], now: Instant) -> Instant {
    listed.iter().map(|meta| meta.last_modified).max().map_or(now, |newest| now.min(newest))
}

fn is_of_log(meta: &ObjectMeta) -> bool {
    meta.location.as_ref().starts_with("_delta_log/")
}

async fn list(log: &TableLog) -> Result<Vec<ObjectMeta>, StoreError> {
    let listed = log.store().list(None).try_collect().await;
    listed.map_err(|fault| StoreError::storage("listing", log.folder(), fault))
}

/// Deletes objects, many with one request where the storage can.
async fn delete_all(log: &TableLog, dead: &[&ObjectMeta]) -> Result<(), StoreError> {
    let paths: Vec<object_store::Result<Path>> =
        dead.iter().map(|meta| Ok(meta.location.clone())).collect();
    let mut deleted = log.store().delete_stream(futures::stream::iter(paths).boxed());
    while let Some(answer) = deleted.next().await {
        match answer {
            // Another vacuum was faster.
            Ok(_) | Err(Error::NotFound { .. }) => {}
            Err(fault) => return Err(StoreError::storage("deleting", log.folder(), fault)),
        }
    }
    Ok(())
}

async fn delete(log: &TableLog, path: &Path) -> Result<(), StoreError> {
    match log.store().delete(path).await {
        // Another vacuum was faster.
        Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
        Err(fault) => {
            Err(StoreError::storage("deleting", format!("{}/{path}", log.folder()), fault))
        }
    }
}
