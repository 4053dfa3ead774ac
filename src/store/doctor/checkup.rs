//! What a check-up finds, and the advice for it.

use crate::domain::hint::{Hint, Repair};
use crate::store::error::StoreError;
use crate::store::row::Hash;

/// A problem in the lake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub place: String,
    pub what: String,
    pub advice: Hint,
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

pub(super) const RESTORE: Hint = Hint::advice(
    "restore the lake from a backup, or the object's earlier version from the storage",
);
pub(super) const LOST_END: Hint = Hint::Repair(Repair::RestoreOrRebuildTable);
pub(super) const ERASE: Hint = Hint::Repair(Repair::FinishErase);
pub(super) const REFOLD: Hint = Hint::Repair(Repair::RebuildTable);
pub(super) const SALVAGE: Hint = Hint::Repair(Repair::RewriteLog);
pub(super) const LET_GO: Hint = Hint::Repair(Repair::RemoveLostFile);
pub(super) const RECOUNT: Hint = Hint::Repair(Repair::RecordRowCount);
pub(super) const TAKE_BACK: Hint = Hint::Repair(Repair::RevertJournalChange);
pub(super) const UPKEEP: Hint = Hint::Repair(Repair::RevertTableChange);
pub(super) const TAKE_REST_BACK: Hint = Hint::Repair(Repair::RevertRest);
pub(super) const FOLD: Hint = Hint::Repair(Repair::FoldTable);
pub(super) const PASSED_OVER: Hint = Hint::Repair(Repair::RepeatChange);
pub(super) const MEND: Hint =
    Hint::advice("repair the journal first; until then keep the table as it is");

impl Checkup {
    pub(super) fn find(&mut self, place: impl Into<String>, what: impl Into<String>, advice: Hint) {
        self.findings.push(Finding { place: place.into(), what: what.into(), advice });
    }

    /// Records a read error as a finding. An error that says nothing about the stored data ends the
    /// check-up instead: a missing right, or an unreachable catalog or storage.
    pub(super) fn unread(
        &mut self,
        place: impl Into<String>,
        err: StoreError,
        advice: Hint,
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
