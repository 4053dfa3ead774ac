//! Rebuilds tables from the journal: missing tables, and tables with an outdated schema.
//!
//! The journal is replayed part by part, and each part is written. When all parts are written, one
//! commit replaces the table's content with the new files. An existing table keeps its log and its
//! id. If another process took the version, its result is checked, and the files of this attempt
//! are left to the vacuum.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use deltalake::arrow::array::RecordBatch;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;

use super::changed::key;
use super::definition::{self, NewFile, Position};
use super::fold::put;
use super::folding::{CONCURRENCY, Folded};
use super::output::{FileNamer, Output};
use super::read::{ROW_GROUP, TableState};
use super::{BUCKET, CurrentTable, FoldedTable, bucket, columns, field_changes};
use crate::domain::any_record::AnyRecord;
use crate::domain::record::Entity;
use crate::runtime::{Clock, Random};
use crate::store::delta_log::action::Action;
use crate::store::delta_log::commit::{Commit, CommitOutcome, NextEntry, PutResult, commit};
use crate::store::delta_log::spec::keep_id;
use crate::store::delta_log::table::{Table, TableSize};
use crate::store::delta_log::table_log::TableLog;
use crate::store::error::StoreError;
use crate::store::format::Format;
use crate::store::journal::files::Files;
use crate::store::journal::verify::verify_chain;
use crate::store::replay::{BucketReplay, JournalScan, Records, ReplayBounds, Stop};
use crate::store::row::Row;

/// A table to rebuild, and the table that it replaces.
#[derive(Debug)]
pub struct RebuildTarget {
    pub table: FoldedTable,
    pub replaces: Option<Table>,
    /// Last version in the log, if that is unreadable.
    pub broken_at: Option<u64>,
    /// Whether the table is rebuilt even if its log states that it is complete.
    pub is_forced: bool,
}

/// The sources that tables are rebuilt from.
pub struct Rebuild<'a> {
    pub root: &'a Arc<dyn ObjectStore>,
    pub files: &'a Files,
    pub format: &'a Format,
    /// Position that the tables will show.
    pub to: Position,
    /// Bytes of journal rows replayed at a time.
    pub budget: u64,
    pub clock: &'a dyn Clock,
    pub random: &'a dyn Random,
}

impl Rebuild<'_> {
    /// Rebuilds the tables. The caller must check tables that are missing from the result again.
    pub async fn run(
        &self,
        lost: &[RebuildTarget],
    ) -> Result<Vec<(&'static str, Folded)>, StoreError> {
        let of: Vec<_> =
            self.files.live().filter(|file| file.seq.0 <= self.to.seq).cloned().collect();
        // The rebuilt table would be trusted from then on, and nobody would read the rows again.
        verify_chain(self.files, of.iter().cloned(), self.to.seq).await?;
        let scan = JournalScan::of(self.files, &of).await;
        let scan = scan.sound()?;
        let parts = BucketReplay::new(self.files, of, self.format, scan);
        let ends = lost.iter().map(|lost| (lost.table.entity(), self.to.seq)).collect();
        let until = ReplayBounds { ends, last: self.to.seq };
        let mut files: Vec<Vec<NewFile>> = lost.iter().map(|_| Vec::new()).collect();
        for buckets in parts.split(self.budget) {
            let mut changes = Changes::default();
            let has_changes = lost.iter().any(|lost| lost.table == FoldedTable::Changes);
            let noted = |row: &Row| if has_changes { changes.note(row) } else { Ok(()) };
            let mut records = parts.replay(&buckets, &until, noted).await.map_err(Stop::err)?;
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

    fn naming(&self) -> FileNamer<'_> {
        FileNamer { seq: self.to.seq, at: self.to.at, random: self.random }
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
            futures::stream::iter(written).buffered(CONCURRENCY).try_collect().await?;
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
                .write(batch.map_err(|err| StoreError::storage("encoding", table.name, err))?)
                .await?;
        }
        output.finish().await
    }

    async fn write_changes(&self, changes: Changes) -> Result<Vec<NewFile>, StoreError> {
        let log = &FoldedTable::Changes.log(self.root);
        let written = changes.finish()?.into_iter().map(|(bucket, batches)| async move {
            let path =
                format!("{BUCKET}={bucket}/{:020}-{}.parquet", self.to.seq, self.naming().next());
            let (mut file, bytes) = field_changes::file(path, bucket, &batches).await?;
            file.path = log.put_checked(&file.path, bytes).await?;
            Ok(file)
        });
        futures::stream::iter(written).buffered(CONCURRENCY).try_collect().await
    }

    /// Commits a table's new files; `None` if the table has changed since the rebuild began.
    async fn put(
        &self,
        lost: &RebuildTarget,
        files: &[NewFile],
    ) -> Result<Option<Folded>, StoreError> {
        let log = lost.table.log(self.root);
        let mut replacing =
            Replacing { rebuild: self, lost, files, log: &log, size: TableSize::default() };
        // Another look would find the table changed.
        let outcome = commit(&mut replacing, 1, self.random).await?;
        let CommitOutcome::Committed { version } = outcome else { return Ok(None) };
        let size = replacing.size;
        log.checkpoint_if_due(version).await;
        let rows = files.iter().map(|file| file.rows).sum();
        Ok(Some(Folded { seq: self.to.seq, rows, files: files.len(), written: Some(size) }))
    }
}

/// Replaces the content of a table.
struct Replacing<'a> {
    rebuild: &'a Rebuild<'a>,
    lost: &'a RebuildTarget,
    files: &'a [NewFile],
    log: &'a TableLog,
    /// Size after the commit.
    size: TableSize,
}

#[async_trait]
impl Commit for Replacing<'_> {
    async fn decide(&mut self) -> Result<Option<NextEntry>, StoreError> {
        let Self { rebuild, lost, files, .. } = *self;
        let begun = rebuild.clock.now();
        let mut broken_at = None;
        let still = match lost.table.find(rebuild.root, Some(rebuild.files)).await? {
            TableState::Missing => None,
            TableState::Broken(_, last) => {
                broken_at = Some(last);
                None
            }
            TableState::Untrusted(table, _) => Some(table),
            TableState::Ready(table, _) if lost.is_forced => Some(table),
            TableState::Ready(..) => return Ok(None),
        };
        let current = |table: &Option<Table>| table.as_ref().map(|table| table.version);
        if current(&still) != current(&lost.replaces) || broken_at != lost.broken_at {
            return Ok(None);
        }
        let version =
            current(&still).or(broken_at).map_or(Ok(0), |version| self.log.after(version))?;
        let operation = if version > 0 { "REPLACE TABLE AS FOLD" } else { "CREATE TABLE AS FOLD" };
        let mut actions = definition::commit(operation, &rebuild.to);
        let [protocol, mut description] = lost.table.create(rebuild.naming().next(), rebuild.to.at);
        keep_id(&mut description, still.as_ref().and_then(|table| table.described.as_ref()));
        actions.extend([protocol, description]);
        let old = still.iter().flat_map(|table| table.files.values());
        actions.extend(old.map(|file| Action::from(file.remove(rebuild.clock.now()))));
        let at = rebuild.to.at;
        actions.extend(files.iter().map(|file| Action::from(definition::add(file, at))));
        definition::seal(&mut actions, None);
        let size = still.as_ref().map(Table::size).unwrap_or_default();
        self.size = size.after(version, &actions);
        Ok(Some(NextEntry { version, actions, begun }))
    }

    async fn put(&mut self, entry: &NextEntry) -> Result<PutResult, StoreError> {
        let put = put(self.log, entry, self.rebuild.clock).await?;
        if put == PutResult::Committed && self.lost.broken_at.is_some() {
            // Readers start at this version; the entries before it stay unchanged.
            self.log.begin_at(entry.version, &entry.actions).await?;
        }
        Ok(put)
    }
}

/// The changes of a part, with one batch for every few thousand rows of a bucket.
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
