//! Upkeep of `field_changes`: the small files that folds left of each bucket become one.

use std::sync::Arc;

use async_trait::async_trait;
use deltalake::arrow::array::RecordBatch;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use serde_json::json;

use super::definition::{self, NewFile};
use super::field_changes;
use super::rewrite::AT_ONCE;
use super::{BUCKET, BUCKETS, in_bucket, read};
use crate::domain::time::Instant;
use crate::runtime::{Clock, Random, uuid_v7};
use crate::store::appended::commit_info;
use crate::store::appended::compact::{Condensed, Prepared, Upkeep, keep_up};
use crate::store::error::StoreError;
use crate::store::table_log::{LiveFile, Table, TableLog};

/// A file of so many bytes is not joined with others any more.
pub(super) const LARGE: i64 = 4 << 20;

/// Joins what a fold would leave apart until there is more of it.
pub async fn join(
    root: &Arc<dyn ObjectStore>,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<Condensed, StoreError> {
    let log = TableLog::new(Arc::clone(root), field_changes::NAME);
    keep_up(&log, clock, &Join { random }).await
}

/// The files of a bucket that are small enough to be joined, in the order of their rows.
pub(super) fn small(table: &Table, bucket: u32) -> Vec<&LiveFile> {
    in_bucket(table, bucket).into_iter().filter(|file| file.size < LARGE).collect()
}

/// The rows of these files.
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
impl Upkeep for Join<'_> {
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
        let mut actions = vec![commit_info("COMPACT", now)];
        let mut done = Condensed::default();
        let mut joined = Vec::new();
        for bucket in 0..BUCKETS as u32 {
            let files = small(current, bucket);
            if files.len() > 1 {
                // Named after the newest rows in it, as a fold would name it.
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
        let mut joined = futures::stream::iter(joined).buffered(AT_ONCE);
        while let Some((file, files)) = joined.try_next().await? {
            (done.from, done.into) = (done.from + files.len(), done.into + 1);
            for file in files {
                let mut remove = definition::remove(file, now);
                remove["remove"]["dataChange"] = json!(false);
                actions.push(remove);
            }
            let mut add = definition::add(&file, now);
            add["add"]["dataChange"] = json!(false);
            actions.push(add);
        }
        definition::seal(&mut actions, Some(current));
        Ok((done.into > 0).then_some((actions, done)))
    }
}

/// Writes the rows of these files as one at `path`.
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
