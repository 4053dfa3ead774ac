//! Results of folding and maintenance.

use super::event_tables::compact::CompactionStats;
use super::lake_state::compact::Compacted;
use super::location::durable::Temporaries;
use super::tables::folding::Folded;
use super::vacuum::Vacuumed;

/// Result of a fold: the seq that the tables now show, and what was written to each table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoldReport {
    pub seq: u64,
    pub tables: Vec<(&'static str, Folded)>,
    /// Tables left unchanged because another writer gave them features that Lakeplan does not
    /// write.
    pub skipped: Vec<&'static str>,
}

/// Result of a maintenance run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintained {
    pub seq: u64,
    pub journal: Compacted,
    pub compacted: Vec<(&'static str, CompactionStats)>,
    pub vacuumed: Vec<(&'static str, Vacuumed)>,
    pub temporaries: Temporaries,
}
