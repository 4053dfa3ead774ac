//! The current tables: the tables that users query, folded from the journal.
//!
//! A table holds the records of one entity, in one sorted file (or a few) per bucket of projects.
//! Its columns are derived from the record's declaration, so nothing has to be kept in sync by
//! hand.

mod changed;
pub mod columns;
pub mod definition;
pub mod field_changes;
pub mod fold;
pub mod folded;
pub mod join;
mod output;
pub mod read;
pub mod rebuild;
mod rewrite;
mod source;
pub mod task_counts;
mod whole;

use std::collections::BTreeSet;
use std::sync::Arc;

use object_store::ObjectStore;
use url::Url;

pub use folded::FoldedTable;

use super::catalog::InboxRoot;
use super::error::StoreError;
use super::event_tables::{APPENDED, DATE, EventTable, INBOX_RESULTS};
use super::inbox::{self, Inbox};
use super::journal::schema;
use super::scope::in_every_scope;
use super::table_log::{LiveFile, Table, TableLog, Trust, root_url};
use crate::domain::id::{EntityId, ProjectId};
use crate::domain::record::Entity;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrentTable {
    pub name: &'static str,
    pub entity: Entity,
    pub doc: &'static str,
}

/// Every current table. Add a line for each new entity.
pub const TABLES: &[CurrentTable] = &[
    CurrentTable { name: "lake", entity: Entity::Lake, doc: "The lake itself: one row." },
    CurrentTable { name: "projects", entity: Entity::Project, doc: "Projects as they are now." },
    CurrentTable {
        name: "tasks",
        entity: Entity::Task,
        doc: "Tasks as they are now, deleted ones included.",
    },
    CurrentTable {
        name: "task_links",
        entity: Entity::TaskLink,
        doc: "Links between tasks as they are now.",
    },
    CurrentTable { name: "users", entity: Entity::User, doc: "People and agents as they are now." },
    CurrentTable {
        name: "requirements",
        entity: Entity::Requirement,
        doc: "What descriptions state that the work must make true.",
    },
    CurrentTable {
        name: "task_requirements",
        entity: Entity::TaskRequirement,
        doc: "Which task answers which requirement.",
    },
];

/// Partition column of every current table.
pub const BUCKET: &str = "bucket";
/// Number of buckets for projects.
pub const BUCKETS: u64 = 64;

/// App id whose transaction version is the seq to which a table is folded.
pub const TXN: &str = "lakeplan";

/// Returns the bucket of an entity's rows of a project. Entities that belong to every scope are
/// always read whole, so they are in bucket 0.
pub fn bucket(entity: Entity, project: Option<ProjectId>) -> u32 {
    let Some(id) = project.filter(|_| !in_every_scope(entity)).map(EntityId::uuid) else {
        return 0;
    };
    // In every kind of id, the last bytes are random.
    let (_, low) = id.as_u64_pair();
    (low % BUCKETS) as u32
}

/// Budget of a long computation that yields in between, so that in a long-lived process commits do
/// not wait for a fold on the same thread.
#[derive(Default)]
pub(super) struct YieldBudget {
    steps: usize,
}

impl YieldBudget {
    const MAX_STEPS: usize = 100;

    /// Counts steps, for example parsed rows, and yields when the budget is spent.
    pub async fn step(&mut self, steps: usize) {
        self.steps += steps;
        if self.steps >= Self::MAX_STEPS {
            self.steps = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// Returns a bucket's files, in the order of their rows.
pub(super) fn files_in_bucket(table: &Table, bucket: u32) -> Vec<&LiveFile> {
    let name = bucket.to_string();
    let own = |file: &&LiveFile| {
        file.partitions.get(BUCKET).cloned().flatten().as_deref() == Some(name.as_str())
    };
    let mut files: Vec<&LiveFile> = table.files.values().filter(own).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The lake's tables, for an engine that reads them.
#[derive(Clone, Debug)]
pub struct LakeTables {
    root: Arc<dyn ObjectStore>,
    /// The inbox, if the caller reads it.
    inbox: Option<InboxRoot>,
}

/// Location of a table's files for an engine.
#[derive(Clone, Debug)]
pub struct TableLocation {
    /// Store that serves every read.
    pub store: Arc<dyn ObjectStore>,
    /// The engine's name for the store.
    pub url: Url,
    /// Folder of the table in the store; empty if the store is rooted at the table.
    pub folder: &'static str,
}

impl LakeTables {
    pub(crate) fn new(root: Arc<dyn ObjectStore>) -> Self {
        Self { root, inbox: None }
    }

    /// Returns the tables for a caller that reads the inbox, which may be elsewhere. An unreadable
    /// inbox is then an error and is not left out.
    pub fn with_inbox(self, inbox: InboxRoot) -> Self {
        Self { inbox: Some(inbox), ..self }
    }

    /// Returns the name of every possible table.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::own().chain([inbox::NAME])
    }

    /// Returns the tables that only Lakeplan writes: the folded ones, the journal and the appended
    /// ones.
    pub fn own() -> impl Iterator<Item = &'static str> {
        Self::folded().chain(["journal"]).chain(APPENDED.iter().map(|table| table.name))
    }

    /// Returns the tables that are folded from the journal.
    pub fn folded() -> impl Iterator<Item = &'static str> {
        FoldedTable::all().map(FoldedTable::name)
    }

    /// Returns the live files of a table at its newest version; `None` if the table does not exist
    /// yet.
    pub async fn files(&self, name: &str) -> Result<Option<Vec<LiveFile>>, StoreError> {
        let log = self.log(name);
        let known = |table: Option<Table>| match (&table, log.belief()) {
            // With unknown features, the files alone do not define the table's content.
            (Some(found), Trust::All) => found.others.may_write().map(|()| table),
            _ => Ok(table),
        };
        match log.load().await.and_then(known) {
            // The inbox's writers may use unsupported Delta features; the other tables are still
            // readable.
            Err(err) if name == inbox::NAME && self.inbox.is_none() => {
                tracing::warn!(%err, "the table inbox cannot be read");
                Ok(None)
            }
            table => Ok(table?.map(|table| table.files.into_values().collect())),
        }
    }

    /// Opens the current inbox.
    pub async fn open_inbox(&self) -> Result<Arc<Inbox>, StoreError> {
        match (Inbox::open(self.log(inbox::NAME)).await?, self.elsewhere(inbox::NAME)) {
            (Some(inbox), _) => Ok(Arc::new(inbox)),
            (None, None) => Err(StoreError::damaged(
                inbox::NAME,
                "there is no such table; run lakeplan maintain to create it",
            )),
            (None, Some(inbox)) => Err(StoreError::damaged(
                inbox::NAME,
                format!("there is no Delta table at {}", inbox.url),
            )),
        }
    }

    /// Returns the inbox with the files of a known version.
    pub fn inbox_of(&self, files: Vec<LiveFile>) -> Arc<Inbox> {
        Arc::new(Inbox::of(self.log(inbox::NAME), files))
    }

    /// Passes each value of a text column of an appended table to `take`.
    pub async fn texts(
        &self,
        table: &EventTable,
        column: &str,
        take: impl FnMut(&str),
    ) -> Result<(), StoreError> {
        table.texts(&self.root, column, take).await
    }

    /// Passes each answered request to `take`.
    pub async fn answered(&self, take: impl FnMut(&str)) -> Result<(), StoreError> {
        INBOX_RESULTS.texts(&self.root, "request_id", take).await
    }

    /// Passes the answered requests in answer files that are not in `seen` to `take`, and adds
    /// these files to `seen`.
    pub async fn answered_since(
        &self,
        seen: &mut BTreeSet<String>,
        take: impl FnMut(&str),
    ) -> Result<(), StoreError> {
        INBOX_RESULTS.texts_since(&self.root, "request_id", seen, take).await
    }

    /// Returns the location of a table's files. A session keeps one store per host, so each store
    /// has its own host.
    pub fn place(&self, name: &'static str) -> Result<TableLocation, StoreError> {
        let root = root_url()?;
        Ok(match self.elsewhere(name) {
            None => TableLocation { store: Arc::clone(&self.root), url: root, folder: name },
            Some(inbox) => {
                let url = Url::parse(&format!("{}://{name}/", root.scheme()));
                let url = url.map_err(|err| StoreError::storage("naming", name, err))?;
                TableLocation { store: Arc::clone(&inbox.store), url, folder: "" }
            }
        })
    }

    fn log(&self, name: &str) -> TableLog {
        match self.elsewhere(name) {
            None => TableLog::new(Arc::clone(&self.root), name),
            Some(inbox) => TableLog::rooted(Arc::clone(&inbox.store), name),
        }
    }

    /// Returns the location of a table that is not below the lake's root.
    fn elsewhere(&self, name: &str) -> Option<&InboxRoot> {
        self.inbox.as_ref().filter(|inbox| name == inbox::NAME && !inbox.is_below_root)
    }
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

/// A table in the data dictionary: its name, its description, its columns.
pub struct Entry {
    pub name: &'static str,
    pub doc: &'static str,
    pub columns: Vec<definition::Column>,
    /// Partition columns, which are not stored in the files.
    pub partitions: &'static [&'static str],
    pub earlier: HistorySource,
}

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
    let journal = Entry { name: "journal", doc: schema::DOC, columns, partitions, earlier };
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
