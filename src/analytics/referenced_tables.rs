//! Determines which tables and views a query reads, so that only these are opened.

use std::collections::BTreeSet;

use deltalake::datafusion::common::TableReference;
use deltalake::datafusion::sql::parser::{DFParser, Statement};
use deltalake::datafusion::sql::resolve::resolve_table_references;

use super::views::VIEWS;
use crate::store::LakeTables;

/// Tables and views that a query reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReferencedTables {
    /// Tables and views, and those that the views read.
    these: BTreeSet<&'static str>,
    /// Whether the query may read others too: it is not valid SQL, names something unknown, or
    /// reads the list of all tables.
    may_read_others: bool,
}

impl ReferencedTables {
    pub fn of(sql: &str) -> Self {
        let mut reads = Self::default();
        reads.gather(sql);
        reads
    }

    /// Like [`Self::of`], for a parsed statement.
    pub(super) fn of_statement(statement: &Statement) -> Self {
        let mut reads = Self::default();
        reads.note(resolve_table_references(statement, true).ok().map(|(named, _)| named));
        reads
    }

    /// Whether the query reads a table or view by name, directly or through a view.
    pub fn names(&self, name: &str) -> bool {
        self.these.contains(name)
    }

    /// Whether a table or view should exist for the query, if possible.
    pub(super) fn may_need(&self, name: &str) -> bool {
        self.may_read_others || self.names(name)
    }

    fn gather(&mut self, sql: &str) {
        self.note(named(sql));
    }

    fn note(&mut self, named: Option<Vec<TableReference>>) {
        self.may_read_others |= named.is_none();
        for reference in named.unwrap_or_default() {
            let name = reference.table();
            let is_elsewhere = reference.schema().is_some_and(|schema| schema != "public");
            match VIEWS.iter().find(|view| view.name == name) {
                _ if is_elsewhere => self.may_read_others = true,
                Some(view) => {
                    if self.these.insert(view.name) {
                        self.gather(view.sql);
                    }
                }
                None => match LakeTables::names().find(|table| *table == name) {
                    Some(table) => drop(self.these.insert(table)),
                    None => self.may_read_others |= name != CLOCK,
                },
            }
        }
    }
}

/// View of the current time, which reads no table.
pub(super) const CLOCK: &str = "clock";

/// Returns the tables and views that a query names; `None` if it is not valid SQL.
pub(super) fn named(sql: &str) -> Option<Vec<TableReference>> {
    let mut named = Vec::new();
    for statement in DFParser::parse_sql(sql).ok()? {
        named.extend(resolve_table_references(&statement, true).ok()?.0);
    }
    Some(named)
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
            assert!(ReferencedTables::of(sql).names("inbox"), "{sql}");
        }
        for sql in [
            "SELECT * FROM tasks WHERE title = 'inbox'",
            "SELECT * FROM inbox_results -- not inbox",
            "SELECT * FROM audit",
            "WITH inbox AS (SELECT 1) SELECT * FROM inbox",
            "SELEC * FROM inbox",
        ] {
            assert!(!ReferencedTables::of(sql).names("inbox"), "{sql}");
        }
    }

    #[test]
    fn what_a_view_reads_is_read_with_it_and_nothing_else() {
        let reads = |sql: &str| {
            let reads = ReferencedTables::of(sql);
            let these = reads.these.into_iter().collect::<Vec<_>>().join(" ");
            if reads.may_read_others {
                format!("{these} and others").trim_start().to_owned()
            } else {
                these
            }
        };
        assert_eq!(reads("SELECT 1"), "");
        assert_eq!(reads("SELECT today FROM clock"), "");
        assert_eq!(reads("SELECT * FROM lag"), "journal lag latest_table_state table_state");
        assert_eq!(
            reads("SELECT key FROM tasks WHERE id IN (SELECT from_id FROM task_links)"),
            "task_links tasks"
        );
        for sql in [
            "SELECT * FROM information_schema.tables",
            "SHOW TABLES",
            "SELECT * FROM taks",
            "SELEC 1",
        ] {
            assert_eq!(reads(sql), "and others", "{sql}");
        }
        assert_eq!(reads("SELECT * FROM inbox, information_schema.tables"), "inbox and others");
        assert_eq!(reads("SELECT * FROM taks, generate_series(1, 2), inbox"), "inbox and others");
    }

    #[test]
    fn every_view_reads_what_is_there() {
        for view in VIEWS {
            assert!(!ReferencedTables::of(view.sql).may_read_others, "{}", view.name);
        }
    }
}
