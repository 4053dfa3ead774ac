//! The lake in memory: what one writer knows of it, and how it changes it.
//!
//! - [`state`] holds the journal's files, the [`ledger`] at the head, and the [cached](cache)
//!   projects. [`open`] builds it from the current tables and the rows behind them. `sync` loads
//!   the records of the stream `sync` when somebody needs them.
//! - [`commit`] commits groups of patch sets, and [`follow`] applies the commits of others.
//! - [`writer`] is the task that owns the state and serves commits and reads in turn. It also
//!   [publishes](published) the state for reads that need not wait.

mod cache;
mod commit;
pub mod compact;
mod create;
mod current_tables;
pub mod erase;
mod follow;
mod group_commit;
pub mod ledger;
mod open;
mod projects;
pub mod published;
mod revert_foreign_changes;
mod state;
mod sync;
mod task_counts;
pub mod writer;

pub use cache::MAX_CACHED_RECORDS;
pub use open::Opening;
pub use state::LakeState;
