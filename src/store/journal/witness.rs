//! What the journal knows of the tables that are folded from it: whether what a table says of itself is so.
//!
//! A table says the mark of the position that it is folded to. The journal knows the marks of its own positions: a commit
//! notes those that tables were last written at, the last row tells that of the end, and those between stand in the few rows
//! since. A table of another history is not believed, whatever seq it says.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use deltalake::kernel::Action;

use super::birth::root_name;
use super::entry;
use super::files::Files;
use super::opening::Stands;
use crate::domain::record::Entity;
use crate::store::error::StoreError;
use crate::store::mark::{LakeMark, Mark};
use crate::store::row::{Hash, Row};
use crate::store::tables::read::Stand;

/// The most marks that are kept.
const MOST: usize = 4096;

impl Files {
    /// Notes what the hash chain is at a position.
    pub fn note_mark(&self, seq: u64, chain: &Hash) {
        self.known(|marks| {
            marks.insert(seq, Mark::of(seq, chain));
            while marks.len() > MOST {
                marks.pop_first();
            }
        });
    }

    /// How a table stands that was just folded to a seq.
    pub fn stand(&self, seq: u64) -> Stand {
        Stand { seq, mark: self.known(|marks| marks.get(&seq).copied()) }
    }

    /// Whether a table that says that it is folded to this seq, which the journal has, was folded from this journal. One that
    /// has no mark is believed, and so is one where the rows that would tell cannot be read.
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
        self.was_at(seq, Some(mark)).await
    }

    /// The same of a position that a table was folded to, now or before.
    pub async fn was_at(&self, seq: u64, mark: Option<Mark>) -> Result<bool, StoreError> {
        let Some(mark) = mark else { return Ok(true) };
        match self.mark_at(seq).await {
            Ok(own) => Ok(own == Some(mark)),
            Err(StoreError::Damaged { .. }) => Ok(true),
            Err(err) => Err(err),
        }
    }

    /// Whether a table that is ahead of the journal is of this lake. One is not that was folded where the lake's root was
    /// another: in a copy that was adopted, or in another lake.
    pub async fn is_of_lake(&self, lake: Option<LakeMark>) -> Result<bool, StoreError> {
        if self.passes_over_ahead {
            return Ok(false);
        }
        let Some(lake) = lake else { return Ok(true) };
        let is_own = |row: &Row| {
            let recorded = row
                .after_fields()
                .unwrap_or_default()
                .get("root")
                .and_then(|root| root.as_str().map(str::to_owned));
            // What adopted it here may be what the journal has lost.
            let here = self.place.as_deref().map(|place| root_name(place).as_str().to_owned());
            recorded.iter().chain(&here).any(|root| LakeMark::of(row.entity_id, root) == lake)
        };
        match self.rows_behind(&BTreeMap::from([(Entity::Lake, 0)]), |_| true).await {
            Ok(rows) => Ok(rows.iter().any(is_own)),
            Err(StoreError::Damaged { .. }) => Ok(true),
            Err(err) => Err(err),
        }
    }

    /// Whether what tables say of themselves can be believed now that the journal was read.
    pub async fn confirm(&self, stands: &Stands) -> Result<bool, StoreError> {
        for (table, stand) in stands.iter().filter(|(_, stand)| stand.seq > 0) {
            let is_within = (self.written_at(table)..=self.end()).contains(&stand.seq);
            if !is_within || !self.knows(table, stand.seq, stand.mark).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The actions that note how tables stand, of those of which the journal does not say it yet.
    pub fn news_of<'s>(
        &self,
        stands: impl Iterator<Item = (&'s String, &'s Stand)>,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        for (table, stand) in
            stands.filter(|(table, stand)| stand.seq > 0 && stand.seq >= self.written_at(table))
        {
            if stand.seq > self.written_at(table) {
                actions.push(entry::written_txn(table, stand.seq));
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

    /// Notes how tables stand, as a commit has just said.
    pub fn note_stands<'s>(&mut self, stands: impl Iterator<Item = (&'s String, &'s Stand)>) {
        for (table, stand) in stands {
            let written = self.written.entry(table.clone()).or_default();
            if stand.seq >= *written {
                *written = stand.seq;
                self.marks.extend(stand.mark.map(|mark| (table.clone(), mark.version())));
            }
        }
    }

    /// Whether it was told of a table at this version that it is not read; from now on it was.
    pub fn was_told(&self, table: &str, version: u64) -> bool {
        !self
            .told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((table.to_owned(), version))
    }

    /// The mark of a position, where the journal says that a table was last written at it.
    fn noted(&self, table: &str, seq: u64) -> Option<Mark> {
        if self.written_at(table) != seq {
            return None;
        }
        self.marks.get(table).and_then(|version| Mark::said(*version, seq))
    }

    /// The mark of a position; `None` where no live file has it.
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

    fn known<T>(&self, look: impl FnOnce(&mut BTreeMap<u64, Mark>) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
