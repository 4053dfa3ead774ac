//! Reading the journal's rows, file by file.

use super::entry::JournalFile;
use super::files::Files;
use crate::store::error::StoreError;
use crate::store::row::{Row, Stream};

/// Files of the journal, to be read one after the other.
pub struct JournalReader {
    pub(super) files: Vec<JournalFile>,
    pub(super) store: Files,
    pub(super) after: u64,
    pub(super) stream: Stream,
}

impl JournalReader {
    /// The rows of the next file, in order; `None` after the last.
    pub async fn next(&mut self) -> Option<Result<Vec<Row>, StoreError>> {
        if self.files.is_empty() {
            return None;
        }
        let file = self.files.remove(0);
        Some(self.store.read_rows(&file).await.map(|mut rows| {
            rows.retain(|row| row.seq > self.after && row.stream == self.stream);
            rows.sort_by_key(|row| (row.seq, row.ordinal));
            rows
        }))
    }
}
