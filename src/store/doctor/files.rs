//! Checks that every live file of every table exists and has the size that the log states.

use std::sync::Arc;

use object_store::ObjectStore;

use super::checkup::{Checkup, LET_GO, REFOLD, RESTORE, SALVAGE};
use crate::store::delta_log::table_log::TableLog;
use crate::store::error::StoreError;
use crate::store::event_tables::APPENDED;
use crate::store::lake_tables::LakeTables;

/// Checks the live files of the tables that only Lakeplan writes. Tables with earlier findings are
/// skipped.
pub async fn check(checkup: &mut Checkup, root: &Arc<dyn ObjectStore>) -> Result<(), StoreError> {
    for name in LakeTables::own() {
        if checkup.has_found_in(name) {
            continue;
        }
        let is_appended = APPENDED.iter().any(|table| table.name == name);
        let advice = match LakeTables::folded().any(|folded| folded == name) {
            true => REFOLD,
            false if is_appended => LET_GO,
            false => RESTORE,
        };
        let log = TableLog::new(Arc::clone(root), name);
        let table = match log.load().await {
            Ok(Some(table)) => table,
            Ok(None) => continue,
            Err(err) => {
                checkup.unread(
                    format!("{name}/_delta_log"),
                    err,
                    if is_appended { SALVAGE } else { advice },
                )?;
                continue;
            }
        };
        for (path, what) in log.findings(&table).await? {
            checkup.find(format!("{name}/{path}"), what, advice.clone());
        }
    }
    Ok(())
}
