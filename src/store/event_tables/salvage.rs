//! Rewrites the log of an event table that cannot be read, from the files in the table's folder.
//!
//! A row is written at least once and has a key, so a file is harmless if its rows were also
//! written to another one. The log continues after its last version; the earlier entries stay
//! unchanged.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::ObjectStore;

use super::{DATE, EventTable, rows};
use crate::runtime::{Clock, Random};
use crate::store::delta_log::action::{Action, CommitInfo};
use crate::store::delta_log::commit::PutResult;
use crate::store::delta_log::table::LiveFile;
use crate::store::delta_log::table_log::TableLog;
use crate::store::error::StoreError;

/// Rewrites the log if it cannot be read. Returns whether it did.
pub async fn salvage(
    table: &EventTable,
    root: &Arc<dyn ObjectStore>,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<bool, StoreError> {
    let log = TableLog::new(Arc::clone(root), table.name);
    let err = match log.load().await {
        Err(err @ StoreError::Damaged { .. }) => err,
        loaded => return loaded.map(|_| false),
    };
    tracing::warn!(%err, "the log of {} is rewritten from the files that exist", table.name);
    let next = log.after(log.last().await?)?;
    let now = clock.now();
    let mut actions = vec![Action::from(CommitInfo::new("SALVAGE", now))];
    actions.extend(table.create(now, random));
    for file in files(&log).await? {
        match rows::read(table, &log, &file).await {
            Ok(batches) => {
                let count = batches.iter().map(|batch| batch.num_rows()).sum();
                actions.push(rows::add(&file, count, now).into());
            }
            Err(err @ StoreError::Damaged { .. }) => tracing::warn!(%err, "its rows are lost"),
            Err(err) => return Err(err),
        }
    }
    let put = log.put_commit(next, &actions).await;
    match put.map_err(|err| StoreError::storage("writing", log.folder(), err))? {
        PutResult::Committed => log.begin_at(next, &actions).await.map(|()| true),
        // Another process does the same.
        PutResult::LookAgain => Ok(false),
    }
}

/// Returns the files that Lakeplan wrote to the folders of days.
async fn files(log: &TableLog) -> Result<Vec<LiveFile>, StoreError> {
    let listed: Vec<_> = log
        .store()
        .list(None)
        .try_collect()
        .await
        .map_err(|err| StoreError::storage("listing", log.folder(), err))?;
    let mut files = Vec::new();
    for meta in listed {
        let path = meta.location.to_string();
        let day =
            path.split('/').next().and_then(|part| part.strip_prefix(DATE)?.strip_prefix('='));
        let name = meta.location.filename().and_then(|name| name.strip_suffix(".parquet"));
        let is_own = name.is_some_and(|name| {
            uuid::Uuid::try_parse(name.split('.').next().unwrap_or_default()).is_ok()
        });
        if let (Some(day), true) = (day, is_own) {
            let partitions = [(DATE.to_owned(), Some(day.to_owned()))].into();
            files.push(LiveFile {
                path: path.clone(),
                size: meta.size as i64,
                partitions,
                stats: None,
                vector: None,
            });
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use serde_json::json;

    use super::*;
    use crate::domain::record::Fields;
    use crate::runtime::{ManualClock, SeededRandom};
    use crate::store::event_tables::RUNS;

    fn run(number: u32) -> Fields {
        let row = json!({
            "run_id": format!("run {number}"), "started_at": "2026-09-21T12:00:00Z", "duration_ms": 1, "command": "task",
            "actor": "ana", "seq": number, "version": "0.1.0",
        });
        row.as_object().cloned().unwrap()
    }

    #[tokio::test]
    async fn a_broken_log_is_written_again_from_the_files_that_lakeplan_made() {
        let root: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let clock = ManualClock::new(
            chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap(),
            TimeDelta::milliseconds(1),
        );
        let random = SeededRandom::new(1);
        let log = TableLog::new(Arc::clone(&root), RUNS.name);
        for number in 0..5 {
            RUNS.append(&root, &[run(number)], &clock, &random).await.unwrap();
        }
        assert!(
            !salvage(&RUNS, &root, &clock, &random).await.unwrap(),
            "a log that can be read stays"
        );
        let first = log.load().await.unwrap().unwrap();
        let (broken, foreign) = (
            first.files.values().next().unwrap(),
            Path::from("runs/date=2026-09-21/part-0.parquet"),
        );
        let of_run = Path::from(format!("runs/{}", broken.path));
        root.copy(&of_run, &foreign).await.unwrap();
        root.put(&of_run, "no parquet".into()).await.unwrap();
        root.put(&Path::from("runs/_delta_log/00000000000000000003.json"), "{".into())
            .await
            .unwrap();
        assert!(log.load().await.is_err());
        assert!(salvage(&RUNS, &root, &clock, &random).await.unwrap());
        let again = log.load().await.unwrap().unwrap();
        let mut left = first.files.clone();
        left.remove(&broken.path);
        assert!(again.files.keys().eq(left.keys()), "{:?}", again.files.keys());
        assert!(again.files.values().all(|file| rows::recorded(file) == Some(1)));
        RUNS.append(&root, &[run(9)], &clock, &random).await.unwrap();
        assert_eq!(log.load().await.unwrap().unwrap().files.len(), 5);
    }
}
