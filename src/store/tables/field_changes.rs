//! `field_changes`: every change of a task's status, assignee, due date or likely estimate as its
//! own row, so that cycle times and burn-up need no JSON. A fold appends rows and compacts a
//! bucket's files when there are many; rows never change.

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

use super::definition::NewFile;
use super::read::ROW_GROUP;
use super::{BUCKET, YieldBudget, bucket};
use crate::domain::id::ProjectId;
use crate::domain::patch::Op;
use crate::domain::record::Entity;
use crate::domain::task::TaskStatus;
use crate::domain::time::{Instant, whole_minute};
use crate::store::delta_log::spec::Column;
use crate::store::error::StoreError;
use crate::store::row::Row;

pub use super::current::FIELD_CHANGES as NAME;
pub const DOC: &str = "Changes of each task's status, assignee, due date and likely estimate.";

/// Fields whose changes are kept.
pub const FIELDS: [&str; 4] = ["status", "assignee_id", "due_date", "estimate_likely"];

/// Number of rows encoded before yielding to other work.
const ROW_BATCH: usize = 1024;

const COLUMNS: [(&str, &str, bool, &str); 9] = [
    ("project_id", "string", false, "The task's project after the change."),
    ("task_id", "string", false, "The task."),
    ("field", "string", false, "status, assignee_id, due_date or estimate_likely."),
    ("from_value", "string", true, "The previous value as text; null if there was none."),
    ("to_value", "string", true, "The new value as text; null if it was cleared."),
    ("at", "timestamp", false, "The time of the change (UTC)."),
    (
        "at_minute",
        "long",
        false,
        "The time of the change in whole minutes since 1970, for differences.",
    ),
    ("seq", "long", false, "The seq of the patch set that changed it."),
    ("actor", "string", false, "The actor of the change."),
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

/// Returns the table's columns, the partition column last.
pub fn columns() -> Vec<Column> {
    let bucket = (
        BUCKET,
        "integer",
        false,
        "The bucket of the project, which determines the files of the row.",
    );
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

/// Returns the changes that a row of the journal makes.
pub fn changes(row: &Row) -> Result<Vec<Change>, StoreError> {
    if row.entity != Entity::Task {
        return Ok(Vec::new());
    }
    let damaged = |err: serde_json::Error| {
        StoreError::damaged(format!("journal row {}.{}", row.seq, row.ordinal), err.to_string())
    };
    let (before, after) =
        (row.before_fields().map_err(damaged)?, row.after_fields().map_err(damaged)?);
    // A new task has a status even if its author set none.
    let begins = |field: &str| field == "status" && row.op == Op::Create;
    let change = |field: &'static str| {
        let value = |fields: &serde_json::Map<String, Value>| fields.get(field).and_then(text);
        let first = || begins(field).then(|| TaskStatus::Pending.as_str().to_owned());
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
    // Clearing an absent field changes nothing.
    Ok(made.filter(|change| change.from != change.to).collect())
}

/// Returns the changes in these rows, one batch per bucket with changes.
pub async fn batches(rows: &[&Row]) -> Result<Vec<(u32, RecordBatch)>, StoreError> {
    let mut buckets: BTreeMap<u32, Vec<Change>> = BTreeMap::new();
    let mut budget = YieldBudget::default();
    for row in rows {
        budget.step(1).await;
        for change in changes(row)? {
            buckets.entry(bucket(Entity::Task, row.project_id)).or_default().push(change);
        }
    }
    buckets.into_iter().map(|(bucket, changes)| Ok((bucket, encode(&changes)?))).collect()
}

/// Filters the changes of one field.
fn of_field(rows: &RecordBatch, field: &str) -> Result<RecordBatch, ArrowError> {
    filter_record_batch(rows, &eq(&rows["field"], &StringArray::new_scalar(field))?)
}

/// Encodes batches as one file for `path`. Rows are grouped by field, in a large file in separate
/// row groups, so that a query of one field reads no other.
pub async fn file(
    path: String,
    bucket: u32,
    batches: &[RecordBatch],
) -> Result<(NewFile, bytes::Bytes), StoreError> {
    let failed = |err: ParquetError| StoreError::storage("encoding", NAME, err);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let options =
        ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&SCHEMA), options)
        .map_err(failed)?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    for field in FIELDS {
        for batch in batches {
            for from in (0..batch.num_rows()).step_by(ROW_BATCH) {
                let part = batch.slice(from, ROW_BATCH.min(batch.num_rows() - from));
                writer
                    .write(&of_field(&part, field).map_err(|err| failed(err.into()))?)
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

/// Encodes changes as a batch.
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
        .map_err(|err| StoreError::storage("encoding", NAME, err))
}

/// Decodes the changes of a batch. Errors name `path`.
pub fn decode(batch: &RecordBatch, path: &str) -> Result<Vec<Change>, StoreError> {
    let columns = Columns::of(batch)
        .ok_or_else(|| StoreError::damaged(path, "a column is missing or of another type"))?;
    let strange = |row: usize| StoreError::damaged(path, format!("row {row} has an invalid value"));
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
