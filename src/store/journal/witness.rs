//! Checks what the folded tables state about themselves against the journal.
//!
//! A table states the mark of the position to which it is folded. The journal knows the marks of
//! its own positions: commits record those at which tables were last written, the last row gives
//! the end's, and the few rows since give those between. A table of another history is not trusted,
//! whatever seq it states.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use super::entry;
use super::files::Files;
use super::genesis::root_name;
use crate::domain::record::Entity;
use crate::store::delta_log::action::Action;
use crate::store::error::StoreError;
use crate::store::mark::{FoldPosition, FoldPositions, LakeMark, Mark};
use crate::store::row::{Hash, Row, Stream};

/// Maximum number of cached marks.
const MAX_MARKS: usize = 4096;

impl Files {
    /// Records the hash chain at a position.
    pub fn note_mark(&self, seq: u64, chain: &Hash) {
        self.with_marks(|marks| {
            marks.insert(seq, Mark::of(seq, chain));
            while marks.len() > MAX_MARKS {
                marks.pop_first();
            }
        });
    }

    /// Returns the fold position of a table that was just folded to a seq.
    pub fn stand(&self, seq: u64) -> FoldPosition {
        FoldPosition { seq, mark: self.with_marks(|marks| marks.get(&seq).copied()) }
    }

    /// Returns whether a table that states it is folded to `seq`, a seq of this journal, was folded
    /// from this journal. A table without a mark is trusted, and so is one whose rows in the
    /// journal are unreadable.
    pub async fn knows(
        &self,
        table: &str,
        seq: u64,
        mark: Option<Mark>,
    ) -> Result<bool, StoreError> {
        let Some(mark) = mark else { return Ok(true) };
        if let Some(noted) = self.noted(table, seq) {
            return Ok(noted == mark);
        }
        self.had_mark_at(seq, Some(mark)).await
    }

    /// Checks a position that a table was folded to, now or earlier, as [`Self::knows`] does.
    pub async fn had_mark_at(&self, seq: u64, mark: Option<Mark>) -> Result<bool, StoreError> {
        let Some(mark) = mark else { return Ok(true) };
        match self.mark_at(seq).await {
            Ok(own) => Ok(own == Some(mark)),
            Err(StoreError::Damaged { .. }) => Ok(true),
            Err(err) => Err(err),
        }
    }

    /// Returns whether a table ahead of the journal is of this lake. It is not if it was folded
    /// under another lake root: in an adopted copy, or in another lake.
    pub async fn is_of_lake(&self, lake: Option<LakeMark>) -> Result<bool, StoreError> {
        if self.ignores_tables_ahead {
            return Ok(false);
        }
        let Some(lake) = lake else { return Ok(true) };
        let is_own = |row: &Row| {
            let recorded = row
                .after_fields()
                .unwrap_or_default()
                .get("root")
                .and_then(|root| root.as_str().map(str::to_owned));
            // The journal may have lost the rows that adopted the lake here.
            let here = self.place.as_deref().map(|place| root_name(place).as_str().to_owned());
            recorded.iter().chain(&here).any(|root| LakeMark::of(row.entity_id, root) == lake)
        };
        match self.rows_behind(&BTreeMap::from([(Entity::Lake, 0)]), |_| true).await {
            Ok(rows) => Ok(rows.iter().any(is_own)),
            Err(StoreError::Damaged { .. }) => Ok(true),
            Err(err) => Err(err),
        }
    }

    /// Returns whether the tables' statements can be trusted, now that the journal was read.
    pub async fn confirm(&self, stands: &FoldPositions) -> Result<bool, StoreError> {
        for (table, stand) in stands.iter().filter(|(_, stand)| stand.seq > 0) {
            let is_within = (self.written_at(table)..=self.end()).contains(&stand.seq);
            if !is_within || !self.knows(table, stand.seq, stand.mark).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns the actions that record the fold positions of a stream's tables that the journal
    /// does not state yet.
    pub fn news_of<'s>(
        &self,
        stream: Stream,
        stands: impl Iterator<Item = (&'s String, &'s FoldPosition)>,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        for (table, stand) in
            stands.filter(|(table, stand)| stand.seq > 0 && stand.seq >= self.written_at(table))
        {
            if stand.seq > self.written_at(table) {
                actions.push(entry::written_txn(stream, table, stand.seq));
            }
            actions.extend(
                stand
                    .mark
                    .filter(|mark| self.noted(table, stand.seq) != Some(*mark))
                    .map(|mark| entry::mark_txn(table, mark)),
            );
        }
        actions
    }

    /// Records the fold positions that a commit has just stated.
    pub fn note_stands<'s>(
        &mut self,
        stands: impl Iterator<Item = (&'s String, &'s FoldPosition)>,
    ) {
        for (table, stand) in stands {
            let written = self.written.entry(table.clone()).or_default();
            if stand.seq >= *written {
                *written = stand.seq;
                self.marks.extend(stand.mark.map(|mark| (table.clone(), mark.version())));
            }
        }
    }

    /// Returns whether a warning about a table at this version was logged before, and records that
    /// it was.
    pub fn was_reported(&self, table: &str, version: u64) -> bool {
        !self
            .warned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((table.to_owned(), version))
    }

    /// Returns the mark of a position if the journal states that the table was last written there.
    fn noted(&self, table: &str, seq: u64) -> Option<Mark> {
        if self.written_at(table) != seq {
            return None;
        }
        self.marks.get(table).and_then(|version| Mark::stated(*version, seq))
    }

    /// Returns the mark of a position; `None` if no live file contains it.
    async fn mark_at(&self, seq: u64) -> Result<Option<Mark>, StoreError> {
        if let Some(mark) = self.stand(seq).mark {
            return Ok(Some(mark));
        }
        for file in self.live().filter(|file| (file.seq.0..=file.seq.1).contains(&seq)) {
            let rows = self.read_rows(file, seq.saturating_sub(1)).await?;
            if let Some(chain) = rows.iter().filter(|row| row.seq == seq).find_map(|row| row.chain)
            {
                self.note_mark(seq, &chain);
                return Ok(Some(Mark::of(seq, &chain)));
            }
        }
        Ok(None)
    }

    fn with_marks<T>(&self, look: impl FnOnce(&mut BTreeMap<u64, Mark>) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
