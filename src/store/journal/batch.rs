//! Rows to Parquet and back.

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

/// Rows decoded at a time, and written as one group.
const BATCH: usize = 8192;
/// Below this many rows a file is written for speed: it lives until the next compaction.
const SMALL: usize = 4096;

/// The rows of one stream as a Parquet file.
pub fn write(rows: &[&Row]) -> Result<Bytes, ParquetError> {
    let batch = batch(rows)?;
    let properties = WriterProperties::builder()
        .set_compression(if rows.len() < SMALL {
            Compression::UNCOMPRESSED
        } else {
            Compression::SNAPPY
        })
        .set_dictionary_enabled(rows.len() >= SMALL)
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
        text(rows, |row| Some(row.entity.word().into())),
        text(rows, |row| Some(row.entity_id.to_string().into())),
        text(rows, |row| Some(row.op.word().into())),
        text(rows, |row| row.before.as_deref().map(Into::into)),
        text(rows, |row| row.after.as_deref().map(Into::into)),
        text(rows, |row| Some(row.actor.as_str().into())),
        text(rows, |row| Some(row.source.word().into())),
        text(rows, |row| row.reason.as_deref().map(Into::into)),
        Arc::new(TimestampMicrosecondArray::from(at).with_timezone("UTC")),
        text(rows, |row| row.salt.map(|salt| hex(&salt).into())),
        text(rows, |row| Some(hex(&row.digest).into())),
        text(rows, |row| row.chain.map(|chain| hex(&chain).into())),
    ];
    RecordBatch::try_new(Arc::clone(&FILE_SCHEMA), columns)
}

/// The rows of a file whose seq is greater than `after`. `path` is named where they cannot be read. Those of a file that
/// Lakeplan did not write fit their digests.
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
        rows.iter().try_for_each(|row| refuse_changed(path, row))?;
    }
    Ok(rows)
}

/// Another engine that put a row into another file left it as it was.
fn refuse_changed(path: &str, row: &Row) -> Result<(), StoreError> {
    if row.is_erased() || row.compute_digest() == row.digest {
        return Ok(());
    }
    let what = format!(
        "another engine wrote it anew, and the row {}.{} does not fit its digest",
        row.seq, row.ordinal
    );
    Err(StoreError::damaged(path, what))
}

/// The last row of a file: the one with the highest seq and ordinal, wherever in the file it is.
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
        last.iter().try_for_each(|row| refuse_changed(path, row))?;
        return Ok(last);
    }
    let Some(group) = builder.metadata().num_row_groups().checked_sub(1) else { return Ok(None) };
    let before = usize::try_from(builder.metadata().row_group(group).num_rows())
        .unwrap_or(0)
        .saturating_sub(1);
    Ok(all(path, stream, builder.with_row_groups(vec![group]).with_offset(before))?.pop())
}

/// The highest seq of a row group, as its statistics tell.
fn last_seq(group: &RowGroupMetaData) -> Option<u64> {
    let seq = group.columns().iter().find(|column| column.column_path().string() == "seq")?;
    match seq.statistics()? {
        Statistics::Int64(bounds) => bounds.max_opt().and_then(|seq| u64::try_from(*seq).ok()),
        _ => None,
    }
}

/// Rows of a file, some thousands at a time.
pub type Batches = Box<dyn Iterator<Item = Result<Vec<Row>, StoreError>> + Send>;

/// The rows of a file by seq and ordinal, as they stand in it; all of them, or those of which a glance says that they are
/// wanted. A file that is not known to be sorted is read whole.
pub fn rows(
    path: &str,
    stream: Stream,
    file: Bytes,
    wanted: Option<Wanted>,
    is_sorted: bool,
) -> Result<Batches, StoreError> {
    let mut builder = decode::open(path, file)?;
    if let Some(wanted) = wanted {
        let mask = ProjectionMask::columns(builder.parquet_schema(), GLANCED);
        let predicate = ArrowPredicateFn::new(mask, move |batch| {
            let glances = glances(&decode::typed(batch, &FILE_SCHEMA)?)
                .ok_or_else(|| ArrowError::SchemaError("a column is missing".to_owned()))?;
            // What cannot be understood is left to be found where the whole row is read.
            Ok(glances
                .into_iter()
                .map(|glance| Some(glance.is_none_or(|glance| wanted(&glance))))
                .collect::<BooleanArray>())
        });
        builder = builder.with_row_filter(RowFilter::new(vec![Box::new(predicate)]));
    }
    if is_sorted {
        return batches(path, stream, builder).map(|batches| Box::new(batches) as Batches);
    }
    let mut rows = all(path, stream, builder)?;
    rows.iter().try_for_each(|row| refuse_changed(path, row))?;
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
    let damaged = move |fault: String| StoreError::damaged(path.clone(), fault);
    Ok(reader.map(move |batch| {
        let batch =
            decode::typed(batch?, &FILE_SCHEMA).map_err(|fault| damaged(fault.to_string()))?;
        let columns = Columns::of(&batch)
            .ok_or_else(|| damaged("a column is missing or of another type".to_owned()))?;
        let row = |index| {
            let row = columns.row(index, stream);
            row.ok_or_else(|| {
                damaged(format!("row {index} holds a value that is none of its kind"))
            })
        };
        (0..batch.num_rows()).map(row).collect()
    }))
}

/// What of a row tells whether it is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Glance {
    pub seq: u64,
    pub project: Option<ProjectId>,
    pub entity: Entity,
    pub id: Uuid,
    pub op: Op,
}

/// Says of a row whether it is wanted.
pub type Wanted = Arc<dyn Fn(&Glance) -> bool + Send + Sync>;

const GLANCED: [&str; 5] = ["seq", "project_id", "entity", "entity_id", "op"];

/// A glance at every row of a file, and how many bytes its rows are when they are not compressed.
pub fn glance(path: &str, file: Bytes) -> Result<(Vec<Glance>, u64), StoreError> {
    let damaged = |fault: String| StoreError::damaged(path, fault);
    let builder = decode::open(path, file)?;
    let size = builder
        .metadata()
        .row_groups()
        .iter()
        .map(|group| group.total_byte_size().unsigned_abs())
        .sum();
    let mask = ProjectionMask::columns(builder.parquet_schema(), GLANCED);
    let mut found = Vec::new();
    for batch in decode::batches(path, builder.with_projection(mask).with_batch_size(BATCH))? {
        let batch =
            decode::typed(batch?, &FILE_SCHEMA).map_err(|fault| damaged(fault.to_string()))?;
        let glances = glances(&batch)
            .ok_or_else(|| damaged("a column is missing or of another type".to_owned()))?;
        let whole: Option<Vec<Glance>> = glances.into_iter().collect();
        found.extend(
            whole.ok_or_else(|| damaged("it holds a value that is none of its kind".to_owned()))?,
        );
    }
    Ok((found, size))
}

/// What of a file's rows its entry in the log should have said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub rows: usize,
    pub seq: (u64, u64),
    pub ids: (String, String),
    pub entities: (String, String),
}

/// The bounds of a file, as its rows tell.
pub fn bounds(path: &str, stream: Stream, file: Bytes) -> Result<Bounds, StoreError> {
    let rows = read(path, stream, file, 0, false)?;
    let seqs = rows.iter().map(|row| row.seq);
    let ids = || rows.iter().map(|row| row.patch_set_id.to_string());
    let entities = || rows.iter().map(|row| row.entity.word().to_owned());
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

/// A glance at each row of a batch; `None` of a row that holds a value that is none of its kind.
fn glances(batch: &RecordBatch) -> Option<Vec<Option<Glance>>> {
    let text = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
    let seq = batch.column_by_name("seq")?.as_primitive_opt::<Int64Type>()?;
    let [project, entity, id, op] =
        [text("project_id")?, text("entity")?, text("entity_id")?, text("op")?];
    let glance = |row: usize| {
        Some(Glance {
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
    Some((0..batch.num_rows()).map(glance).collect())
}

struct Columns<'b> {
    seq: &'b Int64Array,
    ordinal: &'b Int32Array,
    v: &'b Int32Array,
    at: &'b TimestampMicrosecondArray,
    texts: Vec<&'b StringArray>,
}

/// The text columns in the order in which [`Columns::row`] takes them.
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
