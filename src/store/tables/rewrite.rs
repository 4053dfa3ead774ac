//! Rewriting a current table's buckets: what the table holds, and the journal's rows since, become new files.
//!
//! A bucket is rewritten as a stream, so that only its changed records and one row group at a time are in memory. A
//! record that stays in its project keeps its place among the rows; one that moved is taken out of one bucket and put
//! into another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use deltalake::arrow::array::{AsArray, BooleanArray, RecordBatch};
use deltalake::arrow::compute::{SortColumn, concat_batches, filter_record_batch, lexsort_to_indices, not, take_record_batch};
use deltalake::arrow::error::ArrowError;
use futures::{StreamExt, TryStreamExt};
use uuid::Uuid;

use super::definition::{self, NewFile};
use super::fold::{Folded, Folding, Prepare, Prepared};
use super::output::Output;
use super::read::{self, Wanted, batches};
use super::{CurrentTable, bucket, columns, in_bucket};
use crate::domain::any::AnyRecord;
use crate::domain::patch::Op;
use crate::store::error::StoreError;
use crate::store::row::Row;
use crate::store::table_log::{LiveFile, Table, TableLog};

/// Buckets rewritten at once: while one waits for the disk another is encoded.
pub(super) const AT_ONCE: usize = 8;

/// Rewrites the files of the buckets that changed.
pub(super) struct Rewrite<'a> {
    pub table: &'a CurrentTable,
    pub log: &'a TableLog,
    pub folding: &'a Folding<'a>,
}

#[async_trait]
impl Prepare for Rewrite<'_> {
    async fn prepare(&self, current: &Table, from: u64) -> Result<Prepared, StoreError> {
        let (seq, at) = (self.folding.seq, self.folding.at);
        let changed = self.changed(current, from).await?;
        if changed.buckets.is_empty() {
            return Ok(None);
        }
        let mut actions = definition::commit("FOLD", seq, at).to_vec();
        let mut folded = Folded { seq, ..Folded::default() };
        let mut edited = 0;
        let changed = &changed;
        let mut rewritten = Vec::with_capacity(changed.buckets.len());
        for (bucket, coming) in &changed.buckets {
            let old = in_bucket(current, *bucket);
            rewritten.push(async move {
                let (files, found) = self.rewrite(*bucket, &old, coming, changed).await?;
                Ok::<_, StoreError>((old, files, coming.len(), found))
            });
        }
        let mut rewritten = futures::stream::iter(rewritten).buffered(AT_ONCE);
        while let Some((old, files, came, found)) = rewritten.try_next().await? {
            edited += found;
            folded.rows += came + found;
            folded.files += files.len();
            actions.extend(files.iter().map(|file| definition::add(file, at)));
            actions.extend(old.into_iter().map(|file| definition::remove(file, self.folding.clock.now())));
        }
        if edited != changed.edits.len() {
            let what = format!("{} records that the journal changed are not in it", changed.edits.len() - edited);
            return Err(StoreError::damaged(self.table.name, what));
        }
        Ok(Some((actions, folded)))
    }
}

/// What changed in a table since it was folded.
#[derive(Default)]
struct Changed<'r> {
    /// The rows of each record that stays where it is, in order.
    edits: BTreeMap<Uuid, Vec<&'r Row>>,
    /// The records that leave the files they are in.
    gone: BTreeSet<Uuid>,
    /// The buckets to rewrite, with the records that come into each, sorted.
    buckets: BTreeMap<u32, Vec<AnyRecord>>,
}

impl Rewrite<'_> {
    async fn changed(&self, current: &Table, from: u64) -> Result<Changed<'_>, StoreError> {
        let mut histories: BTreeMap<Uuid, Vec<&Row>> = BTreeMap::new();
        for row in self.folding.rows_after(from).filter(|row| row.entity == self.table.entity) {
            histories.entry(row.entity_id).or_default().push(row);
        }
        let mut changed = Changed::default();
        let mut moved: BTreeMap<Uuid, Vec<&Row>> = BTreeMap::new();
        let come = |changed: &mut Changed<'_>, record: AnyRecord| {
            changed.buckets.entry(bucket(record.entity(), record.project())).or_default().push(record);
        };
        for (id, rows) in histories {
            let is_new = rows.first().is_some_and(|row| matches!(row.op, Op::Create | Op::Link));
            let left = rows.iter().find_map(|row| row.left_project());
            if is_new {
                come(&mut changed, self.replay(None, &rows)?);
            } else if left.is_some() {
                changed.buckets.entry(bucket(self.table.entity, left)).or_default();
                changed.gone.insert(id);
                moved.insert(id, rows);
            } else {
                changed.buckets.entry(bucket(self.table.entity, rows.first().and_then(|row| row.project_id))).or_default();
                changed.edits.insert(id, rows);
            }
        }
        if !moved.is_empty() {
            let left = |rows: &Vec<&Row>| rows.iter().find_map(|row| row.left_project());
            let buckets = moved.values().map(|rows| bucket(self.table.entity, left(rows)));
            let wanted = Wanted::ids(moved.keys().copied()).in_buckets(buckets);
            for record in read::records(self.log, current, self.table.entity, Some(&wanted)).await? {
                if let Some(rows) = moved.remove(&record.id()) {
                    come(&mut changed, self.replay(Some(record), &rows)?);
                }
            }
            if let Some(id) = moved.keys().next() {
                return Err(StoreError::damaged(self.table.name, format!("{id}, which the journal moved, is not in it")));
            }
        }
        for records in changed.buckets.values_mut() {
            records.sort_by_cached_key(key);
        }
        Ok(changed)
    }

    /// A record after the rows that changed it.
    fn replay(&self, before: Option<AnyRecord>, rows: &[&Row]) -> Result<AnyRecord, StoreError> {
        let mut record = before;
        for row in rows {
            record = Some(self.folding.format.replay(row, record)?);
        }
        record.ok_or_else(|| StoreError::damaged(self.table.name, "a record without a row"))
    }

    /// Streams the old files of a bucket into new ones, changed records in their places; gives the files, and how many
    /// records were edited.
    async fn rewrite(
        &self,
        bucket: u32,
        old: &[&LiveFile],
        coming: &[AnyRecord],
        changed: &Changed<'_>,
    ) -> Result<(Vec<NewFile>, usize), StoreError> {
        let entity = self.table.entity;
        let encoding = |fault: ArrowError| StoreError::storage("encoding", self.table.name, fault);
        let mut output = Output::new(self.table, self.log, self.folding.naming(), bucket);
        let (mut next, mut found) = (0, 0);
        for file in old {
            let path = format!("{}/{}", self.table.name, file.path);
            for batch in batches(&path, self.log.get_live(&file.path).await?)? {
                let batch = batch?;
                let Some(last) = last_key(&batch) else { continue };
                let is_touched = touched(&batch, changed);
                let mut records = Vec::new();
                let mut kept = batch;
                if is_touched.true_count() > 0 {
                    let before = filter_record_batch(&kept, &is_touched).map_err(encoding)?;
                    for record in columns::decode(entity, &before, &path)? {
                        if let Some(rows) = changed.edits.get(&record.id()) {
                            records.push(self.replay(Some(record), rows)?);
                        }
                    }
                    found += records.len();
                    kept = filter_record_batch(&kept, &not(&is_touched).map_err(encoding)?).map_err(encoding)?;
                }
                let end = next + coming[next..].partition_point(|record| key(record) <= last);
                records.extend_from_slice(&coming[next..end]);
                next = end;
                if !records.is_empty() {
                    records.sort_by_cached_key(key);
                    kept = merge(&kept, &columns::encode(entity, &records).map_err(encoding)?).map_err(encoding)?;
                }
                output.write(kept).await?;
            }
        }
        for records in coming[next..].chunks(read::ROW_GROUP) {
            output.write(columns::encode(entity, records).map_err(encoding)?).await?;
        }
        Ok((output.finish().await?, found))
    }
}

/// Which rows of a batch are those of changed records.
fn touched(batch: &RecordBatch, changed: &Changed<'_>) -> BooleanArray {
    let ids = batch.column_by_name("id").and_then(|column| column.as_string_opt::<i32>());
    let is_touched = |id: Option<&str>| {
        let id = id.and_then(|id| Uuid::try_parse(id).ok());
        Some(id.is_some_and(|id| changed.edits.contains_key(&id) || changed.gone.contains(&id)))
    };
    ids.map_or_else(|| BooleanArray::from(vec![false; batch.num_rows()]), |ids| ids.iter().map(is_touched).collect())
}

/// The order of rows in a bucket: by project, where the table has one, and id.
pub(super) fn key(record: &AnyRecord) -> (String, String) {
    let project = record.get("project_id").and_then(|id| id.as_str().map(str::to_owned));
    (project.unwrap_or_default(), record.id().hyphenated().to_string())
}

fn last_key(batch: &RecordBatch) -> Option<(String, String)> {
    let row = batch.num_rows().checked_sub(1)?;
    let column = |name: &str| batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    let text = |name: &str| column(name).map(|column| column.value(row).to_owned());
    Some((text("project_id").unwrap_or_default(), text("id")?))
}

/// Two sorted batches as one.
fn merge(a: &RecordBatch, b: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let both = concat_batches(&b.schema(), [a, b])?;
    let by = ["project_id", "id"].iter().filter_map(|name| both.column_by_name(name));
    let order =
        lexsort_to_indices(&by.map(|column| SortColumn { values: Arc::clone(column), options: None }).collect::<Vec<_>>(), None)?;
    take_record_batch(&both, &order)
}
