//! Reads a file that is being rewritten, row group by row group: its keys, some or all of its
//! columns, and its column chunks as stored.

use std::sync::Arc;

use bytes::Bytes;
use deltalake::arrow::array::{Array, AsArray, RecordBatch, StringArray};
use deltalake::arrow::compute::concat_batches;
use deltalake::parquet::arrow::ProjectionMask;
use deltalake::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use deltalake::parquet::column::writer::ColumnCloseResult;
use deltalake::parquet::file::metadata::{ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData};
use deltalake::parquet::file::page_index::column_index::ColumnIndexMetaData;

use super::definition::sort_columns;
use crate::domain::record::Entity;
use crate::store::decode::guarded;
use crate::store::error::StoreError;

/// Sort key of a row in its bucket: its project, if the table has one, and its id.
pub(super) type Key = (String, String);

/// A file of a current table, fully loaded; its content is decoded only on request.
pub(super) struct Source {
    path: String,
    entity: Entity,
    pub bytes: Bytes,
    metadata: ArrowReaderMetadata,
}

impl Source {
    pub fn open(path: String, entity: Entity, bytes: Bytes) -> Result<Self, StoreError> {
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let metadata = guarded(&path, || {
            ArrowReaderMetadata::load(&bytes, options)
                .map_err(|err| StoreError::damaged(&path, err.to_string()))
        })?;
        Ok(Self { path, entity, bytes, metadata })
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn groups(&self) -> usize {
        self.file().num_row_groups()
    }

    /// Returns the number of rows in a row group; `None` after the last group.
    pub fn rows(&self, group: usize) -> Option<usize> {
        self.file().row_groups().get(group).and_then(|group| usize::try_from(group.num_rows()).ok())
    }

    /// Returns the bounds of the first sort column of a row group, from its statistics.
    pub fn lead_bounds(&self, group: usize) -> Option<(String, String)> {
        let name = sort_columns(self.entity).next()?;
        let columns = self.file().file_metadata().schema_descr();
        let index = columns.columns().iter().position(|column| column.path().string() == name)?;
        let statistics = self.column(group, index).statistics()?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        Some((text(statistics.min_bytes_opt()?)?, text(statistics.max_bytes_opt()?)?))
    }

    /// Returns the keys of a row group's rows.
    pub fn keys(&self, group: usize) -> Result<Keys, StoreError> {
        let names: Vec<&str> = sort_columns(self.entity).collect();
        let batch = self.read(group, Some(&names))?;
        let column = |name: &str| -> Result<StringArray, StoreError> {
            let column = batch
                .column_by_name(name)
                .and_then(|column| column.as_string_opt::<i32>())
                .cloned();
            column.ok_or_else(|| {
                StoreError::damaged(
                    &self.path,
                    format!("the column {name} is missing or of another type"),
                )
            })
        };
        let projects = if names.len() > 1 { Some(column("project_id")?) } else { None };
        Ok(Keys { projects, ids: column("id")? })
    }

    /// Reads some or all columns of a row group.
    pub fn read(&self, group: usize, columns: Option<&[&str]>) -> Result<RecordBatch, StoreError> {
        guarded(&self.path, || self.decode(group, columns))
    }

    fn decode(&self, group: usize, columns: Option<&[&str]>) -> Result<RecordBatch, StoreError> {
        let damaged = |err: String| StoreError::damaged(&self.path, err);
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
            self.bytes.clone(),
            self.metadata.clone(),
        )
        .with_row_groups(vec![group])
        .with_batch_size(self.rows(group).unwrap_or_default().max(1));
        if let Some(columns) = columns {
            let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
            builder = builder.with_projection(mask);
        }
        let reader = builder.build().map_err(|err| damaged(err.to_string()))?;
        let schema = deltalake::arrow::record_batch::RecordBatchReader::schema(&reader);
        let batches =
            reader.collect::<Result<Vec<_>, _>>().map_err(|err| damaged(err.to_string()))?;
        concat_batches(&schema, &batches).map_err(|err| damaged(err.to_string()))
    }

    /// Returns a column of a row group as stored, to be appended to another file.
    pub fn chunk(&self, group: usize, column: usize) -> ColumnCloseResult {
        let metadata = self.column(group, column).clone();
        let index =
            self.file().column_index().and_then(|index| index.get(group)?.get(column)).cloned();
        ColumnCloseResult {
            bytes_written: metadata.compressed_size().unsigned_abs(),
            rows_written: self.file().row_group(group).num_rows().unsigned_abs(),
            metadata,
            bloom_filter: None,
            column_index: index.filter(|index| !matches!(index, ColumnIndexMetaData::NONE)),
            offset_index: self
                .file()
                .offset_index()
                .and_then(|index| index.get(group)?.get(column))
                .cloned(),
        }
    }

    fn column(&self, group: usize, column: usize) -> &ColumnChunkMetaData {
        self.file().row_group(group).column(column)
    }

    fn file(&self) -> &Arc<ParquetMetaData> {
        self.metadata.metadata()
    }
}

/// The keys of the rows of a row group, in order.
pub(super) struct Keys {
    projects: Option<StringArray>,
    ids: StringArray,
}

impl Keys {
    pub fn first(&self) -> Option<Key> {
        (!self.ids.is_empty()).then(|| self.key(0))
    }

    pub fn last(&self) -> Option<Key> {
        self.ids.len().checked_sub(1).map(|row| self.key(row))
    }

    /// Returns the row with a key.
    pub fn find(&self, key: &Key) -> Option<usize> {
        let wanted = (key.0.as_str(), key.1.as_str());
        let (mut low, mut high) = (0, self.ids.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.at(middle) < wanted {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (low < self.ids.len() && self.at(low) == wanted).then_some(low)
    }

    fn key(&self, row: usize) -> Key {
        let (project, id) = self.at(row);
        (project.to_owned(), id.to_owned())
    }

    fn at(&self, row: usize) -> (&str, &str) {
        (self.projects.as_ref().map_or("", |projects| projects.value(row)), self.ids.value(row))
    }
}
