//! Encodes rows as Parquet and decodes them.

use std::sync::Arc;

use bytes::Bytes;
use chrono::DateTime;
use deltalake::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use deltalake::arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use deltalake::arrow::error::ArrowError;
use deltalake::parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ParquetRecordBatchReaderBuilder, RowFilter,
};
use deltalake::parquet::arrow::arrow_writer::ArrowWriterOptions;
use deltalake::parquet::arrow::{ArrowWriter, ProjectionMask};
use deltalake::parquet::basic::Compression;
use deltalake::parquet::errors::ParquetError;
use deltalake::parquet::file::metadata::RowGroupMetaData;
use deltalake::parquet::file::properties::{EnabledStatistics, WriterProperties};
use deltalake::parquet::file::statistics::Statistics;
use uuid::Uuid;

use super::schema::FILE_SCHEMA;
use crate::domain::id::{EntityId, PatchSetId, ProjectId};
use crate::domain::patch::Op;
use crate::domain::record::Entity;
use crate::store::decode;
use crate::store::error::StoreError;
use crate::store::row::{Row, Stream, hex, unhex};

/// Number of rows decoded at a time and written per row group.
const BATCH: usize = 8192;
/// Files with fewer rows are written for speed: they live until the next compaction.
const SMALL_ROWS: usize = 4096;

/// Encodes the rows of one stream as a Parquet file.
pub fn write(rows: &[&Row]) -> Result<Bytes, ParquetError> {
    let batch = batch(rows)?;
    let properties = WriterProperties::builder()
        .set_compression(if rows.len() < SMALL_ROWS {
            Compression::UNCOMPRESSED
        } else {
            Compression::SNAPPY
        })
        .set_dictionary_enabled(rows.len() >= SMALL_ROWS)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(BATCH))
        .build();
    let options =
        ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut file = Vec::new();
    let mut writer =
        ArrowWriter::try_new_with_options(&mut file, Arc::clone(&FILE_SCHEMA), options)?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(file.into())
}

fn batch(rows: &[&Row]) -> Result<RecordBatch, ArrowError> {
    fn text<'r>(
        rows: &[&'r Row],
        of: impl Fn(&'r Row) -> Option<std::borrow::Cow<'r, str>>,
    ) -> ArrayRef {
        Arc::new(rows.iter().map(|row| of(row)).collect::<StringArray>())
    }
    let at: Vec<i64> = rows.iter().map(|row| row.at.timestamp_micros()).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.seq as i64).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| row.ordinal as i32).collect::<Int32Array>()),
        text(rows, |row| Some(row.patch_set_id.to_string().into())),
        text(rows, |row| row.request_hash.map(|hash| hex(&hash).into())),
        Arc::new(rows.iter().map(|row| row.v as i32).collect::<Int32Array>()),
        text(rows, |row| row.project_id.map(|id| id.to_string().into())),
        text(rows, |row| Some(row.entity.as_str().into())),
        text(rows, |row| Some(row.entity_id.to_string().into())),
        text(rows, |row| Some(row.op.as_str().into())),
        text(rows, |row| row.before.as_deref().map(Into::into)),
        text(rows, |row| row.after.as_deref().map(Into::into)),
        text(rows, |row| Some(row.actor.as_str().into())),
        text(rows, |row| Some(row.source.as_str().into())),
        text(rows, |row| row.reason.as_deref().map(Into::into)),
        Arc::new(TimestampMicrosecondArray::from(at).with_timezone("UTC")),
        text(rows, |row| row.salt.map(|salt| hex(&salt).into())),
        text(rows, |row| Some(hex(&row.digest).into())),
        text(rows, |row| row.chain.map(|chain| hex(&chain).into())),
    ];
    RecordBatch::try_new(Arc::clone(&FILE_SCHEMA), columns)
}

/// Reads the rows of a file with a seq greater than `after`. Errors name `path`. Rows of a file
/// that Lakeplan did not write must match their digests.
pub fn read(
    path: &str,
    stream: Stream,
    file: Bytes,
    after: u64,
    is_own: bool,
) -> Result<Vec<Row>, StoreError> {
    let builder = decode::open(path, file)?;
    let groups = builder.metadata().row_groups().iter().enumerate();
    let groups = groups
        .filter(|(_, group)| last_seq(group).is_none_or(|seq| seq > after))
        .map(|(index, _)| index)
        .collect();
    let mut rows = all(path, stream, builder.with_row_groups(groups))?;
    rows.retain(|row| row.seq > after);
    if !is_own {
        rows.iter().try_for_each(|row| check_unchanged(path, row))?;
    }
    Ok(rows)
}

/// Checks that another engine that rewrote a row did not change it.
fn check_unchanged(path: &str, row: &Row) -> Result<(), StoreError> {
    if row.is_erased() || row.compute_digest() == row.digest {
        return Ok(());
    }
    let what = format!(
        "another engine rewrote it, and the row {}.{} does not match its digest",
        row.seq, row.ordinal
    );
    Err(StoreError::damaged(path, what))
}

/// Reads the last row of a file: the one with the highest seq and ordinal, at any position in the
/// file.
pub fn read_last(
    path: &str,
    stream: Stream,
    file: Bytes,
    is_sorted: bool,
) -> Result<Option<Row>, StoreError> {
    let builder = decode::open(path, file)?;
    if !is_sorted {
        let mut last: Option<Row> = None;
        for rows in batches(path, stream, builder)? {
            last = rows?.into_iter().chain(last).max_by_key(|row| (row.seq, row.ordinal));
        }
        last.iter().try_for_each(|row| check_unchanged(path, row))?;
        return Ok(last);
    }
    let Some(group) = builder.metadata().num_row_groups().checked_sub(1) else { return Ok(None) };
    let before = usize::try_from(builder.metadata().row_group(group).num_rows())
        .unwrap_or(0)
        .saturating_sub(1);
    Ok(all(path, stream, builder.with_row_groups(vec![group]).with_offset(before))?.pop())
}

/// Returns the highest seq of a row group from its statistics.
fn last_seq(group: &RowGroupMetaData) -> Option<u64> {
    let seq = group.columns().iter().find(|column| column.column_path().string() == "seq")?;
    match seq.statistics()? {
        Statistics::Int64(bounds) => bounds.max_opt().and_then(|seq| u64::try_from(*seq).ok()),
        _ => None,
    }
}

/// Rows of a file, decoded some thousands at a time.
pub type Batches = Box<dyn Iterator<Item = Result<Vec<Row>, StoreError>> + Send>;

/// Reads the rows of a file, as stored, in the order of seq and ordinal: all rows, or those that
/// `wanted` accepts by their key. A file that is not known to be sorted is read completely.
pub fn rows(
    path: &str,
    stream: Stream,
    file: Bytes,
    wanted: Option<RowPredicate>,
    is_sorted: bool,
) -> Result<Batches, StoreError> {
    let mut builder = decode::open(path, file)?;
    if let Some(wanted) = wanted {
        let mask = ProjectionMask::columns(builder.parquet_schema(), ROW_KEY_COLUMNS);
        let predicate = ArrowPredicateFn::new(mask, move |batch| {
            let row_keys = row_keys(&decode::typed(batch, &FILE_SCHEMA)?)
                .ok_or_else(|| ArrowError::SchemaError("a column is missing".to_owned()))?;
            // Keep rows whose key is unreadable; reading the whole row reports the error.
            Ok(row_keys
                .into_iter()
                .map(|row_key| Some(row_key.is_none_or(|row_key| wanted(&row_key))))
                .collect::<BooleanArray>())
        });
        builder = builder.with_row_filter(RowFilter::new(vec![Box::new(predicate)]));
    }
    if is_sorted {
        return batches(path, stream, builder).map(|batches| Box::new(batches) as Batches);
    }
    let mut rows = all(path, stream, builder)?;
    rows.iter().try_for_each(|row| check_unchanged(path, row))?;
    rows.sort_by_key(|row| (row.seq, row.ordinal));
    Ok(Box::new(std::iter::once(Ok(rows))))
}

fn all(
    path: &str,
    stream: Stream,
    builder: ParquetRecordBatchReaderBuilder<Bytes>,
) -> Result<Vec<Row>, StoreError> {
    let batches: Vec<Vec<Row>> = batches(path, stream, builder)?.collect::<Result<_, _>>()?;
    Ok(batches.into_iter().flatten().collect())
}

fn batches(
    path: &str,
    stream: Stream,
    builder: ParquetRecordBatchReaderBuilder<Bytes>,
) -> Result<impl Iterator<Item = Result<Vec<Row>, StoreError>> + use<>, StoreError> {
    let reader = decode::batches(path, builder.with_batch_size(BATCH))?;
    let path = path.to_owned();
    let damaged = move |err: String| StoreError::damaged(path.clone(), err);
    Ok(reader.map(move |batch| {
        let batch = decode::typed(batch?, &FILE_SCHEMA).map_err(|err| damaged(err.to_string()))?;
        let columns = Columns::of(&batch)
            .ok_or_else(|| damaged("a column is missing or of another type".to_owned()))?;
        let row = |index| {
            let row = columns.row(index, stream);
            row.ok_or_else(|| damaged(format!("row {index} has an invalid value")))
        };
        (0..batch.num_rows()).map(row).collect()
    }))
}

/// Columns of a row that decide whether it is wanted.
#[derive(Clone, Copy, Debug)]
pub struct RowKey {
    pub seq: u64,
    pub project: Option<ProjectId>,
    pub entity: Entity,
    pub id: Uuid,
    pub op: Op,
}

/// Decides whether a row is wanted.
pub type RowPredicate = Arc<dyn Fn(&RowKey) -> bool + Send + Sync>;

const ROW_KEY_COLUMNS: [&str; 5] = ["seq", "project_id", "entity", "entity_id", "op"];

/// Reads the key of every row of a file, and the uncompressed size of its rows in bytes.
pub fn row_key(path: &str, file: Bytes) -> Result<(Vec<RowKey>, u64), StoreError> {
    let damaged = |err: String| StoreError::damaged(path, err);
    let builder = decode::open(path, file)?;
    let size = builder
        .metadata()
        .row_groups()
        .iter()
        .map(|group| group.total_byte_size().unsigned_abs())
        .sum();
    let mask = ProjectionMask::columns(builder.parquet_schema(), ROW_KEY_COLUMNS);
    let mut found = Vec::new();
    for batch in decode::batches(path, builder.with_projection(mask).with_batch_size(BATCH))? {
        let batch = decode::typed(batch?, &FILE_SCHEMA).map_err(|err| damaged(err.to_string()))?;
        let row_keys = row_keys(&batch)
            .ok_or_else(|| damaged("a column is missing or of another type".to_owned()))?;
        let whole: Option<Vec<RowKey>> = row_keys.into_iter().collect();
        found.extend(whole.ok_or_else(|| damaged("it has an invalid value".to_owned()))?);
    }
    Ok((found, size))
}

/// The facts about a file's rows that its log entry should have stated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub rows: usize,
    pub seq: (u64, u64),
    pub ids: (String, String),
    pub entities: (String, String),
}

/// Computes the bounds of a file from its rows.
pub fn bounds(path: &str, stream: Stream, file: Bytes) -> Result<Bounds, StoreError> {
    let rows = read(path, stream, file, 0, false)?;
    let seqs = rows.iter().map(|row| row.seq);
    let ids = || rows.iter().map(|row| row.patch_set_id.to_string());
    let entities = || rows.iter().map(|row| row.entity.as_str().to_owned());
    let bounds = (
        seqs.clone().min().zip(seqs.max()),
        ids().min().zip(ids().max()),
        entities().min().zip(entities().max()),
    );
    match bounds {
        (Some(seq), Some(ids), Some(entities)) => {
            Ok(Bounds { rows: rows.len(), seq, ids, entities })
        }
        _ => Err(StoreError::damaged(path, "it holds no rows")),
    }
}

/// Returns the key of each row of a batch; `None` for a row with an invalid value.
fn row_keys(batch: &RecordBatch) -> Option<Vec<Option<RowKey>>> {
    let text = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
    let seq = batch.column_by_name("seq")?.as_primitive_opt::<Int64Type>()?;
    let [project, entity, id, op] =
        [text("project_id")?, text("entity")?, text("entity_id")?, text("op")?];
    let row_key = |row: usize| {
        Some(RowKey {
            seq: seq.value(row).try_into().ok()?,
            project: if project.is_valid(row) {
                Some(project.value(row).parse().ok()?)
            } else {
                None
            },
            entity: entity.value(row).parse().ok()?,
            id: Uuid::try_parse(id.value(row)).ok()?,
            op: op.value(row).parse().ok()?,
        })
    };
    Some((0..batch.num_rows()).map(row_key).collect())
}

struct Columns<'b> {
    seq: &'b Int64Array,
    ordinal: &'b Int32Array,
    v: &'b Int32Array,
    at: &'b TimestampMicrosecondArray,
    texts: Vec<&'b StringArray>,
}

/// Text columns in the order that [`Columns::row`] takes them.
const TEXTS: [&str; 14] = [
    "patch_set_id",
    "request_hash",
    "project_id",
    "entity",
    "entity_id",
    "op",
    "before",
    "after",
    "actor",
    "source",
    "reason",
    "salt",
    "digest",
    "chain",
];

impl<'b> Columns<'b> {
    fn of(batch: &'b RecordBatch) -> Option<Self> {
        let column = |name: &str| batch.column_by_name(name);
        Some(Self {
            seq: column("seq")?.as_primitive_opt::<Int64Type>()?,
            ordinal: column("ordinal")?.as_primitive_opt::<Int32Type>()?,
            v: column("v")?.as_primitive_opt::<Int32Type>()?,
            at: column("at")?.as_primitive_opt::<TimestampMicrosecondType>()?,
            texts: TEXTS
                .iter()
                .map(|name| column(name)?.as_string_opt::<i32>())
                .collect::<Option<_>>()?,
        })
    }

    fn row(&self, index: usize, stream: Stream) -> Option<Row> {
        let text = |at: usize| self.texts[at].is_valid(index).then(|| self.texts[at].value(index));
        let hash = |at: usize| text(at).map_or(Some(None), |text| unhex::<32>(text).map(Some));
        Some(Row {
            seq: self.seq.value(index).try_into().ok()?,
            ordinal: self.ordinal.value(index).try_into().ok()?,
            patch_set_id: PatchSetId::of(Uuid::try_parse(text(0)?).ok()?),
            request_hash: hash(1)?,
            v: self.v.value(index).try_into().ok()?,
            project_id: match text(2) {
                Some(id) => Some(id.parse().ok()?),
                None => None,
            },
            entity: text(3)?.parse().ok()?,
            entity_id: Uuid::try_parse(text(4)?).ok()?,
            op: text(5)?.parse().ok()?,
            before: text(6).map(str::to_owned),
            after: text(7).map(str::to_owned),
            actor: text(8)?.to_owned(),
            source: text(9)?.parse().ok()?,
            reason: text(10).map(str::to_owned),
            at: DateTime::from_timestamp_micros(self.at.value(index))?,
            stream,
            salt: match text(11) {
                Some(salt) => Some(unhex::<16>(salt)?),
                None => None,
            },
            digest: unhex::<32>(text(12)?)?,
            chain: hash(13)?,
        })
    }
}
