//! Rewriting a current table's buckets: what the table holds, and the journal's rows since, become new files.
//!
//! A bucket is rewritten as a stream, so that only its changed records and one row group at a time are in memory. A row
//! group that nothing changed, and a column that nothing changed in one whose rows stay where they are, are taken over as
//! they are stored; that is most of them, since an edit touches a few columns. A record that stays in its project keeps
//! its place among the rows; one that moved is taken out of one bucket and put into another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use deltalake::arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use deltalake::arrow::compute::{
    SortColumn, concat_batches, filter_record_batch, interleave, lexsort_to_indices, take_record_batch,
};
use deltalake::arrow::error::ArrowError;
use futures::{StreamExt, TryStreamExt};
use serde_json::Value;
use uuid::Uuid;

use super::definition::{self, NewFile, sort_columns};
use super::fold::{Folded, Folding, Prepare, Prepared};
use super::output::{self, Output};
use super::read::{self, Wanted};
use super::source::{Key, Source};
use super::{CurrentTable, bucket, columns, in_bucket};
use crate::domain::any::AnyRecord;
use crate::domain::id::ProjectId;
use crate::domain::patch::Op;
use crate::domain::record::{Entity, Field};
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
    edits: BTreeMap<Key, Vec<&'r Row>>,
    /// The records that leave the files they are in.
    gone: BTreeSet<Key>,
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
                changed.gone.insert(place(self.table.entity, left, id));
                moved.insert(id, rows);
            } else {
                let project = rows.first().and_then(|row| row.project_id);
                changed.buckets.entry(bucket(self.table.entity, project)).or_default();
                changed.edits.insert(place(self.table.entity, project, id), rows);
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
        let mut output = Output::new(self.table, self.log, self.folding.naming(), bucket);
        let mut coming = Coming(coming);
        let mut found = 0;
        for (number, file) in old.iter().enumerate() {
            let path = format!("{}/{}", self.table.name, file.path);
            let source = Source::open(path, self.table.entity, self.log.get_live(&file.path).await?)?;
            for group in 0..source.groups() {
                let follow = match source.rows(group + 1) {
                    None if number + 1 == old.len() => coming.0.len(),
                    None => 0,
                    Some(rows) => rows,
                };
                // The few rows that come next are joined with these.
                let joins = output::is_few(follow);
                found += self.group(&source, group, joins, &mut coming, changed, &mut output).await?;
                // Encoding takes its time, and others wait for this thread.
                tokio::task::yield_now().await;
            }
        }
        for records in coming.0.chunks(read::ROW_GROUP) {
            output.write(self.encode(records)?).await?;
        }
        Ok((output.finish().await?, found))
    }

    /// Brings a row group of the old files into the new ones, as rows where it `joins` with others; gives how many of its
    /// records were edited.
    async fn group(
        &self,
        source: &Source,
        group: usize,
        joins: bool,
        coming: &mut Coming<'_>,
        changed: &Changed<'_>,
        output: &mut Output<'_>,
    ) -> Result<usize, StoreError> {
        let is_whole = |output: &Output<'_>| !joins && !output.wants_rows();
        if let Some((low, high)) = source.lead_bounds(group) {
            let before = coming.take(|key| *lead(self.table.entity, key) < *low);
            if !before.is_empty() {
                output.write(self.encode(before)?).await?;
            }
            let concerns = |key: &Key| (low.as_str()..=high.as_str()).contains(&lead(self.table.entity, key));
            let from = range_start(self.table.entity, &low);
            let is_concerned = coming.next().is_some_and(|key| concerns(&key))
                || changed.edits.range(from.clone()..).next().is_some_and(|(key, _)| concerns(key))
                || changed.gone.range(from..).next().is_some_and(concerns);
            if !is_concerned && is_whole(output) {
                output.keep(source, group, &BTreeMap::new())?;
                return Ok(0);
            }
        }
        let keys = source.keys(group)?;
        let Some((first, last)) = keys.first().zip(keys.last()) else { return Ok(0) };
        if first > last {
            return Err(StoreError::damaged(source.path(), "its rows are not in order"));
        }
        let edits: Vec<(usize, &Vec<&Row>)> =
            changed.edits.range(first.clone()..=last.clone()).filter_map(|(key, rows)| Some((keys.find(key)?, rows))).collect();
        let gone: BTreeSet<usize> = changed.gone.range(first..=last.clone()).filter_map(|key| keys.find(key)).collect();
        let coming = coming.take(|key| *key <= last);
        let edited = edits.len();
        if gone.is_empty() && coming.is_empty() && is_whole(output) {
            output.keep(source, group, &self.edited(source, group, &edits)?)?;
            return Ok(edited);
        }
        let encoding = |fault: ArrowError| StoreError::storage("encoding", self.table.name, fault);
        let mut rows = source.read(group, None)?;
        for (index, array) in self.edited(source, group, &edits)? {
            let mut columns = rows.columns().to_vec();
            columns[index] = array;
            rows = RecordBatch::try_new(rows.schema(), columns).map_err(encoding)?;
        }
        if !gone.is_empty() {
            let stays: BooleanArray = (0..rows.num_rows()).map(|row| Some(!gone.contains(&row))).collect();
            rows = filter_record_batch(&rows, &stays).map_err(encoding)?;
        }
        if !coming.is_empty() {
            rows = merge(&rows, &self.encode(coming)?).map_err(encoding)?;
        }
        output.write(rows).await?;
        Ok(edited)
    }

    /// The columns of a row group that these edits change, by their numbers, as they are after them.
    fn edited(
        &self,
        source: &Source,
        group: usize,
        edits: &[(usize, &Vec<&Row>)],
    ) -> Result<BTreeMap<usize, ArrayRef>, StoreError> {
        let entity = self.table.entity;
        let mut records = Vec::with_capacity(edits.len());
        // The rows of the group that each field changes in, with the record that says to what.
        let mut changes: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
        for (at, rows) in edits {
            let (record, fields) = self.changes(rows)?;
            for field in fields {
                changes.entry(field).or_default().push((*at, records.len()));
            }
            records.push(record);
        }
        if changes.is_empty() {
            return Ok(BTreeMap::new());
        }
        let fields: Vec<&Field> = changes.keys().map(|index| &entity.fields()[*index]).collect();
        let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
        let before = source.read(group, Some(&names))?;
        let mut after = BTreeMap::new();
        for ((field, (index, changes)), old) in fields.into_iter().zip(changes).zip(before.columns()) {
            let mut take: Vec<(usize, usize)> = (0..old.len()).map(|row| (0, row)).collect();
            for (row, record) in changes {
                take[row] = (1, record);
            }
            let new = columns::column(field, &records);
            let array = interleave(&[old.as_ref(), new.as_ref()], &take)
                .map_err(|fault| StoreError::storage("encoding", self.table.name, fault))?;
            // The id stands before the fields.
            after.insert(index + 1, array);
        }
        Ok(after)
    }

    /// What the rows of a record that stays in its project set: a record of which only that is known, and the numbers of
    /// the fields.
    fn changes(&self, rows: &[&Row]) -> Result<(AnyRecord, BTreeSet<usize>), StoreError> {
        let entity = self.table.entity;
        let mut fields = BTreeSet::new();
        for row in rows {
            let names = self.folding.format.changes(row)?;
            fields
                .extend(entity.fields().iter().enumerate().filter(|(_, field)| names.contains_key(field.name)).map(|(at, _)| at));
        }
        let first = rows.first().ok_or_else(|| StoreError::damaged(self.table.name, "a record without a row"))?;
        let mut record = AnyRecord::blank(entity, first.entity_id);
        if let Some(project) = first.project_id.filter(|_| entity.field("project_id").is_some()) {
            record
                .set("project_id", &Value::from(project.to_string()))
                .map_err(|misfit| StoreError::damaged(self.table.name, format!("a project's id {misfit}")))?;
        }
        Ok((self.replay(Some(record), rows)?, fields))
    }

    fn encode(&self, records: &[AnyRecord]) -> Result<RecordBatch, StoreError> {
        columns::encode(self.table.entity, records).map_err(|fault| StoreError::storage("encoding", self.table.name, fault))
    }
}

/// The records that come into a bucket and are not written yet, sorted.
struct Coming<'a>(&'a [AnyRecord]);

impl<'a> Coming<'a> {
    fn next(&self) -> Option<Key> {
        self.0.first().map(key)
    }

    /// Those at the front of which this is true.
    fn take(&mut self, is: impl Fn(&Key) -> bool) -> &'a [AnyRecord] {
        let (taken, rest) = self.0.split_at(self.0.partition_point(|record| is(&key(record))));
        self.0 = rest;
        taken
    }
}

/// The order of rows in a bucket: by project, where the table has one, and id.
pub(super) fn key(record: &AnyRecord) -> Key {
    place(record.entity(), record.project(), record.id())
}

fn place(entity: Entity, project: Option<ProjectId>, id: Uuid) -> Key {
    let project = project.filter(|_| entity.field("project_id").is_some()).map(|project| project.to_string());
    (project.unwrap_or_default(), id.hyphenated().to_string())
}

/// What stands in the first sort column.
fn lead(entity: Entity, key: &Key) -> &str {
    if sort_columns(entity).count() > 1 { &key.0 } else { &key.1 }
}

/// The least key with this in the first sort column.
fn range_start(entity: Entity, lead: &str) -> Key {
    if sort_columns(entity).count() > 1 { (lead.to_owned(), String::new()) } else { (String::new(), lead.to_owned()) }
}

/// Two sorted batches as one.
fn merge(a: &RecordBatch, b: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let both = concat_batches(&b.schema(), [a, b])?;
    let by = ["project_id", "id"].iter().filter_map(|name| both.column_by_name(name));
    let order =
        lexsort_to_indices(&by.map(|column| SortColumn { values: Arc::clone(column), options: None }).collect::<Vec<_>>(), None)?;
    take_record_batch(&both, &order)
}
