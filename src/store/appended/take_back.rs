//! Taking back what other writers did to an appended table, so that its log says again what is believed of it.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::ObjectStore;
use serde_json::{Value, json};

use super::compact::{Condensed, Prepared, Upkeep, keep_up};
use super::{Appended, commit_info};
use crate::domain::time::Instant;
use crate::runtime::{Clock, Random};
use crate::store::error::StoreError;
use crate::store::table_log::{Table, TableLog};
use crate::store::tables::definition;

/// Takes back what does not count. A file that another writer removed and that is gone since stays removed: its rows are lost.
pub async fn take_back(
    table: &Appended,
    root: &Arc<dyn ObjectStore>,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<(), StoreError> {
    let log = TableLog::new(Arc::clone(root), table.name);
    keep_up(&log, clock, &TakingBack { table, random }).await.map(drop)
}

struct TakingBack<'a> {
    table: &'a Appended,
    random: &'a dyn Random,
}

#[async_trait]
impl Upkeep for TakingBack<'_> {
    async fn prepare(
        &self,
        log: &TableLog,
        current: &Table,
        now: Instant,
    ) -> Result<Prepared, StoreError> {
        let others = &current.others;
        if !others.is_any() {
            return Ok(None);
        }
        let mut actions = vec![commit_info("TAKE BACK", now)];
        if others.has_other_columns {
            let [_, mut description] = self.table.create(now, self.random);
            if let Some(described) = &current.described {
                description["metaData"]["id"] = Value::from(described.id.as_str());
            }
            actions.push(description);
        }
        actions.extend(others.strange.values().map(|file| definition::remove(file, now)));
        for file in others.lost.values() {
            if log.has(&file.path).await? {
                actions.push(json!({"add": {
                    "path": file.path, "partitionValues": file.partitions, "size": file.size,
                    "modificationTime": now.timestamp_millis(), "dataChange": true, "stats": file.stats,
                }}));
            } else {
                let rows = file.rows().unwrap_or_default();
                tracing::warn!(
                    "{}/{}: another writer removed the file and it is gone since; its {rows} rows are lost",
                    log.folder(),
                    file.path
                );
                actions.push(definition::remove(file, now));
            }
        }
        Ok(Some((actions, Condensed::default())))
    }
}
