//! The files a bucket is written to.

use deltalake::arrow::array::{AsArray, RecordBatch};
use deltalake::parquet::arrow::ArrowWriter;
use deltalake::parquet::arrow::arrow_writer::ArrowWriterOptions;
use deltalake::parquet::basic::Compression;
use deltalake::parquet::file::properties::WriterProperties;

use uuid::Uuid;

use super::definition::NewFile;
use super::read::ROW_GROUP;
use super::{BUCKET, CurrentTable, columns};
use crate::domain::time::Instant;
use crate::runtime::{Random, uuid_v7};
use crate::store::error::StoreError;
use crate::store::table_log::TableLog;

/// A bucket's file is closed when it has grown to this.
const FILE_SIZE: usize = 16 << 20;

/// What files are named by.
#[derive(Clone, Copy)]
pub(super) struct Naming<'a> {
    /// The seq that they are folded to, and when it was committed.
    pub seq: u64,
    pub at: Instant,
    pub random: &'a dyn Random,
}

impl Naming<'_> {
    pub fn fresh(&self) -> Uuid {
        uuid_v7(self.at, self.random)
    }
}

/// The files a bucket is written to.
pub(super) struct Output<'a> {
    table: &'a CurrentTable,
    log: &'a TableLog,
    naming: Naming<'a>,
    bucket: u32,
    writer: Option<ArrowWriter<Vec<u8>>>,
    rows: usize,
    ids: Option<(String, String)>,
    done: Vec<NewFile>,
}

impl<'a> Output<'a> {
    pub fn new(table: &'a CurrentTable, log: &'a TableLog, naming: Naming<'a>, bucket: u32) -> Self {
        Self { table, log, naming, bucket, writer: None, rows: 0, ids: None, done: Vec::new() }
    }

    pub async fn write(&mut self, batch: RecordBatch) -> Result<(), StoreError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let failed = |fault: deltalake::parquet::errors::ParquetError| StoreError::storage("encoding", self.table.name, fault);
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::SNAPPY)
                    .set_max_row_group_row_count(Some(ROW_GROUP))
                    .build();
                let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
                self.writer.insert(
                    ArrowWriter::try_new_with_options(Vec::new(), columns::schema(self.table.entity), options).map_err(failed)?,
                )
            }
        };
        writer.write(&batch).map_err(failed)?;
        self.rows += batch.num_rows();
        let size = writer.bytes_written() + writer.in_progress_size();
        for id in batch.column_by_name("id").and_then(|column| column.as_string_opt::<i32>()).into_iter().flatten().flatten() {
            match &mut self.ids {
                None => self.ids = Some((id.to_owned(), id.to_owned())),
                Some((low, high)) => {
                    if id < low.as_str() {
                        id.clone_into(low);
                    }
                    if id > high.as_str() {
                        id.clone_into(high);
                    }
                }
            }
        }
        if size > FILE_SIZE { self.close().await } else { Ok(()) }
    }

    async fn close(&mut self) -> Result<(), StoreError> {
        let (Some(writer), Some(ids)) = (self.writer.take(), self.ids.take()) else { return Ok(()) };
        let bytes = writer.into_inner().map_err(|fault| StoreError::storage("encoding", self.table.name, fault))?;
        // The name sorts as the rows do: files of a bucket are read in its order.
        let path =
            format!("{BUCKET}={}/{:020}-{:04}-{}.parquet", self.bucket, self.naming.seq, self.done.len(), self.naming.fresh());
        let size = bytes.len();
        self.log.put(&path, bytes.into()).await?;
        self.done.push(NewFile { path, size, bucket: self.bucket, rows: std::mem::take(&mut self.rows), key: "id", ids });
        Ok(())
    }

    pub async fn finish(mut self) -> Result<Vec<NewFile>, StoreError> {
        self.close().await?;
        Ok(self.done)
    }
}
