//! Streams the rows of a query result, so that only the rows being written are in memory.

use deltalake::arrow::array::RecordBatch;
use deltalake::arrow::datatypes::SchemaRef;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::AnalyticsError;

/// Query result: its schema and its record batches. Dropping it aborts the query.
pub struct Answer {
    pub schema: SchemaRef,
    pub(super) batches: mpsc::Receiver<Result<RecordBatch, AnalyticsError>>,
    pub(super) task: Option<JoinHandle<()>>,
}

impl Answer {
    /// Returns the next record batch; `None` after the last. A result that was cut short ends in an
    /// error.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, AnalyticsError> {
        if let Some(batch) = self.batches.recv().await {
            return batch.map(Some);
        }
        match self.task.take() {
            // The task has ended, since it owns the sender.
            Some(task) => task.await.map(|()| None).map_err(super::deep::panicked),
            None => Ok(None),
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
