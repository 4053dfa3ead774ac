//! Copies an appended table into a copy of the lake, up to the position or time of the copy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use deltalake::arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use deltalake::arrow::compute::filter_record_batch;
use deltalake::arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use object_store::ObjectStore;

use super::{EventTable, rows};
use crate::domain::time::{AsOf, Instant};
use crate::runtime::{Clock, Random};
use crate::store::delta_log::action::{Action, CommitInfo};
use crate::store::delta_log::table::LiveFile;
use crate::store::delta_log::table_log::TableLog;
use crate::store::error::StoreError;

/// How far a table is copied: everything, or the rows that belong to the journal up to `place`.
/// `seq` and `at` are those of the last copied set.
#[derive(Clone, Copy, Debug)]
pub struct UpTo {
    pub place: Option<AsOf>,
    pub seq: u64,
    pub at: Instant,
}

/// Creates the table at `to` with the rows at `from`, each key once. An existing table was made by
/// an earlier attempt at the same copy and is kept. Lost parts of the table are reported and do not
/// stop the copy of the rest.
pub async fn copy(
    table: &EventTable,
    from: &Arc<dyn ObjectStore>,
    to: &Arc<dyn ObjectStore>,
    up_to: UpTo,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<(), StoreError> {
    let (source, target) =
        (TableLog::new(Arc::clone(from), table.name), TableLog::new(Arc::clone(to), table.name));
    if target.head().await?.is_some() {
        return Ok(());
    }
    let now = clock.now();
    let mut actions = vec![Action::from(CommitInfo::new("CLONE", now))];
    actions.extend(table.create(now, random));
    // Rows about the files of a lake would be wrong in its copy.
    let found = match source.load().await {
        Err(err @ StoreError::Damaged { .. }) if table.is_of_the_plan => {
            tracing::warn!(%err, "{} was not copied; run lakeplan maintain to rewrite its log, then copy again", table.name);
            None
        }
        Err(StoreError::Damaged { .. }) => None,
        found => found?,
    };
    if let Some(found) = found.filter(|_| table.is_of_the_plan) {
        let mut days: BTreeMap<&str, Vec<&LiveFile>> = BTreeMap::new();
        for file in found.files.values() {
            days.entry(rows::date(file).unwrap_or_default()).or_default().push(file);
        }
        let mut known = BTreeSet::new();
        for (day, files) in days {
            let mut batches = Vec::new();
            for file in files {
                for batch in table.readable(&source, file).await? {
                    let wanted = wanted(table, &batch, up_to);
                    let keys = rows::keys(table, &batch).into_iter().zip(wanted);
                    let kept: BooleanArray =
                        keys.map(|(key, wanted)| Some(wanted && known.insert(key))).collect();
                    let batch = filter_record_batch(&batch, &kept)
                        .map_err(|err| StoreError::storage("encoding", table.name, err))?;
                    batches.push(batch);
                }
            }
            let count: usize = batches.iter().map(RecordBatch::num_rows).sum();
            if count > 0 {
                let file = rows::parquet(table, &batches)?;
                actions.push(rows::put(&target, day, file, count, now, random).await?.into());
            }
        }
    }
    target.create(&actions).await.map(drop)
}

/// Returns which rows belong to the copy. The consequences of a patch set are recorded after it, so
/// a journal position is compared with the row's own seq, and the row's time counts only if it has
/// no seq.
fn wanted(table: &EventTable, batch: &RecordBatch, up_to: UpTo) -> Vec<bool> {
    let at = batch
        .column_by_name(table.at)
        .and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
    let seq = batch.column_by_name("seq").and_then(|column| column.as_primitive_opt::<Int64Type>());
    let seq_of =
        |row: usize| seq.filter(|seq| seq.is_valid(row)).map(|seq| seq.value(row).unsigned_abs());
    let is_before =
        |row: usize, end: Instant| at.is_none_or(|at| at.value(row) <= end.timestamp_micros());
    let wanted = |row: usize| match up_to.place {
        None => seq_of(row).is_none_or(|seq| seq <= up_to.seq),
        Some(AsOf::Time(end)) => is_before(row, end),
        Some(AsOf::Seq(end)) => {
            seq_of(row).map_or_else(|| is_before(row, up_to.at), |seq| seq <= end)
        }
    };
    (0..batch.num_rows()).map(wanted).collect()
}
