//! A first look at the whole journal: what has to be known before a part of it can be replayed by itself.

use std::collections::HashMap;
use std::slice;
use std::sync::Arc;

use uuid::Uuid;

use crate::domain::patch::Op;
use crate::domain::record::Entity;
use crate::store::erasure::Erasures;
use crate::store::error::StoreError;
use crate::store::journal::batch::Glance;
use crate::store::journal::entry::JournalFile;
use crate::store::journal::files::Files;
use crate::store::row::Row;
use crate::store::tables::{BUCKETS, bucket};

/// A row takes about so much more in memory than its columns in the file.
const OVERHEAD: u64 = 500;

/// What is known of the whole journal.
#[derive(Debug)]
pub struct Survey {
    /// What erases left of the rows they name. An erase that was changed since names nothing.
    pub erasures: Erasures,
    /// How heavy each bucket's rows are.
    pub weights: Vec<u64>,
    /// The buckets of each record that moved: each with the seq from which on it is there.
    homes: HashMap<(Entity, Uuid), Vec<(u64, u32)>>,
    /// The first file that could not be read, if there is one; the rest was looked at all the same.
    pub unread: Option<StoreError>,
    /// The first erase that does not say what it erases, if there is one. Then nothing counts as named.
    pub unsaid: Option<StoreError>,
}

impl Survey {
    /// Looks at these files.
    pub async fn of(files: &Files, of: &[JournalFile]) -> Self {
        let mut survey = Self {
            erasures: Erasures::default(),
            weights: vec![0; BUCKETS as usize],
            homes: HashMap::new(),
            unread: None,
            unsaid: None,
        };
        let mut moves = Vec::new();
        for file in of {
            match survey.look(files, file).await {
                Ok(found) => moves.extend(found),
                Err(fault) => survey.unread = survey.unread.or(Some(fault)),
            }
        }
        if survey.unsaid.is_some() {
            survey.erasures = Erasures::default();
        }
        survey.note_moves(moves);
        survey
    }

    /// The survey, where every file was read and every erase understood.
    pub fn sound(mut self) -> Result<Self, StoreError> {
        match self.unread.take().or(self.unsaid.take()) {
            Some(fault) => Err(fault),
            None => Ok(self),
        }
    }

    /// The bucket that holds a record at a seq, where it is one that ever moved.
    pub fn home(&self, entity: Entity, id: Uuid, seq: u64) -> Option<u32> {
        let homes = self.homes.get(&(entity, id))?;
        homes.iter().rev().find(|(from, _)| *from <= seq).map(|(_, bucket)| *bucket)
    }

    /// Weighs a file, notes its erases, and gives its moves.
    async fn look(&mut self, files: &Files, file: &JournalFile) -> Result<Vec<Row>, StoreError> {
        let (glances, size) = files.glance(file).await?;
        let each = size / (glances.len() as u64).max(1) + OVERHEAD;
        for glance in &glances {
            self.weights[bucket(glance.entity, glance.project) as usize] += each;
        }
        let is_told = |glance: &Glance| matches!(glance.op, Op::Erase | Op::Move);
        let mut moves = Vec::new();
        if glances.iter().any(is_told) {
            for rows in files.open_rows(file, Some(Arc::new(is_told))).await? {
                for row in rows? {
                    if row.op == Op::Move {
                        moves.push(row);
                    } else if row.compute_digest() == row.digest
                        && let Err(fault) = self.erasures.note(&row)
                    {
                        self.unsaid.get_or_insert(fault);
                    }
                }
            }
        }
        Ok(moves)
    }

    /// Where the records are that moved. What an erase left of a move still says whence and whither.
    fn note_moves(&mut self, mut moves: Vec<Row>) {
        moves.sort_by_key(|row| (row.seq, row.ordinal));
        for mut row in moves {
            self.erasures.restore(slice::from_mut(&mut row));
            let Some(left) = row.left_project() else { continue };
            let homes = self.homes.entry((row.entity, row.entity_id)).or_default();
            if homes.is_empty() {
                homes.push((0, bucket(row.entity, Some(left))));
            }
            homes.push((row.seq, bucket(row.entity, row.project_id)));
        }
    }
}
