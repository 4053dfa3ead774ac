//! The session: every table of the lake, as it is or as it stood, and the views over them.

use std::sync::Arc;

use deltalake::arrow::array::RecordBatch;
use deltalake::datafusion::datasource::TableProvider;
use deltalake::datafusion::error::DataFusionError;
use deltalake::datafusion::execution::context::SQLOptions;
use deltalake::datafusion::prelude::{SessionConfig, SessionContext};
use futures::future::try_join_all;

use super::AnalyticsError;
use super::earlier::Then;
use super::fault;
use super::table::LakeTable;
use super::views::VIEWS;
use crate::domain::time::{Instant, rfc3339};
use crate::store::LakeTables;
use crate::store::tables::dictionary;

/// A read-only SQL session over a lake.
pub struct Session {
    context: SessionContext,
}

impl Session {
    /// Opens the tables as they are now. `now` is what the view `clock` says.
    pub async fn open(tables: &LakeTables, now: Instant) -> Result<Self, AnalyticsError> {
        Self::open_at(tables, now, None).await
    }

    /// Opens the tables as they stood. The moment they are asked of is what the view `clock` says.
    pub async fn open_then(tables: &LakeTables, then: Then<'_>) -> Result<Self, AnalyticsError> {
        Self::open_at(tables, then.at, Some(then)).await
    }

    async fn open_at(tables: &LakeTables, now: Instant, then: Option<Then<'_>>) -> Result<Self, AnalyticsError> {
        let config = SessionConfig::new().with_information_schema(true);
        let context = SessionContext::new_with_config(config);
        let dictionary = dictionary();
        // All at once: each is some answers of a storage that may be far away.
        let found = try_join_all(dictionary.iter().map(|entry| tables.files(entry.name))).await?;
        for (entry, files) in dictionary.into_iter().zip(found) {
            let place = tables.place(entry.name)?;
            // Registered before any scan: DataFusion would otherwise take a store of its own for the URL.
            context.runtime_env().register_object_store(&place.url, Arc::clone(&place.store));
            let table = files.map(|files| LakeTable::new(&place, &entry, &files)).transpose().map_err(opening)?;
            let table = match then {
                Some(then) => then.table(&context, &entry, table).map_err(opening)?,
                None => table.map(|table| Arc::new(table) as Arc<dyn TableProvider>),
            };
            if let Some(table) = table {
                context.register_table(entry.name, table).map_err(opening)?;
            }
        }
        let clock = format!(
            "CREATE VIEW clock AS SELECT CAST('{}' AS DATE) AS today, arrow_cast('{}', 'Timestamp(Microsecond, Some(\"UTC\"))') AS now",
            now.date_naive(),
            rfc3339(now),
        );
        context.sql(&clock).await.map_err(opening)?;
        for view in VIEWS {
            // Before the first change there are no tables to look at.
            let made = context.sql(&format!("CREATE VIEW {} AS {}", view.name, view.sql)).await;
            if let Err(fault) = made {
                tracing::debug!(view = view.name, %fault, "the view is not there yet");
            }
        }
        Ok(Self { context })
    }

    /// Runs one SELECT. Anything that writes, sets or creates is refused.
    pub async fn query(&self, text: &str) -> Result<Vec<RecordBatch>, AnalyticsError> {
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
