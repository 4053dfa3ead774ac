//! The Delta log of one of the lake's tables: reads its entries and checkpoints, and puts new ones.
//!
//! - [`action`] has the actions of a log, which are read and written; [`entry`] is what the actions
//!   of one entry say, [`table`] is the state that entries add up to, and [`trust`] decides which
//!   changes of other writers count.
//! - [`table_log`] reads and puts the files of one table; [`replay`] loads the table at its head,
//!   [`commit`] changes it, [`put`] puts an entry, and [`checkpoint`] writes checkpoints.
//! - [`spec`] describes a table that is created.
//!
//! This folder knows Delta, and nothing about what the tables of a lake mean.

pub mod action;
pub mod backoff;
pub mod checkpoint;
pub mod commit;
pub mod entry;
pub mod paths;
mod protocol;
mod put;
pub mod replay;
pub mod spec;
pub mod table;
pub mod table_log;
mod trust;
