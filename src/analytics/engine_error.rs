//! Translates errors of the query engine into helpful messages.

use deltalake::arrow::error::ArrowError;
use deltalake::datafusion::common::SchemaError;
use deltalake::datafusion::error::DataFusionError;
use deltalake::parquet::errors::ParquetError;

use super::AnalyticsError;
use super::repeated::TooWide;
use super::result_limit::ResultTooLarge;
use crate::store::StoreError;
use crate::text::nearest::nearest;

/// Maximum number of characters that an error repeats from a query.
const MAX_REPEATED_CHARS: usize = 300;

/// Returns why a query failed. `tables` are the available tables and views; `memory` is the query's
/// memory limit.
pub fn to_analytics_error(err: DataFusionError, tables: &[String], memory: u64) -> AnalyticsError {
    match err.find_root() {
        DataFusionError::ObjectStore(_)
        | DataFusionError::IoError(_)
        | DataFusionError::ParquetError(_)
        | DataFusionError::ExecutionJoin(_) => AnalyticsError::Reading(err.into()),
        DataFusionError::ArrowError(cause, _) if is_of_files(cause) => {
            AnalyticsError::Reading(err.into())
        }
        DataFusionError::External(cause) if cause.is::<StoreError>() => {
            AnalyticsError::Reading(err.into())
        }
        DataFusionError::ResourcesExhausted(_) => AnalyticsError::Memory { most: memory },
        DataFusionError::External(cause)
            if let Some(grown) = cause.downcast_ref::<ResultTooLarge>() =>
        {
            AnalyticsError::Grows(grown.to_string())
        }
        DataFusionError::External(cause) if cause.is::<TooWide>() => {
            AnalyticsError::Grows(cause.to_string())
        }
        DataFusionError::SQL(parser, _) => {
            AnalyticsError::Syntax(without_error_kinds(&parser.to_string()))
        }
        DataFusionError::SchemaError(cause, _) => match cause.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => AnalyticsError::UnknownColumn {
                name: truncate(&field.flat_name()),
                nearest: nearest(&field.name, valid_fields.iter().map(|field| field.name.as_str()))
                    .map(str::to_owned),
            },
            _ => AnalyticsError::Sql(without_error_kinds(&err.strip_backtrace())),
        },
        DataFusionError::Plan(text) => match (unknown_table(text), unsupported_statement(text)) {
            (Some(name), _) => {
                let nearest = nearest(name, tables.iter().map(String::as_str)).map(str::to_owned);
                AnalyticsError::UnknownTable { name: truncate(name), nearest }
            }
            (_, Some(what)) => AnalyticsError::Writes { what: truncate(what) },
            _ => AnalyticsError::Sql(without_error_kinds(&err.strip_backtrace())),
        },
        DataFusionError::Internal(text) => {
            tracing::debug!(err = %err, "the query engine refused its own plan");
            AnalyticsError::Unplanned(unplanned(text))
        }
        root => AnalyticsError::Sql(without_error_kinds(&root.strip_backtrace())),
    }
}

/// Describes why the engine rejects its own plan. Omits the plan, which is long and in the engine's
/// notation.
fn unplanned(text: &str) -> String {
    if text.contains("difference in schemas") {
        return "it confused columns with the same name".to_owned();
    }
    without_error_kinds(text.lines().next().unwrap_or_default())
}

/// Extracts the name from `table 'datafusion.public.taks' not found`.
fn unknown_table(text: &str) -> Option<&str> {
    let name = text.lines().next()?.strip_prefix("table '")?.split_once("' not found")?.0;
    Some(name.strip_prefix("datafusion.public.").unwrap_or(name))
}

/// Extracts the statement from an error such as `DML not supported: Delete`.
fn unsupported_statement(text: &str) -> Option<&str> {
    let kinds = ["DDL not supported: ", "DML not supported: ", "Statement not supported: "];
    kinds.iter().find_map(|kind| text.lines().next()?.split_once(kind)).map(|(_, what)| what)
}

/// Returns the engine's message without its error kinds as prefixes.
fn without_error_kinds(text: &str) -> String {
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
    truncate(KINDS.iter().fold(text, |text, kind| text.strip_prefix(kind).unwrap_or(text)))
}

/// Truncates a text: SQL may contain long text, and an error repeats it.
pub(super) fn truncate(text: &str) -> String {
    let mut characters = text.chars();
    let mut truncate: String = characters.by_ref().take(MAX_REPEATED_CHARS).collect();
    let left = characters.count();
    if left > 0 {
        truncate.push_str(&format!(" … ({left} more characters)"));
    }
    truncate
}

/// Whether the error is in the bytes of a file, not in the query.
fn is_of_files(err: &ArrowError) -> bool {
    match err {
        ArrowError::ParquetError(_) | ArrowError::IoError(..) | ArrowError::IpcError(_) => true,
        ArrowError::ExternalError(cause) => cause.is::<ParquetError>(),
        _ => false,
    }
}
