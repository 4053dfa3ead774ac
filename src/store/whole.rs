//! Reads a table only to check that it is readable.

use deltalake::parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use deltalake::parquet::file::metadata::PageIndexPolicy;

use super::error::StoreError;
use super::lake_tables::LakeTables;

impl LakeTables {
    /// Reads every live file of a table, with the indexes that only some queries use. The error
    /// names the first file that is missing or broken.
    pub async fn read_whole(&self, name: &str) -> Result<(), StoreError> {
        let log = self.log(name);
        let Some(table) = log.load().await? else { return Ok(()) };
        for file in table.files.values() {
            let damaged = |what: String| StoreError::damaged(format!("{name}/{}", file.path), what);
            let bytes = log.get_live(&file.path).await?;
            if i64::try_from(bytes.len()) != Ok(file.size) {
                return Err(damaged(format!(
                    "it has {} bytes, but its log says {}",
                    bytes.len(),
                    file.size
                )));
            }
            let options =
                ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
            let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(
                bytes,
                options.with_skip_arrow_metadata(true),
            );
            let reader = reader
                .and_then(ParquetRecordBatchReaderBuilder::build)
                .map_err(|err| damaged(err.to_string()))?;
            for batch in reader {
                batch.map_err(|err| damaged(err.to_string()))?;
            }
        }
        Ok(())
    }
}
