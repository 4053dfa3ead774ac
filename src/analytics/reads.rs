//! Which tables and views a query reads, so that what only some need is opened for those alone.

use std::collections::BTreeSet;

use deltalake::datafusion::common::TableReference;
use deltalake::datafusion::sql::parser::DFParser;
use deltalake::datafusion::sql::resolve::resolve_table_references;

use super::views::VIEWS;
use crate::store::LakeTables;

/// What a query reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reads {
    /// These tables and views, and what the views read.
    These(BTreeSet<&'static str>),
    /// It cannot be said, or it is of all: what is no SQL, what names something that is not there, the list of all there is.
    Anything,
}

impl Reads {
    pub fn of(sql: &str) -> Self {
        let mut these = BTreeSet::new();
        if gather(sql, &mut these) { Self::These(these) } else { Self::Anything }
    }

    /// Whether a table or view is read by name, itself or by a view.
    pub fn names(&self, name: &str) -> bool {
        matches!(self, Self::These(these) if these.contains(name))
    }

    /// Whether a table or view is to be there for the query.
    pub(super) fn needs(&self, name: &str) -> bool {
        *self == Self::Anything || self.names(name)
    }
}

/// Adds what a query reads; whether all of it is known.
fn gather(sql: &str, these: &mut BTreeSet<&'static str>) -> bool {
    let Some(named) = named(sql) else { return false };
    named.iter().all(|reference| {
        if reference.schema().is_some_and(|schema| schema != "public") {
            return false;
        }
        let name = reference.table();
        match VIEWS.iter().find(|view| view.name == name) {
            Some(view) => !these.insert(view.name) || gather(view.sql, these),
            None if name == CLOCK => true,
            None => LakeTables::names().find(|table| *table == name).map(|table| these.insert(table)).is_some(),
        }
    })
}

/// The view of now, which reads nothing.
pub(super) const CLOCK: &str = "clock";

/// What a query names as what it reads; `None` where it is no SQL.
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
            assert!(Reads::of(sql).names("inbox"), "{sql}");
        }
        for sql in [
            "SELECT * FROM tasks WHERE title = 'inbox'",
            "SELECT * FROM inbox_results -- not inbox",
            "SELECT * FROM audit",
            "WITH inbox AS (SELECT 1) SELECT * FROM inbox",
            "SELEC * FROM inbox",
        ] {
            assert!(!Reads::of(sql).names("inbox"), "{sql}");
        }
    }

    #[test]
    fn what_a_view_reads_is_read_with_it_and_nothing_else() {
        let reads = |sql: &str| match Reads::of(sql) {
            Reads::These(these) => these.into_iter().collect::<Vec<_>>().join(" "),
            Reads::Anything => "anything".to_owned(),
        };
        assert_eq!(reads("SELECT 1"), "");
        assert_eq!(reads("SELECT today FROM clock"), "");
        assert_eq!(reads("SELECT * FROM lag"), "journal lag latest_table_state table_state");
        assert_eq!(reads("SELECT key FROM tasks WHERE id IN (SELECT from_id FROM task_links)"), "task_links tasks");
        for sql in ["SELECT * FROM information_schema.tables", "SHOW TABLES", "SELECT * FROM taks", "SELEC 1"] {
            assert_eq!(reads(sql), "anything", "{sql}");
        }
    }

    #[test]
    fn every_view_reads_what_is_there() {
        for view in VIEWS {
            assert_ne!(Reads::of(view.sql), Reads::Anything, "{}", view.name);
        }
    }
}
