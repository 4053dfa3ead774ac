//! Separates other engines' changes in the journal and the event tables from Lakeplan's, and
//! decides which are trusted.
//!
//! In the journal and in the event tables, commits by Lakeplan are trusted. Another engine's
//! commit is trusted if it states that it changes no rows, like a compaction: the same rows are
//! then in other files. Its other adds and removes are kept apart, so that the table still holds
//! what Lakeplan wrote. The next commit of Lakeplan reverts them; after that, other readers see
//! the same table again.

use std::collections::BTreeMap;

use super::action::Remove;
use super::entry::LogEntry;
use super::table::{Foreign, LiveFile, Table, TableMetadata};
use crate::store::error::StoreError;
use crate::store::mark::{CHAIN, Mark, TXN};

/// Error text for an entry that was prepared for another history.
const MIXED: &str = "it continues a different history than the entries before it: two copies of the lake are mixed in this log";

impl LogEntry {
    /// Returns whether the entry moves rows of trusted files to other files and states that they
    /// are unchanged.
    fn is_rewrite(&self, table: &Table) -> bool {
        let is_quiet =
            self.added.iter().all(|add| !add.data_change && add.deletion_vector.is_none())
                && self.removed.iter().all(|remove| !remove.data_change);
        let is_known = |remove: &Remove| {
            table.files.contains_key(&remove.path)
                && !table.others.removed_files.contains_key(&remove.path)
        };
        is_quiet && !self.removed.is_empty() && self.removed.iter().all(is_known)
    }

    /// Returns the number of rows in the removed files, and in the added ones; `None` if a file
    /// does not state it.
    fn rows(&self, table: &Table) -> (Option<u64>, Option<u64>) {
        let removed = self
            .removed
            .iter()
            .map(|remove| table.files.get(&remove.path).and_then(LiveFile::rows))
            .sum();
        let added = self.added.iter().map(|add| LiveFile::from(add.clone()).rows()).sum();
        (removed, added)
    }
}

impl Table {
    /// Applies the next entry, of which only Lakeplan's changes are trusted. Fails for an entry
    /// that was prepared for another history than that of the entries before it: the sets that it
    /// builds on do not exist.
    pub fn apply_trusted(
        &mut self,
        version: u64,
        place: &str,
        entry: LogEntry,
    ) -> Result<(), StoreError> {
        if let Some(protocol) = &entry.protocol {
            self.others.features =
                (!protocol.is_known()).then(|| (place.to_owned(), protocol.asks_for()));
        }
        if entry.is_own {
            if !self.may_be_followed_by(&entry) {
                return Err(StoreError::damaged(place, MIXED));
            }
            let paths = entry.removed.iter().map(|remove| remove.path.as_str());
            self.others.has_other_columns &= entry.described.is_none();
            self.others.settle(paths.chain(entry.added.iter().map(|add| add.path.as_str())));
            self.apply(entry);
            return Ok(());
        }
        let columns =
            |of: &Option<TableMetadata>| of.as_ref().map(|described| described.schema.clone());
        let has_columns = entry.described.is_some();
        if has_columns {
            self.others.has_other_columns = columns(&entry.described) != columns(&self.described);
        }
        if !entry.has_files() {
            match has_columns && self.others.has_other_columns {
                true => self.note(version, entry),
                false => self.others.forget(),
            }
            return Ok(());
        }
        if entry.is_rewrite(self) {
            let (before, after) = entry.rows(self);
            if before.is_none() || after.is_none() || before == after {
                if let (Some(before), None) = (before, after) {
                    let paths = entry.added.iter().map(|add| add.path.clone()).collect();
                    self.others.unsettled.push((version, before, paths));
                }
                self.apply(LogEntry { txns: BTreeMap::new(), described: None, ..entry });
                return Ok(());
            }
        }
        self.note(version, entry);
        Ok(())
    }

    /// Returns whether an entry was prepared for the state that the entries before it make. An
    /// entry without a mark, or after an entry without one, is trusted: earlier versions of
    /// Lakeplan wrote no marks.
    fn may_be_followed_by(&self, entry: &LogEntry) -> bool {
        // If the mark is of an earlier seq, entries of such a version follow it.
        let seq = self.txns.get(TXN).and_then(|seq| u64::try_from(*seq).ok());
        let mark =
            self.txns.get(CHAIN).zip(seq).and_then(|(version, seq)| Mark::stated(*version, seq));
        mark.zip(entry.follows).is_none_or(|(mark, follows)| mark.version() == follows)
    }

    /// Applies an entry of any writer.
    pub fn apply(&mut self, entry: LogEntry) {
        for remove in entry.removed {
            self.files.remove(&remove.path);
        }
        for add in entry.added {
            self.files.insert(add.path.clone(), add.into());
        }
        self.txns.extend(entry.txns);
        self.described = entry.described.or(self.described.take());
    }

    /// Keeps another writer's changes apart.
    fn note(&mut self, version: u64, entry: LogEntry) {
        let others = &mut self.others;
        others.commits.push(Foreign {
            version,
            operation: entry.operation,
            engine: entry.engine,
            added: entry.added.len(),
            removed: entry.removed.iter().map(|remove| remove.path.clone()).collect(),
        });
        for Remove { path, .. } in entry.removed {
            if others.added_files.remove(&path).is_none()
                && let Some(file) = self.files.get(&path)
            {
                others.removed_files.insert(path, file.clone());
            }
        }
        for add in entry.added {
            let file = LiveFile::from(add);
            if self.files.contains_key(&file.path) && file.vector.is_none() {
                others.removed_files.remove(&file.path);
            } else {
                others.added_files.insert(file.path.clone(), file);
            }
        }
        others.forget();
    }
}
