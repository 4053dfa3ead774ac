//! Takes back other writers' changes to an appended table, so that its log again states what
//! Lakeplan trusts.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::ObjectStore;
use serde_json::{Value, json};

use super::compact::{CompactionStats, Maintenance, Prepared, maintain};
use super::{EventTable, commit_info};
use crate::domain::time::Instant;
use crate::runtime::{Clock, Random};
use crate::store::delta_log::table::Table;
use crate::store::delta_log::table_log::TableLog;
use crate::store::error::StoreError;
use crate::store::tables::definition;

/// Takes back untrusted changes. A removed file that no longer exists stays removed: its rows are
/// lost.
pub async fn revert_foreign_changes(
    table: &EventTable,
    root: &Arc<dyn ObjectStore>,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<(), StoreError> {
    let log = TableLog::new(Arc::clone(root), table.name);
    maintain(&log, clock, &RevertForeign { table, random }).await.map(drop)
}

struct RevertForeign<'a> {
    table: &'a EventTable,
    random: &'a dyn Random,
}

#[async_trait]
impl Maintenance for RevertForeign<'_> {
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
        actions.extend(others.added_files.values().map(|file| definition::remove(file, now)));
        for file in others.removed_files.values() {
            if log.has(&file.path).await? {
                actions.push(json!({"add": {
                    "path": file.path, "partitionValues": file.partitions, "size": file.size,
                    "modificationTime": now.timestamp_millis(), "dataChange": true, "stats": file.stats,
                }}));
            } else {
                let rows = file.rows().unwrap_or_default();
                tracing::warn!(
                    "{}/{}: another writer removed the file, which has since been deleted; its {rows} rows are lost",
                    log.folder(),
                    file.path
                );
                actions.push(definition::remove(file, now));
            }
        }
        Ok(Some((actions, CompactionStats::default())))
    }
}
