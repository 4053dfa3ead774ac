//! What the engine says of a query that it cannot answer, in words that help.

use deltalake::datafusion::common::SchemaError;
use deltalake::datafusion::common::utils::datafusion_strsim::levenshtein;
use deltalake::datafusion::error::DataFusionError;

use super::AnalyticsError;

/// Why a query was not answered. `tables` are the tables and views it could have asked.
pub fn told(fault: DataFusionError, tables: &[String]) -> AnalyticsError {
    match fault.find_root() {
        DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) => AnalyticsError::Reading(fault.into()),
        DataFusionError::SQL(parser, _) => AnalyticsError::Syntax(said(&parser.to_string())),
        DataFusionError::SchemaError(cause, _) => match cause.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => AnalyticsError::UnknownColumn {
                name: field.flat_name(),
                nearest: nearest(&field.name, valid_fields.iter().map(|field| field.name.as_str())),
            },
            _ => AnalyticsError::Sql(said(&fault.strip_backtrace())),
        },
        DataFusionError::Plan(text) => match (unknown_table(text), writing(text)) {
            (Some(name), _) => {
                let nearest = nearest(name, tables.iter().map(String::as_str));
                AnalyticsError::UnknownTable { name: name.to_owned(), nearest }
            }
            (_, Some(what)) => AnalyticsError::Writes { what: what.to_owned() },
            _ => AnalyticsError::Sql(said(&fault.strip_backtrace())),
        },
        root => AnalyticsError::Sql(said(&root.strip_backtrace())),
    }
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
    if text.contains("only supports a single SQL statement") {
        return "these are several statements; ask one at a time".to_owned();
    }
    KINDS.iter().fold(text, |text, kind| text.strip_prefix(kind).unwrap_or(text)).to_owned()
}
