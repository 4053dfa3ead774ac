//! Reads the journal's rows, file by file.

use super::entry::JournalFile;
use super::files::Files;
use crate::store::error::StoreError;
use crate::store::row::{Row, Stream};

/// Reading direction of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    OldestFirst,
    NewestFirst,
}

/// Files of the journal, read one after the other.
pub struct JournalReader {
    /// Remaining files; the next one is last.
    files: Vec<JournalFile>,
    store: Files,
    after: u64,
    stream: Stream,
    order: Order,
}

impl JournalReader {
    /// Returns a reader of the live files that hold rows of a stream after a position.
    pub fn new(store: Files, after: u64, stream: Stream, order: Order) -> Self {
        let wanted = |file: &&JournalFile| file.stream == stream && file.seq.1 > after;
        let mut files: Vec<JournalFile> = store.live().filter(wanted).cloned().collect();
        files.sort_by_key(|file| file.seq);
        if order == Order::OldestFirst {
            files.reverse();
        }
        Self { files, store, after, stream, order }
    }

    /// Returns the rows of the next file, in order; `None` after the last file.
    pub async fn next(&mut self) -> Option<Result<Vec<Row>, StoreError>> {
        let file = self.files.pop()?;
        Some(self.store.read_whole(&file, self.after).await.map(|mut rows| {
            rows.retain(|row| row.stream == self.stream);
            rows.sort_by_key(|row| (row.seq, row.ordinal));
            if self.order == Order::NewestFirst {
                rows.reverse();
            }
            rows
        }))
    }
}
