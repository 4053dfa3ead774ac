//! The current tables: the tables that users query, folded from the journal.
//!
//! A table holds the records of one entity, in one sorted file (or a few) per bucket of projects.
//! Its columns are derived from the record's declaration, so nothing has to be kept in sync by
//! hand.

mod changed;
pub mod columns;
mod current;
pub mod definition;
pub mod field_changes;
pub mod fold;
pub mod folded;
pub mod folding;
pub mod join;
mod output;
pub mod read;
pub mod rebuild;
mod rewrite;
mod source;
pub mod task_counts;

pub use current::{CurrentTable, TABLES, is_of_folded_table};
pub use folded::FoldedTable;

use super::delta_log::table::{LiveFile, Table};
use super::scope::in_every_scope;
use crate::domain::id::{EntityId, ProjectId};
use crate::domain::record::Entity;

/// Partition column of every current table.
pub const BUCKET: &str = "bucket";
/// Number of buckets for projects.
pub const BUCKETS: u64 = 64;

/// App id whose transaction version is the seq to which a table is folded.
pub const TXN: &str = "lakeplan";

/// Returns the bucket of an entity's rows of a project. Entities that belong to every scope are
/// always read whole, so they are in bucket 0.
pub fn bucket(entity: Entity, project: Option<ProjectId>) -> u32 {
    let Some(id) = project.filter(|_| !in_every_scope(entity)).map(EntityId::uuid) else {
        return 0;
    };
    // In every kind of id, the last bytes are random.
    let (_, low) = id.as_u64_pair();
    (low % BUCKETS) as u32
}

/// Budget of a long computation that yields in between, so that in a long-lived process commits do
/// not wait for a fold on the same thread.
#[derive(Default)]
pub(super) struct YieldBudget {
    steps: usize,
}

impl YieldBudget {
    const MAX_STEPS: usize = 100;

    /// Counts steps, for example parsed rows, and yields when the budget is spent.
    pub async fn step(&mut self, steps: usize) {
        self.steps += steps;
        if self.steps >= Self::MAX_STEPS {
            self.steps = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// Returns a bucket's files, in the order of their rows.
pub(super) fn files_in_bucket(table: &Table, bucket: u32) -> Vec<&LiveFile> {
    let name = bucket.to_string();
    let own = |file: &&LiveFile| {
        file.partitions.get(BUCKET).cloned().flatten().as_deref() == Some(name.as_str())
    };
    let mut files: Vec<&LiveFile> = table.files.values().filter(own).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}
