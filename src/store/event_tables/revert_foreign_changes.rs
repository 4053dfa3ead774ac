//! Takes back other writers' changes to an appended table, so that its log again states what
//! Lakeplan trusts.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::ObjectStore;

use super::EventTable;
use super::compact::{CompactionStats, Maintenance, Prepared, maintain};
use crate::domain::time::Instant;
use crate::runtime::{Clock, Random};
use crate::store::delta_log::action::{Action, CommitInfo};
use crate::store::delta_log::spec::keep_id;
use crate::store::delta_log::table::Table;
use crate::store::delta_log::table_log::TableLog;
use crate::store::error::StoreError;

/// Takes back untrusted changes. A removed file that no longer exists stays removed: its rows are
/// lost.
pub async fn revert_foreign_changes(
    table: &EventTable,
    root: &Arc<dyn ObjectStore>,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<(), StoreError> {
    let log = TableLog::new(Arc::clone(root), table.name);
    maintain(&log, clock, random, &RevertForeign { table, random }).await.map(drop)
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
        let mut actions = vec![Action::from(CommitInfo::new("TAKE BACK", now))];
        if others.has_other_columns {
            let [_, mut description] = self.table.create(now, self.random);
            keep_id(&mut description, current.described.as_ref());
            actions.push(description);
        }
        actions.extend(others.added_files.values().map(|file| Action::from(file.remove(now))));
        for file in others.removed_files.values() {
            if log.has(&file.path).await? {
                actions.push(file.add(now).into());
            } else {
                let rows = file.rows().unwrap_or_default();
                tracing::warn!(
                    "{}/{}: another writer removed the file, which has since been deleted; its {rows} rows are lost",
                    log.folder(),
                    file.path
                );
                actions.push(file.remove(now).into());
            }
        }
        Ok(Some((actions, CompactionStats::default())))
    }
}
