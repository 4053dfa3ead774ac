//! Formats record batches as text, JSON, CSV and Parquet.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use deltalake::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, new_null_array};
use deltalake::arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use deltalake::arrow::csv::WriterBuilder;
use deltalake::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use deltalake::arrow::error::ArrowError;
use deltalake::arrow::json::ArrayWriter;
use deltalake::arrow::util::display::{ArrayFormatter, FormatOptions};
use deltalake::parquet::arrow::ArrowWriter;
use deltalake::parquet::arrow::arrow_writer::ArrowWriterOptions;
use serde_json::Value;

use super::engine_error::truncate;
use super::result_format::Format;
use super::wide::bytes_in;
use super::{AnalyticsError, formula};
use crate::text::visible::visible_json;

impl Format {
    /// Encodes record batches; for `Table` and `Json` see [`rows_text`] and [`rows_json`].
    pub fn encode(self, batches: &[RecordBatch]) -> Result<Vec<u8>, AnalyticsError> {
        let Some(first) = batches.first() else { return Ok(Vec::new()) };
        encoded(Encoder::new(self, first.schema(), Json::Compact)?, batches)
    }
}

/// Layout of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Json {
    Compact,
    /// One line per value.
    Pretty,
}

/// Encoder of a query result, batch by batch.
pub struct Encoder {
    schema: SchemaRef,
    kind: Kind,
    has_begun: bool,
}

enum Kind {
    Csv { is_for_spreadsheets: bool },
    Json(Json),
    Parquet(Option<Box<ArrowWriter<SharedBuffer>>>, SharedBuffer),
}

/// Output of a writer, which can be drained while the writer continues.
#[derive(Clone, Debug, Default)]
struct SharedBuffer(Arc<Mutex<Vec<u8>>>);

impl SharedBuffer {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for SharedBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Maximum number of encoded bytes of a Parquet row group that are held before they are written.
const ROW_GROUP: usize = 64 << 20;

impl Encoder {
    /// Creates an encoder for a schema. `Table` has no encoded form and becomes JSON.
    pub fn new(format: Format, schema: SchemaRef, layout: Json) -> Result<Self, AnalyticsError> {
        let kind = match format {
            Format::Csv => Kind::Csv { is_for_spreadsheets: false },
            Format::Table | Format::Json => Kind::Json(layout),
            Format::Parquet => {
                // Omit Arrow's own schema: not every reader supports its string views.
                let options = ArrowWriterOptions::new().with_skip_arrow_metadata(true);
                let written = SharedBuffer::default();
                let writer = ArrowWriter::try_new_with_options(
                    written.clone(),
                    Arc::clone(&schema),
                    options,
                );
                let none = RecordBatch::new_empty(Arc::clone(&schema));
                let writer =
                    writer.map_err(|err| unwritable(format, &none, encoding(err), parquet))?;
                Kind::Parquet(Some(Box::new(writer)), written)
            }
        };
        Ok(Self { schema, kind, has_begun: false })
    }

    /// Creates an encoder of CSV for spreadsheets.
    pub fn csv_for_spreadsheets(schema: SchemaRef) -> Self {
        Self { schema, kind: Kind::Csv { is_for_spreadsheets: true }, has_begun: false }
    }

    /// Encodes the next rows. Callers should split large batches with [`pieces`] first.
    pub fn batch(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, AnalyticsError> {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let mut bytes = Vec::new();
        match &mut self.kind {
            Kind::Csv { is_for_spreadsheets } => {
                let is_for_spreadsheets = *is_for_spreadsheets;
                let written = csv(batch, is_first, is_for_spreadsheets, &mut bytes);
                written.map_err(|err| {
                    unwritable(Format::Csv, batch, err, |alone| {
                        csv(alone, is_first, is_for_spreadsheets, io::sink())
                    })
                })?;
            }
            Kind::Json(layout) => {
                let Value::Array(rows) = rows_json(std::slice::from_ref(batch))? else {
                    return Ok(bytes);
                };
                if is_first {
                    bytes.push(b'[');
                }
                self.has_begun = !is_first || !rows.is_empty();
                for (at, row) in rows.iter().enumerate() {
                    if !is_first || at > 0 {
                        bytes.push(b',');
                    }
                    match layout {
                        Json::Compact => {
                            bytes.extend_from_slice(visible_json(&row.to_string()).as_bytes())
                        }
                        Json::Pretty => {
                            let text = serde_json::to_string_pretty(row).map_err(encoding)?;
                            bytes.extend_from_slice(b"\n  ");
                            bytes.extend_from_slice(
                                visible_json(&text.replace('\n', "\n  ")).as_bytes(),
                            );
                        }
                    }
                }
                if !self.has_begun {
                    bytes.clear();
                }
            }
            Kind::Parquet(writer, written) => {
                if let Some(writer) = writer {
                    writer.write(batch).map_err(|err| {
                        unwritable(Format::Parquet, batch, encoding(err), parquet)
                    })?;
                    if writer.in_progress_size() > ROW_GROUP {
                        writer.flush().map_err(encoding)?;
                    }
                }
                bytes = written.take();
            }
        }
        Ok(bytes)
    }

    /// Returns the bytes after the last rows.
    pub fn finish(&mut self) -> Result<Vec<u8>, AnalyticsError> {
        match &mut self.kind {
            // Write the header even if there are no rows.
            Kind::Csv { .. } if !self.has_begun => {
                self.batch(&RecordBatch::new_empty(Arc::clone(&self.schema)))
            }
            Kind::Csv { .. } => Ok(Vec::new()),
            Kind::Json(_) if !self.has_begun => Ok(b"[]\n".to_vec()),
            Kind::Json(Json::Compact) => Ok(b"]\n".to_vec()),
            Kind::Json(Json::Pretty) => Ok(b"\n]\n".to_vec()),
            Kind::Parquet(writer, written) => {
                if let Some(writer) = writer.take() {
                    writer.close().map_err(encoding)?;
                }
                Ok(written.take())
            }
        }
    }
}

/// Returns rows as CSV for spreadsheets: no cell is interpreted as a formula.
pub fn csv_for_spreadsheets(batches: &[RecordBatch]) -> Result<Vec<u8>, AnalyticsError> {
    let Some(first) = batches.first() else { return Ok(Vec::new()) };
    encoded(Encoder::csv_for_spreadsheets(first.schema()), batches)
}

fn encoded(mut encoder: Encoder, batches: &[RecordBatch]) -> Result<Vec<u8>, AnalyticsError> {
    let mut bytes = Vec::new();
    for batch in batches {
        bytes.append(&mut encoder.batch(batch)?);
    }
    bytes.append(&mut encoder.finish()?);
    Ok(bytes)
}

fn csv(
    batch: &RecordBatch,
    has_header: bool,
    is_for_spreadsheets: bool,
    out: impl Write,
) -> Result<(), AnalyticsError> {
    let flat = flat(batch)?;
    let flat = if is_for_spreadsheets { formula::inert(&flat).map_err(encoding)? } else { flat };
    WriterBuilder::new().with_header(has_header).build(out).write(&flat).map_err(encoding)
}

fn parquet(batch: &RecordBatch) -> Result<(), AnalyticsError> {
    let mut writer = ArrowWriter::try_new(io::sink(), batch.schema(), None).map_err(encoding)?;
    writer.write(batch).map_err(encoding)?;
    writer.close().map(drop).map_err(encoding)
}

/// Returns an error that names the unwritable column, if one column cannot be written alone either.
fn unwritable(
    format: Format,
    batch: &RecordBatch,
    err: AnalyticsError,
    write: impl Fn(&RecordBatch) -> Result<(), AnalyticsError>,
) -> AnalyticsError {
    for (at, field) in batch.schema().fields().iter().enumerate() {
        let Ok(alone) = batch.project(&[at]) else { continue };
        if format != Format::Parquet
            && let Err(err) = check_values(&alone)
        {
            return err;
        }
        if write(&alone).is_err() {
            // A table can show any type.
            let is_json = format != Format::Json && json(&[some_row(&alone)]).is_ok();
            return AnalyticsError::Unwritable {
                column: truncate(field.name()),
                kind: truncate(&field.data_type().to_string()),
                format,
                other: if is_json { Format::Json } else { Format::Table },
            };
        }
    }
    err
}

/// Returns the batch, or one row of nulls if it is empty: without rows, writers do not check every
/// type.
fn some_row(batch: &RecordBatch) -> RecordBatch {
    if batch.num_rows() > 0 {
        return batch.clone();
    }
    let fields: Vec<Field> = batch
        .schema()
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect();
    let nulls = fields.iter().map(|field| new_null_array(field.data_type(), 1)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), nulls).unwrap_or_else(|_| batch.clone())
}

/// Converts lists to JSON text, which is all that CSV can hold. Leaves lists unchanged if their
/// values cannot become text.
fn flat(batch: &RecordBatch) -> Result<RecordBatch, AnalyticsError> {
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let lists = column.as_list_opt::<i32>();
        let Some(lists) =
            lists.filter(|lists| can_cast_types(&lists.value_type(), &DataType::Utf8))
        else {
            fields.push(field.as_ref().clone());
            columns.push(Arc::clone(column));
            continue;
        };
        let text = |list: Option<ArrayRef>| {
            list.map(|list| texts(&list).map(|texts| texts.to_string())).transpose()
        };
        fields.push(Field::new(field.name(), DataType::Utf8, true));
        let lists = lists.iter().map(text).collect::<Result<StringArray, ArrowError>>();
        columns.push(Arc::new(lists.map_err(encoding)?));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(encoding)
}

/// Returns the values of a list as a JSON list of texts.
fn texts(list: &ArrayRef) -> Result<Value, ArrowError> {
    // Bytes may not be text, so they are written in hexadecimal as elsewhere.
    if list.data_type().is_binary() {
        let options = strict();
        let shown = ArrayFormatter::try_new(list.as_ref(), &options)?;
        let text =
            |row: usize| list.is_valid(row).then(|| shown.value(row).try_to_string()).transpose();
        return (0..list.len())
            .map(text)
            .map(|text| Ok(text?.map_or(Value::Null, Value::String)))
            .collect();
    }
    // A value without a text form is an error, not a null.
    let options = CastOptions { safe: false, format_options: strict() };
    Ok(cast_with_options(list, &DataType::Utf8, &options)?.as_string::<i32>().iter().collect())
}

/// Returns options that make a value without a text form an error instead of a text.
fn strict() -> FormatOptions<'static> {
    FormatOptions::default().with_display_error(false)
}

/// Rejects values without a text form, such as a date out of range: some writers would put the
/// error in their place.
fn check_values(batch: &RecordBatch) -> Result<(), AnalyticsError> {
    let options = strict();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if !holds_times(column.data_type()) {
            continue;
        }
        // The writer rejects a type that has no text form at all.
        let Ok(shown) = ArrayFormatter::try_new(column.as_ref(), &options) else { continue };
        for row in 0..column.len() {
            shown.value(row).write(&mut NullWriter).map_err(|_| AnalyticsError::NoTextForm {
                column: truncate(field.name()),
                kind: truncate(&field.data_type().to_string()),
            })?;
        }
    }
    Ok(())
}

/// Writer that discards its input.
struct NullWriter;

impl fmt::Write for NullWriter {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        Ok(())
    }
}

/// Whether a type contains temporal values, the only ones that may be out of the writable range.
fn holds_times(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, value) => holds_times(value),
        DataType::RunEndEncoded(_, value) => holds_times(value.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| holds_times(field.data_type())),
        DataType::Union(fields, _) => {
            fields.iter().any(|(_, field)| holds_times(field.data_type()))
        }
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => holds_times(item.data_type()),
        kind => kind.is_temporal(),
    }
}

/// Whether a type contains a struct with duplicate field names; a JSON object keeps only the last.
fn repeats_a_name(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, value) => repeats_a_name(value),
        DataType::RunEndEncoded(_, value) => repeats_a_name(value.data_type()),
        DataType::Struct(fields) => {
            let names: BTreeSet<&str> = fields.iter().map(|field| field.name().as_str()).collect();
            names.len() < fields.len()
                || fields.iter().any(|field| repeats_a_name(field.data_type()))
        }
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => repeats_a_name(item.data_type()),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(parts) => parts.iter().any(|part| repeats_a_name(part.data_type())),
            _ => false,
        },
        _ => false,
    }
}

fn encoding(err: impl std::error::Error + Send + Sync + 'static) -> AnalyticsError {
    AnalyticsError::Encoding(err.into())
}

/// Returns the rows as JSON objects, including nulls.
pub fn rows_json(batches: &[RecordBatch]) -> Result<Value, AnalyticsError> {
    json(batches).map_err(|err| {
        let of = |batch: &RecordBatch| {
            unwritable(Format::Json, batch, encoding(io::Error::other("")), |alone| {
                json(std::slice::from_ref(alone)).map(drop)
            })
        };
        let is_reported = |found: &AnalyticsError| {
            matches!(found, AnalyticsError::Unwritable { .. } | AnalyticsError::NoTextForm { .. })
        };
        batches.iter().map(of).find(is_reported).unwrap_or(err)
    })
}

fn json(batches: &[RecordBatch]) -> Result<Value, AnalyticsError> {
    let builder = deltalake::arrow::json::WriterBuilder::new().with_explicit_nulls(true);
    let mut writer: ArrayWriter<Vec<u8>> = builder.build(Vec::new());
    for batch in batches {
        check_values(batch)?;
        if let Some(field) =
            batch.schema().fields().iter().find(|field| repeats_a_name(field.data_type()))
        {
            let what = format!("{} has two fields of one name", field.name());
            return Err(encoding(io::Error::other(what)));
        }
        writer.write(batch).map_err(encoding)?;
    }
    writer.finish().map_err(encoding)?;
    let bytes = writer.into_inner();
    if bytes.is_empty() {
        Ok(Value::Array(Vec::new()))
    } else {
        serde_json::from_slice(&bytes).map_err(encoding)
    }
}

/// Maximum number of bytes of rows that are written at once.
const PIECE: usize = 1 << 20;

/// Splits a batch into pieces that each take little time and memory to write. Rows are not split.
pub fn pieces(batch: RecordBatch) -> Vec<RecordBatch> {
    let (mut whole, mut pieces) = (vec![batch], Vec::new());
    while let Some(batch) = whole.pop() {
        let rows = batch.num_rows();
        if rows <= 1 || bytes_in(&batch) <= PIECE {
            pieces.push(batch);
            continue;
        }
        // The first half is popped first.
        whole.push(batch.slice(rows / 2, rows - rows / 2));
        whole.push(batch.slice(0, rows / 2));
    }
    pieces
}

/// Returns the column names, and the rows as texts; a null is empty.
pub fn rows_text(
    batches: &[RecordBatch],
) -> Result<(Vec<String>, Vec<Vec<String>>), AnalyticsError> {
    let options = strict();
    let header = batches
        .first()
        .map(|batch| batch.schema().fields().iter().map(|field| field.name().clone()).collect())
        .unwrap_or_default();
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<ArrayFormatter<'_>> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
            .collect::<Result<_, _>>()
            .map_err(encoding)?;
        for row in 0..batch.num_rows() {
            let cells = columns.iter().map(|column| column.value(row).try_to_string());
            let textless = |err| check_values(batch).err().unwrap_or_else(|| encoding(err));
            rows.push(cells.collect::<Result<_, _>>().map_err(textless)?);
        }
    }
    Ok((header, rows))
}
