//! What other writers did to a table that only Lakeplan writes, and what is believed of it.
//!
//! Of the journal and of the appended tables a commit counts that Lakeplan made. Another engine's commit counts where it
//! says that it changes no rows, as a compaction does: the same rows then lie in other files. What it adds or removes
//! otherwise is kept apart, so that the table goes on to hold what Lakeplan wrote; the next commit of Lakeplan takes it
//! back, after which other readers see the same table again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::error::StoreError;
use super::journal::entry::{CHAIN, TXN};
use super::log_entry::{Added, LogEntry, Removed};
use super::mark::Mark;
use super::table_log::{Described, LiveFile, Table};

/// What is wrong with an entry that was prepared for another history.
const MIXED: &str = "it follows another history than that of the entries before it: two copies of the lake are mixed in this log";

impl LogEntry {
    /// Whether it puts rows of a table that are believed into other files and says that they stay the same.
    fn is_rewrite(&self, table: &Table) -> bool {
        let is_quiet = self.added.iter().all(|add| !add.changes_rows && add.file.vector.is_none())
            && self.removed.iter().all(|remove| !remove.changes_rows);
        let is_known = |remove: &Removed| {
            table.files.contains_key(&remove.path) && !table.others.lost.contains_key(&remove.path)
        };
        is_quiet && !self.removed.is_empty() && self.removed.iter().all(is_known)
    }

    /// How many rows the files say it takes away, where all say so, and how many it adds.
    fn rows(&self, table: &Table) -> (Option<u64>, Option<u64>) {
        let removed = self
            .removed
            .iter()
            .map(|remove| table.files.get(&remove.path).and_then(LiveFile::rows))
            .sum();
        (removed, self.added.iter().map(|add| add.file.rows()).sum())
    }
}

/// A commit of another writer that changed what the table holds, and so does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    pub version: u64,
    pub operation: String,
    pub engine: String,
    /// How many files it added, and which it removed.
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

/// How what the log says differs from what is believed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Others {
    pub commits: Vec<Foreign>,
    /// Files of the table that another writer removed from its log.
    pub lost: BTreeMap<String, LiveFile>,
    /// Files that another writer added.
    pub strange: BTreeMap<String, LiveFile>,
    /// Whether another writer gave the table other columns.
    pub has_other_columns: bool,
    /// Compactions of others that do not say how many rows their files hold: the version, the rows that there were, and
    /// the new files.
    pub unsettled: Vec<(u64, u64, BTreeSet<String>)>,
    /// What of another writer the table asks for that Lakeplan does not write: the entry, and the features.
    pub features: Option<(String, String)>,
    /// The version of another writer's checkpoint, where nothing is left that tells whether it is to be believed.
    pub unsure: Option<u64>,
}

impl Others {
    /// Whether something is to be taken back.
    pub fn is_any(&self) -> bool {
        self.has_other_columns || !self.lost.is_empty() || !self.strange.is_empty()
    }

    /// Notes what a commit of Lakeplan did to files.
    pub fn settle<'p>(&mut self, paths: impl IntoIterator<Item = &'p str>) {
        for path in paths {
            self.lost.remove(path);
            self.strange.remove(path);
        }
        self.forget();
    }

    fn forget(&mut self) {
        if !self.is_any() {
            self.commits.clear();
        }
    }

    /// Says in the log of the process what does not count.
    pub fn warn(&self, table: &str) {
        if let Some((_, features)) = &self.features {
            tracing::warn!(
                "another writer gave {table} the table features {features}: it is read and not written; lakeplan doctor says what to do"
            );
        }
        if let Some(last) = self.commits.last() {
            let earlier = match self.commits.len() - 1 {
                0 => String::new(),
                count => format!(" and {count} before it"),
            };
            tracing::warn!(
                "{last}{earlier} changed {table}, which only Lakeplan may, and does not count; lakeplan doctor tells more, and the next change takes it back"
            );
        }
    }

    /// Refuses to write to a table that asks for what Lakeplan does not write.
    pub fn may_write(&self) -> Result<(), StoreError> {
        match self.features.clone() {
            Some((path, features)) => Err(StoreError::Features { path, features }),
            None => Ok(()),
        }
    }
}

impl Table {
    /// Takes in the next entry, of which only what Lakeplan wrote is believed. One that was prepared for another history than
    /// that of the entries before it is refused: the sets that it rests on are not there.
    pub fn believe(
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
            |of: &Option<Described>| of.as_ref().map(|described| described.schema.clone());
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

    /// Whether an entry was prepared for what the entries before it say. One that does not say, or follows one that does not
    /// say, is believed: earlier versions of Lakeplan wrote no marks.
    fn may_be_followed_by(&self, entry: &LogEntry) -> bool {
        // A mark of an earlier seq was left by such a version, whose own entries came after it.
        let seq = self.txns.get(TXN).and_then(|seq| u64::try_from(*seq).ok());
        let mark =
            self.txns.get(CHAIN).zip(seq).and_then(|(version, seq)| Mark::said(*version, seq));
        mark.zip(entry.follows).is_none_or(|(mark, follows)| mark.version() == follows)
    }

    /// Takes in an entry, whoever made it.
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

    /// Keeps apart what another writer did.
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
            if others.strange.remove(&path).is_none()
                && let Some(file) = self.files.get(&path)
            {
                others.lost.insert(path, file.clone());
            }
        }
        for Added { file, .. } in entry.added {
            if self.files.contains_key(&file.path) && file.vector.is_none() {
                others.lost.remove(&file.path);
            } else {
                others.strange.insert(file.path.clone(), file);
            }
        }
        others.forget();
    }
}

impl LiveFile {
    /// How many rows the log says that it holds.
    pub fn rows(&self) -> Option<u64> {
        serde_json::from_str::<Value>(self.stats.as_deref()?).ok()?["numRecords"].as_u64()
    }
}
