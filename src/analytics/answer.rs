//! The rows of an answer as they come, so that none but those being written are in memory.

use deltalake::arrow::array::RecordBatch;
use deltalake::arrow::datatypes::SchemaRef;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::AnalyticsError;

/// An answer: its columns, and its rows in batches. The query ends with it.
pub struct Answer {
    pub schema: SchemaRef,
    pub(super) batches: mpsc::Receiver<Result<RecordBatch, AnalyticsError>>,
    pub(super) task: Option<JoinHandle<()>>,
}

impl Answer {
    /// The next rows; `None` after the last. An answer that was cut short ends in an error.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, AnalyticsError> {
        if let Some(batch) = self.batches.recv().await {
            return batch.map(Some);
        }
        match self.task.take() {
            // It has ended, since it holds the other end.
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
