//! The projects that a writer holds in memory.

use std::collections::BTreeMap;

use crate::domain::id::ProjectId;

/// Maximum number of cached records besides those in use, about 256 MiB of them.
pub const MAX_CACHED_RECORDS: usize = 256 << 10;

/// Last use of each cached project, and the maximum number of records to keep.
pub struct ProjectCache {
    pub(super) used: BTreeMap<ProjectId, u64>,
    pub(super) tick: u64,
    pub(super) most: usize,
}

impl ProjectCache {
    pub fn new(most: usize) -> Self {
        Self { used: BTreeMap::new(), tick: 0, most }
    }
}
