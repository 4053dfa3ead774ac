//! A query that only reads, told from one that does more before it is sent anywhere.

use std::ops::ControlFlow;

use deltalake::datafusion::sql::sqlparser::ast::{Expr, ObjectName, Query, SetExpr, Statement, TableFactor, Visit, Visitor};
use deltalake::datafusion::sql::sqlparser::dialect::DatabricksDialect;
use deltalake::datafusion::sql::sqlparser::parser::Parser;

use super::AnalyticsError;

/// One SELECT in the dialect of Databricks SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select(String);

impl Select {
    /// Reads it. More than one statement, anything that writes, and functions that reach beyond the tables are refused.
    pub fn parse(sql: &str) -> Result<Self, AnalyticsError> {
        let statements = Parser::parse_sql(&DatabricksDialect {}, sql).map_err(|fault| {
            let text = fault.to_string();
            AnalyticsError::Syntax(text.strip_prefix("sql parser error: ").unwrap_or(&text).to_owned())
        })?;
        let writes = |what: &str| AnalyticsError::Writes { what: what.to_owned() };
        match statements.as_slice() {
            [statement @ Statement::Query(_)] => match statement.visit(&mut Reading) {
                ControlFlow::Continue(()) => Ok(Self(sql.to_owned())),
                ControlFlow::Break(what) => Err(writes(&what)),
            },
            [] => Err(AnalyticsError::Syntax("there is no statement in it".to_owned())),
            [other] => Err(writes(&first_words(&other.to_string()))),
            _ => Err(writes("more than one statement")),
        }
    }

    /// All rows of a table or view.
    pub fn all_of(name: &str) -> Self {
        Self(format!("SELECT * FROM {}", crate::store::catalog::quoted(name)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Functions that read files, speak to other systems, show secrets or run code, by how their names begin.
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
/// Formats by which a file is named as a table.
const FORMATS: &[&str] = &["avro", "binaryfile", "csv", "delta", "iceberg", "json", "orc", "parquet", "text", "xml"];

/// Walks a statement and stops at what does more than read tables.
struct Reading;

impl Visitor for Reading {
    type Break = String;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
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
            TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. } => named(name),
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<String> {
        let parts = parts(relation);
        match parts.as_slice() {
            [format, path] if FORMATS.contains(&format.as_str()) && path.contains(['/', ':']) => {
                ControlFlow::Break(format!("it reads the files at {path}"))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Stops where a part of a query writes: Spark and others allow a WITH before an INSERT.
fn body(expression: &SetExpr) -> ControlFlow<String> {
    match expression {
        SetExpr::Select(select) if select.into.is_some() => ControlFlow::Break("SELECT INTO".to_owned()),
        SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) | SetExpr::Table(_) => ControlFlow::Continue(()),
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
        return ControlFlow::Break(format!("{name} reaches beyond the tables"));
    }
    ControlFlow::Continue(())
}

fn parts(name: &ObjectName) -> Vec<String> {
    name.0
        .iter()
        .map(|part| part.as_ident().map_or_else(|| part.to_string(), |ident| ident.value.clone()).to_lowercase())
        .collect()
}

fn first_words(text: &str) -> String {
    text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_tables_is_let_through() {
        for sql in [
            "SELECT status, count(*) FROM tasks GROUP BY status",
            "WITH t AS (SELECT * FROM `main`.`plan`.`tasks`) SELECT * FROM t WHERE key = :key",
            "SELECT 1 UNION ALL SELECT 2",
            "SELECT * FROM main.plan.tasks VERSION AS OF 3",
            "SELECT * EXCEPT (id) FROM tasks QUALIFY row_number() OVER (ORDER BY at) = 1",
            "SELECT key FROM tasks; ",
            "VALUES (1), (2)",
            "SELECT * FROM delta.tasks",
        ] {
            assert!(Select::parse(sql).is_ok(), "{sql}: {:?}", Select::parse(sql));
        }
    }

    #[test]
    fn what_does_more_is_refused() {
        for sql in [
            "DROP TABLE tasks",
            "INSERT INTO inbox VALUES (1)",
            "SELECT 1; DROP TABLE tasks",
            "SET x = 1",
            "USE CATALOG main",
            "CREATE VIEW v AS SELECT 1",
            "GRANT SELECT ON TABLE t TO `x`",
            "COPY INTO t FROM 's3://b'",
            "WITH t AS (SELECT 1) INSERT INTO inbox SELECT * FROM t",
            "SELECT * INTO t FROM tasks",
            "SELECT secret('scope', 'key')",
            "SELECT * FROM read_files('s3://b/x')",
            "SELECT * FROM (SELECT http_request(conn => 'c'))",
            "SELECT * FROM parquet.`s3://b/x`",
            "SELECT ai_query('m', title) FROM tasks",
            "EXPLAIN SELECT 1",
            "SHOW TABLES",
        ] {
            let refused = Select::parse(sql);
            assert!(matches!(refused, Err(AnalyticsError::Writes { .. } | AnalyticsError::Syntax(_))), "{sql}: {refused:?}");
        }
        assert!(matches!(Select::parse("SELECT 1; SELECT 2"), Err(AnalyticsError::Writes { .. })));
        assert!(matches!(Select::parse("SELEC 1"), Err(AnalyticsError::Syntax(_))));
        assert!(matches!(Select::parse("-- nothing"), Err(AnalyticsError::Syntax(_))));
    }
}
