//! Projects, tasks, links, users and requirements: their rules, and how a patch set changes them.
//!
//! In scope: entities, their rules, and pure functions from (state, patch set, stamp) to changes.
//! Out of scope: clocks, randomness, files, async, and decisions about what to change, which belong
//! to `planning`. Output: [`change::Change`]s, which the store writes, and values to read.

pub mod any_record;
pub mod apply;
pub mod change;
pub mod day;
mod entities;
pub mod erase;
pub mod error_kind;
pub mod hidden;
pub mod hint;
pub mod id;
pub mod index;
pub mod invert;
pub mod key;
pub mod lake;
pub mod later;
pub mod link;
pub mod patch;
pub mod project;
pub mod record;
pub mod requirement;
pub mod secret;
pub mod state;
pub mod sync_record;
pub mod sync_state;
pub mod task;
pub mod task_counts;
pub mod task_graph;
pub mod time;
pub mod user;
pub mod value;
pub mod violation;
