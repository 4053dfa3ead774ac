//! Deletes what no longer belongs to a table: files that are not live, and log entries behind a
//! checkpoint.
//!
//! A writer puts its file before its log entry, so a file that is not live may be about to become
//! live. Vacuum therefore selects its files at version h, puts an empty commit at h+1, and deletes
//! only if it got that version: a writer that still meant to add one of these files meant to do so
//! at h+1, loses the race and writes a new file. The minimum age protects readers of older
//! versions.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use deltalake::operations::vacuum::VacuumMode;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error, ObjectMeta, ObjectStoreExt};

use super::delta_log::commit::{Commit, CommitOutcome, NextEntry, PutResult, commit};
use super::delta_log::table::Table;
use super::delta_log::table_log::TableLog;
use super::error::StoreError;
use super::journal::entry;
use crate::domain::time::Instant;
use crate::runtime::{Clock, Random, uuid_v7};

/// Minimum age of deleted files and log entries.
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

/// Result of a vacuum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vacuumed {
    pub files: usize,
    pub bytes: u64,
    pub entries: usize,
}

/// Maximum number of attempts for a version; the files are then left to the next run.
const MAX_ATTEMPTS: usize = 5;

/// Vacuums a table that was just read, and cleans up its log.
pub async fn vacuum(
    log: &TableLog,
    table: &Table,
    retention: Retention,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<Vacuumed, StoreError> {
    let listed = list(log).await?;
    let mut vacuumed = clean_log(log, &listed, retention.log, clock).await?;
    let listed = Some(listed);
    let mut fence = Fence { log, table, retention, listed, dead: Vec::new(), clock, random };
    if let CommitOutcome::Committed { .. } = commit(&mut fence, MAX_ATTEMPTS, random).await? {
        delete_all(log, &fence.dead).await?;
        vacuumed.files += fence.dead.len();
        vacuumed.bytes += fence.dead.iter().map(|meta| meta.size).sum::<u64>();
    }
    Ok(vacuumed)
}

/// The empty commit after which files are deleted.
struct Fence<'a> {
    log: &'a TableLog,
    table: &'a Table,
    retention: Retention,
    /// The objects of the table, until the first look at them.
    listed: Option<Vec<ObjectMeta>>,
    /// Files to delete once the entry is in the log.
    dead: Vec<ObjectMeta>,
    clock: &'a dyn Clock,
    random: &'a dyn Random,
}

#[async_trait]
impl Commit for Fence<'_> {
    async fn decide(&mut self) -> Result<Option<NextEntry>, StoreError> {
        let begun = self.clock.now();
        let listed = match self.listed.take() {
            Some(listed) => listed,
            None => list(self.log).await?,
        };
        let now = storage_now(&listed, begun);
        let is_old = |meta: &ObjectMeta| {
            meta.location.as_ref().ends_with(".parquet")
                && !is_of_log(meta)
                && meta.last_modified < now - self.retention.files
                && !self.table.files.contains_key(meta.location.as_ref())
        };
        self.dead = listed.into_iter().filter(is_old).collect();
        // On most nights there are no candidates.
        if self.dead.is_empty() {
            return Ok(None);
        }
        let Some((version, candidates)) =
            vacuum_candidates(self.log, self.retention.files, now).await?
        else {
            return Ok(None);
        };
        self.dead.retain(|meta| candidates.contains(meta.location.as_ref()));
        if self.dead.is_empty() {
            return Ok(None);
        }
        let attempt = uuid_v7(begun, self.random);
        let actions = vec![entry::commit_info("VACUUM", attempt, begun).into()];
        Ok(Some(NextEntry { version: version + 1, actions, begun }))
    }

    async fn put(&mut self, entry: &NextEntry) -> Result<PutResult, StoreError> {
        let put = self.log.try_commit(entry, self.clock).await;
        put.map_err(|err| StoreError::storage("vacuuming", self.log.folder(), err))
    }
}

/// Deletes log entries and checkpoints older than the last checkpoint, oldest first, so that the
/// rest has no gap.
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
    // A checkpoint must be as old as what it releases: a new one may not be on disk yet.
    let is_checkpoint = |meta: &&ObjectMeta| {
        meta.location.filename().is_some_and(|name| name.contains(".checkpoint"))
            && meta.size > 0
            && meta.last_modified <= before
    };
    let last = listed.iter().copied().filter(is_checkpoint).filter_map(version).max();
    let mut cleaned = Vacuumed::default();
    let Some(last) = last else { return Ok(cleaned) };
    for meta in listed.iter().filter(|meta| version(meta).is_some_and(|version| version < last)) {
        // Oldest first, and stop at the first that is too young: a gap would look like a free
        // version.
        if meta.last_modified >= before {
            break;
        }
        delete(log, &meta.location).await?;
        cleaned.entries += 1;
    }
    Ok(cleaned)
}

/// Returns the current time for ages: the storage's, from its newest object, if this machine's
/// clock is ahead.
fn storage_now(listed: &[ObjectMeta], now: Instant) -> Instant {
    listed.iter().map(|meta| meta.last_modified).max().map_or(now, |newest| now.min(newest))
}

fn is_of_log(meta: &ObjectMeta) -> bool {
    meta.location.as_ref().starts_with("_delta_log/")
}

async fn list(log: &TableLog) -> Result<Vec<ObjectMeta>, StoreError> {
    let listed = log.store().list(None).try_collect().await;
    listed.map_err(|err| StoreError::storage("listing", log.folder(), err))
}

/// Deletes objects, many with one request if the storage supports it.
async fn delete_all(log: &TableLog, dead: &[ObjectMeta]) -> Result<(), StoreError> {
    let paths: Vec<object_store::Result<Path>> =
        dead.iter().map(|meta| Ok(meta.location.clone())).collect();
    let mut deleted = log.store().delete_stream(futures::stream::iter(paths).boxed());
    while let Some(answer) = deleted.next().await {
        match answer {
            // Another vacuum was faster.
            Ok(_) | Err(Error::NotFound { .. }) => {}
            Err(err) => return Err(StoreError::storage("deleting", log.folder(), err)),
        }
    }
    Ok(())
}

async fn delete(log: &TableLog, path: &Path) -> Result<(), StoreError> {
    match log.store().delete(path).await {
        // Another vacuum was faster.
        Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
        Err(err) => Err(StoreError::storage("deleting", format!("{}/{path}", log.folder()), err)),
    }
}

/// Returns the version of the head, and the files that neither it nor any version of the
/// retention needs. Readers of earlier versions need the files that were removed within the
/// retention.
async fn vacuum_candidates(
    log: &TableLog,
    retention: TimeDelta,
    now: Instant,
) -> Result<Option<(u64, BTreeSet<String>)>, StoreError> {
    let failed =
        |err: deltalake::DeltaTableError| StoreError::storage("examining", log.folder(), err);
    if log.load().await?.is_none() {
        return Ok(None);
    }
    let mut table = deltalake::DeltaTable::new(log.delta()?);
    table.load().await.map_err(failed)?;
    let version = table.version().unwrap_or_default();
    let listed = table
        .vacuum()
        .with_dry_run(true)
        .with_mode(VacuumMode::Full)
        .with_enforce_retention_duration(false)
        .with_retention_period(retention)
        .with_clock(Arc::new(At(now)))
        .await;
    let (_, metrics) = listed.map_err(failed)?;
    Ok(Some((version, metrics.files_deleted.into_iter().collect())))
}

/// Time of a vacuum.
#[derive(Debug)]
struct At(Instant);

impl deltalake::operations::vacuum::Clock for At {
    fn current_timestamp_millis(&self) -> i64 {
        self.0.timestamp_millis()
    }
}
