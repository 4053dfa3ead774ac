//! Tables that are appended to and never folded: what ran, and what agents did. They are not part of the journal; a row
//! is written at least once and names itself, and losing one loses no one's work.

use std::sync::Arc;

use chrono::DateTime;
use deltalake::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use deltalake::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use deltalake::parquet::arrow::ArrowWriter;
use deltalake::parquet::arrow::arrow_writer::ArrowWriterOptions;
use object_store::{Error, ObjectStore};
use serde_json::{Value, json};

use super::error::StoreError;
use super::table_log::{TableLog, entry_bytes};
use super::tables::definition::{Column, Description};
use crate::domain::record::Fields;
use crate::domain::time::Instant;
use crate::runtime::{Random, uuid_v7};

/// An appended table. Its rows are JSON objects with these columns, checked when they are written.
#[derive(Debug)]
pub struct Appended {
    pub name: &'static str,
    pub doc: &'static str,
    /// Name, type as Delta names it (string, long or timestamp), nullable, documentation.
    columns: &'static [(&'static str, &'static str, bool, &'static str)],
}

/// The folder a row is in: the day it was written.
pub const DATE: &str = "date";
/// Rows between two checkpoints of the log, without which every row would read the whole of it.
const CHECKPOINT_EVERY: u64 = 100;
/// How often a row that loses its slot is put into the next one.
const TRIES: usize = 20;

/// What planners and agents did.
pub const AGENT_LOGS: Appended = Appended {
    name: "agent_logs",
    doc: "Every run of a planner: what it read, what it made of it, how long it took.",
    columns: &[
        ("run_id", "string", false, "The run (UUIDv7); a row may be there twice, this tells."),
        ("at", "timestamp", false, "When it ended (UTC)."),
        ("agent", "string", false, "What ran, such as planner."),
        ("model", "string", false, "What it thought with; outline is the embedded planner."),
        ("actor", "string", false, "Who asked for it."),
        ("source", "string", true, "The text it read."),
        ("project_id", "string", true, "The project it planned."),
        ("patch_set_id", "string", true, "The patch set it proposed."),
        ("seq", "long", true, "Where that was committed; null where nothing changed."),
        ("duration_ms", "long", false, "How long it took."),
        ("phases", "long", false, "Phases it found."),
        ("tasks", "long", false, "Tasks it found."),
        ("subtasks", "long", false, "Subtasks it found."),
        ("links", "long", false, "Dependencies it found."),
        ("requirements", "long", false, "Requirements it found."),
        ("problems", "long", false, "Problems it saw, such as circles and uncovered requirements."),
        ("skipped", "long", false, "Parts of the text it did not plan."),
        ("skipped_parts", "string", false, "JSON list of those parts: first line and reason."),
    ],
};

/// What commands did.
pub const RUNS: Appended = Appended {
    name: "runs",
    doc: "Every command and job that changed the lake.",
    columns: &[
        ("run_id", "string", false, "The run (UUIDv7); a row may be there twice, this tells."),
        ("started_at", "timestamp", false, "When it began (UTC)."),
        ("duration_ms", "long", false, "How long it took."),
        ("command", "string", false, "The subcommand."),
        ("actor", "string", false, "Who ran it."),
        ("seq", "long", false, "The head of the journal when it ended."),
        ("version", "string", false, "The version of lakeplan that ran."),
    ],
};

/// Every appended table. A new one gets its line here.
pub const APPENDED: &[&Appended] = &[&AGENT_LOGS, &RUNS];

impl Appended {
    /// The table's columns, the partition column last.
    pub fn columns(&self) -> Vec<Column> {
        let date = (DATE, "date", false, "The day the row was written.");
        let column = |(name, kind, nullable, doc): &(&str, &str, bool, &str)| Column {
            name: (*name).to_owned(),
            kind: json!(kind),
            nullable: *nullable,
            doc: (*doc).to_owned(),
        };
        self.columns.iter().chain([&date]).map(column).collect()
    }

    /// One row as a Parquet file.
    fn encode(&self, row: &Fields) -> Result<Vec<u8>, StoreError> {
        let unfit = |name: &str| StoreError::storage("encoding", self.name, format!("the column {name} lacks its value"));
        let mut fields = Vec::with_capacity(self.columns.len());
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for (name, kind, nullable, _) in self.columns {
            let value = row.get(*name).filter(|value| !value.is_null());
            if value.is_none() && !nullable {
                return Err(unfit(name));
            }
            let (data_type, column): (DataType, ArrayRef) = match *kind {
                "long" => (DataType::Int64, Arc::new(Int64Array::from(vec![value.and_then(Value::as_i64)]))),
                "timestamp" => {
                    let at = value.and_then(Value::as_str).and_then(|text| DateTime::parse_from_rfc3339(text).ok());
                    let column = TimestampMicrosecondArray::from(vec![at.map(|at| at.timestamp_micros())]).with_timezone("UTC");
                    (DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), Arc::new(column))
                }
                _ => (DataType::Utf8, Arc::new(StringArray::from(vec![value.and_then(Value::as_str)]))),
            };
            if column.null_count() > 0 && !nullable {
                return Err(unfit(name));
            }
            fields.push(Field::new(*name, data_type, *nullable));
            columns.push(column);
        }
        let schema = Arc::new(Schema::new(fields));
        let failed = |fault: deltalake::parquet::errors::ParquetError| StoreError::storage("encoding", self.name, fault);
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(|fault| failed(fault.into()))?;
        let options = ArrowWriterOptions::new().with_skip_arrow_metadata(true);
        let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options).map_err(failed)?;
        writer.write(&batch).map_err(failed)?;
        writer.into_inner().map_err(failed)
    }

    /// Appends a row.
    pub async fn append(
        &self,
        root: &Arc<dyn ObjectStore>,
        row: &Fields,
        at: Instant,
        random: &dyn Random,
    ) -> Result<(), StoreError> {
        let log = TableLog::new(Arc::clone(root), self.name);
        let file = self.encode(row)?;
        let date = at.date_naive().to_string();
        let path = format!("{DATE}={date}/{}.parquet", uuid_v7(at, random));
        let size = file.len();
        log.put(&path, file.into()).await?;
        let add = json!({"add": {
            "path": path, "partitionValues": {DATE: date}, "size": size, "modificationTime": at.timestamp_millis(),
            "dataChange": true, "stats": json!({"numRecords": 1}).to_string(),
        }});
        let info = json!({"commitInfo": {
            "timestamp": at.timestamp_millis(), "operation": "WRITE", "operationParameters": {"mode": "Append"},
            "engineInfo": concat!("lakeplan/", env!("CARGO_PKG_VERSION")),
        }});
        let mut next = log.load().await?.map(|table| table.version + 1);
        for _ in 0..TRIES {
            let mut actions = vec![info.clone()];
            if next.is_none() {
                let table = Description { name: self.name, doc: self.doc, columns: self.columns(), partitions: &[DATE] };
                actions.extend(table.create(uuid_v7(at, random), at));
            }
            actions.push(add.clone());
            let version = next.unwrap_or(0);
            match log.put_entry(version, entry_bytes(&actions)).await {
                Ok(()) => {
                    if version > 0
                        && version.is_multiple_of(CHECKPOINT_EVERY)
                        && let Err(fault) = log.checkpoint(version).await
                    {
                        tracing::warn!(table = self.name, %fault, "no checkpoint was written; appending stays slower until the next one");
                    }
                    return Ok(());
                }
                Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => next = Some(version + 1),
                Err(fault) => return Err(StoreError::storage("writing", format!("{}/_delta_log", self.name), fault)),
            }
        }
        Err(StoreError::storage("writing", format!("{}/_delta_log", self.name), "other writers were faster each time"))
    }
}
