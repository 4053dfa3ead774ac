//! Finds the tables that are left of a lake.

use std::sync::Arc;

use object_store::ObjectStore;

use super::delta_log::table::Table;
use super::delta_log::table_log::TableLog;
use super::error::StoreError;
use super::lake_tables::LakeTables;
use crate::databricks::catalog::CatalogError;

/// Returns the remaining tables of a lake at a location without a journal. The empty tables of an
/// `init` that was interrupted before it created the journal do not count.
pub async fn remains(store: &Arc<dyn ObjectStore>) -> Result<Vec<&'static str>, StoreError> {
    let mut left = Vec::new();
    for name in LakeTables::names() {
        let table = match TableLog::new(Arc::clone(store), name).load().await {
            // A catalog keeps the inbox elsewhere.
            Err(StoreError::Catalog(CatalogError::Moved { .. })) => continue,
            table => table?,
        };
        let is_new = |table: &Table| {
            table.version == 0
                && table.files.is_empty()
                && !LakeTables::folded().any(|it| it == name)
        };
        if table.is_some_and(|table| !is_new(&table)) {
            left.push(name);
        }
    }
    Ok(left)
}
