//! Making tables anew from the journal: those that are not there, and those whose columns are of another time.
//!
//! The journal is replayed part by part, each part is written, and when all are, one commit puts the new files in place
//! of whatever the table held. A table that was there keeps its log and its id. Where another process has the slot, what
//! it did is looked at, and the files of this attempt are left to the vacuum.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use deltalake::arrow::array::RecordBatch;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use serde_json::Value;

use super::changed::key;
use super::definition::{self, NewFile, Position};
use super::fold::{Folded, commit};
use super::output::{Naming, Output};
use super::read::{Found, ROW_GROUP};
use super::rewrite::AT_ONCE;
use super::{BUCKET, CurrentTable, FoldedTable, bucket, columns, field_changes};
use crate::domain::any::AnyRecord;
use crate::domain::record::Entity;
use crate::runtime::{Clock, Random};
use crate::store::error::StoreError;
use crate::store::format::Format;
use crate::store::journal::files::Files;
use crate::store::journal::verify::verify_chain;
use crate::store::parts::{Parts, Records, Stop, Survey, Until};
use crate::store::row::Row;
use crate::store::table_log::{Table, TableLog, entry_bytes};

/// A table to be made anew, and what stands in its place.
#[derive(Debug)]
pub struct Lost {
    pub table: FoldedTable,
    pub instead_of: Option<Table>,
    /// The last version in its log where that cannot be read.
    pub broken_at: Option<u64>,
    /// Whether it is rebuilt even where its log says that it is whole.
    pub is_forced: bool,
}

/// What tables are made anew from.
pub struct Anew<'a> {
    pub root: &'a Arc<dyn ObjectStore>,
    pub files: &'a Files,
    pub format: &'a Format,
    /// What the tables are to show.
    pub to: Position,
    /// How many bytes of the journal's rows are replayed at a time.
    pub budget: u64,
    pub clock: &'a dyn Clock,
    pub random: &'a dyn Random,
}

impl Anew<'_> {
    /// Makes the tables. Those that are not among the answers are to be looked at again.
    pub async fn make(&self, lost: &[Lost]) -> Result<Vec<(&'static str, Folded)>, StoreError> {
        let of: Vec<_> =
            self.files.live().filter(|file| file.seq.0 <= self.to.seq).cloned().collect();
        // What is made of all rows would be believed from then on, and nobody would read the rows again.
        verify_chain(self.files, of.iter().cloned(), self.to.seq).await?;
        let survey = Survey::of(self.files, &of).await;
        let survey = survey.sound()?;
        let parts = Parts::new(self.files, of, self.format, survey);
        let ends = lost.iter().map(|lost| (lost.table.entity(), self.to.seq)).collect();
        let until = Until { ends, last: self.to.seq };
        let mut files: Vec<Vec<NewFile>> = lost.iter().map(|_| Vec::new()).collect();
        for buckets in parts.split(self.budget) {
            let mut changes = Changes::default();
            let has_changes = lost.iter().any(|lost| lost.table == FoldedTable::Changes);
            let noted = |row: &Row| if has_changes { changes.note(row) } else { Ok(()) };
            let mut records = parts.replay(&buckets, &until, noted).await.map_err(Stop::fault)?;
            for (lost, files) in lost.iter().zip(&mut files) {
                files.extend(match lost.table {
                    FoldedTable::Changes => {
                        self.write_changes(std::mem::take(&mut changes)).await?
                    }
                    FoldedTable::Current(table) => {
                        self.write_records(table, &buckets, &mut records).await?
                    }
                });
            }
        }
        let mut made = Vec::new();
        for (lost, files) in lost.iter().zip(files) {
            if let Some(folded) = self.put(lost, &files).await? {
                made.push((lost.table.name(), folded));
            }
        }
        Ok(made)
    }

    fn naming(&self) -> Naming<'_> {
        Naming { seq: self.to.seq, at: self.to.at, random: self.random }
    }

    async fn write_records(
        &self,
        table: &CurrentTable,
        buckets: &BTreeSet<u32>,
        records: &mut Records,
    ) -> Result<Vec<NewFile>, StoreError> {
        let log = TableLog::new(Arc::clone(self.root), table.name);
        let mut own: BTreeMap<u32, Vec<AnyRecord>> =
            buckets.iter().map(|bucket| (*bucket, Vec::new())).collect();
        for (_, record) in records.remove(&table.entity).unwrap_or_default() {
            own.entry(bucket(table.entity, record.project())).or_default().push(record);
        }
        let written = own
            .into_iter()
            .map(|(bucket, records)| self.write_bucket(table, &log, bucket, records));
        let written: Vec<Vec<NewFile>> =
            futures::stream::iter(written).buffered(AT_ONCE).try_collect().await?;
        Ok(written.into_iter().flatten().collect())
    }

    async fn write_bucket(
        &self,
        table: &CurrentTable,
        log: &TableLog,
        bucket: u32,
        mut records: Vec<AnyRecord>,
    ) -> Result<Vec<NewFile>, StoreError> {
        records.sort_by_cached_key(key);
        let mut output = Output::new(table, log, self.naming(), bucket);
        for records in records.chunks(ROW_GROUP) {
            let batch = columns::encode(table.entity, records);
            output
                .write(batch.map_err(|fault| StoreError::storage("encoding", table.name, fault))?)
                .await?;
        }
        output.finish().await
    }

    async fn write_changes(&self, changes: Changes) -> Result<Vec<NewFile>, StoreError> {
        let log = &FoldedTable::Changes.log(self.root);
        let written = changes.finish()?.into_iter().map(|(bucket, batches)| async move {
            let path =
                format!("{BUCKET}={bucket}/{:020}-{}.parquet", self.to.seq, self.naming().fresh());
            let (mut file, bytes) = field_changes::file(path, bucket, &batches).await?;
            file.path = log.put_checked(&file.path, bytes).await?;
            Ok(file)
        });
        futures::stream::iter(written).buffered(AT_ONCE).try_collect().await
    }

    /// Commits a table's new files; `None` where it is no longer what it was when this began.
    async fn put(&self, lost: &Lost, files: &[NewFile]) -> Result<Option<Folded>, StoreError> {
        let begun = self.clock.now();
        let mut broken_at = None;
        let still = match lost.table.find(self.root, Some(self.files)).await? {
            Found::Nothing => None,
            Found::Broken(_, last) => {
                broken_at = Some(last);
                None
            }
            Found::Outdated(table, _) => Some(table),
            Found::Whole(table, _) if lost.is_forced => Some(table),
            Found::Whole(..) => return Ok(None),
        };
        let version = |table: &Option<Table>| table.as_ref().map(|table| table.version);
        if version(&still) != version(&lost.instead_of) || broken_at != lost.broken_at {
            return Ok(None);
        }
        let log = lost.table.log(self.root);
        let next = version(&still).or(broken_at).map_or(Ok(0), |version| log.after(version))?;
        let operation = if next > 0 { "REPLACE TABLE AS FOLD" } else { "CREATE TABLE AS FOLD" };
        let mut actions: Vec<Value> = definition::commit(operation, &self.to);
        let [protocol, mut description] = lost.table.create(self.naming().fresh(), self.to.at);
        if let Some(described) = still.as_ref().and_then(|table| table.described.as_ref()) {
            description["metaData"]["id"] = Value::from(described.id.as_str());
        }
        actions.extend([protocol, description]);
        let old = still.iter().flat_map(|table| table.files.values());
        actions.extend(old.map(|file| definition::remove(file, self.clock.now())));
        actions.extend(files.iter().map(|file| definition::add(file, self.to.at)));
        definition::seal(&mut actions, None);
        if !commit(&log, next, &actions, begun, self.clock).await? {
            return Ok(None);
        }
        if broken_at.is_some() {
            // Readers begin here; what is before it stays as it is.
            log.begin_at(next, &entry_bytes(&actions)).await?;
        }
        let size = still.as_ref().map(Table::size).unwrap_or_default().after(next, &actions);
        let rows = files.iter().map(|file| file.rows).sum();
        Ok(Some(Folded { seq: self.to.seq, rows, files: files.len(), written: Some(size) }))
    }
}

/// The changes of a part, a batch for each few thousand of a bucket.
#[derive(Default)]
struct Changes {
    open: BTreeMap<u32, Vec<field_changes::Change>>,
    done: BTreeMap<u32, Vec<RecordBatch>>,
}

impl Changes {
    fn note(&mut self, row: &Row) -> Result<(), StoreError> {
        let bucket = bucket(Entity::Task, row.project_id);
        let open = self.open.entry(bucket).or_default();
        open.extend(field_changes::changes(row)?);
        if open.len() >= ROW_GROUP {
            let batch = field_changes::encode(&std::mem::take(open))?;
            self.done.entry(bucket).or_default().push(batch);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<BTreeMap<u32, Vec<RecordBatch>>, StoreError> {
        for (bucket, changes) in self.open {
            if !changes.is_empty() {
                self.done.entry(bucket).or_default().push(field_changes::encode(&changes)?);
            }
        }
        Ok(self.done)
    }
}
