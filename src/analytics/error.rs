//! Errors of a query, and what a person can do about them.

use std::time::Duration;

use thiserror::Error;

use super::result_format::Format;
use super::warehouse::WarehouseError;
use crate::domain::error_kind::{ErrorClass, ErrorKind};
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

    pub fn hint(&self) -> Option<String> {
        let meant = |nearest: &Option<String>| {
            nearest.as_ref().map(|name| format!("did you mean {name}? ")).unwrap_or_default()
        };
        match self {
            Self::Store(cause) => cause.hint(),
            Self::Warehouse(cause) => cause.hint(),
            Self::UnknownTable { nearest, .. } => Some(format!(
                "{}lakeplan query --views lists the views; SELECT table_name FROM information_schema.tables lists all there is",
                meant(nearest)
            )),
            Self::UnknownColumn { nearest, .. } => Some(format!(
                "{}see the data dictionary, schemas/README.md, for every column, or run SELECT table_name, column_name FROM information_schema.columns",
                meant(nearest)
            )),
            Self::Syntax(_) => Some("use one SELECT; run lakeplan query --help for examples".to_owned()),
            Self::Sql(_) => Some("see the data dictionary, schemas/README.md, for the tables and views".to_owned()),
            Self::Reading(_) => Some("retry the command, or run lakeplan doctor to check the tables".to_owned()),
            Self::Writes { what } => Some(other_way(what)),
            Self::MultipleStatements => Some("ask one at a time".to_owned()),
            Self::TooComplex(_) => Some("split it into several queries, or load long lists into a WITH … AS (VALUES …)".to_owned()),
            Self::Memory { .. } => Some(
                "ask for less with a WHERE, a LIMIT or fewer columns; write a long answer with --format csv, json or parquet, which holds no rows back; or allow more with --memory"
                    .to_owned(),
            ),
            Self::Grows(_) => Some("ask for a shorter text, or for fewer elements or rows; generate_series in FROM makes rows of any number".to_owned()),
            Self::Deadline(_) => Some("ask for less, or allow more time with --timeout".to_owned()),
            Self::Broken { table, .. } if FoldedTable::all().any(|folded| folded.name() == *table) => Some(format!(
                "run lakeplan fold --rebuild {table} to rebuild it from the journal; lakeplan doctor shows what else is broken"
            )),
            Self::Broken { table, .. } if APPENDED.iter().any(|appended| appended.name == *table) => Some(format!(
                "run lakeplan maintain to continue without the lost data of {table}; lakeplan doctor shows what is lost"
            )),
            Self::Broken { .. } => {
                Some("run lakeplan doctor to see what is broken; lakeplan restore-lake creates a lake from a backup".to_owned())
            }
            Self::Panicked(_) => Some("run lakeplan doctor to check the tables".to_owned()),
            Self::Thread(_) => Some("allow the process more threads or memory (ulimit), and retry the command".to_owned()),
            Self::Unwritable { other, .. } => {
                Some(format!("cast it to another type, select parts of it, or write the answer with --format {other}"))
            }
            Self::NoTextForm { .. } => Some(
                "leave such rows out with a WHERE, cast the column to a number, or write the answer with --format parquet, which holds any value"
                    .to_owned(),
            ),
            Self::Unplanned(_) => Some(
                "rewrite the query; if a SELECT in FROM makes a column from one with the same name, give the SELECT an alias, as in (SELECT …) AS a"
                    .to_owned(),
            ),
            Self::Encoding(_) | Self::Interrupted => None,
        }
    }
}

/// Returns what to use instead of a statement that is not a SELECT.
fn other_way(what: &str) -> String {
    let first = what.split_whitespace().next().unwrap_or_default().to_uppercase();
    match first.as_str() {
        "SHOW" | "DESCRIBE" | "DESC" | "USE" => {
            "SELECT table_name, column_name FROM information_schema.columns lists what there is, and lakeplan query --views the views"
        }
        "EXPLAIN" | "SET" | "RESET" => "remove it, and set the limits of a query with --memory and --timeout",
        "COPY" => "lakeplan query --format csv, json or parquet writes the rows of a SELECT",
        _ => "make changes with lakeplan task, plan or apply",
    }
    .to_owned()
}
