//! The session: the tables of the lake that are asked for, as they are or as they stood, and the views over them.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use deltalake::arrow::array::RecordBatch;
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

use super::AnalyticsError;
use super::answer::Answer;
use super::bounded::Bounds;
use super::deep::{Engine, gave_up};
use super::earlier::Then;
use super::fault;
use super::inbox::InboxTable;
use super::reads::{CLOCK, Reads};
use super::repeated::{FEW, TooWide, weighed, widens};
use super::select::LakeSelect;
use super::table::LakeTable;
use super::times::Times;
use super::views::{VIEWS, View};
use crate::domain::time::{Instant, rfc3339};
use crate::store::tables::{Entry, dictionary};
use crate::store::{INBOX, LakeTables, LiveFile, StoreError};

/// The memory that a query may take where nobody says otherwise, in bytes.
pub const MEMORY: u64 = 1 << 30;
/// What it may write to a temporary folder, as a multiple of its memory.
const SPILL: u64 = 16;

/// A read-only SQL session over a lake. A table is opened by the first query that reads it, and is the same for all after.
pub struct Session {
    inside: Arc<Inside>,
    engine: Engine,
    /// Where what does not fit into memory is written; removed with the session.
    _spill: TempDir,
}

struct Inside {
    context: SessionContext,
    tables: LakeTables,
    then: Option<Then>,
    memory: u64,
    /// The tables and views that have been come to, whether they are there or not.
    opened: Mutex<BTreeSet<&'static str>>,
}

impl Session {
    /// Over the tables as they are. `now` is what the view `clock` says.
    pub async fn open(tables: &LakeTables, now: Instant) -> Result<Self, AnalyticsError> {
        Self::open_at(tables, now, None, MEMORY).await
    }

    /// Over the tables as they stood. The moment they are asked of is what the view `clock` says.
    pub async fn open_then(tables: &LakeTables, then: Then) -> Result<Self, AnalyticsError> {
        Self::open_at(tables, then.at, Some(then), MEMORY).await
    }

    /// Over the tables as they are, or as they stood; with so much memory, in bytes.
    pub async fn open_at(
        tables: &LakeTables,
        now: Instant,
        then: Option<Then>,
        memory: u64,
    ) -> Result<Self, AnalyticsError> {
        let engine = Engine::start()?;
        let spill = tempfile::Builder::new().prefix("lakeplan-query-").tempdir();
        let spill = spill.map_err(|fault| AnalyticsError::Reading(fault.into()))?;
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

    /// Opens what these queries read and none before them has, all at once, so that they are answered from one moment.
    pub(super) async fn bring(&self, queries: &[&str]) -> Result<(), AnalyticsError> {
        let (inside, reads) =
            (Arc::clone(&self.inside), queries.iter().map(|sql| Reads::of(sql)).collect());
        self.engine.run(async move { inside.bring(reads).await }).await
    }

    /// Runs one SELECT and gathers its rows. Anything that writes, sets or creates is refused.
    pub async fn query(&self, text: &str) -> Result<Vec<RecordBatch>, AnalyticsError> {
        self.gather(&LakeSelect::parse(text)?, 1).await
    }

    /// Runs a SELECT and gathers its rows, which take up so many times their size while they are shown.
    pub async fn gather(
        &self,
        select: &LakeSelect,
        times: usize,
    ) -> Result<Vec<RecordBatch>, AnalyticsError> {
        let mut answer = self.stream(select).await?;
        let held =
            MemoryConsumer::new("answer").register(&self.inside.context.runtime_env().memory_pool);
        let mut batches = Vec::new();
        while let Some(batch) = answer.next().await? {
            held.try_grow(batch.get_array_memory_size().saturating_mul(times))
                .map_err(|fault| self.inside.told(fault))?;
            batches.push(batch);
        }
        if batches.is_empty() {
            batches.push(RecordBatch::new_empty(Arc::clone(&answer.schema)));
        }
        Ok(batches)
    }

    /// Runs a SELECT, whose rows are given as they come.
    pub async fn stream(&self, select: &LakeSelect) -> Result<Answer, AnalyticsError> {
        let (inside, statement, reads) =
            (Arc::clone(&self.inside), select.statement(), select.reads().clone());
        let begun = self.engine.run(async move {
            inside.bring(vec![reads]).await?;
            inside.begin(&statement, None).await.map_err(|fault| inside.told(fault))
        });
        let mut rows = match begun.await {
            Ok(rows) => rows,
            Err(fault) => {
                let (inside, reads) = (Arc::clone(&self.inside), select.reads().clone());
                return self
                    .engine
                    .run(async move { Err(inside.blamed(fault, &reads).await) })
                    .await;
            }
        };
        let schema = rows.schema();
        let (sender, batches) = mpsc::channel(2);
        let (inside, statement, reads) =
            (Arc::clone(&self.inside), select.statement(), select.reads().clone());
        let task = self.engine.spawn(async move {
            // Before the first rows are given the query may begin again.
            let mut may_begin_again = true;
            loop {
                let next = AssertUnwindSafe(rows.try_next()).catch_unwind().await;
                let fault = match next {
                    Ok(Ok(Some(batch))) => match sender.send(Ok(batch)).await {
                        Ok(()) => {
                            may_begin_again = false;
                            continue;
                        }
                        Err(_) => return,
                    },
                    Ok(Ok(None)) => return,
                    Ok(Err(fault))
                        if may_begin_again && TooWide::ends_only_with_many_rows(&fault) =>
                    {
                        may_begin_again = false;
                        drop(rows);
                        match inside.begin(&statement, Some(FEW)).await {
                            Ok(again) => {
                                rows = again;
                                continue;
                            }
                            Err(fault) => {
                                let _ = sender.send(Err(inside.told(fault))).await;
                                return;
                            }
                        }
                    }
                    Ok(Err(fault)) => inside.told(fault),
                    Err(panic) => gave_up(panic.as_ref()),
                };
                // What else was begun of it ends first.
                drop(rows);
                let _ = sender.send(Err(inside.blamed(fault, &reads).await)).await;
                return;
            }
        });
        Ok(Answer { schema, batches, task })
    }
}

impl Inside {
    /// Opens what these queries read and none before them has, all at once, so that they are answered from one moment.
    async fn bring(&self, reads: Vec<Reads>) -> Result<(), AnalyticsError> {
        let mut opened = self.opened.lock().await;
        let is_new = |name: &'static str| {
            !opened.contains(name) && reads.iter().any(|reads| reads.may_need(name))
        };
        let is_named = |name: &str| reads.iter().any(|reads| reads.names(name));
        let entries: Vec<Entry> =
            dictionary().into_iter().filter(|entry| is_new(entry.name)).collect();
        let views: Vec<&View> = VIEWS.iter().filter(|view| is_new(view.name)).collect();
        // All at once: each is some answers of a storage that may be far away.
        let found =
            try_join_all(entries.iter().map(|entry| self.files(entry.name, is_named(entry.name))))
                .await?;
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
            let made = self
                .context
                .sql(&format!("CREATE OR REPLACE VIEW {} AS {}", view.name, view.sql))
                .await;
            if let Err(fault) = made {
                tracing::debug!(view = view.name, %fault, "the view is not there yet");
            }
            come_to.push(view.name);
        }
        opened.extend(come_to);
        Ok(())
    }

    /// The files of a table. One that no query names and that may not be read is left out.
    async fn files(
        &self,
        name: &'static str,
        is_named: bool,
    ) -> Result<Option<Vec<LiveFile>>, StoreError> {
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

    /// Plans a SELECT and begins to run it, with so many rows in a batch, or as many as usual.
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
        // What is let through reads only; this is for what the engine makes of it.
        let only_reading = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        only_reading.verify_plan(&plan)?;
        let is_widening = widens(&plan)?;
        let plan = state.create_physical_plan(&plan).await?;
        let plan = if is_widening { weighed(plan)? } else { plan };
        execute_stream(plan, state.task_ctx())
    }

    fn told(&self, fault: DataFusionError) -> AnalyticsError {
        let schemas = self
            .context
            .catalog_names()
            .into_iter()
            .filter_map(|name| self.context.catalog(&name)?.schema("public"));
        let tables: Vec<String> = schemas.flat_map(|schema| schema.table_names()).collect();
        fault::told(fault, &tables, self.memory)
    }

    /// Names the table whose files cannot be read, where that is why a query ended: each that it reads is read alone.
    async fn blamed(&self, fault: AnalyticsError, reads: &Reads) -> AnalyticsError {
        if !matches!(fault, AnalyticsError::Reading(_) | AnalyticsError::Panicked(_)) {
            return fault;
        }
        // The inbox is read value by value, and what cannot be read of it is left out.
        for entry in dictionary()
            .into_iter()
            .filter(|entry| entry.name != INBOX && reads.may_need(entry.name))
        {
            let cause =
                match AssertUnwindSafe(self.tables.read_whole(entry.name)).catch_unwind().await {
                    Ok(Ok(())) => continue,
                    Ok(Err(cause)) if cause.is_of_the_way() => return cause.into(),
                    Ok(Err(cause)) => cause.into(),
                    Err(panic) => gave_up(panic.as_ref()),
                };
            return AnalyticsError::Broken { table: entry.name, cause: Box::new(cause) };
        }
        fault
    }
}

fn opening(fault: DataFusionError) -> AnalyticsError {
    fault::told(fault, &[], MEMORY)
}
