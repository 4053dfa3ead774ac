//! The files of every table: each live one is there, as large as its log says.

use std::sync::Arc;

use object_store::ObjectStore;

use super::{Checkup, LET_GO, REFOLD, RESTORE, SALVAGE};
use crate::store::appended::APPENDED;
use crate::store::error::StoreError;
use crate::store::table_log::TableLog;
use crate::store::tables::LakeTables;

/// Looks for the live files of the tables that only Lakeplan writes. Of a table about which more was found already,
/// nothing is added.
pub async fn check(checkup: &mut Checkup, root: &Arc<dyn ObjectStore>) -> Result<(), StoreError> {
    for name in LakeTables::own() {
        if checkup.has_found_in(name) {
            continue;
        }
        let is_appended = APPENDED.iter().any(|table| table.name == name);
        let way_out = match LakeTables::folded().any(|folded| folded == name) {
            true => REFOLD,
            false if is_appended => LET_GO,
            false => RESTORE,
        };
        let log = TableLog::new(Arc::clone(root), name);
        let table = match log.load().await {
            Ok(Some(table)) => table,
            Ok(None) => continue,
            Err(fault) => {
                checkup.unread(
                    format!("{name}/_delta_log"),
                    fault,
                    if is_appended { SALVAGE } else { way_out },
                )?;
                continue;
            }
        };
        for (path, what) in log.amiss(&table).await? {
            checkup.find(format!("{name}/{path}"), what, way_out);
        }
    }
    Ok(())
}
