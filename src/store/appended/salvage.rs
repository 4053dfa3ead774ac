//! Writing the log of an appended table anew where it cannot be read: from the files that lie in the table's folder.
//!
//! A row is written at least once and has a key, so a file whose rows were put into another one as well does no harm. The
//! log goes on after its last version; what is before it stays as it is.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::{Error, ObjectStore};
use serde_json::json;

use super::{Appended, DATE, commit_info, rows};
use crate::runtime::{Clock, Random};
use crate::store::error::StoreError;
use crate::store::table_log::{LiveFile, TableLog, entry_bytes};

/// Writes the log anew where it cannot be read; whether it did.
pub async fn salvage(
    table: &Appended,
    root: &Arc<dyn ObjectStore>,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<bool, StoreError> {
    let log = TableLog::new(Arc::clone(root), table.name);
    let err = match log.load().await {
        Err(fault @ StoreError::Damaged { .. }) => fault,
        loaded => return loaded.map(|_| false),
    };
    tracing::warn!(%err, "the log of {} is written anew from the files that are there", table.name);
    let next = log.last().await? + 1;
    let now = clock.now();
    let mut actions = vec![commit_info("SALVAGE", now)];
    actions.extend(table.create(now, random));
    for file in files(&log).await? {
        match rows::read(table, &log, &file).await {
            Ok(batches) => {
                let rows: usize = batches.iter().map(|batch| batch.num_rows()).sum();
                actions.push(json!({"add": {
                    "path": file.path, "partitionValues": file.partitions, "size": file.size,
                    "modificationTime": now.timestamp_millis(), "dataChange": true,
                    "stats": json!({"numRecords": rows}).to_string(),
                }}));
            }
            Err(err @ StoreError::Damaged { .. }) => tracing::warn!(%err, "its rows are lost"),
            Err(err) => return Err(err),
        }
    }
    let bytes = entry_bytes(&actions);
    match log.put_entry(next, bytes.clone()).await {
        Ok(()) => log.begin_at(next, &bytes).await.map(|()| true),
        // Another process does the same.
        Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(false),
        Err(err) => Err(StoreError::storage("writing", log.folder(), err)),
    }
}

/// The files that Lakeplan put into the folders of days.
async fn files(log: &TableLog) -> Result<Vec<LiveFile>, StoreError> {
    let listed: Vec<_> =
        log.store().list(None).try_collect().await.map_err(|err| StoreError::storage("listing", log.folder(), err))?;
    let mut files = Vec::new();
    for meta in listed {
        let path = meta.location.to_string();
        let day = path.split('/').next().and_then(|part| part.strip_prefix(DATE)?.strip_prefix('='));
        let name = meta.location.filename().and_then(|name| name.strip_suffix(".parquet"));
        let is_own = name.is_some_and(|name| uuid::Uuid::try_parse(name.split('.').next().unwrap_or_default()).is_ok());
        if let (Some(day), true) = (day, is_own) {
            let partitions = [(DATE.to_owned(), Some(day.to_owned()))].into();
            files.push(LiveFile { path: path.clone(), size: meta.size as i64, partitions, stats: None, vector: None });
        }
    }
    Ok(files)
}
