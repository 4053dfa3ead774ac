//! Going on without files that are gone or cannot be read. What they held is lost, and no one's work with it: the journal
//! has that. Left in the log, one such file would end every query and every copy of the table.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use object_store::ObjectStore;
use serde_json::{Value, json};

use super::compact::{Condensed, Prepared, Upkeep, keep_up};
use super::{Appended, commit_info};
use crate::domain::time::Instant;
use crate::runtime::Clock;
use crate::store::error::StoreError;
use crate::store::table_log::{LiveFile, Table, TableLog};
use crate::store::tables::definition;

/// Files read at once.
const AT_ONCE: usize = 16;

/// Takes the files that cannot be read out of the table's log, with a warning for each, and notes how many rows a file holds
/// where the log says otherwise. The objects stay where they are until a vacuum.
pub async fn let_go(
    table: &Appended,
    root: &Arc<dyn ObjectStore>,
    clock: &dyn Clock,
) -> Result<(), StoreError> {
    let log = TableLog::new(Arc::clone(root), table.name);
    keep_up(&log, clock, &LettingGo { table }).await.map(drop)
}

struct LettingGo<'a> {
    table: &'a Appended,
}

#[async_trait]
impl Upkeep for LettingGo<'_> {
    async fn prepare(
        &self,
        log: &TableLog,
        current: &Table,
        now: Instant,
    ) -> Result<Prepared, StoreError> {
        let mut actions = vec![commit_info("LET GO", now)];
        let looks: Vec<_> =
            current.files.values().map(|file| look(self.table, log, file)).collect();
        let mut looks = futures::stream::iter(looks).buffered(AT_ONCE);
        while let Some((file, found)) = looks.next().await {
            match found {
                Ok((rows, Some(recorded))) if rows != recorded => {
                    tracing::warn!(
                        "{}/{} holds {rows} rows and not {recorded}, which is noted",
                        log.folder(),
                        file.path
                    );
                    actions.push(counted(file, rows, now));
                }
                Ok(_) => {}
                Err(err @ StoreError::Damaged { .. }) => {
                    tracing::warn!("{err}; {}", lost(file));
                    actions.push(definition::remove(file, now));
                }
                Err(err) => return Err(err),
            }
        }
        Ok((actions.len() > 1).then_some((actions, Condensed::default())))
    }
}

/// How many rows a file holds, and how many the log says, or why it cannot be read.
async fn look<'f>(
    table: &Appended,
    log: &TableLog,
    file: &'f LiveFile,
) -> (&'f LiveFile, Result<(usize, Option<usize>), StoreError>) {
    (file, table.count(log, file).await)
}

fn lost(file: &LiveFile) -> String {
    match file.rows() {
        Some(1) => "its 1 row is lost".to_owned(),
        Some(rows) => format!("its {rows} rows are lost"),
        None => "its rows are lost".to_owned(),
    }
}

fn counted(file: &LiveFile, rows: usize, now: Instant) -> Value {
    json!({"add": {
        "path": file.path, "partitionValues": file.partitions, "size": file.size,
        "modificationTime": now.timestamp_millis(), "dataChange": false, "stats": json!({"numRecords": rows}).to_string(),
    }})
}
