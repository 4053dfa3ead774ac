//! Writes the files of a bucket: rows as batches, and row groups of earlier files, of which
//! unchanged columns are copied as stored.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use deltalake::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use deltalake::arrow::compute::concat_batches;
use deltalake::arrow::datatypes::SchemaRef;
use deltalake::parquet::arrow::ArrowWriter;
use deltalake::parquet::arrow::arrow_writer::{
    ArrowRowGroupWriterFactory, ArrowWriterOptions, compute_leaves,
};
use deltalake::parquet::basic::Compression;
use deltalake::parquet::errors::ParquetError;
use deltalake::parquet::file::metadata::RowGroupMetaData;
use deltalake::parquet::file::properties::WriterProperties;
use deltalake::parquet::file::writer::SerializedFileWriter;
use uuid::Uuid;

use super::definition::NewFile;
use super::read::ROW_GROUP;
use super::source::Source;
use super::{BUCKET, CurrentTable, columns};
use crate::domain::time::Instant;
use crate::runtime::{Random, uuid_v7};
use crate::store::delta_log::table_log::TableLog;
use crate::store::error::StoreError;

/// A bucket's file larger than this ends at the next project boundary.
const FILE_SIZE: usize = 16 << 20;
/// A bucket's file larger than this ends at any row.
const MAX_OUTPUT_BYTES: usize = 64 << 20;

/// Returns whether there are rows, but too few for a separate row group.
pub(super) fn is_small(rows: usize) -> bool {
    (1..ROW_GROUP / 2).contains(&rows)
}

/// Inputs of file names.
#[derive(Clone, Copy)]
pub(super) struct FileNamer<'a> {
    /// Seq to which the files are folded, and its commit time.
    pub seq: u64,
    pub at: Instant,
    pub random: &'a dyn Random,
}

impl FileNamer<'_> {
    pub fn next(&self) -> Uuid {
        uuid_v7(self.at, self.random)
    }
}

/// Output files of a bucket.
pub(super) struct Output<'a> {
    table: &'a CurrentTable,
    log: &'a TableLog,
    naming: FileNamer<'a>,
    bucket: u32,
    schema: SchemaRef,
    /// Rows that are not in a row group yet.
    waiting: Vec<RecordBatch>,
    file: Option<File>,
    done: Vec<NewFile>,
}

impl<'a> Output<'a> {
    pub fn new(
        table: &'a CurrentTable,
        log: &'a TableLog,
        naming: FileNamer<'a>,
        bucket: u32,
    ) -> Self {
        let schema = columns::schema(table.entity);
        Self {
            table,
            log,
            naming,
            bucket,
            schema,
            waiting: Vec::new(),
            file: None,
            done: Vec::new(),
        }
    }

    /// Returns whether the next row group should be passed as rows: a few rows wait to be merged
    /// with others, or the file should end within the group.
    pub fn wants_rows(&self) -> bool {
        is_small(self.waiting_rows())
            || self.file.as_ref().is_some_and(|file| file.size() > FILE_SIZE)
    }

    /// Writes rows, in the order of the bucket.
    pub async fn write(&mut self, mut batch: RecordBatch) -> Result<(), StoreError> {
        while let Some(end) = self.border(&batch) {
            self.wait(batch.slice(0, end))?;
            self.close().await?;
            batch = batch.slice(end, batch.num_rows() - end);
        }
        self.wait(batch)
    }

    /// Copies a row group of an earlier file as stored, except for the `replaced` columns.
    pub fn keep(
        &mut self,
        source: &Source,
        group: usize,
        replaced: &BTreeMap<usize, ArrayRef>,
    ) -> Result<(), StoreError> {
        self.write_waiting()?;
        let schema = Arc::clone(&self.schema);
        self.group(|file| file.keep(&schema, source, group, replaced))
    }

    /// Finishes the last file and returns all files.
    pub async fn finish(mut self) -> Result<Vec<NewFile>, StoreError> {
        self.close().await?;
        Ok(self.done)
    }

    fn waiting_rows(&self) -> usize {
        self.waiting.iter().map(RecordBatch::num_rows).sum()
    }

    /// Returns the row of a batch before which the file should end.
    fn border(&self, batch: &RecordBatch) -> Option<usize> {
        let size = self.file.as_ref().map_or(0, File::size);
        if size <= FILE_SIZE || batch.num_rows() == 0 {
            return None;
        }
        if size > MAX_OUTPUT_BYTES {
            return Some(0);
        }
        let projects =
            batch.column_by_name("project_id").and_then(|column| column.as_string_opt::<i32>())?;
        let last = match self.waiting.iter().rfind(|batch| batch.num_rows() > 0) {
            Some(waiting) => {
                let column = waiting
                    .column_by_name("project_id")
                    .and_then(|column| column.as_string_opt::<i32>())?;
                column.value(column.len() - 1).to_owned()
            }
            None => self.file.as_ref()?.last_project(&self.schema)?,
        };
        (0..projects.len()).find(|row| projects.value(*row) != last)
    }

    /// Buffers rows until they fill a row group.
    fn wait(&mut self, batch: RecordBatch) -> Result<(), StoreError> {
        if batch.num_rows() > 0 {
            self.waiting.push(batch);
        }
        while self.waiting_rows() >= 2 * ROW_GROUP {
            let all = self.joined()?;
            self.waiting = vec![all.slice(ROW_GROUP, all.num_rows() - ROW_GROUP)];
            self.write_group(&all.slice(0, ROW_GROUP))?;
        }
        Ok(())
    }

    /// Writes the buffered rows as one row group, or as two of about equal size.
    fn write_waiting(&mut self) -> Result<(), StoreError> {
        let all = self.joined()?;
        let rows = all.num_rows();
        if rows == 0 {
            return Ok(());
        }
        let half = if rows > ROW_GROUP + ROW_GROUP / 2 { rows / 2 } else { rows };
        self.write_group(&all.slice(0, half))?;
        if half < rows { self.write_group(&all.slice(half, rows - half)) } else { Ok(()) }
    }

    fn joined(&mut self) -> Result<RecordBatch, StoreError> {
        let waiting = mem::take(&mut self.waiting);
        concat_batches(&self.schema, &waiting)
            .map_err(|err| StoreError::storage("encoding", self.table.name, err))
    }

    fn write_group(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        self.group(|file| file.write(batch))
    }

    fn group(
        &mut self,
        write: impl FnOnce(&mut File) -> Result<(), ParquetError>,
    ) -> Result<(), StoreError> {
        let failed = |err: ParquetError| StoreError::storage("encoding", self.table.name, err);
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(File::new(&self.schema).map_err(failed)?),
        };
        write(file).map_err(failed)
    }

    async fn close(&mut self) -> Result<(), StoreError> {
        self.write_waiting()?;
        let Some(file) = self.file.take() else { return Ok(()) };
        let failed = |err: ParquetError| StoreError::storage("encoding", self.table.name, err);
        // Names sort like rows: files of a bucket are read in the order of their names.
        let name = self.naming.next();
        let path = format!(
            "{BUCKET}={}/{:020}-{:04}-{name}.parquet",
            self.bucket,
            self.naming.seq,
            self.done.len()
        );
        let (mut file, bytes) = file.finish(path, self.bucket).map_err(failed)?;
        file.path = self.log.put_checked(&file.path, bytes.into()).await?;
        self.done.push(file);
        Ok(())
    }
}

/// A file that is being written.
struct File {
    writer: SerializedFileWriter<Vec<u8>>,
    columns: ArrowRowGroupWriterFactory,
}

impl File {
    fn new(schema: &SchemaRef) -> Result<Self, ParquetError> {
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let options =
            ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(schema), options)?;
        let (writer, columns) = writer.into_serialized_writer()?;
        Ok(Self { writer, columns })
    }

    fn size(&self) -> usize {
        self.writer.bytes_written()
    }

    fn groups(&self) -> usize {
        self.writer.flushed_row_groups().len()
    }

    /// Returns the greatest project of the last row group, which is the project of its last row.
    fn last_project(&self, schema: &SchemaRef) -> Option<String> {
        let column = schema.index_of("project_id").ok()?;
        let statistics = self.writer.flushed_row_groups().last()?.column(column).statistics()?;
        String::from_utf8(statistics.max_bytes_opt()?.to_vec()).ok()
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        let writers = self.columns.create_column_writers(self.groups())?;
        let mut group = self.writer.next_row_group()?;
        for ((mut writer, field), array) in
            writers.into_iter().zip(batch.schema().fields()).zip(batch.columns())
        {
            for leaf in compute_leaves(field, array)? {
                writer.write(&leaf)?;
            }
            writer.close()?.append_to_row_group(&mut group)?;
        }
        group.close().map(drop)
    }

    fn keep(
        &mut self,
        schema: &SchemaRef,
        source: &Source,
        from: usize,
        replaced: &BTreeMap<usize, ArrayRef>,
    ) -> Result<(), ParquetError> {
        let mut writers = match replaced.is_empty() {
            true => BTreeMap::new(),
            false => {
                self.columns.create_column_writers(self.groups())?.into_iter().enumerate().collect()
            }
        };
        let mut group = self.writer.next_row_group()?;
        for (index, field) in schema.fields().iter().enumerate() {
            match (replaced.get(&index), writers.remove(&index)) {
                (Some(array), Some(mut writer)) => {
                    for leaf in compute_leaves(field, array)? {
                        writer.write(&leaf)?;
                    }
                    writer.close()?.append_to_row_group(&mut group)?;
                }
                _ => group.append_column(&source.bytes, source.chunk(from, index))?,
            }
        }
        group.close().map(drop)
    }

    /// Finishes the file and returns its log description and its bytes.
    fn finish(self, path: String, bucket: u32) -> Result<(NewFile, Vec<u8>), ParquetError> {
        let groups = self.writer.flushed_row_groups();
        let rows =
            groups.iter().map(|group| usize::try_from(group.num_rows()).unwrap_or_default()).sum();
        let bound = |group: &RowGroupMetaData, is_low: bool| {
            let statistics = group.column(0).statistics()?;
            let bytes =
                if is_low { statistics.min_bytes_opt() } else { statistics.max_bytes_opt() };
            String::from_utf8(bytes?.to_vec()).ok()
        };
        let low = groups.iter().filter_map(|group| bound(group, true)).min().unwrap_or_default();
        let high = groups.iter().filter_map(|group| bound(group, false)).max().unwrap_or_default();
        let bytes = self.writer.into_inner()?;
        Ok((NewFile { path, size: bytes.len(), bucket, rows, key: "id", ids: (low, high) }, bytes))
    }
}
