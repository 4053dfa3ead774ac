//! Scans the whole journal for the facts that replaying a part by itself requires.

use std::collections::HashMap;
use std::slice;
use std::sync::Arc;

use uuid::Uuid;

use crate::domain::patch::Op;
use crate::domain::record::Entity;
use crate::store::erasure::Erasures;
use crate::store::error::StoreError;
use crate::store::journal::encoding::RowKey;
use crate::store::journal::entry::JournalFile;
use crate::store::journal::files::Files;
use crate::store::row::Row;
use crate::store::tables::{BUCKETS, bucket};

/// Approximate bytes that a row takes in memory beyond its columns in the file.
const OVERHEAD: u64 = 500;

/// Facts about the whole journal.
#[derive(Debug)]
pub struct JournalScan {
    /// What erases left of the rows they name. An erase whose digest does not match names nothing.
    pub erasures: Erasures,
    /// Weight of each bucket's rows.
    pub weights: Vec<u64>,
    /// Buckets of each record that moved, each with the first seq at which the record is there.
    homes: HashMap<(Entity, Uuid), Vec<(u64, u32)>>,
    /// Error of the first unreadable file, if any; the other files were scanned anyway.
    pub unread: Option<StoreError>,
    /// Error of the first erase that does not state what it erases, if any. Then nothing counts as
    /// named.
    pub invalid_erase: Option<StoreError>,
}

impl JournalScan {
    /// Scans these files.
    pub async fn of(files: &Files, of: &[JournalFile]) -> Self {
        let mut scan = Self {
            erasures: Erasures::default(),
            weights: vec![0; BUCKETS as usize],
            homes: HashMap::new(),
            unread: None,
            invalid_erase: None,
        };
        let mut moves = Vec::new();
        for file in of {
            match scan.scan_file(files, file).await {
                Ok(found) => moves.extend(found),
                Err(err) => scan.unread = scan.unread.or(Some(err)),
            }
        }
        if scan.invalid_erase.is_some() {
            scan.erasures = Erasures::default();
        }
        scan.note_moves(moves);
        scan
    }

    /// Returns the scan if every file was readable and every erase understood.
    pub fn sound(mut self) -> Result<Self, StoreError> {
        match self.unread.take().or(self.invalid_erase.take()) {
            Some(err) => Err(err),
            None => Ok(self),
        }
    }

    /// Returns the bucket of a record at a seq, if the record ever moved.
    pub fn home(&self, entity: Entity, id: Uuid, seq: u64) -> Option<u32> {
        let homes = self.homes.get(&(entity, id))?;
        homes.iter().rev().find(|(from, _)| *from <= seq).map(|(_, bucket)| *bucket)
    }

    /// Weighs a file, records its erases, and returns its moves.
    async fn scan_file(
        &mut self,
        files: &Files,
        file: &JournalFile,
    ) -> Result<Vec<Row>, StoreError> {
        let (row_keys, size) = files.row_key(file).await?;
        let each = size / (row_keys.len() as u64).max(1) + OVERHEAD;
        for row_key in &row_keys {
            self.weights[bucket(row_key.entity, row_key.project) as usize] += each;
        }
        let is_reported = |row_key: &RowKey| matches!(row_key.op, Op::Erase | Op::Move);
        let mut moves = Vec::new();
        if row_keys.iter().any(is_reported) {
            for rows in files.open_rows(file, Some(Arc::new(is_reported))).await? {
                for row in rows? {
                    if row.op == Op::Move {
                        moves.push(row);
                    } else if row.compute_digest() == row.digest
                        && let Err(err) = self.erasures.note(&row)
                    {
                        self.invalid_erase.get_or_insert(err);
                    }
                }
            }
        }
        Ok(moves)
    }

    /// Records the buckets of moved records. What an erase left of a move still states its source
    /// and target.
    fn note_moves(&mut self, mut moves: Vec<Row>) {
        moves.sort_by_key(|row| (row.seq, row.ordinal));
        for mut row in moves {
            self.erasures.restore(slice::from_mut(&mut row));
            let Some(left) = row.source_project() else { continue };
            let homes = self.homes.entry((row.entity, row.entity_id)).or_default();
            if homes.is_empty() {
                homes.push((0, bucket(row.entity, Some(left))));
            }
            homes.push((row.seq, bucket(row.entity, row.project_id)));
        }
    }
}
