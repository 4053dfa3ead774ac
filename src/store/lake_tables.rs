//! The tables of a lake as an engine reads them.

use std::collections::BTreeSet;
use std::sync::Arc;

use object_store::ObjectStore;
use url::Url;

use super::delta_log::table::{LiveFile, Table};
use super::delta_log::table_log::{TableLog, Trust, root_url};
use super::error::StoreError;
use super::event_tables::{APPENDED, EventTable, INBOX_RESULTS};
use super::inbox::{self, Inbox};
use super::location::catalog::InboxRoot;
use super::names::JOURNAL;
use super::tables::FoldedTable;

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
        Self::folded().chain([JOURNAL]).chain(APPENDED.iter().map(|table| table.name))
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
            (None, None) => Err(StoreError::NoInbox),
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

    pub(super) fn log(&self, name: &str) -> TableLog {
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
