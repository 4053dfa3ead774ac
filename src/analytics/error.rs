//! Errors of a query, and what a person can do about them.

use std::time::Duration;

use thiserror::Error;

use super::result_format::Format;
use crate::databricks::warehouse::WarehouseError;
use crate::domain::error_kind::{ErrorClass, ErrorKind};
use crate::domain::hint::{Hint, QueryHint};
use crate::store::StoreError;
use crate::store::event_tables::APPENDED;
use crate::store::tables::FoldedTable;

/// Error of a query.
#[derive(Debug, Error)]
pub enum AnalyticsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
    /// The statement is not a SELECT, or does more than read.
    #[error("a query must be one SELECT that only reads, but this has {what}")]
    Writes { what: String },
    #[error("a query must be a single statement, but these are several")]
    MultipleStatements,
    /// The query exceeds a planning limit.
    #[error("the SQL is too large: {0}")]
    TooComplex(String),
    /// A sort, a join, an aggregation or the result would exceed the query's memory limit.
    #[error("the query needs more memory than its limit of {} MiB", .most >> 20)]
    Memory { most: u64 },
    /// A function would produce more than its limit.
    #[error("{0}")]
    Grows(String),
    #[error("the query did not end within {} s", .0.as_secs_f64())]
    Deadline(Duration),
    #[error("interrupted")]
    Interrupted,
    /// A file of a table is broken or missing.
    #[error("the table {table} cannot be read")]
    Broken {
        table: &'static str,
        #[source]
        cause: Box<AnalyticsError>,
    },
    #[error("the query engine crashed: {0}")]
    Panicked(String),
    #[error("no thread could be started for the query")]
    Thread(#[source] std::io::Error),
    #[error("there is no table or view {name}")]
    UnknownTable { name: String, nearest: Option<String> },
    #[error("there is no column {name}")]
    UnknownColumn { name: String, nearest: Option<String> },
    /// The text is not valid SQL. Holds the position of the error.
    #[error("the SQL cannot be read: {0}")]
    Syntax(String),
    /// The SQL is wrong in another way.
    #[error("{0}")]
    Sql(String),
    #[error("the tables could not be read")]
    Reading(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A column has a type or a value that the format cannot hold.
    #[error("the column {column} is {kind}, which {format} cannot hold")]
    Unwritable { column: String, kind: String, format: Format, other: Format },
    /// A column has a value without a text form.
    #[error("the column {column} has a value outside the range of {kind}")]
    NoTextForm { column: String, kind: String },
    /// The engine rejects its own plan for the query.
    #[error("the query engine cannot run the query: {0}")]
    Unplanned(String),
    #[error("the answer could not be written")]
    Encoding(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl AnalyticsError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(cause) => ErrorKind::Query(cause.kind().class()),
            Self::Warehouse(cause) => cause.kind(),
            Self::UnknownTable { .. } => ErrorKind::UnknownTable,
            Self::UnknownColumn { .. } => ErrorKind::UnknownColumn,
            Self::Syntax(_) => ErrorKind::Syntax,
            Self::TooComplex(_) => ErrorKind::TooComplex,
            Self::Memory { .. } | Self::Grows(_) => ErrorKind::Memory,
            Self::Deadline(_) => ErrorKind::Deadline,
            Self::Interrupted => ErrorKind::Interrupted,
            Self::Broken { .. } => ErrorKind::Damaged,
            Self::Writes { .. } => ErrorKind::Query(ErrorClass::Refused),
            Self::MultipleStatements
            | Self::Sql(_)
            | Self::Unwritable { .. }
            | Self::NoTextForm { .. }
            | Self::Unplanned(_) => ErrorKind::Query(ErrorClass::Invalid),
            Self::Thread(_) | Self::Reading(_) => ErrorKind::Query(ErrorClass::Transient),
            Self::Panicked(_) | Self::Encoding(_) => ErrorKind::Query(ErrorClass::Bug),
        }
    }

    pub fn hint(&self) -> Option<Hint> {
        Some(match self {
            Self::Store(cause) => return cause.hint(),
            Self::Warehouse(cause) => return cause.hint(),
            Self::UnknownTable { nearest, .. } => {
                QueryHint::ListTables { nearest: nearest.clone() }.into()
            }
            Self::UnknownColumn { nearest, .. } => {
                let nearest = nearest.as_ref().map(|name| format!("did you mean {name}? "));
                format!(
                    "{}see the data dictionary, schemas/README.md, for every column, or run SELECT table_name, column_name FROM information_schema.columns",
                    nearest.unwrap_or_default()
                )
                .into()
            }
            Self::Syntax(_) => QueryHint::SeeExamples.into(),
            Self::Sql(_) => {
                Hint::advice("see the data dictionary, schemas/README.md, for the tables and views")
            }
            Self::Reading(_) => QueryHint::RetryOrCheck.into(),
            Self::Writes { what } => other_way(what).into(),
            Self::MultipleStatements => Hint::advice("ask one at a time"),
            Self::TooComplex(_) => Hint::advice(
                "split it into several queries, or load long lists into a WITH … AS (VALUES …)",
            ),
            Self::Memory { .. } => QueryHint::AllowMoreMemory.into(),
            Self::Grows(_) => Hint::advice(
                "ask for a shorter text, or for fewer elements or rows; generate_series in FROM makes rows of any number",
            ),
            Self::Deadline(_) => QueryHint::AllowMoreTime.into(),
            Self::Broken { table, .. }
                if FoldedTable::all().any(|folded| folded.name() == *table) =>
            {
                QueryHint::RebuildTable { table }.into()
            }
            Self::Broken { table, .. }
                if APPENDED.iter().any(|appended| appended.name == *table) =>
            {
                QueryHint::DropLostRows { table }.into()
            }
            Self::Broken { .. } => QueryHint::CheckOrRestore.into(),
            Self::Panicked(_) => QueryHint::Check.into(),
            Self::Thread(_) => Hint::advice(
                "allow the process more threads or memory (ulimit), and retry the command",
            ),
            Self::Unwritable { other, .. } => {
                QueryHint::UseFormat { format: other.as_str() }.into()
            }
            Self::NoTextForm { .. } => QueryHint::UseParquet.into(),
            Self::Unplanned(_) => Hint::advice(
                "rewrite the query; if a SELECT in FROM makes a column from one with the same name, give the SELECT an alias, as in (SELECT …) AS a",
            ),
            Self::Encoding(_) | Self::Interrupted => return None,
        })
    }
}

/// Returns what to use instead of a statement that is not a SELECT.
fn other_way(what: &str) -> QueryHint {
    let first = what.split_whitespace().next().unwrap_or_default().to_uppercase();
    match first.as_str() {
        "SHOW" | "DESCRIBE" | "DESC" | "USE" => QueryHint::DescribeTables,
        "EXPLAIN" | "SET" | "RESET" => QueryHint::SetLimits,
        "COPY" => QueryHint::Export,
        _ => QueryHint::ChangeThePlan,
    }
}
