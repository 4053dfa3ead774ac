//! Answers by SQL: the one DataFusion session, read-only, over the lake's tables and the views of `schemas/views`.
//!
//! Belongs here: opening a session, its views, running a SELECT. Does not: writing anything, deciding what a view is
//! for a person. Data leaves as record batches, and as text in the formats programs read.

mod format;
mod session;
mod table;
mod views;

use thiserror::Error;

pub use format::{Format, rows_json, rows_text};
pub use session::Session;
pub use views::{VIEWS, View};

use crate::store::StoreError;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AnalyticsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The SQL is wrong, or asks for more than reading.
    #[error("{0}")]
    Sql(String),
    #[error("the answer could not be written")]
    Encoding(#[source] Box<dyn std::error::Error + Send + Sync>),
}
