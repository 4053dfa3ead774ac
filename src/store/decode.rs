//! Decodes Parquet for all code that reads whole files.
//!
//! The Parquet reader does not expect a file with a corrupt byte: a panic of the reader means that
//! the file is damaged, and nothing else. A file that another engine wrote may hold the same values
//! in other types.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Once};

use bytes::Bytes;
use deltalake::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use deltalake::arrow::compute::cast;
use deltalake::arrow::datatypes::{Field, Schema};
use deltalake::arrow::error::ArrowError;
use deltalake::parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};

use super::error::StoreError;

thread_local! {
    /// Whether this thread is decoding, so that a panic becomes an error and is not printed.
    static DECODES: Cell<bool> = const { Cell::new(false) };
}

static QUIET: Once = Once::new();

/// Suppresses the output of panics during decoding.
fn be_quiet() {
    QUIET.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !DECODES.with(Cell::get) {
                hook(info);
            }
        }));
    });
}

/// Decodes a part of a file, and turns a panic into an error that names `path`.
pub fn guarded<T>(
    path: &str,
    decode: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    be_quiet();
    let outer = DECODES.replace(true);
    let decoded = panic::catch_unwind(AssertUnwindSafe(decode));
    DECODES.set(outer);
    decoded.unwrap_or_else(|_| Err(StoreError::damaged(path, "it cannot be decoded as Parquet")))
}

/// An iterator over decoded items that ends after damage.
pub struct Guarded<I> {
    path: String,
    inner: Option<I>,
}

impl<T, I: Iterator<Item = Result<T, StoreError>>> Guarded<I> {
    pub fn new(path: &str, inner: I) -> Self {
        Self { path: path.to_owned(), inner: Some(inner) }
    }
}

impl<T, I: Iterator<Item = Result<T, StoreError>>> Iterator for Guarded<I> {
    type Item = Result<T, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let inner = self.inner.as_mut()?;
        let next = guarded(&self.path, || inner.next().transpose()).transpose();
        if !matches!(next, Some(Ok(_))) {
            self.inner = None;
        }
        next
    }
}

/// Opens a file for reading, with the types in which its columns are stored.
pub fn open(path: &str, file: Bytes) -> Result<ParquetRecordBatchReaderBuilder<Bytes>, StoreError> {
    guarded(path, || {
        // An engine that rewrote the file may have recorded other types for the same columns.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)
            .map_err(|err| StoreError::damaged(path, err.to_string()))
    })
}

/// Returns the batches of a builder.
pub fn batches(
    path: &str,
    builder: ParquetRecordBatchReaderBuilder<Bytes>,
) -> Result<Guarded<impl Iterator<Item = Result<RecordBatch, StoreError>> + use<>>, StoreError> {
    let place = path.to_owned();
    let damaged = move |err: String| StoreError::damaged(place.clone(), err);
    let reader = guarded(path, || builder.build().map_err(|err| damaged(err.to_string())))?;
    Ok(Guarded::new(path, reader.map(move |batch| batch.map_err(|err| damaged(err.to_string())))))
}

/// Converts a batch to the column types of a schema; columns that the schema does not name stay
/// unchanged.
pub fn typed(batch: RecordBatch, schema: &Schema) -> Result<RecordBatch, ArrowError> {
    let wanted = |field: &Field| {
        schema
            .field_with_name(field.name())
            .ok()
            .filter(|wanted| wanted.data_type() != field.data_type())
    };
    if batch.schema().fields().iter().all(|field| wanted(field).is_none()) {
        return Ok(batch);
    }
    let (mut fields, mut columns): (Vec<Arc<Field>>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        match wanted(field) {
            Some(wanted) => {
                fields.push(Arc::new(
                    wanted.clone().with_nullable(field.is_nullable() || wanted.is_nullable()),
                ));
                columns.push(cast(column, wanted.data_type())?);
            }
            None => {
                fields.push(Arc::clone(field));
                columns.push(Arc::clone(column));
            }
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
}
