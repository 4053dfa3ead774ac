//! What a check-up finds, and the advice for it.

use crate::store::error::StoreError;
use crate::store::row::Hash;

/// A problem in the lake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub place: String,
    pub what: String,
    pub advice: &'static str,
}

/// Result of a check-up.
#[derive(Clone, Debug, Default)]
pub struct Checkup {
    pub sets: u64,
    pub rows: usize,
    /// Chain after the last set.
    pub chain: Hash,
    /// Each folded table with its number of rows and the seq it is folded to.
    pub tables: Vec<(&'static str, usize, u64)>,
    pub findings: Vec<Finding>,
}

pub(super) const RESTORE: &str =
    "restore the lake from a backup, or the object's earlier version from the storage";
pub(super) const LOST_END: &str = "restore the lake from a backup, or the object's earlier version from the storage; but if the journal is whole and the table came from a copy of the lake, run lakeplan fold --rebuild to rebuild the table from the journal";
pub(super) const ERASE: &str = "run lakeplan erase to finish it: name the record by its id, which lakeplan history --json shows";
pub(super) const REFOLD: &str = "run lakeplan fold --rebuild to rebuild it from the journal";
pub(super) const SALVAGE: &str =
    "run lakeplan maintain to rewrite its log from the files that exist";
pub(super) const LET_GO: &str = "run lakeplan maintain to remove it from the table if it cannot be read, which loses its rows; to keep them, first restore the file";
pub(super) const RECOUNT: &str = "run lakeplan maintain to record how many it has";
pub(super) const TAKE_BACK: &str =
    "run lakeplan fold to revert it, so that other readers see the journal as it is";
pub(super) const UPKEEP: &str =
    "run lakeplan maintain to revert it, so that other readers see the table as it is";
pub(super) const TAKE_REST_BACK: &str =
    "run lakeplan maintain to revert the rest; these rows are lost";
pub(super) const FOLD: &str = "run lakeplan fold to rebuild it from the journal";
pub(super) const PASSED_OVER: &str = "the lake remains usable; lakeplan history shows the change, so you can make it again if you need it";
pub(super) const MEND: &str = "repair the journal first; until then keep the table as it is";

impl Checkup {
    pub(super) fn find(
        &mut self,
        place: impl Into<String>,
        what: impl Into<String>,
        advice: &'static str,
    ) {
        self.findings.push(Finding { place: place.into(), what: what.into(), advice });
    }

    /// Records a read error as a finding. An error that says nothing about the stored data ends the
    /// check-up instead: a missing right, or an unreachable catalog or storage.
    pub(super) fn unread(
        &mut self,
        place: impl Into<String>,
        err: StoreError,
        advice: &'static str,
    ) -> Result<(), StoreError> {
        if err.is_access_error() {
            return Err(err);
        }
        self.find(place, message(&err), advice);
        Ok(())
    }

    /// Returns whether there is a finding about a table or in it.
    pub(super) fn has_found_in(&self, table: &str) -> bool {
        self.findings.iter().any(|finding| {
            finding
                .place
                .strip_prefix(table)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ',']))
        })
    }
}

/// A position and its chain, as printed by an earlier check-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    pub seq: u64,
    pub chain: Hash,
}

/// Formats an error with its cause.
pub(super) fn message(err: &StoreError) -> String {
    match std::error::Error::source(err) {
        Some(cause) => format!("{err}: {cause}"),
        None => err.to_string(),
    }
}
