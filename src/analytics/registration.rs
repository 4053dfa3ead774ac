//! Generates the SQL that registers a lake in Unity Catalog: its tables, its grants, the inbox, the
//! views.
//!
//! The SQL never writes to the log of a Lakeplan table: no comment, no property, no ALTER. Every
//! statement can be run again.

use super::views::VIEWS;
use crate::databricks::catalog::{SchemaName, literal, quoted};
use crate::store::INBOX;
use crate::store::dictionary::{Entry, dictionary};

/// Statement, with a description of what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub what: String,
    pub sql: String,
}

/// Tables and grants to register.
#[derive(Clone, Copy, Debug)]
pub struct Registration<'a> {
    pub schema: &'a SchemaName,
    /// Root of the lake.
    pub root: &'a str,
    /// Tables that exist in the lake: registering any other would create it.
    pub tables: &'a [&'a str],
    /// Principal that is granted read access, and write access to the inbox.
    pub principal: Option<&'a str>,
}

impl Registration<'_> {
    /// Returns all statements in an order that works.
    pub fn statements(&self) -> Vec<Statement> {
        let own: Vec<&&str> = self.tables.iter().filter(|table| **table != INBOX).collect();
        let mut statements: Vec<Statement> = own.iter().map(|table| self.table(table)).collect();
        statements.push(self.inbox());
        let views = views(self.schema);
        statements.extend(views);
        let Some(principal) = self.principal else { return statements };
        statements.extend(
            own.iter().map(|table| grant(self.schema, table, "TABLE", "SELECT", principal)),
        );
        statements.push(grant(self.schema, INBOX, "TABLE", "MODIFY, SELECT", principal));
        statements
            .extend(view_names().map(|view| grant(self.schema, view, "VIEW", "SELECT", principal)));
        statements
    }

    /// Returns the statement for a table of the lake. The table's log defines its columns.
    pub fn table(&self, table: &str) -> Statement {
        let name = self.schema.quoted(table);
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {name} USING DELTA LOCATION {}",
            literal(&self.place(table))
        );
        Statement { what: format!("table {table}"), sql }
    }

    /// Returns the statement for the inbox: as it is if the lake has one, otherwise with the
    /// columns of a request. Uses only Delta features that every reader supports.
    fn inbox(&self) -> Statement {
        if self.tables.contains(&INBOX) {
            return self.table(INBOX);
        }
        let columns: Vec<String> =
            dictionary().iter().filter(|entry| entry.name == INBOX).flat_map(columns).collect();
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {} ({}) USING DELTA LOCATION {} TBLPROPERTIES ('delta.enableDeletionVectors' = 'false')",
            self.schema.quoted(INBOX),
            columns.join(", "),
            literal(&self.place(INBOX)),
        );
        Statement { what: format!("table {INBOX}"), sql }
    }

    fn place(&self, table: &str) -> String {
        format!("{}/{table}", self.root.trim_end_matches('/'))
    }
}

/// Returns the columns of a table in SQL.
fn columns(entry: &Entry) -> Vec<String> {
    let kind = |kind: &serde_json::Value| match kind.as_str() {
        Some("long") => "BIGINT",
        Some("integer") => "INT",
        Some("date") => "DATE",
        Some("timestamp") => "TIMESTAMP",
        Some(_) => "STRING",
        None => "ARRAY<STRING>",
    };
    let column = |column: &crate::store::dictionary::Column| {
        let not_null = if column.nullable { "" } else { " NOT NULL" };
        format!("{} {}{not_null}", quoted(&column.name), kind(&column.kind))
    };
    entry.columns.iter().map(column).collect()
}

/// Returns the views, each after those that it reads. They name tables without a schema, so they
/// must be created within it.
pub fn views(schema: &SchemaName) -> Vec<Statement> {
    let made = |name: &str, doc: &str, sql: &str| {
        let comment =
            if doc.is_empty() { String::new() } else { format!(" COMMENT {}", literal(doc)) };
        let sql = format!(
            "CREATE OR REPLACE VIEW {}{comment} AS\n{}",
            schema.quoted(name),
            sql.trim_end()
        );
        Statement { what: format!("view {name}"), sql }
    };
    let clock = made(CLOCK, "Today and now, in UTC.", CLOCK_SQL);
    [clock]
        .into_iter()
        .chain(VIEWS.iter().map(|view| made(view.name, view.doc(), view.sql)))
        .collect()
}

/// Returns the names of all views.
pub fn view_names() -> impl Iterator<Item = &'static str> {
    [CLOCK].into_iter().chain(VIEWS.iter().map(|view| view.name))
}

const CLOCK: &str = "clock";
/// `current_date()` is the day in the session's time zone; a plan uses the day in UTC.
const CLOCK_SQL: &str = "SELECT date_from_unix_date(CAST(unix_seconds(current_timestamp()) DIV 86400 AS INT)) AS today, current_timestamp() AS now";

fn grant(
    schema: &SchemaName,
    name: &str,
    kind: &str,
    privilege: &str,
    principal: &str,
) -> Statement {
    let sql =
        format!("GRANT {privilege} ON {kind} {} TO {}", schema.quoted(name), quoted(principal));
    Statement { what: format!("{privilege} on {name}"), sql }
}

/// Returns the grants that the grants on tables and views depend on. The owners of the catalog and
/// the schema may have to run them.
pub fn access_grants(schema: &SchemaName, principal: &str) -> [String; 2] {
    let (catalog, to) = (quoted(&schema.catalog), quoted(principal));
    [
        format!("GRANT USE CATALOG ON CATALOG {catalog} TO {to}"),
        format!("GRANT USE SCHEMA ON SCHEMA {catalog}.{} TO {to}", quoted(&schema.schema)),
    ]
}

/// Returns the statements as one script to be run by hand.
pub fn script(schema: &SchemaName, statements: &[Statement]) -> String {
    let begin = format!(
        "USE CATALOG {};\nUSE SCHEMA {};\n",
        quoted(&schema.catalog),
        quoted(&schema.schema)
    );
    statements.iter().fold(begin, |script, statement| format!("{script}{};\n", statement.sql))
}

#[cfg(test)]
mod tests {
    use super::super::referenced_tables::named;
    use super::*;

    fn statements(tables: &[&str], principal: Option<&str>) -> Vec<String> {
        let schema = "main.team-plan".parse().unwrap();
        let registration =
            Registration { schema: &schema, root: "s3://b/o'lake/", tables, principal };
        registration.statements().into_iter().map(|statement| statement.sql).collect()
    }

    #[test]
    fn tables_views_and_rights_come_in_an_order_that_works() {
        let all = statements(&["journal", "tasks", "inbox"], Some("plan`readers"));
        assert_eq!(
            all[0],
            r"CREATE TABLE IF NOT EXISTS `main`.`team-plan`.`journal` USING DELTA LOCATION 's3://b/o\'lake/journal'"
        );
        assert_eq!(
            all[2],
            r"CREATE TABLE IF NOT EXISTS `main`.`team-plan`.`inbox` USING DELTA LOCATION 's3://b/o\'lake/inbox'"
        );
        assert!(all[3].starts_with(
            "CREATE OR REPLACE VIEW `main`.`team-plan`.`clock` COMMENT 'Today and now, in UTC.' AS\nSELECT date_from_unix_date("
        ));
        let first_grant = all.iter().position(|sql| sql.starts_with("GRANT")).unwrap();
        assert!(
            all[first_grant..]
                .iter()
                .all(|sql| sql.starts_with("GRANT") && sql.ends_with("TO `plan``readers`"))
        );
        assert_eq!(
            all[first_grant],
            "GRANT SELECT ON TABLE `main`.`team-plan`.`journal` TO `plan``readers`"
        );
        assert!(
            all.contains(
                &"GRANT MODIFY, SELECT ON TABLE `main`.`team-plan`.`inbox` TO `plan``readers`"
                    .to_owned()
            )
        );
        assert!(!all.iter().any(|sql| sql.contains("MODIFY ON")
            || sql.contains("MODIFY, SELECT ON TABLE `main`.`team-plan`.`tasks`")));
    }

    #[test]
    fn an_inbox_that_is_not_there_is_made_with_its_columns() {
        let all = statements(&["journal"], None);
        assert_eq!(
            all[1],
            r"CREATE TABLE IF NOT EXISTS `main`.`team-plan`.`inbox` (`request_id` STRING NOT NULL, `at` TIMESTAMP NOT NULL, `user` STRING NOT NULL, `patch_set` STRING NOT NULL) USING DELTA LOCATION 's3://b/o\'lake/inbox' TBLPROPERTIES ('delta.enableDeletionVectors' = 'false')"
        );
        assert!(!all.iter().any(|sql| sql.starts_with("GRANT")));
    }

    #[test]
    fn nothing_writes_into_a_log_of_ours() {
        let schema: SchemaName = "a.b".parse().unwrap();
        let tables: Vec<&str> = crate::store::LakeTables::names().collect();
        let registration = Registration {
            schema: &schema,
            root: "s3://b/l",
            tables: &tables,
            principal: Some("x"),
        };
        for Statement { sql, .. } in registration.statements() {
            let made = sql.starts_with("CREATE TABLE IF NOT EXISTS")
                && !sql.contains("TBLPROPERTIES")
                && !sql.contains("COMMENT")
                && !sql.contains('(');
            assert!(
                made || sql.starts_with("CREATE OR REPLACE VIEW") || sql.starts_with("GRANT"),
                "{sql}"
            );
        }
    }

    #[test]
    fn a_view_comes_after_those_that_it_reads() {
        let names: Vec<&str> = view_names().collect();
        for view in VIEWS {
            let at = names.iter().position(|name| *name == view.name).unwrap();
            let read = named(view.sql).unwrap();
            let later =
                names[at + 1..].iter().find(|name| read.iter().any(|read| read.table() == **name));
            assert_eq!(later, None, "{} reads a view that comes after it", view.name);
        }
    }
}
