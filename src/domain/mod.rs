//! What is true of projects, tasks, links, users and requirements, and how a patch set changes them.
//!
//! Belongs here: nouns, their rules, and pure functions from (state, patch set, stamp) to changes. Does not: clocks,
//! randomness, files, async, and any decision about what should happen, which is for `planning` and `sync`.
//! Data leaves as [`change::Change`]s, which the store writes down, and as values to read.

pub mod any;
pub mod apply;
pub mod change;
pub mod day;
pub mod erase;
pub mod hidden;
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
pub mod tally;
pub mod task;
pub mod time;
pub mod user;
pub mod value;
pub mod violation;
