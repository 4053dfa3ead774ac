//! Folding: bringing a current table up to a seq by rewriting the files of the buckets that changed.
//!
//! A table says in its own log how far it is folded, so a fold that runs twice does nothing the second time and two
//! that run at once do no harm: the one that loses its slot reads the table again and stops or goes on. A bucket is
//! rewritten as a stream: row groups without a changed record pass as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use deltalake::arrow::array::{AsArray, BooleanArray, RecordBatch};
use deltalake::arrow::compute::{SortColumn, concat_batches, filter_record_batch, lexsort_to_indices, take_record_batch};
use deltalake::parquet::arrow::ArrowWriter;
use deltalake::parquet::arrow::arrow_writer::ArrowWriterOptions;
use deltalake::parquet::basic::Compression;
use deltalake::parquet::file::properties::WriterProperties;
use object_store::{Error, ObjectStore};
use uuid::Uuid;

use super::definition::{self, Description, NewFile};
use super::read::{self, ROW_GROUP, batches, load};
use super::{BUCKET, CurrentTable, bucket, columns, field_changes};
use crate::domain::any::{AnyRecord, Slot};
use crate::domain::id::ProjectId;
use crate::domain::state::State;
use crate::domain::time::Instant;
use crate::runtime::{Clock, Random, uuid_v7};
use crate::store::error::StoreError;
use crate::store::journal::STALE;
use crate::store::row::Row;
use crate::store::table_log::{LiveFile, Table, TableLog, entry_bytes};

/// A bucket's file is closed, at the next project, when it has grown to this.
const FILE_SIZE: usize = 16 << 20;
/// So many files of appended rows a bucket may have before they are joined.
const MOST_FILES: usize = 16;
/// Folds of a table between two checkpoints of its log.
const CHECKPOINT_EVERY: u64 = 100;
/// How often a fold that loses its slot tries again before it leaves the rest to the winner.
const TRIES: usize = 10;

/// The lake at the seq to fold to.
pub struct Target<'a> {
    pub state: &'a State,
    pub seq: u64,
    pub at: Instant,
}

/// What a fold did to a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    pub seq: u64,
    pub rows: usize,
    pub files: usize,
}

/// Everything a fold needs to know. `rows` are the journal's rows after any seq a table can be folded to, in order;
/// `known` is a seq up to which every table is known to be folded, whatever it says itself.
pub struct Folding<'a> {
    pub root: &'a Arc<dyn ObjectStore>,
    pub target: Target<'a>,
    pub rows: &'a [Row],
    pub known: u64,
    pub clock: &'a dyn Clock,
    pub random: &'a dyn Random,
}

impl Folding<'_> {
    /// Folds a current table.
    pub async fn current(&self, table: &CurrentTable) -> Result<Folded, StoreError> {
        let log = TableLog::new(Arc::clone(self.root), table.name);
        until_folded(&log, self, &Rewrite { table, log: &log, folding: self }).await
    }

    /// Folds `field_changes`.
    pub async fn field_changes(&self) -> Result<Folded, StoreError> {
        let log = TableLog::new(Arc::clone(self.root), field_changes::NAME);
        until_folded(&log, self, &Append { log: &log, folding: self }).await
    }

    fn rows_after(&self, seq: u64) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.seq > seq)
    }

    fn fresh(&self) -> Uuid {
        uuid_v7(self.target.at, self.random)
    }
}

/// What a fold would commit; nothing where the table needs nothing.
type Prepared = Option<(Vec<serde_json::Value>, Folded)>;

/// A way of bringing a table up to the target.
#[async_trait]
trait Prepare: Sync {
    async fn prepare(&self, current: Option<&Table>, from: u64) -> Result<Prepared, StoreError>;
}

/// Appends what the rows say.
struct Append<'a> {
    log: &'a TableLog,
    folding: &'a Folding<'a>,
}

#[async_trait]
impl Prepare for Append<'_> {
    async fn prepare(&self, current: Option<&Table>, from: u64) -> Result<Prepared, StoreError> {
        let Folding { target, .. } = self.folding;
        let rows: Vec<&Row> = self.folding.rows_after(from).collect();
        let files = field_changes::batches(&rows)?;
        if current.is_some() && files.is_empty() {
            return Ok(None);
        }
        let mut actions = definition::commit("FOLD", target.seq, target.at).to_vec();
        if current.is_none() {
            let table = Description {
                name: field_changes::NAME,
                doc: field_changes::DOC,
                columns: field_changes::columns(),
                partitions: &[BUCKET],
            };
            actions.extend(table.create(self.folding.fresh(), target.at));
        }
        let mut folded = Folded { seq: target.seq, ..Folded::default() };
        for (bucket, batch) in files {
            let mut batches = vec![batch];
            let old = current.map_or_else(Vec::new, |table| in_bucket(table, bucket));
            if old.len() >= MOST_FILES {
                for file in old {
                    let path = format!("{}/{}", self.log.folder(), file.path);
                    for batch in read::batches(&path, self.log.get_live(&file.path).await?)? {
                        batches.push(batch?);
                    }
                    actions.push(definition::remove(file, self.folding.clock.now()));
                }
            }
            folded.rows += batches.first().map_or(0, RecordBatch::num_rows);
            let path = format!("{BUCKET}={bucket}/{:020}-{}.parquet", target.seq, self.folding.fresh());
            let (file, bytes) = field_changes::file(path, bucket, &batches)?;
            self.log.put(&file.path, bytes).await?;
            actions.push(definition::add(&file, target.at));
            folded.files += 1;
        }
        Ok(Some((actions, folded)))
    }
}

/// Prepares and commits until the table says that it is folded to `seq`, by this fold or by another.
async fn until_folded(log: &TableLog, folding: &Folding<'_>, way: &dyn Prepare) -> Result<Folded, StoreError> {
    let (seq, known) = (folding.target.seq, folding.known);
    for _ in 0..TRIES {
        let begun = folding.clock.now();
        let found = load(log).await?;
        let from = found.as_ref().map_or(0, |(_, from)| (*from).max(known));
        let current = found.as_ref().map(|(table, _)| table);
        let nothing = Ok(Folded { seq: from, ..Folded::default() });
        if current.is_some() && from >= seq {
            return nothing;
        }
        let Some((actions, folded)) = way.prepare(current, from).await? else { return nothing };
        let version = current.map_or(0, |table| table.version + 1);
        match log.put_entry(version, entry_bytes(&actions)).await {
            // After a long sleep the put may have gone into a hole behind a clean-up; the table itself tells.
            Ok(()) if folding.clock.now() - begun <= STALE => {
                if version > 0
                    && version.is_multiple_of(CHECKPOINT_EVERY)
                    && let Err(fault) = log.checkpoint(version).await
                {
                    tracing::warn!(table = log.folder(), %fault, "no checkpoint was written; reading the table stays slower until the next one");
                }
                return Ok(folded);
            }
            Ok(()) => {}
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {}
            // Whether it landed is seen by reading the table again.
            Err(fault) => tracing::warn!(table = log.folder(), %fault, "the fold's commit was not answered; looking again"),
        }
    }
    let path = format!("{}/_delta_log", log.folder());
    Err(StoreError::storage("folding", path, "other writers were faster each time"))
}

/// What changed in a table, by bucket.
struct Changed {
    /// The records that are to be taken out of their files.
    ids: BTreeSet<Uuid>,
    /// The buckets to rewrite, with the records that go into each, sorted.
    buckets: BTreeMap<u32, Vec<AnyRecord>>,
}

impl Changed {
    fn of<'r>(table: &CurrentTable, target: &Target<'_>, rows: impl Iterator<Item = &'r Row>, everything: bool) -> Self {
        let mut slots: BTreeSet<Slot> = BTreeSet::new();
        let mut buckets: BTreeMap<u32, Vec<AnyRecord>> = BTreeMap::new();
        for row in rows.filter(|row| row.entity == table.entity) {
            slots.insert(Slot { entity: row.entity, id: row.entity_id, project: row.project_id });
            buckets.entry(bucket(row.project_id)).or_default();
            let left = row.before_fields().ok().and_then(|before| before.get("project_id")?.as_str()?.parse::<ProjectId>().ok());
            if left.is_some() {
                buckets.entry(bucket(left)).or_default();
            }
        }
        let records: Vec<AnyRecord> = if everything {
            target.state.records().filter(|record| record.entity() == table.entity).collect()
        } else {
            // A record that moved on since is found in the slot of its last move.
            slots.iter().filter_map(|slot| target.state.get(*slot)).collect()
        };
        for record in records {
            buckets.entry(bucket(record.project())).or_default().push(record);
        }
        for records in buckets.values_mut() {
            records.sort_by_cached_key(key);
        }
        Self { ids: slots.into_iter().map(|slot| slot.id).collect(), buckets }
    }
}

/// Rewrites the files of the buckets that changed.
struct Rewrite<'a> {
    table: &'a CurrentTable,
    log: &'a TableLog,
    folding: &'a Folding<'a>,
}

#[async_trait]
impl Prepare for Rewrite<'_> {
    async fn prepare(&self, current: Option<&Table>, from: u64) -> Result<Prepared, StoreError> {
        let Folding { target, .. } = self.folding;
        let changed = Changed::of(self.table, target, self.folding.rows_after(from), current.is_none());
        if current.is_some() && changed.ids.is_empty() {
            return Ok(None);
        }
        let at = target.at;
        let operation = if current.is_some() { "FOLD" } else { "CREATE TABLE AS FOLD" };
        let mut actions = definition::commit(operation, target.seq, at).to_vec();
        if current.is_none() {
            let table = Description {
                name: self.table.name,
                doc: self.table.doc,
                columns: definition::columns(self.table.entity),
                partitions: &[BUCKET],
            };
            actions.extend(table.create(self.folding.fresh(), at));
        }
        let mut folded = Folded { seq: target.seq, ..Folded::default() };
        for (bucket, records) in &changed.buckets {
            let old = current.map_or_else(Vec::new, |table| in_bucket(table, *bucket));
            folded.rows += records.len();
            for file in self.rewrite(*bucket, &old, records, &changed.ids).await? {
                folded.files += 1;
                actions.push(definition::add(&file, at));
            }
            actions.extend(old.iter().map(|file| definition::remove(file, self.folding.clock.now())));
        }
        Ok(Some((actions, folded)))
    }
}

impl Rewrite<'_> {
    /// Streams the old files of a bucket into new ones, changed records in their places.
    async fn rewrite(
        &self,
        bucket: u32,
        old: &[&LiveFile],
        records: &[AnyRecord],
        changed: &BTreeSet<Uuid>,
    ) -> Result<Vec<NewFile>, StoreError> {
        let entity = self.table.entity;
        let encoding = |fault: String| StoreError::storage("encoding", self.table.name, fault);
        let new = columns::encode(entity, records).map_err(|fault| encoding(fault.to_string()))?;
        let mut output = Output::new(self, bucket);
        let mut next = 0;
        for file in old {
            let path = format!("{}/{}", self.table.name, file.path);
            for batch in batches(&path, self.log.get_live(&file.path).await?)? {
                let kept = without(&batch?, changed).map_err(|fault| encoding(fault.to_string()))?;
                let Some(last) = last_key(&kept) else { continue };
                let end = next + records[next..].partition_point(|record| key(record) <= last);
                let merged = if end > next {
                    merge(&kept, &new.slice(next, end - next)).map_err(|fault| encoding(fault.to_string()))?
                } else {
                    kept
                };
                next = end;
                output.write(merged).await?;
            }
        }
        output.write(new.slice(next, records.len() - next)).await?;
        output.finish().await
    }
}

/// A bucket's files, in the order of their rows.
fn in_bucket(table: &Table, bucket: u32) -> Vec<&LiveFile> {
    let name = bucket.to_string();
    let own = |file: &&LiveFile| file.partitions.get(BUCKET).cloned().flatten().as_deref() == Some(name.as_str());
    let mut files: Vec<&LiveFile> = table.files.iter().filter(own).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The order of rows in a bucket: by project, where the table has one, and id.
fn key(record: &AnyRecord) -> (String, String) {
    let project = record.get("project_id").and_then(|id| id.as_str().map(str::to_owned));
    (project.unwrap_or_default(), record.id().hyphenated().to_string())
}

fn last_key(batch: &RecordBatch) -> Option<(String, String)> {
    let row = batch.num_rows().checked_sub(1)?;
    let column = |name: &str| batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    let text = |name: &str| column(name).map(|column| column.value(row).to_owned());
    Some((text("project_id").unwrap_or_default(), text("id")?))
}

fn without(batch: &RecordBatch, changed: &BTreeSet<Uuid>) -> Result<RecordBatch, deltalake::arrow::error::ArrowError> {
    let Some(ids) = batch.column_by_name("id").and_then(|column| column.as_string_opt::<i32>()) else { return Ok(batch.clone()) };
    let keep: BooleanArray =
        ids.iter().map(|id| Some(!id.and_then(|id| Uuid::try_parse(id).ok()).is_some_and(|id| changed.contains(&id)))).collect();
    if keep.true_count() == keep.len() { Ok(batch.clone()) } else { filter_record_batch(batch, &keep) }
}

/// Two sorted batches as one.
fn merge(a: &RecordBatch, b: &RecordBatch) -> Result<RecordBatch, deltalake::arrow::error::ArrowError> {
    let both = concat_batches(&b.schema(), [a, b])?;
    let by = ["project_id", "id"].iter().filter_map(|name| both.column_by_name(name));
    let order =
        lexsort_to_indices(&by.map(|column| SortColumn { values: Arc::clone(column), options: None }).collect::<Vec<_>>(), None)?;
    take_record_batch(&both, &order)
}

/// The files a bucket is written to.
struct Output<'a> {
    fold: &'a Rewrite<'a>,
    bucket: u32,
    writer: Option<ArrowWriter<Vec<u8>>>,
    rows: usize,
    ids: Option<(String, String)>,
    done: Vec<NewFile>,
}

impl<'a> Output<'a> {
    fn new(fold: &'a Rewrite<'a>, bucket: u32) -> Self {
        Self { fold, bucket, writer: None, rows: 0, ids: None, done: Vec::new() }
    }

    async fn write(&mut self, batch: RecordBatch) -> Result<(), StoreError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let failed =
            |fault: deltalake::parquet::errors::ParquetError| StoreError::storage("encoding", self.fold.table.name, fault);
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::SNAPPY)
                    .set_max_row_group_row_count(Some(ROW_GROUP))
                    .build();
                let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
                self.writer.insert(
                    ArrowWriter::try_new_with_options(Vec::new(), columns::schema(self.fold.table.entity), options)
                        .map_err(failed)?,
                )
            }
        };
        writer.write(&batch).map_err(failed)?;
        self.rows += batch.num_rows();
        let size = writer.bytes_written() + writer.in_progress_size();
        for id in batch.column_by_name("id").and_then(|column| column.as_string_opt::<i32>()).into_iter().flatten().flatten() {
            match &mut self.ids {
                None => self.ids = Some((id.to_owned(), id.to_owned())),
                Some((low, high)) => {
                    if id < low.as_str() {
                        id.clone_into(low);
                    }
                    if id > high.as_str() {
                        id.clone_into(high);
                    }
                }
            }
        }
        if size > FILE_SIZE { self.close().await } else { Ok(()) }
    }

    async fn close(&mut self) -> Result<(), StoreError> {
        let (Some(writer), Some(ids)) = (self.writer.take(), self.ids.take()) else { return Ok(()) };
        let fold = self.fold;
        let bytes = writer.into_inner().map_err(|fault| StoreError::storage("encoding", fold.table.name, fault))?;
        // The name sorts as the rows do: files of a bucket are read in its order.
        let name = fold.folding.fresh();
        let path = format!("{BUCKET}={}/{:020}-{:04}-{name}.parquet", self.bucket, fold.folding.target.seq, self.done.len());
        let size = bytes.len();
        fold.log.put(&path, bytes.into()).await?;
        self.done.push(NewFile { path, size, bucket: self.bucket, rows: std::mem::take(&mut self.rows), key: "id", ids });
        Ok(())
    }

    async fn finish(mut self) -> Result<Vec<NewFile>, StoreError> {
        self.close().await?;
        Ok(self.done)
    }
}
