//! Distinguishes a read-only query from any other before it is planned or sent anywhere.
//!
//! The lake and the warehouses accept the same queries: both reject the same ones, with the same
//! message.

use std::ops::ControlFlow;
use std::sync::Arc;

use deltalake::datafusion::sql::parser::Statement as EngineStatement;
use deltalake::datafusion::sql::sqlparser::ast::{
    Expr, ObjectName, Query, SetExpr, Statement, TableFactor, Visit, Visitor,
};
use deltalake::datafusion::sql::sqlparser::dialect::{DatabricksDialect, Dialect, GenericDialect};
use deltalake::datafusion::sql::sqlparser::keywords::Keyword;
use deltalake::datafusion::sql::sqlparser::parser::{Parser, ParserError};
use deltalake::datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::AnalyticsError;
use super::deep::deep;
use super::engine_error::truncate;
use super::limits::{self, Measure, RECURSION};
use super::referenced_tables::ReferencedTables;

/// Single SELECT in the dialect of Databricks SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select(String);

impl Select {
    /// Parses a SELECT. Rejects several statements, anything that is not a SELECT, and functions
    /// that reach beyond the tables.
    pub fn parse(sql: &str) -> Result<Self, AnalyticsError> {
        deep(|| checked(sql, &DatabricksDialect {}).map(drop))??;
        Ok(Self(sql.to_owned()))
    }

    /// Returns a SELECT of all rows of a table or view.
    pub fn all_of(name: &str) -> Self {
        Self(format!("SELECT * FROM {}", crate::databricks::catalog::quoted(name)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Single SELECT for the lake's own session.
#[derive(Clone, Debug)]
pub struct LakeSelect {
    statement: Arc<EngineStatement>,
    reads: ReferencedTables,
}

impl LakeSelect {
    /// Parses a SELECT. Rejects the same queries as [`Select::parse`].
    pub fn parse(sql: &str) -> Result<Self, AnalyticsError> {
        deep(|| {
            let statement = EngineStatement::Statement(Box::new(checked(sql, &GenericDialect {})?));
            let reads = ReferencedTables::of_statement(&statement);
            Ok(Self { statement: Arc::new(statement), reads })
        })?
    }

    pub(super) fn statement(&self) -> Arc<EngineStatement> {
        Arc::clone(&self.statement)
    }

    /// Returns the tables and views that the query reads.
    pub fn reads(&self) -> &ReferencedTables {
        &self.reads
    }
}

/// Parses one SELECT within the limits.
fn checked(sql: &str, dialect: &dyn Dialect) -> Result<Statement, AnalyticsError> {
    limits::check_text(sql)?;
    let tokens = Tokenizer::new(dialect, sql).tokenize_with_location();
    let tokens = tokens.map_err(|err| AnalyticsError::Syntax(truncate(&err.to_string())))?;
    limits::check_tokens(&tokens)?;
    if let Some(what) = other_than_select(&tokens) {
        return Err(AnalyticsError::Writes { what });
    }
    let mut parser =
        Parser::new(dialect).with_recursion_limit(RECURSION).with_tokens_with_locations(tokens);
    let mut statements = parser.parse_statements().map_err(|err| match err {
        ParserError::RecursionLimitExceeded => {
            AnalyticsError::TooComplex("its expressions are nested too deep".to_owned())
        }
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => {
            AnalyticsError::Syntax(truncate(&text))
        }
    })?;
    if statements.len() > 1 {
        let other = statements.iter().find(|statement| !matches!(statement, Statement::Query(_)));
        return Err(other.map_or(AnalyticsError::MultipleStatements, |other| {
            AnalyticsError::Writes { what: first_words(&other.to_string()) }
        }));
    }
    let statement = statements
        .pop()
        .ok_or_else(|| AnalyticsError::Syntax("there is no statement in it".to_owned()))?;
    if let ControlFlow::Break(err) = statement.visit(&mut Measure::default()) {
        return Err(err);
    }
    match statement.visit(&mut Reading) {
        ControlFlow::Continue(()) => Ok(statement),
        ControlFlow::Break(what) => Err(AnalyticsError::Writes { what }),
    }
}

/// Returns the first words of a statement that does not begin like a SELECT. Runs before the
/// parser, since each dialect knows other statements. Leaves a word that begins no statement to the
/// parser.
fn other_than_select(tokens: &[TokenWithSpan]) -> Option<String> {
    let mut tokens_left = tokens
        .iter()
        .map(|token| &token.token)
        .filter(|token| !matches!(token, Token::Whitespace(_)));
    let mut tokens_left = tokens_left
        .by_ref()
        .skip_while(|token| matches!(token, Token::LParen | Token::SemiColon))
        .peekable();
    let Some(Token::Word(first)) = tokens_left.peek() else { return None };
    let is_select = matches!(
        first.keyword,
        Keyword::SELECT | Keyword::WITH | Keyword::VALUES | Keyword::TABLE | Keyword::FROM
    );
    if is_select || first.keyword == Keyword::NoKeyword || first.quote_style.is_some() {
        return None;
    }
    let words = tokens_left
        .take(2)
        .filter(|token| matches!(token, Token::Word(_)))
        .map(|token| truncate(&token.to_string()));
    Some(words.collect::<Vec<_>>().join(" "))
}

/// Prefixes of functions that read files, contact other systems, show secrets or run code.
const BEYOND: &[&str] = &[
    "ai_",
    "cloud_files",
    "event_log",
    "http_request",
    "java_method",
    "read_files",
    "read_kafka",
    "read_kinesis",
    "read_pubsub",
    "read_pulsar",
    "read_statestore",
    "read_state_metadata",
    "reflect",
    "remote_query",
    "secret",
    "try_secret",
    "try_reflect",
    "vector_search",
];
/// Formats that can precede a file path used as a table name.
const FORMATS: &[&str] =
    &["avro", "binaryfile", "csv", "delta", "iceberg", "json", "orc", "parquet", "text", "xml"];

/// Visitor that stops at anything that does more than read tables.
struct Reading;

impl Visitor for Reading {
    type Break = String;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        if !query.locks.is_empty() {
            return ControlFlow::Break("FOR UPDATE or FOR SHARE".to_owned());
        }
        body(&query.body)
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<String> {
        match statement {
            Statement::Query(_) => ControlFlow::Continue(()),
            other => ControlFlow::Break(first_words(&other.to_string())),
        }
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<String> {
        match expression {
            Expr::Function(function) => named(&function.name),
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<String> {
        match factor {
            TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. } => {
                named(name)
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<String> {
        let parts = parts(relation);
        match parts.as_slice() {
            [format, path] if FORMATS.contains(&format.as_str()) && path.contains(['/', ':']) => {
                ControlFlow::Break(format!("the files at {}", truncate(path)))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Stops at a part of a query that writes: Spark and others allow a WITH before an INSERT.
fn body(expression: &SetExpr) -> ControlFlow<String> {
    match expression {
        SetExpr::Select(select) if select.into.is_some() => {
            ControlFlow::Break("SELECT INTO".to_owned())
        }
        SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) | SetExpr::Table(_) => {
            ControlFlow::Continue(())
        }
        SetExpr::SetOperation { left, right, .. } => {
            body(left)?;
            body(right)
        }
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
            ControlFlow::Break(first_words(&expression.to_string()))
        }
    }
}

fn named(name: &ObjectName) -> ControlFlow<String> {
    let name = parts(name).pop().unwrap_or_default();
    if BEYOND.iter().any(|beyond| name.starts_with(beyond)) {
        return ControlFlow::Break(format!("{name}, which reaches beyond the tables"));
    }
    ControlFlow::Continue(())
}

fn parts(name: &ObjectName) -> Vec<String> {
    name.0
        .iter()
        .map(|part| {
            part.as_ident()
                .map_or_else(|| part.to_string(), |ident| ident.value.clone())
                .to_lowercase()
        })
        .collect()
}

fn first_words(text: &str) -> String {
    truncate(&text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests;
