//! The data dictionary: every table of a lake with its columns and their documentation.

pub use super::delta_log::spec::Column;
use super::event_tables::{APPENDED, DATE};
use super::inbox;
use super::journal::schema;
use super::names::JOURNAL;
use super::tables::{BUCKET, TABLES, definition, field_changes};
use crate::domain::record::Entity;

/// Returns every table with its columns and their documentation.
pub fn dictionary() -> Vec<Entry> {
    let current = TABLES.iter().map(|table| Entry {
        name: table.name,
        doc: table.doc,
        columns: definition::columns(table.entity),
        partitions: &[BUCKET],
        earlier: HistorySource::Records(table.entity),
    });
    let (name, doc) = (field_changes::NAME, field_changes::DOC);
    let (columns, earlier) = (field_changes::columns(), HistorySource::Seq("seq"));
    let changes = Entry { name, doc, columns, partitions: &[BUCKET], earlier };
    let (columns, partitions) = (schema::columns(), &schema::PARTITIONS);
    let journal = Entry { name: JOURNAL, doc: schema::DOC, columns, partitions, earlier };
    let appended = APPENDED.iter().map(|table| Entry {
        name: table.name,
        doc: table.doc,
        columns: table.columns(),
        partitions: &[DATE],
        earlier: HistorySource::Time(table.at),
    });
    let (columns, earlier) = (inbox::columns(), HistorySource::Time("at"));
    let inbox = Entry { name: inbox::NAME, doc: inbox::DOC, columns, partitions: &[], earlier };
    current.chain([changes, journal]).chain(appended).chain([inbox]).collect()
}

/// A table in the data dictionary: its name, its description, its columns.
pub struct Entry {
    pub name: &'static str,
    pub doc: &'static str,
    pub columns: Vec<Column>,
    /// Partition columns, which are not stored in the files.
    pub partitions: &'static [&'static str],
    pub earlier: HistorySource,
}

/// How to determine what a table held at an earlier position of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistorySource {
    /// The table holds an entity's current records; earlier ones follow from the journal.
    Records(Entity),
    /// The table only grows; this column holds the seq that a row came with.
    Seq(&'static str),
    /// The table only grows; this column holds the time that a row came with.
    Time(&'static str),
}
