//! `field_changes`: every change of a task's status, assignee, due date or likely estimate as a row of its own, so that
//! cycle times and burn-up need no JSON. Folding appends, and joins a bucket's
//! files when they have become many; a row is never changed.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use chrono::DateTime;
use deltalake::arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use deltalake::arrow::compute::filter_record_batch;
use deltalake::arrow::compute::kernels::cmp::eq;
use deltalake::arrow::datatypes::{
    DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType,
};
use deltalake::arrow::error::ArrowError;
use deltalake::parquet::arrow::ArrowWriter;
use deltalake::parquet::arrow::arrow_writer::ArrowWriterOptions;
use deltalake::parquet::basic::Compression;
use deltalake::parquet::errors::ParquetError;
use deltalake::parquet::file::properties::WriterProperties;
use serde_json::{Value, json};

use uuid::Uuid;

use super::definition::{Column, NewFile};
use super::read::ROW_GROUP;
use super::{BUCKET, Pace, bucket};
use crate::domain::id::ProjectId;
use crate::domain::patch::Op;
use crate::domain::record::Entity;
use crate::domain::task::TaskStatus;
use crate::domain::time::{Instant, whole_minute};
use crate::store::error::StoreError;
use crate::store::row::Row;

pub const NAME: &str = "field_changes";
pub const DOC: &str = "Every change of a task's status, assignee, due date or likely estimate.";

/// The fields whose changes are kept.
pub const FIELDS: [&str; 4] = ["status", "assignee_id", "due_date", "estimate_likely"];

/// How many rows are encoded before others may go on.
const ROWS_AT_ONCE: usize = 1024;

const COLUMNS: [(&str, &str, bool, &str); 9] = [
    ("project_id", "string", false, "The task's project after the change."),
    ("task_id", "string", false, "The task."),
    ("field", "string", false, "status, assignee_id, due_date or estimate_likely."),
    ("from_value", "string", true, "The value before, as text; null where there was none."),
    ("to_value", "string", true, "The value after, as text; null where it was cleared."),
    ("at", "timestamp", false, "When it changed (UTC)."),
    ("at_minute", "long", false, "When it changed, in whole minutes since 1970, for differences."),
    ("seq", "long", false, "The patch set that changed it."),
    ("actor", "string", false, "Who changed it."),
];

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let kind = |name: &str| match name {
        "long" => DataType::Int64,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        _ => DataType::Utf8,
    };
    Arc::new(Schema::new(
        COLUMNS
            .iter()
            .map(|(name, of, nullable, _)| Field::new(*name, kind(of), *nullable))
            .collect::<Vec<_>>(),
    ))
});

/// The table's columns, the partition column last.
pub fn columns() -> Vec<Column> {
    let bucket = (BUCKET, "integer", false, "The bucket of the project; which files hold it.");
    let column = |(name, kind, nullable, doc): (&str, &str, bool, &str)| Column {
        name: name.to_owned(),
        kind: json!(kind),
        nullable,
        doc: doc.to_owned(),
    };
    COLUMNS.into_iter().chain([bucket]).map(column).collect()
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub project: Option<ProjectId>,
    pub task: Uuid,
    pub field: &'static str,
    pub from: Option<String>,
    pub to: Option<String>,
    pub at: Instant,
    pub minute: i64,
    pub seq: u64,
    pub actor: String,
}

/// The changes that a row of the journal makes.
pub fn changes(row: &Row) -> Result<Vec<Change>, StoreError> {
    if row.entity != Entity::Task {
        return Ok(Vec::new());
    }
    let damaged = |fault: serde_json::Error| {
        StoreError::damaged(format!("journal row {}.{}", row.seq, row.ordinal), fault.to_string())
    };
    let (before, after) =
        (row.before_fields().map_err(damaged)?, row.after_fields().map_err(damaged)?);
    // A task begins with a status even where its author named none.
    let begins = |field: &str| field == "status" && row.op == Op::Create;
    let change = |field: &'static str| {
        let value = |fields: &serde_json::Map<String, Value>| fields.get(field).and_then(text);
        let first = || begins(field).then(|| TaskStatus::Pending.word().to_owned());
        Change {
            project: row.project_id,
            task: row.entity_id,
            field,
            from: value(&before),
            to: value(&after).or_else(first),
            at: row.at,
            minute: whole_minute(row.at),
            seq: row.seq,
            actor: row.actor.clone(),
        }
    };
    let made =
        FIELDS.into_iter().filter(|field| after.contains_key(*field) || begins(field)).map(change);
    // A field that was absent and was cleared has not changed.
    Ok(made.filter(|change| change.from != change.to).collect())
}

/// The changes in these rows, a batch for each bucket that has any.
pub async fn batches(rows: &[&Row]) -> Result<Vec<(u32, RecordBatch)>, StoreError> {
    let mut buckets: BTreeMap<u32, Vec<Change>> = BTreeMap::new();
    let mut pace = Pace::default();
    for row in rows {
        pace.step(1).await;
        for change in changes(row)? {
            buckets.entry(bucket(Entity::Task, row.project_id)).or_default().push(change);
        }
    }
    buckets.into_iter().map(|(bucket, changes)| Ok((bucket, encode(&changes)?))).collect()
}

/// The changes of one field.
fn of_field(rows: &RecordBatch, field: &str) -> Result<RecordBatch, ArrowError> {
    filter_record_batch(rows, &eq(&rows["field"], &StringArray::new_scalar(field))?)
}

/// Batches as one file; `path` is where it goes. The rows of each field stand together, in a large file in row groups of
/// their own, so that who asks for one field reads no other.
pub async fn file(
    path: String,
    bucket: u32,
    batches: &[RecordBatch],
) -> Result<(NewFile, bytes::Bytes), StoreError> {
    let failed = |fault: ParquetError| StoreError::storage("encoding", NAME, fault);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let options =
        ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&SCHEMA), options)
        .map_err(failed)?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    for field in FIELDS {
        for batch in batches {
            for from in (0..batch.num_rows()).step_by(ROWS_AT_ONCE) {
                let part = batch.slice(from, ROWS_AT_ONCE.min(batch.num_rows() - from));
                writer
                    .write(&of_field(&part, field).map_err(|fault| failed(fault.into()))?)
                    .map_err(failed)?;
                tokio::task::yield_now().await;
            }
        }
        if rows > ROW_GROUP {
            writer.flush().map_err(failed)?;
        }
    }
    let bytes = writer.into_inner().map_err(failed)?;
    let tasks = || {
        batches
            .iter()
            .filter_map(|batch| batch.column_by_name("task_id")?.as_string_opt::<i32>())
            .flatten()
            .flatten()
    };
    let ids = (
        tasks().min().unwrap_or_default().to_owned(),
        tasks().max().unwrap_or_default().to_owned(),
    );
    Ok((NewFile { path, size: bytes.len(), bucket, rows, key: "task_id", ids }, bytes.into()))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Changes as a batch.
pub fn encode(changes: &[Change]) -> Result<RecordBatch, StoreError> {
    let texts = |of: &dyn Fn(&Change) -> Option<String>| -> ArrayRef {
        Arc::new(changes.iter().map(of).collect::<StringArray>())
    };
    let at: Vec<i64> = changes.iter().map(|change| change.at.timestamp_micros()).collect();
    let columns: Vec<ArrayRef> = vec![
        texts(&|change| Some(change.project.map(|id| id.to_string()).unwrap_or_default())),
        texts(&|change| Some(change.task.to_string())),
        texts(&|change| Some(change.field.to_owned())),
        texts(&|change| change.from.clone()),
        texts(&|change| change.to.clone()),
        Arc::new(TimestampMicrosecondArray::from(at).with_timezone("UTC")),
        Arc::new(changes.iter().map(|change| change.minute).collect::<Int64Array>()),
        Arc::new(changes.iter().map(|change| change.seq as i64).collect::<Int64Array>()),
        texts(&|change| Some(change.actor.clone())),
    ];
    RecordBatch::try_new(Arc::clone(&SCHEMA), columns)
        .map_err(|fault| StoreError::storage("encoding", NAME, fault))
}

/// The changes of a batch. `path` is named where they cannot be read.
pub fn decode(batch: &RecordBatch, path: &str) -> Result<Vec<Change>, StoreError> {
    let columns = Columns::of(batch)
        .ok_or_else(|| StoreError::damaged(path, "a column is missing or of another type"))?;
    let strange = |row: usize| {
        StoreError::damaged(path, format!("row {row} holds a value that is none of its kind"))
    };
    (0..batch.num_rows()).map(|row| columns.change(row).ok_or_else(|| strange(row))).collect()
}

struct Columns<'b> {
    texts: [&'b StringArray; 6],
    at: &'b TimestampMicrosecondArray,
    minute: &'b Int64Array,
    seq: &'b Int64Array,
}

impl<'b> Columns<'b> {
    fn of(batch: &'b RecordBatch) -> Option<Self> {
        let text = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
        let long = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<Int64Type>();
        Some(Self {
            texts: [
                text("project_id")?,
                text("task_id")?,
                text("field")?,
                text("from_value")?,
                text("to_value")?,
                text("actor")?,
            ],
            at: batch.column_by_name("at")?.as_primitive_opt::<TimestampMicrosecondType>()?,
            minute: long("at_minute")?,
            seq: long("seq")?,
        })
    }

    fn change(&self, row: usize) -> Option<Change> {
        let [project, task, field, from, to, actor] = self.texts;
        let text =
            |column: &StringArray| column.is_valid(row).then(|| column.value(row).to_owned());
        Some(Change {
            project: if project.value(row).is_empty() {
                None
            } else {
                Some(project.value(row).parse().ok()?)
            },
            task: Uuid::try_parse(task.value(row)).ok()?,
            field: FIELDS.into_iter().find(|known| *known == field.value(row))?,
            from: text(from),
            to: text(to),
            at: DateTime::from_timestamp_micros(self.at.value(row))?,
            minute: self.minute.value(row),
            seq: self.seq.value(row).try_into().ok()?,
            actor: actor.value(row).to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use deltalake::parquet::file::reader::{FileReader, SerializedFileReader};
    use deltalake::parquet::file::statistics::Statistics;

    use super::*;

    #[tokio::test]
    async fn a_large_file_has_row_groups_of_one_field_each() {
        let rows = ROW_GROUP + 4;
        let text = |of: &dyn Fn(usize) -> String| -> ArrayRef {
            Arc::new((0..rows).map(of).map(Some).collect::<StringArray>())
        };
        let number = || -> ArrayRef { Arc::new((0..rows as i64).collect::<Int64Array>()) };
        let at = TimestampMicrosecondArray::from(vec![0; rows]).with_timezone("UTC");
        let same = || text(&|_| "x".to_owned());
        let columns = vec![
            same(),
            text(&|row| format!("{row:06}")),
            text(&|row| FIELDS[row % FIELDS.len()].to_owned()),
            same(),
            same(),
            Arc::new(at),
            number(),
            number(),
            same(),
        ];
        let batch = RecordBatch::try_new(Arc::clone(&SCHEMA), columns).unwrap();
        let halves = [batch.slice(0, 5), batch.slice(5, rows - 5)];
        let (file, bytes) = file("f".to_owned(), 0, &halves).await.unwrap();
        assert_eq!(
            (file.rows, file.ids),
            (rows, ("000000".to_owned(), format!("{:06}", rows - 1)))
        );
        let read = SerializedFileReader::new(bytes).unwrap();
        let groups = read.metadata().row_groups().iter().map(|group| {
            let Some(Statistics::ByteArray(field)) = group.column(2).statistics() else {
                panic!("no statistics")
            };
            let bound = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
            (bound(field.min_bytes_opt()), bound(field.max_bytes_opt()), group.num_rows())
        });
        let wanted = FIELDS.map(|field| (field.to_owned(), field.to_owned(), rows as i64 / 4));
        assert_eq!(groups.collect::<Vec<_>>(), wanted);
    }
}
