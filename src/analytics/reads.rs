//! Which tables a query reads, so that what only some need is opened for those alone.

use deltalake::datafusion::sql::parser::DFParser;
use deltalake::datafusion::sql::resolve::resolve_table_references;

use super::views::VIEWS;

/// Whether a query reads a table, itself or by a view. What is no SQL reads nothing.
pub fn reads(sql: &str, table: &str) -> bool {
    let mut names = vec![table];
    // A view comes after those that it reads.
    for view in VIEWS {
        if names_one(view.sql, &names) {
            names.push(view.name);
        }
    }
    names_one(sql, &names)
}

/// Whether a query names one of these tables or views as what it reads.
pub(super) fn names_one(sql: &str, names: &[&str]) -> bool {
    let statements = DFParser::parse_sql(sql).unwrap_or_default();
    let read = statements.iter().filter_map(|statement| resolve_table_references(statement, true).ok());
    read.flat_map(|(tables, _)| tables).any(|read| names.contains(&read.table()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_by_its_name_and_by_views_and_not_by_being_mentioned() {
        for sql in [
            "SELECT * FROM inbox",
            "SELECT * FROM Inbox i JOIN tasks ON true",
            "SELECT count(*) FROM \"requests\"",
            "WITH asked AS (SELECT * FROM requests) SELECT * FROM asked",
            "SELECT * FROM tasks WHERE key IN (SELECT user FROM inbox)",
            "SELECT 1 UNION ALL SELECT count(*) FROM public.inbox",
        ] {
            assert!(reads(sql, "inbox"), "{sql}");
        }
        for sql in [
            "SELECT * FROM tasks WHERE title = 'inbox'",
            "SELECT * FROM inbox_results -- not inbox",
            "SELECT * FROM audit",
            "WITH inbox AS (SELECT 1) SELECT * FROM inbox",
            "SELEC * FROM inbox",
        ] {
            assert!(!reads(sql, "inbox"), "{sql}");
        }
    }
}
