//! Rewrites a current table's buckets: the table's records and the journal rows since become new
//! files.
//!
//! A bucket is rewritten as a stream, so that only its changed records and one row group at a time
//! are in memory. An unchanged row group is copied as stored, and so is an unchanged column of a
//! row group whose rows keep their places. That is most of the data, since an edit touches few
//! columns. A record that stays in its project keeps its place among the rows; a moved record is
//! removed from one bucket and added to another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use deltalake::arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use deltalake::arrow::compute::{
    SortColumn, concat_batches, filter_record_batch, interleave, lexsort_to_indices,
    take_record_batch,
};
use deltalake::arrow::error::ArrowError;
use futures::{StreamExt, TryStreamExt};

use super::changed::{Changed, Edit, key};
use super::definition::{self, NewFile, sort_columns};
use super::folding::{CONCURRENCY, Folded, Prepare, Prepared, Rewrite};
use super::output::{self, Output};
use super::source::{Key, Source};
use super::{columns, files_in_bucket, read};
use crate::domain::any_record::AnyRecord;
use crate::domain::record::{Entity, Field};
use crate::store::delta_log::action::Action;
use crate::store::delta_log::table::{LiveFile, Table};
use crate::store::error::StoreError;

#[async_trait]
impl Prepare for Rewrite<'_> {
    async fn prepare(&self, current: &Table, from: u64) -> Result<Prepared, StoreError> {
        let (seq, at) = (self.folding.to.seq, self.folding.to.at);
        let changed = self.changed(current, from).await?;
        if changed.buckets.is_empty() {
            return Ok(None);
        }
        let mut actions = definition::commit("FOLD", &self.folding.to);
        let mut folded = Folded { seq, ..Folded::default() };
        let mut edited = 0;
        let changed = &changed;
        let mut rewritten = Vec::with_capacity(changed.buckets.len());
        for (bucket, coming) in &changed.buckets {
            let old = files_in_bucket(current, *bucket);
            rewritten.push(async move {
                let (files, found) = self.rewrite(*bucket, &old, coming, changed).await?;
                Ok::<_, StoreError>((old, files, coming.len(), found))
            });
        }
        let mut rewritten = futures::stream::iter(rewritten).buffered(CONCURRENCY);
        while let Some((old, files, came, found)) = rewritten.try_next().await? {
            edited += found;
            folded.rows += came + found;
            folded.files += files.len();
            actions.extend(files.iter().map(|file| Action::from(definition::add(file, at))));
            let now = || self.folding.clock.now();
            actions.extend(old.into_iter().map(|file| Action::from(file.remove(now()))));
        }
        if edited != changed.edits.len() {
            let what = format!(
                "{} records that the journal changed are not in it",
                changed.edits.len() - edited
            );
            return Err(StoreError::damaged(self.table.name, what));
        }
        Ok(Some((actions, folded)))
    }
}

impl Rewrite<'_> {
    /// Streams the old files of a bucket into new ones with the changed records in their places.
    /// Returns the files and the number of edited records.
    async fn rewrite(
        &self,
        bucket: u32,
        old: &[&LiveFile],
        coming: &[AnyRecord],
        changed: &Changed,
    ) -> Result<(Vec<NewFile>, usize), StoreError> {
        let mut output = Output::new(self.table, self.log, self.folding.naming(), bucket);
        let mut coming = Incoming(coming);
        let mut found = 0;
        for (number, file) in old.iter().enumerate() {
            let path = format!("{}/{}", self.table.name, file.path);
            let source =
                Source::open(path, self.table.entity, self.log.get_live(&file.path).await?)?;
            for group in 0..source.groups() {
                let follow = match source.rows(group + 1) {
                    None if number + 1 == old.len() => coming.0.len(),
                    None => 0,
                    Some(rows) => rows,
                };
                // The few rows that follow are merged with these.
                let joins = output::is_small(follow);
                found +=
                    self.group(&source, group, joins, &mut coming, changed, &mut output).await?;
                // Encoding takes time, and other tasks wait for this thread.
                tokio::task::yield_now().await;
            }
        }
        for records in coming.0.chunks(read::ROW_GROUP) {
            output.write(self.encode(records)?).await?;
        }
        Ok((output.finish().await?, found))
    }

    /// Writes a row group of the old files to the new ones, as rows if it `joins` with others.
    /// Returns the number of its edited records.
    async fn group(
        &self,
        source: &Source,
        group: usize,
        joins: bool,
        coming: &mut Incoming<'_>,
        changed: &Changed,
        output: &mut Output<'_>,
    ) -> Result<usize, StoreError> {
        let is_whole = |output: &Output<'_>| !joins && !output.wants_rows();
        if let Some((low, high)) = source.lead_bounds(group) {
            let before = coming.take(|key| *lead(self.table.entity, key) < *low);
            if !before.is_empty() {
                output.write(self.encode(before)?).await?;
            }
            let concerns =
                |key: &Key| (low.as_str()..=high.as_str()).contains(&lead(self.table.entity, key));
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
        let edits: Vec<(usize, &Edit)> = changed
            .edits
            .range(first.clone()..=last.clone())
            .filter_map(|(key, edit)| Some((keys.find(key)?, edit)))
            .collect();
        let gone: BTreeSet<usize> =
            changed.gone.range(first..=last.clone()).filter_map(|key| keys.find(key)).collect();
        let coming = coming.take(|key| *key <= last);
        let edited = edits.len();
        if gone.is_empty() && coming.is_empty() && is_whole(output) {
            output.keep(source, group, &self.edited(source, group, &edits)?)?;
            return Ok(edited);
        }
        let encoding = |err: ArrowError| StoreError::storage("encoding", self.table.name, err);
        let mut rows = source.read(group, None)?;
        for (index, array) in self.edited(source, group, &edits)? {
            let mut columns = rows.columns().to_vec();
            columns[index] = array;
            rows = RecordBatch::try_new(rows.schema(), columns).map_err(encoding)?;
        }
        if !gone.is_empty() {
            let stays: BooleanArray =
                (0..rows.num_rows()).map(|row| Some(!gone.contains(&row))).collect();
            rows = filter_record_batch(&rows, &stays).map_err(encoding)?;
        }
        if !coming.is_empty() {
            rows = merge(&rows, &self.encode(coming)?).map_err(encoding)?;
        }
        output.write(rows).await?;
        Ok(edited)
    }

    /// Returns the columns of a row group that these edits change, by number, with the edits
    /// applied.
    fn edited(
        &self,
        source: &Source,
        group: usize,
        edits: &[(usize, &Edit)],
    ) -> Result<BTreeMap<usize, ArrayRef>, StoreError> {
        let entity = self.table.entity;
        let mut records = Vec::with_capacity(edits.len());
        // For each field, the changed rows of the group, each with the number of the record that
        // holds the new value.
        let mut changes: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
        for (at, edit) in edits {
            for field in &edit.fields {
                changes.entry(*field).or_default().push((*at, records.len()));
            }
            records.push(edit.record.clone());
        }
        if changes.is_empty() {
            return Ok(BTreeMap::new());
        }
        let fields: Vec<&Field> = changes.keys().map(|index| &entity.fields()[*index]).collect();
        let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
        let before = source.read(group, Some(&names))?;
        let mut after = BTreeMap::new();
        for ((field, (index, changes)), old) in
            fields.into_iter().zip(changes).zip(before.columns())
        {
            let mut take: Vec<(usize, usize)> = (0..old.len()).map(|row| (0, row)).collect();
            for (row, record) in changes {
                take[row] = (1, record);
            }
            let new = columns::column(field, &records);
            let array = interleave(&[old.as_ref(), new.as_ref()], &take)
                .map_err(|err| StoreError::storage("encoding", self.table.name, err))?;
            // The id column precedes the fields.
            after.insert(index + 1, array);
        }
        Ok(after)
    }

    fn encode(&self, records: &[AnyRecord]) -> Result<RecordBatch, StoreError> {
        columns::encode(self.table.entity, records)
            .map_err(|err| StoreError::storage("encoding", self.table.name, err))
    }
}

/// The sorted records that enter a bucket and are not written yet.
struct Incoming<'a>(&'a [AnyRecord]);

impl<'a> Incoming<'a> {
    fn next(&self) -> Option<Key> {
        self.0.first().map(key)
    }

    /// Takes the records at the front that satisfy `is`.
    fn take(&mut self, is: impl Fn(&Key) -> bool) -> &'a [AnyRecord] {
        let (taken, rest) = self.0.split_at(self.0.partition_point(|record| is(&key(record))));
        self.0 = rest;
        taken
    }
}

/// Returns the value of the first sort column.
fn lead(entity: Entity, key: &Key) -> &str {
    if sort_columns(entity).count() > 1 { &key.0 } else { &key.1 }
}

/// Returns the least key with this value in the first sort column.
fn range_start(entity: Entity, lead: &str) -> Key {
    if sort_columns(entity).count() > 1 {
        (lead.to_owned(), String::new())
    } else {
        (String::new(), lead.to_owned())
    }
}

/// Merges two sorted batches.
fn merge(a: &RecordBatch, b: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let both = concat_batches(&b.schema(), [a, b])?;
    let by = ["project_id", "id"].iter().filter_map(|name| both.column_by_name(name));
    let order = lexsort_to_indices(
        &by.map(|column| SortColumn { values: Arc::clone(column), options: None })
            .collect::<Vec<_>>(),
        None,
    )?;
    take_record_batch(&both, &order)
}
