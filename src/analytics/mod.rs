//! Answers by SQL: the one DataFusion session, read-only, over the lake's tables and the views of `schemas/views`; and the
//! same from a SQL warehouse.
//!
//! Belongs here: opening a session, its views, running a SELECT. Does not: writing anything, deciding what a view is
//! for a person. Data leaves as record batches, as text in the formats programs read, and as the report.

mod answer;
mod bounded;
mod deep;
mod earlier;
mod fault;
mod format;
mod formula;
mod frames;
mod growth;
mod inbox;
mod limits;
mod reads;
pub mod registration;
mod repeated;
pub mod report;
mod select;
mod session;
mod table;
mod times;
mod views;
pub mod warehouse;
mod watch;
mod wide;

use std::time::Duration;

use thiserror::Error;

pub use answer::Answer;
pub use deep::aside;
pub use deltalake::arrow::array::RecordBatch;
pub use earlier::Then;
pub use format::{Encoder, Format, Json, csv_for_spreadsheets, pieces, rows_json, rows_text};
pub use reads::Reads;
pub use select::{LakeSelect, Select};
pub use session::{MEMORY, Session};
pub use views::{VIEWS, View};
pub use watch::outgrown;

use crate::store::StoreError;
use crate::store::appended::APPENDED;
use crate::store::tables::FoldedTable;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AnalyticsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Warehouse(#[from] warehouse::WarehouseError),
    /// It is no SELECT, or one that does more than read.
    #[error("a query only reads, as one SELECT, and this has {what}")]
    Writes { what: String },
    #[error("these are several statements, and a query is one")]
    Several,
    /// It goes beyond a limit of what can be planned.
    #[error("the SQL is too large: {0}")]
    TooComplex(String),
    /// A sort, a join, an aggregation or the answer would need more than the memory that it may take.
    #[error("the query needs more memory than the {} MiB it may take", .most >> 20)]
    Memory { most: u64 },
    /// A function would make more than it may.
    #[error("{0}")]
    Grows(String),
    #[error("the query did not end within {} s", .0.as_secs_f64())]
    Deadline(Duration),
    #[error("interrupted")]
    Interrupted,
    /// A file of a table is broken or gone.
    #[error("the table {table} cannot be read")]
    Broken {
        table: &'static str,
        #[source]
        cause: Box<AnalyticsError>,
    },
    #[error("the query engine gave up: {0}")]
    Panicked(String),
    #[error("no thread could be started for the query")]
    Thread(#[source] std::io::Error),
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
    /// A column has a type, or a value, that a format does not.
    #[error("the column {column} is {kind}, which {format} cannot hold")]
    Unwritable { column: String, kind: String, format: Format, other: Format },
    /// A column has a value that no text stands for.
    #[error("the column {column} has a value that is beyond what {kind} can be written as")]
    Textless { column: String, kind: String },
    /// The engine refuses to run what it made of the query.
    #[error("the query engine found no way to run the query: {0}")]
    Unplanned(String),
    #[error("the answer could not be written")]
    Encoding(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl AnalyticsError {
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
                "{}the data dictionary, schemas/README.md, tells every column, and so does SELECT table_name, column_name FROM information_schema.columns",
                meant(nearest)
            )),
            Self::Syntax(_) => Some("a query is one SELECT; lakeplan query --help shows some".to_owned()),
            Self::Sql(_) => Some("the data dictionary, schemas/README.md, tells what the tables and views hold".to_owned()),
            Self::Reading(_) => Some("repeat the command; lakeplan doctor tells whether the tables are whole".to_owned()),
            Self::Writes { what } => Some(other_way(what)),
            Self::Several => Some("ask one at a time".to_owned()),
            Self::TooComplex(_) => Some("ask in several queries, or load long lists into a WITH … AS (VALUES …)".to_owned()),
            Self::Memory { .. } => Some(
                "ask for less, with a WHERE, a LIMIT or fewer columns; write a long answer with --format csv, json or parquet, which holds no rows back; or give it more with --memory"
                    .to_owned(),
            ),
            Self::Grows(_) => Some("ask for a shorter text, or for fewer elements or rows; generate_series in FROM makes rows of any number".to_owned()),
            Self::Deadline(_) => Some("ask for less, or give it longer with --timeout".to_owned()),
            Self::Broken { table, .. } if FoldedTable::all().any(|folded| folded.name() == *table) => Some(format!(
                "lakeplan fold --rebuild {table} makes it again from the journal; lakeplan doctor tells what else is broken"
            )),
            Self::Broken { table, .. } if APPENDED.iter().any(|appended| appended.name == *table) => Some(format!(
                "lakeplan maintain goes on without what is lost of {table}; lakeplan doctor tells what that is"
            )),
            Self::Broken { .. } => {
                Some("lakeplan doctor tells what is broken; lakeplan restore-lake makes a lake from a backup".to_owned())
            }
            Self::Panicked(_) => Some("lakeplan doctor tells whether the tables are whole".to_owned()),
            Self::Thread(_) => Some("let the process have more threads or memory (ulimit), and repeat the command".to_owned()),
            Self::Unwritable { other, .. } => {
                Some(format!("cast it to another type, select parts of it, or write the answer with --format {other}"))
            }
            Self::Textless { .. } => Some(
                "leave such rows out with a WHERE, cast the column to a number, or write the answer with --format parquet, which holds any value"
                    .to_owned(),
            ),
            Self::Unplanned(_) => Some(
                "write it in another way; where a SELECT in FROM makes a column of one with the same name, name the SELECT, as (SELECT …) AS a"
                    .to_owned(),
            ),
            Self::Encoding(_) | Self::Interrupted => None,
        }
    }
}

/// How what is no SELECT is asked for otherwise.
fn other_way(what: &str) -> String {
    let first = what.split_whitespace().next().unwrap_or_default().to_uppercase();
    match first.as_str() {
        "SHOW" | "DESCRIBE" | "DESC" | "USE" => {
            "SELECT table_name, column_name FROM information_schema.columns lists what there is, and lakeplan query --views the views"
        }
        "EXPLAIN" | "SET" | "RESET" => "leave it out: what a query may take is said with --memory and --timeout",
        "COPY" => "lakeplan query --format csv, json or parquet writes the rows of a SELECT",
        _ => "changes go through lakeplan task, plan or apply",
    }
    .to_owned()
}
