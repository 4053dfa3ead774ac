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
use super::reads::{CLOCK, Reads};
use super::table::LakeTable;
use super::views::VIEWS;
use crate::domain::time::{Instant, rfc3339};
use crate::store::LakeTables;
use crate::store::tables::{Entry, dictionary};

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

    /// Opens what a query reads and none before it has read.
    async fn bring(&self, sql: &str) -> Result<(), AnalyticsError> {
        let reads = Reads::of(sql);
        let mut opened = self.opened.lock().await;
        let is_new = |name: &&'static str| reads.needs(name) && !opened.contains(name);
        let (tables, views): (BTreeSet<_>, Vec<_>) =
            (LakeTables::names().filter(is_new).collect(), VIEWS.iter().filter(|view| is_new(&view.name)).collect());
        if !tables.is_empty() {
            self.open_tables(&tables).await?;
        }
        for view in &views {
            // Before the first change there are no tables to look at.
            let made = self.context.sql(&format!("CREATE VIEW {} AS {}", view.name, view.sql)).await;
            if let Err(fault) = made {
                tracing::debug!(view = view.name, %fault, "the view is not there yet");
            }
        }
        opened.extend(tables.into_iter().chain(views.iter().map(|view| view.name)));
        Ok(())
    }

    async fn open_tables(&self, names: &BTreeSet<&'static str>) -> Result<(), AnalyticsError> {
        let entries: Vec<Entry> = dictionary().into_iter().filter(|entry| names.contains(entry.name)).collect();
        // All at once: each is some answers of a storage that may be far away.
        let found = try_join_all(entries.iter().map(|entry| self.tables.files(entry.name))).await?;
        for (entry, files) in entries.into_iter().zip(found) {
            let place = self.tables.place(entry.name)?;
            // Registered before any scan: DataFusion would otherwise take a store of its own for the URL.
            self.context.runtime_env().register_object_store(&place.url, Arc::clone(&place.store));
            let table = files.map(|files| LakeTable::new(&place, &entry, &files)).transpose().map_err(opening)?;
            let table = match &self.then {
                Some(then) => then.table(&self.context, &entry, table).map_err(opening)?,
                None => table.map(|table| Arc::new(table) as Arc<dyn TableProvider>),
            };
            if let Some(table) = table {
                self.context.register_table(entry.name, table).map_err(opening)?;
            }
        }
        Ok(())
    }

    /// Runs one SELECT. Anything that writes, sets or creates is refused.
    pub async fn query(&self, text: &str) -> Result<Vec<RecordBatch>, AnalyticsError> {
        self.bring(text).await?;
        let only_reading = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        let frame = self.context.sql_with_options(text, only_reading).await.map_err(|fault| self.told(fault))?;
        let schema = frame.schema().inner().clone();
        let mut batches = frame.collect().await.map_err(|fault| self.told(fault))?;
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
