//! Finds names in the tables' logs that are not entries: something with the name of the next entry
//! blocks every writer.

use std::collections::BTreeSet;
use std::sync::Arc;

use object_store::ObjectStore;
use url::Url;

use super::checkup::Checkup;
use crate::domain::hint::Hint;
use crate::store::delta_log::paths;
use crate::store::delta_log::table_log::TableLog;
use crate::store::error::{MOVE_NAME, StoreError};
use crate::store::lake_tables::LakeTables;

const NO_VERSION: Hint = Hint::advice("move this file out of the folder; it is not a log entry");

/// Reports everything that has the name of an entry and is not one, in the log of every table that
/// Lakeplan writes. `name` is the URL of the lake; only a local folder shows names that are not
/// files.
pub async fn check(
    checkup: &mut Checkup,
    root: &Arc<dyn ObjectStore>,
    name: &str,
) -> Result<(), StoreError> {
    let folder = Url::parse(name)
        .ok()
        .filter(|url| url.scheme() == "file")
        .and_then(|url| url.to_file_path().ok());
    for table in LakeTables::own() {
        let log = TableLog::new(Arc::clone(root), table);
        let listed: BTreeSet<String> = match log.list(None).await {
            Ok(names) => names.into_iter().collect(),
            Err(err) if err.is_access_error() => return Err(err),
            // Reading the table reports the error.
            Err(_) => continue,
        };
        for file in
            listed.iter().filter(|file| is_of_entry(file) && paths::version_in(file).is_none())
        {
            checkup.find(
                format!("{table}/_delta_log/{file}"),
                "its number is greater than the version of any commit",
                NO_VERSION,
            );
        }
        let Some(folder) = folder.as_ref().map(|folder| folder.join(table).join("_delta_log"))
        else {
            continue;
        };
        let Ok(found) = std::fs::read_dir(folder) else { continue };
        let found: BTreeSet<String> =
            found.filter_map(|found| found.ok()?.file_name().into_string().ok()).collect();
        for file in found.iter().filter(|file| is_of_entry(file) && !listed.contains(*file)) {
            // A commit may have been added since the log was listed.
            let version = paths::version_in(file);
            if let Some(version) = version
                && log.get_entry(version).await.is_ok_and(|entry| entry.is_some())
            {
                continue;
            }
            let what = "it has the name of a log entry but is not a file, so that version can never be committed";
            checkup.find(format!("{table}/_delta_log/{file}"), what, Hint::advice(MOVE_NAME));
        }
    }
    Ok(())
}

fn is_of_entry(name: &str) -> bool {
    name.strip_suffix(".json").is_some_and(|digits| {
        digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}
