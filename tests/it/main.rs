//! The integration tests in one binary, because linking Arrow and DataFusion for each file would
//! take longer than the tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says why"
)]

mod bundle;
mod checked;
mod circles;
mod cli;
mod clouds;
mod command_names;
mod config;
mod corpora;
mod crash;
mod databricks;
mod dependencies;
mod documents;
mod domain;
mod error_kinds;
mod generated;
mod linearizability;
mod net;
mod oracle;
mod planning;
#[cfg(unix)]
mod power;
mod properties;
mod races;
mod report;
mod rooms;
mod snapshots;
mod sql;
mod store;
mod support;
mod team;
mod words;
