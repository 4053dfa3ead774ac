//! The Delta log of one of the lake's tables: reads its entries and checkpoints, and puts new ones.
//!
//! - [`action`] parses an entry, [`table`] is the state that entries add up to, and [`trust`]
//!   decides which changes of other writers count.
//! - [`table_log`] reads and puts the files of one table; [`replay`] loads the table at its head,
//!   [`commit`] puts an entry, and [`checkpoint`] writes checkpoints.
//! - [`spec`] describes a table that is created.
//!
//! This folder knows Delta, and nothing about what the tables of a lake mean.

pub mod action;
pub mod checkpoint;
mod commit;
pub mod paths;
mod protocol;
pub mod replay;
pub mod spec;
pub mod table;
pub mod table_log;
mod trust;
