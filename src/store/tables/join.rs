//! Compacts `field_changes`: the small files that folds left in each bucket become one.

use std::sync::Arc;

use async_trait::async_trait;
use deltalake::arrow::array::RecordBatch;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;

use super::definition::{self, NewFile};
use super::folding::CONCURRENCY;
use super::{BUCKET, BUCKETS, field_changes, files_in_bucket, read};
use crate::domain::time::Instant;
use crate::runtime::{Clock, Random, uuid_v7};
use crate::store::delta_log::action::{Action, Add, CommitInfo, Remove};
use crate::store::delta_log::table::{LiveFile, Table};
use crate::store::delta_log::table_log::TableLog;
use crate::store::error::StoreError;
use crate::store::event_tables::compact::{CompactionStats, Maintenance, Prepared, maintain};

/// Minimum size of a file that is no longer compacted.
pub(super) const LARGE_FILE_BYTES: i64 = 4 << 20;

/// Compacts the small files that a fold would leave until there are more of them.
pub async fn join(
    root: &Arc<dyn ObjectStore>,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<CompactionStats, StoreError> {
    let log = TableLog::new(Arc::clone(root), field_changes::NAME);
    maintain(&log, clock, random, &Join { random }).await
}

/// Returns the files of a bucket that are small enough to be compacted, in the order of their rows.
pub(super) fn small(table: &Table, bucket: u32) -> Vec<&LiveFile> {
    files_in_bucket(table, bucket).into_iter().filter(|file| file.size < LARGE_FILE_BYTES).collect()
}

/// Reads the rows of these files.
pub(super) async fn rows(
    log: &TableLog,
    files: &[&LiveFile],
) -> Result<Vec<RecordBatch>, StoreError> {
    let mut rows = Vec::new();
    for file in files {
        let path = format!("{}/{}", log.folder(), file.path);
        for batch in read::batches(&path, log.get_live(&file.path).await?)? {
            rows.push(batch?);
        }
    }
    Ok(rows)
}

struct Join<'a> {
    random: &'a dyn Random,
}

#[async_trait]
impl Maintenance for Join<'_> {
    async fn prepare(
        &self,
        log: &TableLog,
        current: &Table,
        now: Instant,
    ) -> Result<Prepared, StoreError> {
        if !definition::is_sealed(current) {
            // Another writer changed the table: the next fold rebuilds it.
            return Ok(None);
        }
        let mut actions = vec![Action::from(CommitInfo::new("COMPACT", now))];
        let mut done = CompactionStats::default();
        let mut joined = Vec::new();
        for bucket in 0..BUCKETS as u32 {
            let files = small(current, bucket);
            if files.len() > 1 {
                // Named after its newest rows, as a fold would name it.
                let seq = files
                    .last()
                    .and_then(|last| last.path.rsplit('/').next()?.split('-').next())
                    .unwrap_or_default();
                joined.push(one_of(
                    log,
                    bucket,
                    files,
                    format!("{BUCKET}={bucket}/{seq}-{}.parquet", uuid_v7(now, self.random)),
                ));
            }
        }
        let mut joined = futures::stream::iter(joined).buffered(CONCURRENCY);
        while let Some((file, files)) = joined.try_next().await? {
            (done.from, done.into) = (done.from + files.len(), done.into + 1);
            for file in files {
                actions.push(Remove { data_change: false, ..file.remove(now) }.into());
            }
            actions.push(Add { data_change: false, ..definition::add(&file, now) }.into());
        }
        definition::seal(&mut actions, Some(current));
        Ok((done.into > 0).then_some((actions, done)))
    }
}

/// Writes the rows of these files as one file at `path`.
async fn one_of<'f>(
    log: &TableLog,
    bucket: u32,
    files: Vec<&'f LiveFile>,
    path: String,
) -> Result<(NewFile, Vec<&'f LiveFile>), StoreError> {
    let (mut file, bytes) = field_changes::file(path, bucket, &rows(log, &files).await?).await?;
    file.path = log.put_checked(&file.path, bytes).await?;
    Ok((file, files))
}
