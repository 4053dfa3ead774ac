//! Merges the rows of many files in order, with little memory.
//!
//! Files are ordered by seq, and after a compaction some overlap. A file is opened when the merge
//! reaches its first seq, and its rows are decoded some thousands at a time.

use std::cmp::Reverse;
use std::vec::IntoIter;

use super::encoding::{Batches, RowPredicate};
use super::entry::JournalFile;
use super::files::Files;
use crate::store::error::StoreError;
use crate::store::row::Row;

/// Reads files together, in the order of seq and ordinal. Erased rows are returned as stored.
pub struct Merge<'f> {
    files: &'f Files,
    wanted: Option<RowPredicate>,
    /// Files not opened yet, the one that begins first at the end.
    waiting: Vec<JournalFile>,
    open: Vec<Open>,
    /// Error to report for a file after its last row.
    broken: Option<(JournalFile, StoreError)>,
    read: Vec<(JournalFile, usize)>,
}

/// An open file and its next row.
struct Open {
    file: JournalFile,
    next: Row,
    rows: IntoIter<Row>,
    batches: Batches,
    taken: usize,
}

impl<'f> Merge<'f> {
    /// Merges these files: all rows, or the wanted ones.
    pub fn new(
        files: &'f Files,
        of: impl IntoIterator<Item = JournalFile>,
        wanted: Option<RowPredicate>,
    ) -> Self {
        let mut waiting: Vec<JournalFile> = of.into_iter().collect();
        waiting.sort_by_key(|file| Reverse(file.seq));
        Self { files, wanted, waiting, open: Vec::new(), broken: None, read: Vec::new() }
    }

    /// Returns the next row, or the next file that cannot be read to its end; `None` after the last
    /// row.
    pub async fn next(&mut self) -> Option<Result<Row, (JournalFile, StoreError)>> {
        loop {
            if let Some(broken) = self.broken.take() {
                return Some(Err(broken));
            }
            let place = |open: &Open| (open.next.seq, open.next.ordinal);
            let first = self
                .open
                .iter()
                .enumerate()
                .min_by_key(|(_, open)| place(open))
                .map(|(at, open)| (at, open.next.seq));
            let is_due = |file: &JournalFile| first.is_none_or(|(_, seq)| file.seq.0 <= seq);
            if self.waiting.last().is_some_and(is_due) {
                let file = self.waiting.pop()?;
                match self.files.open_rows(&file, self.wanted.clone()).await {
                    Ok(batches) => self.go_on(file, Vec::new().into_iter(), batches, 0),
                    Err(err) => self.broken = Some((file, err)),
                }
                continue;
            }
            let open = self.open.swap_remove(first?.0);
            let row = open.next;
            self.go_on(open.file, open.rows, open.batches, open.taken);
            return Some(Ok(row));
        }
    }

    /// Returns the files that were read to their end so far, and the number of rows of each.
    pub fn read(&self) -> &[(JournalFile, usize)] {
        &self.read
    }

    /// Keeps a file open at its next row, or moves it to the finished files.
    fn go_on(
        &mut self,
        file: JournalFile,
        mut rows: IntoIter<Row>,
        mut batches: Batches,
        taken: usize,
    ) {
        loop {
            if let Some(next) = rows.next() {
                self.open.push(Open { file, next, rows, batches, taken: taken + 1 });
                return;
            }
            match batches.next() {
                Some(Ok(more)) => rows = more.into_iter(),
                Some(Err(err)) => {
                    self.broken = Some((file, err));
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use uuid::Uuid;

    use super::*;
    use crate::domain::change::Change;
    use crate::domain::id::{EntityId, PatchSetId};
    use crate::domain::patch::{Op, Source};
    use crate::domain::record::{Entity, Fields};
    use crate::domain::time::Instant;
    use crate::store::journal::entry;
    use crate::store::row::Envelope;

    /// Returns a set with `rows` rows.
    fn set(seq: u64, rows: usize) -> Vec<Row> {
        let envelope = Envelope {
            seq,
            patch_set_id: PatchSetId::of(Uuid::from_u128(u128::from(seq))),
            request_hash: [0; 32],
            v: 1,
            actor: "ana",
            source: Source::Cli,
            reason: None,
            at: Instant::default(),
        };
        let change = |number: usize| Change {
            project: None,
            entity: Entity::User,
            id: Uuid::from_u128(number as u128),
            op: Op::Create,
            before: Fields::new(),
            after: Fields::new(),
        };
        Row::chain_set(&envelope, &(0..rows).map(change).collect::<Vec<_>>(), [0; 32], || [0; 16])
    }

    async fn put(files: &Files, rows: &[Row]) -> JournalFile {
        let name = Uuid::from_u128(u128::from(rows[0].seq * 10 + u64::from(rows[0].ordinal)));
        entry::added(&files.put_rows(1, name, &rows.iter().collect::<Vec<_>>()).await.unwrap())
            .unwrap()
    }

    async fn places(merge: &mut Merge<'_>) -> Vec<Result<(u64, u32), String>> {
        let mut places = Vec::new();
        while let Some(row) = merge.next().await {
            places.push(row.map(|row| (row.seq, row.ordinal)).map_err(|(file, _)| file.path));
        }
        places
    }

    #[tokio::test]
    async fn files_that_overlap_give_their_rows_in_order_and_a_broken_one_is_reported() {
        let store = Arc::new(InMemory::new());
        let files = Files::new(Arc::clone(&store) as Arc<_>);
        let rows: Vec<Vec<Row>> = (1..=7).map(|seq| set(seq, 2)).collect();
        let of =
            |seqs: &[usize]| seqs.iter().flat_map(|seq| rows[seq - 1].clone()).collect::<Vec<_>>();
        let long = put(&files, &of(&[1, 4, 7])).await;
        let short = put(&files, &of(&[2, 3])).await;
        // A set may be split between files.
        let (first, second) = (
            put(&files, &of(&[5])[..1]).await,
            put(&files, &[&of(&[5])[1..], &of(&[6])].concat()).await,
        );
        let all = [second.clone(), short.clone(), long.clone(), first.clone()];
        let mut merge = Merge::new(&files, all.clone(), None);
        let wanted: Vec<_> = (1..=7).flat_map(|seq| [Ok((seq, 0)), Ok((seq, 1))]).collect();
        assert_eq!(places(&mut merge).await, wanted);
        assert_eq!(merge.read().len(), 4);
        assert!(merge.read().iter().all(|(file, rows)| file.rows == *rows));

        let odd: RowPredicate = Arc::new(|row| row.id == Uuid::from_u128(1));
        let found = places(&mut Merge::new(&files, all.clone(), Some(odd))).await;
        assert_eq!(found, (1..=7).map(|seq| Ok((seq, 1))).collect::<Vec<_>>());

        store
            .put(&Path::from(format!("journal/{}", short.path)), "no parquet".into())
            .await
            .unwrap();
        let found = places(&mut Merge::new(&files, all, None)).await;
        assert_eq!(
            found.iter().filter(|found| found.is_err()).collect::<Vec<_>>(),
            [&Err(short.path)]
        );
        assert_eq!(found.len(), 11);
    }
}
