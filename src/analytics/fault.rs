//! What the engine says of a query that it cannot answer, in words that help.

use deltalake::arrow::error::ArrowError;
use deltalake::datafusion::common::SchemaError;
use deltalake::datafusion::common::utils::datafusion_strsim::levenshtein;
use deltalake::datafusion::error::DataFusionError;
use deltalake::parquet::errors::ParquetError;

use super::AnalyticsError;
use super::bounded::Grown;
use super::repeated::TooWide;
use crate::store::StoreError;

/// The most characters of what a query says that are repeated.
const MOST_REPEATED: usize = 300;

/// Why a query was not answered. `tables` are the tables and views it could have asked; `memory` is what it may take.
pub fn told(fault: DataFusionError, tables: &[String], memory: u64) -> AnalyticsError {
    match fault.find_root() {
        DataFusionError::ObjectStore(_)
        | DataFusionError::IoError(_)
        | DataFusionError::ParquetError(_)
        | DataFusionError::ExecutionJoin(_) => AnalyticsError::Reading(fault.into()),
        DataFusionError::ArrowError(cause, _) if is_of_files(cause) => {
            AnalyticsError::Reading(fault.into())
        }
        DataFusionError::External(cause) if cause.is::<StoreError>() => {
            AnalyticsError::Reading(fault.into())
        }
        DataFusionError::ResourcesExhausted(_) => AnalyticsError::Memory { most: memory },
        DataFusionError::External(cause) if let Some(grown) = cause.downcast_ref::<Grown>() => {
            AnalyticsError::Grows(grown.to_string())
        }
        DataFusionError::External(cause) if cause.is::<TooWide>() => {
            AnalyticsError::Grows(cause.to_string())
        }
        DataFusionError::SQL(parser, _) => AnalyticsError::Syntax(said(&parser.to_string())),
        DataFusionError::SchemaError(cause, _) => match cause.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => AnalyticsError::UnknownColumn {
                name: cut(&field.flat_name()),
                nearest: nearest(&field.name, valid_fields.iter().map(|field| field.name.as_str())),
            },
            _ => AnalyticsError::Sql(said(&fault.strip_backtrace())),
        },
        DataFusionError::Plan(text) => match (unknown_table(text), writing(text)) {
            (Some(name), _) => {
                let nearest = nearest(name, tables.iter().map(String::as_str));
                AnalyticsError::UnknownTable { name: cut(name), nearest }
            }
            (_, Some(what)) => AnalyticsError::Writes { what: cut(what) },
            _ => AnalyticsError::Sql(said(&fault.strip_backtrace())),
        },
        DataFusionError::Internal(text) => {
            tracing::debug!(err = %fault, "the query engine refused its own plan");
            AnalyticsError::Unplanned(unplanned(text))
        }
        root => AnalyticsError::Sql(said(&root.strip_backtrace())),
    }
}

/// Why the engine refuses its own plan, without the plan: it is long, and in the engine's notation.
fn unplanned(text: &str) -> String {
    if text.contains("difference in schemas") {
        return "it took columns of one name for each other".to_owned();
    }
    said(text.lines().next().unwrap_or_default())
}

/// `table 'datafusion.public.taks' not found`
fn unknown_table(text: &str) -> Option<&str> {
    let name = text.lines().next()?.strip_prefix("table '")?.split_once("' not found")?.0;
    Some(name.strip_prefix("datafusion.public.").unwrap_or(name))
}

/// What does more than read is refused by its kind: `DML not supported: Delete`.
fn writing(text: &str) -> Option<&str> {
    let kinds = ["DDL not supported: ", "DML not supported: ", "Statement not supported: "];
    kinds.iter().find_map(|kind| text.lines().next()?.split_once(kind)).map(|(_, what)| what)
}

/// The name that was probably meant: it takes few changes to come to it.
fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    let name = name.to_lowercase();
    let near = names.map(|other| (levenshtein(&name, other), other)).min()?;
    (near.0 <= name.chars().count().div_ceil(2).min(4)).then(|| near.1.to_owned())
}

/// The engine's words without its own kinds of faults before them.
fn said(text: &str) -> String {
    const KINDS: [&str; 8] = [
        "Error during planning: ",
        "Schema error: ",
        "sql parser error: ",
        "This feature is not implemented: ",
        "Execution error: ",
        "Arrow error: ",
        "Cast error: ",
        "Compute error: ",
    ];
    cut(KINDS.iter().fold(text, |text, kind| text.strip_prefix(kind).unwrap_or(text)))
}

/// A text as far as it helps: what the SQL says may be long, and an error repeats it.
pub(super) fn cut(text: &str) -> String {
    let mut characters = text.chars();
    let mut cut: String = characters.by_ref().take(MOST_REPEATED).collect();
    let left = characters.count();
    if left > 0 {
        cut.push_str(&format!(" … ({left} more characters)"));
    }
    cut
}

/// Whether the fault lies in the bytes of a file, and not in what is asked.
fn is_of_files(fault: &ArrowError) -> bool {
    match fault {
        ArrowError::ParquetError(_) | ArrowError::IoError(..) | ArrowError::IpcError(_) => true,
        ArrowError::ExternalError(cause) => cause.is::<ParquetError>(),
        _ => false,
    }
}
