//! Client of a Databricks workspace.
//!
//! [`Workspace`] sends requests with credentials that it renews. [`catalog`] is Unity Catalog's API,
//! and [`warehouse`] runs statements. Nothing here reads or writes tables: `store` and `analytics`
//! do. Each error states what is wrong with the workspace's address, credentials or rights.

pub mod catalog;
mod check;
mod error;
pub mod warehouse;
mod workspace;

pub use check::{Check, State};
pub use error::{ApiErrorBody, WorkspaceError};
pub use workspace::Workspace;
