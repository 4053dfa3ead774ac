//! Answers by SQL: the one DataFusion session, read-only, over the lake's tables and the views of `schemas/views`; and the
//! same from a SQL warehouse.
//!
//! Belongs here: opening a session, its views, running a SELECT. Does not: writing anything, deciding what a view is
//! for a person. Data leaves as record batches, as text in the formats programs read, and as the report.

mod earlier;
mod fault;
mod format;
mod formula;
mod inbox;
mod reads;
pub mod registration;
pub mod report;
mod select;
mod session;
mod table;
mod views;
pub mod warehouse;

use thiserror::Error;

pub use earlier::Then;
pub use format::{Format, csv_for_spreadsheets, rows_json, rows_text};
pub use reads::Reads;
pub use select::Select;
pub use session::Session;
pub use views::{VIEWS, View};

use crate::store::StoreError;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AnalyticsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Warehouse(#[from] warehouse::WarehouseError),
    #[error("a query only reads, and this would do more ({what}); changes go through lakeplan task, plan or apply")]
    Writes { what: String },
    #[error("there is no table or view {name}")]
    UnknownTable { name: String, nearest: Option<String> },
    #[error("there is no column {name}")]
    UnknownColumn { name: String, nearest: Option<String> },
    /// It is no SQL; where it stops being any.
    #[error("the SQL cannot be read: {0}")]
    Syntax(String),
    /// The SQL is wrong otherwise.
    #[error("{0}")]
    Sql(String),
    #[error("the tables could not be read")]
    Reading(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the answer could not be written")]
    Encoding(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl AnalyticsError {
    pub fn hint(&self) -> Option<String> {
        let meant = |nearest: &Option<String>| nearest.as_ref().map(|name| format!("did you mean {name}? ")).unwrap_or_default();
        match self {
            Self::Store(cause) => cause.hint(),
            Self::Warehouse(cause) => cause.hint(),
            Self::UnknownTable { nearest, .. } => Some(format!(
                "{}lakeplan query --views lists the views; SELECT table_name FROM information_schema.tables lists all there is",
                meant(nearest)
            )),
            Self::UnknownColumn { nearest, .. } => Some(format!(
                "{}the data dictionary, schemas/README.md, tells every column, and so does SELECT table_name, column_name FROM information_schema.columns",
                meant(nearest)
            )),
            Self::Syntax(_) => Some("a query is one SELECT; lakeplan query --help shows some".to_owned()),
            Self::Sql(_) => Some("the data dictionary, schemas/README.md, tells what the tables and views hold".to_owned()),
            Self::Reading(_) => Some("repeat the command".to_owned()),
            Self::Writes { .. } | Self::Encoding(_) => None,
        }
    }
}
