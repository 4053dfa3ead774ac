//! The session: the tables of the lake that are asked for, as they are or as they stood, and the views over them.

use std::collections::BTreeSet;
use std::sync::Arc;

use deltalake::arrow::array::RecordBatch;
use deltalake::datafusion::datasource::TableProvider;
use deltalake::datafusion::error::DataFusionError;
use deltalake::datafusion::execution::context::SQLOptions;
use deltalake::datafusion::prelude::{SessionConfig, SessionContext};
use futures::future::try_join_all;
use tokio::sync::Mutex;

use super::AnalyticsError;
use super::earlier::Then;
use super::fault;
use super::inbox::InboxTable;
use super::reads::{CLOCK, Reads};
use super::table::LakeTable;
use super::views::{VIEWS, View};
use crate::domain::time::{Instant, rfc3339};
use crate::store::decode::guarded_engine;
use crate::store::tables::{Entry, dictionary};
use crate::store::{INBOX, LakeTables, LiveFile, StoreError};

/// A read-only SQL session over a lake. A table is opened by the first query that reads it, and is the same for all after.
pub struct Session {
    context: SessionContext,
    tables: LakeTables,
    then: Option<Then>,
    /// The tables and views that have been come to, whether they are there or not.
    opened: Mutex<BTreeSet<&'static str>>,
}

impl Session {
    /// Over the tables as they are. `now` is what the view `clock` says.
    pub async fn open(tables: &LakeTables, now: Instant) -> Result<Self, AnalyticsError> {
        Self::open_at(tables, now, None).await
    }

    /// Over the tables as they stood. The moment they are asked of is what the view `clock` says.
    pub async fn open_then(tables: &LakeTables, then: Then) -> Result<Self, AnalyticsError> {
        Self::open_at(tables, then.at, Some(then)).await
    }

    async fn open_at(tables: &LakeTables, now: Instant, then: Option<Then>) -> Result<Self, AnalyticsError> {
        let context = SessionContext::new_with_config(SessionConfig::new().with_information_schema(true));
        let clock = format!(
            "CREATE VIEW {CLOCK} AS SELECT CAST('{}' AS DATE) AS today, arrow_cast('{}', 'Timestamp(Microsecond, Some(\"UTC\"))') AS now",
            now.date_naive(),
            rfc3339(now),
        );
        context.sql(&clock).await.map_err(opening)?;
        Ok(Self { context, tables: tables.clone(), then, opened: Mutex::default() })
    }

    /// Opens what these queries read and none before them has, all at once, so that they are answered from one moment.
    pub(super) async fn bring(&self, queries: &[&str]) -> Result<(), AnalyticsError> {
        let reads: Vec<Reads> = queries.iter().map(|sql| Reads::of(sql)).collect();
        let mut opened = self.opened.lock().await;
        let is_new = |name: &'static str| !opened.contains(name) && reads.iter().any(|reads| reads.may_need(name));
        let is_named = |name: &str| reads.iter().any(|reads| reads.names(name));
        let entries: Vec<Entry> = dictionary().into_iter().filter(|entry| is_new(entry.name)).collect();
        let views: Vec<&View> = VIEWS.iter().filter(|view| is_new(view.name)).collect();
        // All at once: each is some answers of a storage that may be far away.
        let found = try_join_all(entries.iter().map(|entry| self.files(entry.name, is_named(entry.name)))).await?;
        let mut come_to = Vec::new();
        for (entry, files) in entries.into_iter().zip(found) {
            // One that was left out is looked at again by a query that names it.
            if files.is_some() || is_named(entry.name) {
                come_to.push(entry.name);
            }
            self.register(&entry, files)?;
        }
        for view in views {
            // Before the first change there are no tables to look at.
            let made = self.context.sql(&format!("CREATE OR REPLACE VIEW {} AS {}", view.name, view.sql)).await;
            if let Err(fault) = made {
                tracing::debug!(view = view.name, %fault, "the view is not there yet");
            }
            come_to.push(view.name);
        }
        opened.extend(come_to);
        Ok(())
    }

    /// The files of a table. One that no query names and that may not be read is left out.
    async fn files(&self, name: &'static str, is_named: bool) -> Result<Option<Vec<LiveFile>>, StoreError> {
        match self.tables.files(name).await {
            Err(StoreError::Catalog(fault)) if !is_named && fault.is_of_rights() => {
                tracing::warn!(table = name, %fault, "the table is left out");
                Ok(None)
            }
            found => found,
        }
    }

    fn register(&self, entry: &Entry, files: Option<Vec<LiveFile>>) -> Result<(), AnalyticsError> {
        let place = self.tables.place(entry.name)?;
        // Registered before any scan: DataFusion would otherwise take a store of its own for the URL.
        self.context.runtime_env().register_object_store(&place.url, Arc::clone(&place.store));
        let open = |files: Vec<LiveFile>| -> Result<Arc<dyn TableProvider>, DataFusionError> {
            if entry.name == INBOX {
                return Ok(Arc::new(InboxTable::new(self.tables.inbox_of(files), entry)));
            }
            Ok(Arc::new(LakeTable::new(&place, entry, &files)?))
        };
        let table = files.map(open).transpose().map_err(opening)?;
        let table = match &self.then {
            Some(then) => then.table(&self.context, entry, table).map_err(opening)?,
            None => table,
        };
        if let Some(table) = table {
            // One that a query brought that was given up before it was done.
            self.context.deregister_table(entry.name).map_err(opening)?;
            self.context.register_table(entry.name, table).map_err(opening)?;
        }
        Ok(())
    }

    /// Runs one SELECT. Anything that writes, sets or creates is refused.
    pub async fn query(&self, text: &str) -> Result<Vec<RecordBatch>, AnalyticsError> {
        self.bring(&[text]).await?;
        let only_reading = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        let frame = self.context.sql_with_options(text, only_reading).await.map_err(|fault| self.told(fault))?;
        let schema = frame.schema().inner().clone();
        let mut batches = guarded_engine(frame.collect()).await?.map_err(|fault| self.told(fault))?;
        if batches.is_empty() {
            batches.push(RecordBatch::new_empty(schema));
        }
        Ok(batches)
    }

    fn told(&self, fault: DataFusionError) -> AnalyticsError {
        let schemas = self.context.catalog_names().into_iter().filter_map(|name| self.context.catalog(&name)?.schema("public"));
        let tables: Vec<String> = schemas.flat_map(|schema| schema.table_names()).collect();
        fault::told(fault, &tables)
    }
}

fn opening(fault: DataFusionError) -> AnalyticsError {
    fault::told(fault, &[])
}
