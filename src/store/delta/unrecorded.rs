//! Folds that `table_state` does not show yet.

use std::collections::BTreeMap;

use crate::store::table_state::RowCount;

/// Folds not recorded yet: the seq they reached, and the tables they wrote.
#[derive(Debug, Default)]
pub(super) struct Unrecorded {
    pub seq: u64,
    pub tables: BTreeMap<&'static str, RowCount>,
}
