//! Encodes records as columns and decodes them.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate};
use deltalake::arrow::array::{
    Array, ArrayRef, AsArray, Date32Builder, Int32Builder, Int64Builder, ListBuilder, RecordBatch,
    StringBuilder, TimestampMicrosecondBuilder,
};
use deltalake::arrow::datatypes::{
    DataType, Date32Type, Field as Column, Int32Type, Int64Type, Schema, SchemaRef, TimeUnit,
    TimestampMicrosecondType,
};
use deltalake::arrow::error::ArrowError;
use serde_json::Value;
use uuid::Uuid;

use crate::domain::any_record::AnyRecord;
use crate::domain::day;
use crate::domain::record::{Entity, Field};
use crate::domain::time::rfc3339;
use crate::domain::value::{InvalidValue, Kind};
use crate::store::error::StoreError;

/// Returns whether an integer column needs 64 bits.
pub fn is_long(min: i64, max: i64) -> bool {
    i32::try_from(min).is_err() || i32::try_from(max).is_err()
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text { .. }
        | Kind::String { .. }
        | Kind::Enum(_)
        | Kind::Id(_)
        | Kind::Object { .. } => DataType::Utf8,
        Kind::Integer { min, max } if is_long(min, max) => DataType::Int64,
        Kind::Integer { .. } => DataType::Int32,
        Kind::Date => DataType::Date32,
        Kind::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Kind::StringList { .. } => {
            DataType::List(Arc::new(Column::new("element", DataType::Utf8, false)))
        }
    }
}

/// Returns the columns in an entity's files: its id and its fields.
pub fn schema(entity: Entity) -> SchemaRef {
    let id = Column::new("id", DataType::Utf8, false);
    let fields = entity
        .fields()
        .iter()
        .map(|field| Column::new(field.name, data_type(field.kind), field.nullable));
    Arc::new(Schema::new(std::iter::once(id).chain(fields).collect::<Vec<_>>()))
}

/// Encodes records of one entity as a batch.
pub fn encode(entity: Entity, records: &[AnyRecord]) -> Result<RecordBatch, ArrowError> {
    let mut ids = StringBuilder::new();
    for record in records {
        ids.append_value(record.id().hyphenated().to_string());
    }
    let mut columns: Vec<ArrayRef> = vec![Arc::new(ids.finish())];
    for field in entity.fields() {
        columns.push(column(field, records));
    }
    RecordBatch::try_new(schema(entity), columns)
}

/// Encodes one field of the records.
pub fn column(field: &Field, records: &[AnyRecord]) -> ArrayRef {
    let values = || records.iter().map(|record| record.get(field.name).unwrap_or_default());
    match field.kind {
        Kind::Text { .. } | Kind::String { .. } | Kind::Enum(_) | Kind::Id(_) => {
            let mut column = StringBuilder::new();
            values().for_each(|value| column.append_option(value.as_str()));
            Arc::new(column.finish())
        }
        Kind::Object { .. } => {
            let mut column = StringBuilder::new();
            values().for_each(|value| {
                column.append_option((!value.is_null()).then(|| value.to_string()))
            });
            Arc::new(column.finish())
        }
        Kind::Integer { min, max } if is_long(min, max) => {
            let mut column = Int64Builder::new();
            values().for_each(|value| column.append_option(value.as_i64()));
            Arc::new(column.finish())
        }
        Kind::Integer { .. } => {
            let mut column = Int32Builder::new();
            values().for_each(|value| {
                column.append_option(value.as_i64().and_then(|value| i32::try_from(value).ok()))
            });
            Arc::new(column.finish())
        }
        Kind::Date => {
            let mut column = Date32Builder::new();
            values().for_each(|value| {
                column.append_option(
                    value
                        .as_str()
                        .and_then(|day| day.parse::<NaiveDate>().ok())
                        .map(Date32Type::from_naive_date),
                )
            });
            Arc::new(column.finish())
        }
        Kind::Instant => {
            let mut column = TimestampMicrosecondBuilder::new().with_timezone("UTC");
            let micros = |value: &Value| {
                DateTime::parse_from_rfc3339(value.as_str()?).ok().map(|at| at.timestamp_micros())
            };
            values().for_each(|value| column.append_option(micros(&value)));
            Arc::new(column.finish())
        }
        Kind::StringList { .. } => {
            let element = Arc::new(Column::new("element", DataType::Utf8, false));
            let mut column = ListBuilder::new(StringBuilder::new()).with_field(element);
            for value in values() {
                for line in value.as_array().into_iter().flatten() {
                    column.values().append_option(line.as_str());
                }
                column.append(!value.is_null());
            }
            Arc::new(column.finish())
        }
    }
}

/// Decodes the records of a batch. Errors name `path`.
pub fn decode(
    entity: Entity,
    batch: &RecordBatch,
    path: &str,
) -> Result<Vec<AnyRecord>, StoreError> {
    decode_noting(entity, batch, path, |field, record, why| {
        // The journal's row has the value, and reading that row reports it.
        tracing::debug!("{path}: {field} of {} {why}; it is read as absent", record.id());
    })
}

/// Counts the values of a batch that their fields cannot hold.
pub fn count_unreadable(
    entity: Entity,
    batch: &RecordBatch,
    path: &str,
) -> Result<usize, StoreError> {
    let mut count = 0;
    decode_noting(entity, batch, path, |_, _, _| count += 1)?;
    Ok(count)
}

fn decode_noting(
    entity: Entity,
    batch: &RecordBatch,
    path: &str,
    mut note: impl FnMut(&str, &AnyRecord, InvalidValue),
) -> Result<Vec<AnyRecord>, StoreError> {
    let missing = |name: &str| {
        StoreError::damaged(path, format!("the column {name} is missing or of another type"))
    };
    let ids = batch
        .column_by_name("id")
        .and_then(|column| column.as_string_opt::<i32>())
        .ok_or_else(|| missing("id"))?;
    let mut records = Vec::with_capacity(batch.num_rows());
    for id in ids {
        let id = id.and_then(|id| Uuid::try_parse(id).ok()).ok_or_else(|| missing("id"))?;
        records.push(AnyRecord::empty(entity, id));
    }
    for field in entity.fields() {
        let column = batch.column_by_name(field.name).ok_or_else(|| missing(field.name))?;
        for (index, record) in
            records.iter_mut().enumerate().filter(|(index, _)| column.is_valid(*index))
        {
            let value = value(field.kind, column, index).ok_or_else(|| missing(field.name))?;
            // A day outside the text format has no JSON value.
            let held = if value.is_null() {
                Err(InvalidValue(day::RANGE.to_owned()))
            } else {
                record.restore(field.name, &value)
            };
            if let Err(why) = held {
                note(field.name, record, why);
            }
        }
    }
    Ok(records)
}

fn value(kind: Kind, column: &ArrayRef, index: usize) -> Option<Value> {
    Some(match kind {
        Kind::Text { .. } | Kind::String { .. } | Kind::Enum(_) | Kind::Id(_) => {
            Value::from(column.as_string_opt::<i32>()?.value(index))
        }
        Kind::Object { .. } => {
            serde_json::from_str(column.as_string_opt::<i32>()?.value(index)).ok()?
        }
        Kind::Integer { min, max } if is_long(min, max) => {
            Value::from(column.as_primitive_opt::<Int64Type>()?.value(index))
        }
        Kind::Integer { .. } => Value::from(column.as_primitive_opt::<Int32Type>()?.value(index)),
        Kind::Date => {
            let days = column.as_primitive_opt::<Date32Type>()?.value(index);
            Date32Type::to_naive_date_opt(days)
                .map_or(Value::Null, |date| Value::from(date.to_string()))
        }
        Kind::Instant => {
            let micros = column.as_primitive_opt::<TimestampMicrosecondType>()?.value(index);
            DateTime::from_timestamp_micros(micros)
                .map_or(Value::Null, |at| Value::from(rfc3339(at)))
        }
        Kind::StringList { .. } => {
            let lines = column.as_list_opt::<i32>()?.value(index);
            lines.as_string_opt::<i32>()?.iter().map(Option::unwrap_or_default).collect()
        }
    })
}
