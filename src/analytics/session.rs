//! Session over the requested tables of the lake, current or as of an earlier point, and their
//! views.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use deltalake::arrow::array::RecordBatch;
use deltalake::datafusion::common::utils::memory::RecordBatchMemoryCounter;
use deltalake::datafusion::datasource::TableProvider;
use deltalake::datafusion::error::DataFusionError;
use deltalake::datafusion::execution::SendableRecordBatchStream;
use deltalake::datafusion::execution::context::SQLOptions;
use deltalake::datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use deltalake::datafusion::execution::memory_pool::{FairSpillPool, MemoryConsumer};
use deltalake::datafusion::execution::runtime_env::RuntimeEnvBuilder;
use deltalake::datafusion::logical_expr::registry::FunctionRegistry;
use deltalake::datafusion::physical_plan::execute_stream;
use deltalake::datafusion::prelude::{SessionConfig, SessionContext};
use deltalake::datafusion::sql::parser::Statement;
use futures::future::try_join_all;
use futures::{FutureExt, TryStreamExt};
use tempfile::TempDir;
use tokio::sync::{Mutex, mpsc};

use super::answer::Answer;
use super::bounded::Bounds;
use super::deep::{Engine, panic_error};
use super::inbox::InboxTable;
use super::referenced_tables::{CLOCK, ReferencedTables};
use super::repeated::{SMALL_BATCH_ROWS, TooWide, widens, with_width_checks};
use super::select::LakeSelect;
use super::table::LakeTable;
use super::time_travel::AsOfSnapshot;
use super::times::Times;
use super::views::{VIEWS, View};
use super::wide::bytes_in;
use super::{AnalyticsError, engine_error};
use crate::domain::time::{Instant, rfc3339};
use crate::store::dictionary::{Entry, dictionary};
use crate::store::{INBOX, LakeTables, LiveFile, StoreError};

/// Default memory limit of a query, in bytes.
pub const MEMORY: u64 = 1 << 30;
/// Maximum size of a query's spill files, as a multiple of its memory limit.
const SPILL: u64 = 16;

/// Read-only SQL session over a lake. The first query that reads a table opens it, and later
/// queries see the same version.
pub struct Session {
    inside: Arc<Inside>,
    engine: Engine,
    /// Directory for spill files; removed with the session.
    _spill: TempDir,
}

struct Inside {
    context: SessionContext,
    tables: LakeTables,
    then: Option<AsOfSnapshot>,
    memory: u64,
    /// Tables and views that were looked up, whether they exist or not.
    opened: Mutex<BTreeSet<&'static str>>,
}

impl Session {
    /// Opens the current tables. The view `clock` shows `now`.
    pub async fn open(tables: &LakeTables, now: Instant) -> Result<Self, AnalyticsError> {
        Self::open_at(tables, now, None, MEMORY).await
    }

    /// Opens the tables as of an earlier point. The view `clock` shows the requested time.
    pub async fn open_as_of(
        tables: &LakeTables,
        then: AsOfSnapshot,
    ) -> Result<Self, AnalyticsError> {
        Self::open_at(tables, then.at, Some(then), MEMORY).await
    }

    /// Opens the tables, current or as of an earlier point, with a memory limit in bytes.
    pub async fn open_at(
        tables: &LakeTables,
        now: Instant,
        then: Option<AsOfSnapshot>,
        memory: u64,
    ) -> Result<Self, AnalyticsError> {
        let engine = Engine::start()?;
        let spill = tempfile::Builder::new().prefix("lakeplan-query-").tempdir();
        let spill = spill.map_err(|err| AnalyticsError::Reading(err.into()))?;
        let disk = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::Directories(vec![spill.path().to_owned()]))
            .with_max_temp_directory_size(memory.saturating_mul(SPILL));
        let pool = FairSpillPool::new(usize::try_from(memory).unwrap_or(usize::MAX));
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .with_disk_manager_builder(disk)
            .build_arc();
        let config = SessionConfig::new().with_information_schema(true);
        let mut context = SessionContext::new_with_config_rt(config, runtime.map_err(opening)?);
        context.register_function_rewrite(Arc::new(Bounds)).map_err(opening)?;
        context.register_function_rewrite(Arc::new(Times)).map_err(opening)?;
        let clock = format!(
            "CREATE VIEW {CLOCK} AS SELECT CAST('{}' AS DATE) AS today, arrow_cast('{}', 'Timestamp(Microsecond, Some(\"UTC\"))') AS now",
            now.date_naive(),
            rfc3339(now),
        );
        let inside = Arc::new(Inside {
            context,
            tables: tables.clone(),
            then,
            memory,
            opened: Mutex::default(),
        });
        let made = Arc::clone(&inside);
        engine
            .run(async move { made.context.sql(&clock).await.map(drop).map_err(opening) })
            .await?;
        Ok(Self { inside, engine, _spill: spill })
    }

    /// Opens the tables that these queries read and that are not open yet, all at once, so that
    /// they show one snapshot.
    pub(super) async fn register_tables(&self, queries: &[&str]) -> Result<(), AnalyticsError> {
        let (inside, reads) = (
            Arc::clone(&self.inside),
            queries.iter().map(|sql| ReferencedTables::of(sql)).collect(),
        );
        self.engine.run(async move { inside.register_tables(reads).await }).await
    }

    /// Runs one SELECT and collects its rows. Rejects anything that writes, sets or creates.
    pub async fn query(&self, text: &str) -> Result<Vec<RecordBatch>, AnalyticsError> {
        self.gather(&LakeSelect::parse(text)?, 0).await
    }

    /// Runs a SELECT and collects its rows. The caller turns them into text of up to `as_text`
    /// times their size.
    pub async fn gather(
        &self,
        select: &LakeSelect,
        as_text: usize,
    ) -> Result<Vec<RecordBatch>, AnalyticsError> {
        let mut answer = self.stream(select).await?;
        let held =
            MemoryConsumer::new("answer").register(&self.inside.context.runtime_env().memory_pool);
        // Batches share buffers, such as the dictionary of a Parquet column; their text does not.
        let mut buffers = RecordBatchMemoryCounter::new();
        let mut batches = Vec::new();
        while let Some(batch) = answer.next().await? {
            let text = bytes_in(&batch).saturating_mul(as_text);
            held.try_grow(buffers.count_batch(&batch).saturating_add(text))
                .map_err(|err| self.inside.rendered(err))?;
            batches.push(batch);
        }
        if batches.is_empty() {
            batches.push(RecordBatch::new_empty(Arc::clone(&answer.schema)));
        }
        Ok(batches)
    }

    /// Runs a SELECT and streams its rows.
    pub async fn stream(&self, select: &LakeSelect) -> Result<Answer, AnalyticsError> {
        let (inside, statement, reads) =
            (Arc::clone(&self.inside), select.statement(), select.reads().clone());
        let begun = self.engine.run(async move {
            inside.register_tables(vec![reads]).await?;
            inside.begin(&statement, None).await.map_err(|err| inside.rendered(err))
        });
        let mut rows = match begun.await {
            Ok(rows) => rows,
            Err(err) => {
                let (inside, reads) = (Arc::clone(&self.inside), select.reads().clone());
                return self
                    .engine
                    .run(async move { Err(inside.name_broken_table(err, &reads).await) })
                    .await;
            }
        };
        let schema = rows.schema();
        let (sender, batches) = mpsc::channel(2);
        let (inside, statement, reads) =
            (Arc::clone(&self.inside), select.statement(), select.reads().clone());
        let task = self.engine.spawn(async move {
            // The query may restart until it has returned rows.
            let mut may_begin_again = true;
            loop {
                let next = AssertUnwindSafe(rows.try_next()).catch_unwind().await;
                let err = match next {
                    Ok(Ok(Some(batch))) => match sender.send(Ok(batch)).await {
                        Ok(()) => {
                            may_begin_again = false;
                            continue;
                        }
                        Err(_) => return,
                    },
                    Ok(Ok(None)) => return,
                    Ok(Err(err)) if may_begin_again && TooWide::fits_small_batches(&err) => {
                        may_begin_again = false;
                        drop(rows);
                        match inside.begin(&statement, Some(SMALL_BATCH_ROWS)).await {
                            Ok(again) => {
                                rows = again;
                                continue;
                            }
                            Err(err) => {
                                let _ = sender.send(Err(inside.rendered(err))).await;
                                return;
                            }
                        }
                    }
                    Ok(Err(err)) => inside.rendered(err),
                    Err(panic) => panic_error(panic.as_ref()),
                };
                // Stop the rest of the query first.
                drop(rows);
                let _ = sender.send(Err(inside.name_broken_table(err, &reads).await)).await;
                return;
            }
        });
        Ok(Answer { schema, batches, task })
    }
}

impl Inside {
    /// Opens the tables that these queries read and that are not open yet, all at once, so that
    /// they show one snapshot.
    async fn register_tables(&self, reads: Vec<ReferencedTables>) -> Result<(), AnalyticsError> {
        let mut opened = self.opened.lock().await;
        let is_new = |name: &'static str| {
            !opened.contains(name) && reads.iter().any(|reads| reads.may_need(name))
        };
        let is_named = |name: &str| reads.iter().any(|reads| reads.names(name));
        let entries: Vec<Entry> =
            dictionary().into_iter().filter(|entry| is_new(entry.name)).collect();
        let views: Vec<&View> = VIEWS.iter().filter(|view| is_new(view.name)).collect();
        // All at once: each takes several requests to a storage that may be far away.
        let found =
            try_join_all(entries.iter().map(|entry| self.files(entry.name, is_named(entry.name))))
                .await?;
        let mut come_to = Vec::new();
        for (entry, files) in entries.into_iter().zip(found) {
            // If a table was left out, a query that names it looks it up again.
            if files.is_some() || is_named(entry.name) {
                come_to.push(entry.name);
            }
            self.register(&entry, files)?;
        }
        for view in views {
            // Before the first change, the view's tables do not exist.
            let made = self
                .context
                .sql(&format!("CREATE OR REPLACE VIEW {} AS {}", view.name, view.sql))
                .await;
            if let Err(err) = made {
                tracing::debug!(view = view.name, %err, "the view is not there yet");
            }
            come_to.push(view.name);
        }
        opened.extend(come_to);
        Ok(())
    }

    /// Returns the files of a table. Leaves the table out if no query names it and access is
    /// denied.
    async fn files(
        &self,
        name: &'static str,
        is_named: bool,
    ) -> Result<Option<Vec<LiveFile>>, StoreError> {
        match self.tables.files(name).await {
            Err(StoreError::Catalog(err)) if !is_named && err.is_missing_right() => {
                tracing::warn!(table = name, %err, "the table is left out");
                Ok(None)
            }
            found => found,
        }
    }

    fn register(&self, entry: &Entry, files: Option<Vec<LiveFile>>) -> Result<(), AnalyticsError> {
        let place = self.tables.place(entry.name)?;
        // Registered before any scan: otherwise DataFusion would use its own store for the URL.
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
            // Remove a table that an aborted query left behind.
            self.context.deregister_table(entry.name).map_err(opening)?;
            self.context.register_table(entry.name, table).map_err(opening)?;
        }
        Ok(())
    }

    /// Plans a SELECT and starts it, with `rows` rows per batch, or the default.
    async fn begin(
        &self,
        statement: &Statement,
        rows: Option<usize>,
    ) -> Result<SendableRecordBatchStream, DataFusionError> {
        let mut state = self.context.state();
        if let Some(rows) = rows {
            *state.config_mut() = state.config().clone().with_batch_size(rows);
        }
        let plan = state.statement_to_plan(statement.clone()).await?;
        // The statement was already checked to be read-only; this checks the engine's plan.
        let only_reading = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        only_reading.verify_plan(&plan)?;
        let is_widening = widens(&plan)?;
        let plan = state.create_physical_plan(&plan).await?;
        let plan = if is_widening { with_width_checks(plan)? } else { plan };
        execute_stream(plan, state.task_ctx())
    }

    fn rendered(&self, err: DataFusionError) -> AnalyticsError {
        let schemas = self
            .context
            .catalog_names()
            .into_iter()
            .filter_map(|name| self.context.catalog(&name)?.schema("public"));
        let tables: Vec<String> = schemas.flat_map(|schema| schema.table_names()).collect();
        engine_error::to_analytics_error(err, &tables, self.memory)
    }

    /// Names the unreadable table if that is why a query ended: reads each of its tables
    /// separately.
    async fn name_broken_table(
        &self,
        err: AnalyticsError,
        reads: &ReferencedTables,
    ) -> AnalyticsError {
        if !matches!(err, AnalyticsError::Reading(_) | AnalyticsError::Panicked(_)) {
            return err;
        }
        // The inbox is read value by value, and unreadable values are left out.
        for entry in dictionary()
            .into_iter()
            .filter(|entry| entry.name != INBOX && reads.may_need(entry.name))
        {
            let cause =
                match AssertUnwindSafe(self.tables.read_whole(entry.name)).catch_unwind().await {
                    Ok(Ok(())) => continue,
                    Ok(Err(cause)) if cause.is_access_error() => return cause.into(),
                    Ok(Err(cause)) => cause.into(),
                    Err(panic) => panic_error(panic.as_ref()),
                };
            return AnalyticsError::Broken { table: entry.name, cause: Box::new(cause) };
        }
        err
    }
}

fn opening(err: DataFusionError) -> AnalyticsError {
    engine_error::to_analytics_error(err, &[], MEMORY)
}
