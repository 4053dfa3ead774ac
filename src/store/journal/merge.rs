//! The rows of many files in their order, with as little in memory as that takes.
//!
//! Files follow each other by seq, and after a compaction some overlap. A file is opened when the rows at hand have come
//! to where it begins, and its rows are decoded some thousands at a time.

use std::cmp::Reverse;
use std::vec::IntoIter;

use super::batch::{Batches, Wanted};
use super::entry::JournalFile;
use super::files::Files;
use crate::store::error::StoreError;
use crate::store::row::Row;

/// Reads files together, in the order of seq and ordinal. Erased rows come as they stand in the files.
pub struct Merge<'f> {
    files: &'f Files,
    wanted: Option<Wanted>,
    /// The one that begins first is last.
    waiting: Vec<JournalFile>,
    open: Vec<Open>,
    /// What is to be said of a file after its last row.
    broken: Option<(JournalFile, StoreError)>,
    read: Vec<(JournalFile, usize)>,
}

/// A file with its next row.
struct Open {
    file: JournalFile,
    next: Row,
    rows: IntoIter<Row>,
    batches: Batches,
    taken: usize,
}

impl<'f> Merge<'f> {
    /// Of these files, all rows or those that are wanted.
    pub fn new(files: &'f Files, of: impl IntoIterator<Item = JournalFile>, wanted: Option<Wanted>) -> Self {
        let mut waiting: Vec<JournalFile> = of.into_iter().collect();
        waiting.sort_by_key(|file| Reverse(file.seq));
        Self { files, wanted, waiting, open: Vec::new(), broken: None, read: Vec::new() }
    }

    /// The next row, or the next file that cannot be read, or not to its end; `None` after the last.
    pub async fn next(&mut self) -> Option<Result<Row, (JournalFile, StoreError)>> {
        loop {
            if let Some(broken) = self.broken.take() {
                return Some(Err(broken));
            }
            let place = |open: &Open| (open.next.seq, open.next.ordinal);
            let first = self.open.iter().enumerate().min_by_key(|(_, open)| place(open)).map(|(at, open)| (at, open.next.seq));
            let is_due = |file: &JournalFile| first.is_none_or(|(_, seq)| file.seq.0 <= seq);
            if self.waiting.last().is_some_and(is_due) {
                let file = self.waiting.pop()?;
                match self.files.open_rows(&file, self.wanted.clone()).await {
                    Ok(batches) => self.go_on(file, Vec::new().into_iter(), batches, 0),
                    Err(fault) => self.broken = Some((file, fault)),
                }
                continue;
            }
            let open = self.open.swap_remove(first?.0);
            let row = open.next;
            self.go_on(open.file, open.rows, open.batches, open.taken);
            return Some(Ok(row));
        }
    }

    /// The files that were read to their end so far, and how many rows each gave.
    pub fn read(&self) -> &[(JournalFile, usize)] {
        &self.read
    }

    /// Keeps a file open at its next row, or puts it with those that are read.
    fn go_on(&mut self, file: JournalFile, mut rows: IntoIter<Row>, mut batches: Batches, taken: usize) {
        loop {
            if let Some(next) = rows.next() {
                self.open.push(Open { file, next, rows, batches, taken: taken + 1 });
                return;
            }
            match batches.next() {
                Some(Ok(more)) => rows = more.into_iter(),
                Some(Err(fault)) => {
                    self.broken = Some((file, fault));
                    return;
                }
                None => {
                    self.read.push((file, taken));
                    return;
                }
            }
        }
    }
}
