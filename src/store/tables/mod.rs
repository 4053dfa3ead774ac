//! The current tables: what users query, folded from the journal.
//!
//! A table holds the records of one entity, one sorted file (or a few) per bucket of projects. Its columns follow from
//! the record's declaration, so there is nothing to keep in step by hand.

pub mod anew;
mod changed;
pub mod columns;
pub mod definition;
pub mod field_changes;
pub mod fold;
pub mod folded;
pub mod join;
mod output;
pub mod read;
mod rewrite;
mod source;
pub mod tally;
mod whole;

use std::collections::BTreeSet;
use std::sync::Arc;

use object_store::ObjectStore;
use url::Url;

pub use folded::FoldedTable;

use super::appended::{APPENDED, Appended, DATE, INBOX_RESULTS};
use super::catalog::InboxRoot;
use super::error::StoreError;
use super::inbox::{self, Inbox};
use super::journal::schema;
use super::scope::in_every_scope;
use super::table_log::{Belief, LiveFile, Table, TableLog, root_url};
use crate::domain::id::{EntityId, ProjectId};
use crate::domain::record::Entity;

/// A current table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrentTable {
    pub name: &'static str,
    pub entity: Entity,
    pub doc: &'static str,
}

/// Every current table. A new entity gets its line here.
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

/// The partition column of every current table.
pub const BUCKET: &str = "bucket";
/// How many buckets projects are spread over.
pub const BUCKETS: u64 = 64;

/// The application id whose transaction version is the seq a table is folded to.
pub const TXN: &str = "lakeplan";

/// The bucket of an entity's rows of a project. What belongs to every scope is always read whole, so it is in bucket 0.
pub fn bucket(entity: Entity, project: Option<ProjectId>) -> u32 {
    let Some(id) = project.filter(|_| !in_every_scope(entity)).map(EntityId::uuid) else {
        return 0;
    };
    // The last bytes are the random ones of every kind of id there is.
    let (_, low) = id.as_u64_pair();
    (low % BUCKETS) as u32
}

/// The pace of a long computation: others on its thread go on in between, so that in a process that lives long those who
/// commit wait for no fold.
#[derive(Default)]
pub(super) struct Pace {
    steps: usize,
}

impl Pace {
    const MOST: usize = 100;

    /// Notes so many steps, such as rows parsed.
    pub async fn step(&mut self, steps: usize) {
        self.steps += steps;
        if self.steps >= Self::MOST {
            self.steps = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// A bucket's files, in the order of their rows.
pub(super) fn in_bucket(table: &Table, bucket: u32) -> Vec<&LiveFile> {
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
    /// The inbox, where who asks reads it.
    inbox: Option<InboxRoot>,
}

/// Where an engine finds the files of a table.
#[derive(Clone, Debug)]
pub struct TablePlace {
    /// The store that every read goes through,
    pub store: Arc<dyn ObjectStore>,
    /// the name that the engine has for it,
    pub url: Url,
    /// and the table's folder in it; empty where the store is rooted at the table.
    pub folder: &'static str,
}

impl LakeTables {
    pub(crate) fn new(root: Arc<dyn ObjectStore>) -> Self {
        Self { root, inbox: None }
    }

    /// The same for who reads the inbox, which may lie elsewhere. One that cannot be read is then a fault, not left out.
    pub fn with_inbox(self, inbox: InboxRoot) -> Self {
        Self { inbox: Some(inbox), ..self }
    }

    /// Every table there can be.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::own().chain([inbox::NAME])
    }

    /// Those that only Lakeplan writes: the folded ones, the journal and the appended ones.
    pub fn own() -> impl Iterator<Item = &'static str> {
        Self::folded().chain(["journal"]).chain(APPENDED.iter().map(|table| table.name))
    }

    /// Those that are folded from the journal.
    pub fn folded() -> impl Iterator<Item = &'static str> {
        FoldedTable::all().map(FoldedTable::name)
    }

    /// The live files of a table at its newest version; `None` where it does not exist yet.
    pub async fn files(&self, name: &str) -> Result<Option<Vec<LiveFile>>, StoreError> {
        let log = self.log(name);
        let known = |table: Option<Table>| match (&table, log.belief()) {
            // Its files alone do not say what it holds.
            (Some(found), Belief::All) => found.others.may_write().map(|()| table),
            _ => Ok(table),
        };
        match log.load().await.and_then(known) {
            // Its writers may use features of Delta that are not known here; the other tables can be read all the same.
            Err(fault) if name == inbox::NAME && self.inbox.is_none() => {
                tracing::warn!(%fault, "the table inbox cannot be read");
                Ok(None)
            }
            table => Ok(table?.map(|table| table.files.into_values().collect())),
        }
    }

    /// The inbox as it is now.
    pub async fn open_inbox(&self) -> Result<Arc<Inbox>, StoreError> {
        match (Inbox::open(self.log(inbox::NAME)).await?, self.elsewhere(inbox::NAME)) {
            (Some(inbox), _) => Ok(Arc::new(inbox)),
            (None, None) => Err(StoreError::damaged(
                inbox::NAME,
                "there is no such table; lakeplan maintain makes it",
            )),
            (None, Some(inbox)) => Err(StoreError::damaged(
                inbox::NAME,
                format!("there is no Delta table at {}", inbox.url),
            )),
        }
    }

    /// The inbox with the files of a version that is known already.
    pub fn inbox_of(&self, files: Vec<LiveFile>) -> Arc<Inbox> {
        Arc::new(Inbox::of(self.log(inbox::NAME), files))
    }

    /// The values of a text column of an appended table, each handed to `take`.
    pub async fn texts(
        &self,
        table: &Appended,
        column: &str,
        take: impl FnMut(&str),
    ) -> Result<(), StoreError> {
        table.texts(&self.root, column, take).await
    }

    /// The requests that have an answer, each handed to `take`.
    pub async fn answered(&self, take: impl FnMut(&str)) -> Result<(), StoreError> {
        INBOX_RESULTS.texts(&self.root, "request_id", take).await
    }

    /// Those among them in files of answers that were not seen before, which are seen then.
    pub async fn answered_since(
        &self,
        seen: &mut BTreeSet<String>,
        take: impl FnMut(&str),
    ) -> Result<(), StoreError> {
        INBOX_RESULTS.texts_since(&self.root, "request_id", seen, take).await
    }

    /// Where the files of a table are. A session keeps one store a host, so each store has a host of its own.
    pub fn place(&self, name: &'static str) -> Result<TablePlace, StoreError> {
        let root = root_url()?;
        Ok(match self.elsewhere(name) {
            None => TablePlace { store: Arc::clone(&self.root), url: root, folder: name },
            Some(inbox) => {
                let url = Url::parse(&format!("{}://{name}/", root.scheme()));
                let url = url.map_err(|fault| StoreError::storage("naming", name, fault))?;
                TablePlace { store: Arc::clone(&inbox.store), url, folder: "" }
            }
        })
    }

    fn log(&self, name: &str) -> TableLog {
        match self.elsewhere(name) {
            None => TableLog::new(Arc::clone(&self.root), name),
            Some(inbox) => TableLog::rooted(Arc::clone(&inbox.store), name),
        }
    }

    /// The place of a table that is not below the lake's root.
    fn elsewhere(&self, name: &str) -> Option<&InboxRoot> {
        self.inbox.as_ref().filter(|inbox| name == inbox::NAME && !inbox.is_below_root)
    }
}

/// How it is known what a table held at an earlier position of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// It holds an entity's records as they are; earlier ones follow from the journal.
    Records(Entity),
    /// It only grows; this column is the seq a row came with,
    Seq(&'static str),
    /// or the time.
    Time(&'static str),
}

/// A table for the data dictionary: its name, what it is, its columns.
pub struct Entry {
    pub name: &'static str,
    pub doc: &'static str,
    pub columns: Vec<definition::Column>,
    /// The columns that its folders hold and its files do not.
    pub partitions: &'static [&'static str],
    pub earlier: Earlier,
}

/// Every table there is, as its columns and their documentation.
pub fn dictionary() -> Vec<Entry> {
    let current = TABLES.iter().map(|table| Entry {
        name: table.name,
        doc: table.doc,
        columns: definition::columns(table.entity),
        partitions: &[BUCKET],
        earlier: Earlier::Records(table.entity),
    });
    let (name, doc) = (field_changes::NAME, field_changes::DOC);
    let (columns, earlier) = (field_changes::columns(), Earlier::Seq("seq"));
    let changes = Entry { name, doc, columns, partitions: &[BUCKET], earlier };
    let (columns, partitions) = (schema::columns(), &schema::PARTITIONS);
    let journal = Entry { name: "journal", doc: schema::DOC, columns, partitions, earlier };
    let appended = APPENDED.iter().map(|table| Entry {
        name: table.name,
        doc: table.doc,
        columns: table.columns(),
        partitions: &[DATE],
        earlier: Earlier::Time(table.at),
    });
    let (columns, earlier) = (inbox::columns(), Earlier::Time("at"));
    let inbox = Entry { name: inbox::NAME, doc: inbox::DOC, columns, partitions: &[], earlier };
    current.chain([changes, journal]).chain(appended).chain([inbox]).collect()
}
