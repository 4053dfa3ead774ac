//! Table provider of `inbox`. Others write this table, so `store::inbox` reads each value
//! separately: one odd value would end a Parquet scan.
//!
//! All columns are nullable. A time outside the years 1 to 9999, which no format can write, is
//! null. Texts longer than a request allows may be truncated: one row must not end everyone's
//! queries.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use deltalake::arrow::array::{
    ArrayRef, RecordBatch, RecordBatchOptions, StringViewArray, TimestampMicrosecondArray,
};
use deltalake::arrow::datatypes::{Field, Schema, SchemaRef};
use deltalake::datafusion::catalog::Session;
use deltalake::datafusion::datasource::{TableProvider, TableType};
use deltalake::datafusion::error::{DataFusionError, Result};
use deltalake::datafusion::execution::{SendableRecordBatchStream, TaskContext};
use deltalake::datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use deltalake::datafusion::physical_plan::ExecutionPlan;
use deltalake::datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use deltalake::datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};

use super::table;
use crate::store::dictionary::Entry;
use crate::store::inbox::{Cell, Columns, Inbox, InboxRow, Scanned, TextLimits, possible};

/// Inbox at one version.
#[derive(Clone)]
pub struct InboxTable {
    inbox: Arc<Inbox>,
    schema: SchemaRef,
    /// Whether rows without a request_id are left out.
    needs_id: bool,
    /// Whether a warning about truncated values was logged.
    has_warned: Arc<AtomicBool>,
}

impl InboxTable {
    pub fn new(inbox: Arc<Inbox>, entry: &Entry) -> Self {
        let declared = table::schema(entry);
        let fields = declared
            .table_schema()
            .fields()
            .iter()
            .map(|field| Field::clone(field).with_nullable(true));
        Self {
            inbox,
            schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
            needs_id: false,
            has_warned: Arc::default(),
        }
    }
}

impl fmt::Debug for InboxTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboxTable").field("schema", &self.schema).finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for InboxTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Pushes down the filter that a row has a request_id. Expressions are then evaluated on the
    /// reader's small batches, before a filter merges them into larger ones.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let pushed = |filter: &&Expr| match asks_for_id(filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(pushed).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(projection) => Arc::new(self.schema.project(projection)?),
            None => Arc::clone(&self.schema),
        };
        let needs_id = filters.iter().any(asks_for_id);
        let rows: Arc<dyn PartitionStream> =
            Arc::new(Self { schema: Arc::clone(&schema), needs_id, ..self.clone() });
        let nothing: Arc<dyn PartitionStream> = Arc::new(Nothing(Arc::clone(&schema)));
        // Return as many partitions as the engine wants. Otherwise it repartitions the rows itself,
        // which merges their batches.
        let mut parts = vec![nothing; state.config().target_partitions().max(1)];
        parts[0] = rows;
        Ok(Arc::new(StreamingTableExec::try_new(schema, parts, None, [], false, limit)?))
    }
}

/// Empty partition of the table.
#[derive(Debug)]
struct Nothing(SchemaRef);

impl PartitionStream for Nothing {
    fn schema(&self) -> &SchemaRef {
        &self.0
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.0), futures::stream::empty()))
    }
}

impl PartitionStream for InboxTable {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let has_patch_sets = self.schema.column_with_name("patch_set").is_some();
        let scan = self
            .inbox
            .scan(if has_patch_sets { Columns::All } else { Columns::Light }, TextLimits::IN_SQL);
        let (table, cut) = (self.clone(), 0);
        let batches = futures::stream::try_unfold(
            (scan, table, cut),
            |(mut scan, table, mut cut)| async move {
                loop {
                    match scan.next().await.map_err(|err| DataFusionError::External(err.into()))? {
                        None => {
                            if cut > 0 && !table.has_warned.swap(true, Ordering::AcqRel) {
                                tracing::warn!(
                                    values = cut,
                                    "of values of the inbox that no request may have, only the start is read"
                                );
                            }
                            return Ok(None);
                        }
                        Some(Scanned::Rows(mut rows, mut patch_sets)) => {
                            if table.needs_id {
                                keep_with_id(&mut rows, &mut patch_sets);
                            }
                            let cells = rows
                                .iter()
                                .flat_map(|row| [&row.request_id, &row.user])
                                .chain(&patch_sets);
                            cut +=
                                cells.filter(|cell| matches!(cell, Cell::TooLong { .. })).count();
                            let batch = batch(&table.schema, &rows, &patch_sets)?;
                            return Ok(Some((batch, (scan, table, cut))));
                        }
                        Some(Scanned::Unreadable(err)) => {
                            tracing::warn!(%err, "a file of the inbox is skipped")
                        }
                    }
                }
            },
        );
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}

/// Whether a filter selects rows that have a request_id.
fn asks_for_id(filter: &Expr) -> bool {
    matches!(filter, Expr::IsNotNull(of) if matches!(of.as_ref(), Expr::Column(column) if column.name == "request_id"))
}

/// Removes the rows whose request_id is not text, and their patch sets if these were read.
fn keep_with_id(rows: &mut Vec<InboxRow>, patch_sets: &mut Vec<Cell>) {
    let has_id: Vec<bool> = rows.iter().map(|row| row.request_id.text().is_some()).collect();
    let (mut of_rows, mut of_sets) = (has_id.iter(), has_id.iter());
    rows.retain(|_| of_rows.next().is_some_and(|has_id| *has_id));
    patch_sets.retain(|_| of_sets.next().is_some_and(|has_id| *has_id));
}

fn batch(schema: &SchemaRef, rows: &[InboxRow], patch_sets: &[Cell]) -> Result<RecordBatch> {
    let texts = |of: fn(&InboxRow) -> &Cell| {
        Arc::new(rows.iter().map(|row| of(row).text()).collect::<StringViewArray>())
    };
    let column = |field: &Arc<Field>| -> ArrayRef {
        match field.name().as_str() {
            "at" => {
                let micros = rows
                    .iter()
                    .map(|row| row.at.micros().filter(|micros| possible(*micros).is_some()));
                Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
            }
            "user" => texts(|row| &row.user),
            "patch_set" => Arc::new(patch_sets.iter().map(Cell::text).collect::<StringViewArray>()),
            _ => texts(|row| &row.request_id),
        }
    };
    let columns = schema.fields().iter().map(column).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}
