//! The journal: the one Delta table that is the commit point of the lake.
//!
//! This folder knows how the journal's rows are stored: the Parquet [files], the log [entry] of a
//! commit, the hash [chain] over all sets, and how an entry is [put](commit). It holds no state of
//! the lake.

pub mod chain;
pub mod commit;
pub mod encoding;
pub mod entry;
pub mod files;
pub mod genesis;
pub mod merge;
mod reader;
pub mod schema;
pub mod verify;
mod witness;

pub use reader::{JournalReader, Order};
