//! Separates the changes of other writers in a table that only Lakeplan writes, and decides which
//! are trusted.
//!
//! In the journal and in the appended tables, commits by Lakeplan are trusted. Another engine's
//! commit is trusted if it states that it changes no rows, like a compaction: the same rows are
//! then in other files. Its other adds and removes are kept apart, so that the table still holds
//! what Lakeplan wrote. The next commit of Lakeplan takes them back; after that, other readers see
//! the same table again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::error::StoreError;
use super::journal::entry::{CHAIN, TXN};
use super::log_entry::{Added, LogEntry, Removed};
use super::mark::Mark;
use super::table_log::{LiveFile, Table, TableMetadata};

/// Error text for an entry that was prepared for another history.
const MIXED: &str = "it continues a different history than the entries before it: two copies of the lake are mixed in this log";

impl LogEntry {
    /// Returns whether the entry moves rows of trusted files to other files and states that they
    /// are unchanged.
    fn is_rewrite(&self, table: &Table) -> bool {
        let is_quiet = self.added.iter().all(|add| !add.changes_rows && add.file.vector.is_none())
            && self.removed.iter().all(|remove| !remove.changes_rows);
        let is_known = |remove: &Removed| {
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
        (removed, self.added.iter().map(|add| add.file.rows()).sum())
    }
}

/// An untrusted commit of another writer, which changed the table's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    pub version: u64,
    pub operation: String,
    pub engine: String,
    /// Number of files that it added; `removed` lists those that it removed.
    pub added: usize,
    pub removed: Vec<String>,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or = |text: &str, other: &str| {
            if text.is_empty() { other.to_owned() } else { text.to_owned() }
        };
        write!(
            f,
            "{} by {} at version {}",
            or(&self.operation, "a change"),
            or(&self.engine, "another writer"),
            self.version
        )
    }
}

/// Differences between the log and the trusted state of the table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ForeignChanges {
    pub commits: Vec<Foreign>,
    /// Files of the table that another writer removed from its log.
    pub removed_files: BTreeMap<String, LiveFile>,
    /// Files that another writer added.
    pub added_files: BTreeMap<String, LiveFile>,
    /// Whether another writer changed the table's columns.
    pub has_other_columns: bool,
    /// Compactions of others that do not state the row counts of their files: the version, the
    /// previous number of rows, and the new files.
    pub unsettled: Vec<(u64, u64, BTreeSet<String>)>,
    /// Features from another writer that Lakeplan does not write: the entry, and the features.
    pub features: Option<(String, String)>,
    /// Version of another writer's checkpoint, if nothing is left that proves whether it can be
    /// trusted.
    pub unverified_checkpoint: Option<u64>,
}

impl ForeignChanges {
    /// Returns whether there are changes to take back.
    pub fn is_any(&self) -> bool {
        self.has_other_columns || !self.removed_files.is_empty() || !self.added_files.is_empty()
    }

    /// Applies a commit of Lakeplan to these files.
    pub fn settle<'p>(&mut self, paths: impl IntoIterator<Item = &'p str>) {
        for path in paths {
            self.removed_files.remove(path);
            self.added_files.remove(path);
        }
        self.forget();
    }

    fn forget(&mut self) {
        if !self.is_any() {
            self.commits.clear();
        }
    }

    /// Logs a warning about the untrusted changes.
    pub fn warn(&self, table: &str) {
        if let Some((_, features)) = &self.features {
            tracing::warn!(
                "another writer enabled on {table} the table features {features}: it is read but not written; run lakeplan doctor for advice"
            );
        }
        if let Some(last) = self.commits.last() {
            let earlier = match self.commits.len() - 1 {
                0 => String::new(),
                count => format!(" and {count} before it"),
            };
            tracing::warn!(
                "{last}{earlier} changed {table}, which only Lakeplan may change; this is ignored, and the next change to the lake reverts it; run lakeplan doctor for details"
            );
        }
    }

    /// Fails if the table requires features that Lakeplan does not write.
    pub fn may_write(&self) -> Result<(), StoreError> {
        match self.features.clone() {
            Some((path, features)) => Err(StoreError::Features { path, features }),
            None => Ok(()),
        }
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
            self.others.settle(paths.chain(entry.added.iter().map(|add| add.file.path.as_str())));
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
                    let paths = entry.added.iter().map(|add| add.file.path.clone()).collect();
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
            self.files.insert(add.file.path.clone(), add.file);
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
        for Removed { path, .. } in entry.removed {
            if others.added_files.remove(&path).is_none()
                && let Some(file) = self.files.get(&path)
            {
                others.removed_files.insert(path, file.clone());
            }
        }
        for Added { file, .. } in entry.added {
            if self.files.contains_key(&file.path) && file.vector.is_none() {
                others.removed_files.remove(&file.path);
            } else {
                others.added_files.insert(file.path.clone(), file);
            }
        }
        others.forget();
    }
}

impl LiveFile {
    /// Returns the number of rows that the log states.
    pub fn rows(&self) -> Option<u64> {
        serde_json::from_str::<Value>(self.stats.as_deref()?).ok()?["numRecords"].as_u64()
    }
}
