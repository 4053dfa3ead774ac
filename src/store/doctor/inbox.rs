//! Checks the inbox, which others write: it exists, its log is readable, and its files exist and
//! hold rows.
//!
//! Lakeplan writes nothing into it, so others must repair it, or it is created again. Its answers
//! are not stored in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;

use super::checkup::{Checkup, message};
use crate::domain::hint::{Hint, Repair};
use crate::store::delta_log::table::LiveFile;
use crate::store::delta_log::table_log::TableLog;
use crate::store::error::StoreError;
use crate::store::inbox::{Columns, Inbox, MIN_FILE_BYTES, NAME, Scanned, TextLimits};
use crate::store::location::catalog::InboxRoot;
use crate::store::location::catalog::features::WAY_OUT_OF_INBOX;

const MAKE: Hint = Hint::Repair(Repair::CreateInbox);
const ASK_AGAIN: Hint = Hint::Repair(Repair::ResubmitRequests);

/// Checks the inbox at any location; with `is_full`, reads every value of it. An inbox that this
/// user has no right to read is skipped.
pub async fn examine_inbox(
    checkup: &mut Checkup,
    inbox: &InboxRoot,
    is_full: bool,
) -> Result<(), StoreError> {
    let log = TableLog::rooted(Arc::clone(&inbox.store), NAME);
    let table = match log.load().await {
        Ok(Some(table)) => table,
        Ok(None) => {
            checkup.find(NAME, "the table is missing", MAKE);
            return Ok(());
        }
        Err(StoreError::Catalog(_)) => return Ok(()),
        Err(StoreError::Damaged { path, what }) => {
            checkup.find(path, what, ASK_AGAIN);
            return Ok(());
        }
        Err(err) => return checkup.unread(NAME, err, ASK_AGAIN),
    };
    if let Some((place, features)) = &table.others.features {
        let what = format!("the table has the features {features}, which Lakeplan does not read");
        checkup.find(place, what, WAY_OUT_OF_INBOX);
        return Ok(());
    }
    if table.described.is_none() {
        checkup.find(
            format!("{NAME}/_delta_log"),
            "the log does not say which columns the table has",
            ASK_AGAIN,
        );
        return Ok(());
    }
    let files: Vec<LiveFile> = table.files.into_values().collect();
    if files.is_empty() {
        return Ok(());
    }
    let sizes = sizes(&log).await?;
    for file in &files {
        // The log stores paths as URL paths.
        let size = Path::from_url_path(&file.path).ok().and_then(|path| sizes.get(&path));
        let what = match size {
            None => "the file is missing".to_owned(),
            Some(size) if *size != file.size.unsigned_abs() => {
                format!("it has {size} bytes, but the log says {}", file.size)
            }
            Some(size) if *size < MIN_FILE_BYTES => {
                format!("it has {size} bytes and is not a Parquet file")
            }
            Some(_) => continue,
        };
        checkup.find(place(file), what, ASK_AGAIN);
    }
    if is_full {
        read(checkup, log, files).await?;
    }
    Ok(())
}

/// Reads every value of the files without findings.
async fn read(
    checkup: &mut Checkup,
    log: TableLog,
    files: Vec<LiveFile>,
) -> Result<(), StoreError> {
    let is_new =
        |file: &LiveFile| !checkup.findings.iter().any(|finding| finding.place == place(file));
    let files = files.into_iter().filter(is_new).collect();
    let mut scan = Arc::new(Inbox::of(log, files)).scan(Columns::All, TextLimits::OF_REQUESTS);
    while let Some(scanned) = scan.next().await? {
        match scanned {
            Scanned::Rows(..) => {}
            Scanned::Unreadable(StoreError::Damaged { path, what }) => {
                checkup.find(path, what, ASK_AGAIN)
            }
            Scanned::Unreadable(err) => checkup.find(NAME, message(&err), ASK_AGAIN),
        }
    }
    Ok(())
}

fn place(file: &LiveFile) -> String {
    format!("{NAME}/{}", file.path)
}

/// Lists the objects of the table by path, each with its size.
async fn sizes(log: &TableLog) -> Result<BTreeMap<Path, u64>, StoreError> {
    let listed = log.store().list(None).map_ok(|meta| (meta.location, meta.size));
    listed.try_collect().await.map_err(|err| StoreError::storage("listing", NAME, err))
}
