//! The files of every table: each live one is there, as large as its log says.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;

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
        let table = match TableLog::new(Arc::clone(root), name).load().await {
            Ok(Some(table)) => table,
            Ok(None) => continue,
            Err(fault) => {
                checkup.unread(format!("{name}/_delta_log"), fault, if is_appended { SALVAGE } else { way_out })?;
                continue;
            }
        };
        let sizes = sizes(root, name).await?;
        for file in table.files.values() {
            let path = Path::from(format!("{name}/{}", file.path));
            let what = match sizes.get(&path) {
                None => "the file is missing".to_owned(),
                Some(size) if *size != file.size.unsigned_abs() => {
                    format!("it has {size} bytes, the log says {}", file.size)
                }
                Some(_) => continue,
            };
            checkup.find(path, what, way_out);
        }
    }
    Ok(())
}

/// The objects of a table by their places, each with its size.
async fn sizes(root: &Arc<dyn ObjectStore>, name: &str) -> Result<BTreeMap<Path, u64>, StoreError> {
    let listed = root.list(Some(&Path::from(name))).map_ok(|meta| (meta.location, meta.size));
    listed.try_collect().await.map_err(|fault| StoreError::storage("listing", name, fault))
}
