//! Defines and reads the rows of a checkpoint.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use deltalake::arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, RecordBatch, StructArray, new_null_array,
};
use deltalake::arrow::compute::cast;
use deltalake::arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use deltalake::arrow::error::ArrowError;

use crate::store::decode::{self, Guarded};
use crate::store::error::StoreError;

/// Number of rows read at once.
pub const BATCH: usize = 512;

/// Columns of a checkpoint; each row has one of them.
pub static ROWS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let (text, long, flag, int) =
        (DataType::Utf8, DataType::Int64, DataType::Boolean, DataType::Int32);
    let words = || {
        let entry = Fields::from(vec![
            Field::new("key", DataType::Utf8, false),
            Field::new("value", DataType::Utf8, true),
        ]);
        DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entry), false)), false)
    };
    let list = DataType::List(Arc::new(Field::new("element", DataType::Utf8, true)));
    let row = |name: &str, fields: &[(&str, &DataType)]| {
        let fields: Fields =
            fields.iter().map(|(name, kind)| Field::new(*name, (*kind).clone(), true)).collect();
        Field::new(name, DataType::Struct(fields), true)
    };
    Arc::new(Schema::new(vec![
        row("txn", &[("appId", &text), ("version", &long), ("lastUpdated", &long)]),
        row(
            "add",
            &[
                ("path", &text),
                ("partitionValues", &words()),
                ("size", &long),
                ("modificationTime", &long),
                ("dataChange", &flag),
                ("stats", &text),
            ],
        ),
        row(
            "remove",
            &[
                ("path", &text),
                ("deletionTimestamp", &long),
                ("dataChange", &flag),
                ("extendedFileMetadata", &flag),
                ("partitionValues", &words()),
                ("size", &long),
            ],
        ),
        row(
            "metaData",
            &[
                ("id", &text),
                ("name", &text),
                ("description", &text),
                (
                    "format",
                    row("format", &[("provider", &text), ("options", &words())]).data_type(),
                ),
                ("schemaString", &text),
                ("partitionColumns", &list),
                ("configuration", &words()),
                ("createdTime", &long),
            ],
        ),
        row(
            "protocol",
            &[
                ("minReaderVersion", &int),
                ("minWriterVersion", &int),
                ("readerFeatures", &list),
                ("writerFeatures", &list),
            ],
        ),
    ]))
});

/// Reads the rows of any writer's checkpoint.
pub fn read(
    place: &str,
    bytes: Bytes,
) -> Result<impl Iterator<Item = Result<RecordBatch, StoreError>> + use<>, StoreError> {
    let batches = decode::batches(place, decode::open(place, bytes)?.with_batch_size(BATCH))?;
    let path = place.to_owned();
    Ok(Guarded::new(
        place,
        batches.map(move |batch| {
            let rows: ArrayRef = Arc::new(StructArray::from(batch?));
            let rows = shaped(&rows, &DataType::Struct(ROWS.fields().clone()));
            Ok(rows.map_err(|err| StoreError::damaged(&path, err.to_string()))?.as_struct().into())
        }),
    ))
}

/// Converts an array to another type: the same fields by name, null for missing ones.
fn shaped(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    Ok(match (array.data_type(), to) {
        (from, to) if from == to => Arc::clone(array),
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let rows = array.as_struct();
            let field = |field: &Arc<Field>| match rows.column_by_name(field.name()) {
                Some(column) => shaped(column, field.data_type()),
                None => Ok(new_null_array(field.data_type(), rows.len())),
            };
            let columns = fields.iter().map(field).collect::<Result<_, _>>()?;
            Arc::new(StructArray::try_new_with_length(
                fields.clone(),
                columns,
                rows.nulls().cloned(),
                rows.len(),
            )?)
        }
        (DataType::Map(..), DataType::Map(entry, is_sorted)) => {
            let map = array.as_map();
            let entries: ArrayRef = Arc::new(map.entries().clone());
            let entries = shaped(&entries, entry.data_type())?.as_struct().clone();
            Arc::new(MapArray::try_new(
                Arc::clone(entry),
                map.offsets().clone(),
                entries,
                map.nulls().cloned(),
                *is_sorted,
            )?)
        }
        (DataType::List(_), DataType::List(item)) => {
            let list = array.as_list::<i32>();
            let items = shaped(list.values(), item.data_type())?;
            Arc::new(ListArray::try_new(
                Arc::clone(item),
                list.offsets().clone(),
                items,
                list.nulls().cloned(),
            )?)
        }
        (_, to) => cast(array, to)?,
    })
}
