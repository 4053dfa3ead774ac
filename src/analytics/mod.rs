//! Runs SQL: in a read-only DataFusion session over the lake's tables and the views in
//! `schemas/views`, or in a SQL warehouse.
//!
//! This module opens sessions with their views and runs SELECTs. It does not write anything, or
//! decide what a view means to a person. Data leaves as record batches, as text in machine-readable
//! formats, and as the report.

mod answer;
mod bounded;
mod deep;
mod engine_error;
mod error;
mod format;
mod formula;
mod frames;
mod growth;
mod inbox;
mod limits;
mod referenced_tables;
pub mod registration;
mod repeated;
pub mod report;
mod result_format;
mod result_limit;
mod select;
mod session;
mod table;
mod time_travel;
mod times;
mod views;
pub mod warehouse;
mod watch;
mod wide;

pub use answer::Answer;
pub use deep::run_blocking;
pub use deltalake::arrow::array::RecordBatch;
pub use error::AnalyticsError;
pub use format::{Encoder, Json, csv_for_spreadsheets, pieces, rows_json, rows_text};
pub use referenced_tables::ReferencedTables;
pub use result_format::Format;
pub use select::{LakeSelect, Select};
pub use session::{MEMORY, Session};
pub use time_travel::AsOfSnapshot;
pub use views::{VIEWS, View};
pub use watch::memory_exceeded;
