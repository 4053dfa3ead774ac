//! The session: every table of the lake at its newest version, and the views over them.

use std::sync::Arc;

use deltalake::arrow::array::RecordBatch;
use deltalake::datafusion::error::DataFusionError;
use deltalake::datafusion::execution::context::SQLOptions;
use deltalake::datafusion::prelude::{SessionConfig, SessionContext};

use super::AnalyticsError;
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
        let config = SessionConfig::new().with_information_schema(true);
        let context = SessionContext::new_with_config(config);
        let (url, store) = tables.object_store()?;
        // Registered before any scan: DataFusion would otherwise take a store of its own for the URL.
        context.runtime_env().register_object_store(&url, store);
        for entry in dictionary() {
            if let Some(files) = tables.files(entry.name).await? {
                let table = LakeTable::new(&url, &entry, &files).map_err(sql)?;
                context.register_table(entry.name, Arc::new(table)).map_err(sql)?;
            }
        }
        let clock = format!(
            "CREATE VIEW clock AS SELECT CAST('{}' AS DATE) AS today, arrow_cast('{}', 'Timestamp(Microsecond, Some(\"UTC\"))') AS now",
            now.date_naive(),
            rfc3339(now),
        );
        context.sql(&clock).await.map_err(sql)?;
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
        let frame = self.context.sql_with_options(text, only_reading).await.map_err(sql)?;
        let schema = frame.schema().inner().clone();
        let mut batches = frame.collect().await.map_err(sql)?;
        if batches.is_empty() {
            batches.push(RecordBatch::new_empty(schema));
        }
        Ok(batches)
    }
}

fn sql(fault: DataFusionError) -> AnalyticsError {
    let text = fault.strip_backtrace();
    // The options refuse by kind: "DML not supported: Delete".
    let refused = ["DDL not supported", "DML not supported", "Statement not supported"].iter().any(|kind| text.contains(kind));
    if refused {
        let what = text.rsplit(": ").next().unwrap_or_default();
        return AnalyticsError::Sql(format!(
            "a query only reads, and this would do more ({what}); changes go through lakeplan task, plan or apply"
        ));
    }
    let prefixes = ["Error during planning: ", "Schema error: ", "SQL error: ", "This feature is not implemented: "];
    let text = prefixes.iter().fold(text.as_str(), |text, prefix| text.strip_prefix(prefix).unwrap_or(text));
    AnalyticsError::Sql(text.to_owned())
}
