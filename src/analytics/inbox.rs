//! The table `inbox` for the session. Others write it, so it is read by `store::inbox`, which takes each value alone, and
//! not as a scan of Parquet files, which one odd value ends. All of its columns may be null: so is a time outside the years
//! 1 to 9999, which no format can write.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use deltalake::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringViewArray, TimestampMicrosecondArray};
use deltalake::arrow::datatypes::{Field, Schema, SchemaRef};
use deltalake::datafusion::catalog::Session;
use deltalake::datafusion::datasource::{TableProvider, TableType};
use deltalake::datafusion::error::{DataFusionError, Result};
use deltalake::datafusion::execution::{SendableRecordBatchStream, TaskContext};
use deltalake::datafusion::logical_expr::Expr;
use deltalake::datafusion::physical_plan::ExecutionPlan;
use deltalake::datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use deltalake::datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};

use super::table;
use crate::store::inbox::{Cell, Columns, Inbox, InboxRow, Scanned, possible};
use crate::store::tables::Entry;

/// The inbox at one version.
#[derive(Clone)]
pub struct InboxTable {
    inbox: Arc<Inbox>,
    schema: SchemaRef,
}

impl InboxTable {
    pub fn new(inbox: Arc<Inbox>, entry: &Entry) -> Self {
        let declared = table::schema(entry);
        let fields = declared.table_schema().fields().iter().map(|field| Field::clone(field).with_nullable(true));
        Self { inbox, schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())) }
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

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(projection) => Arc::new(self.schema.project(projection)?),
            None => Arc::clone(&self.schema),
        };
        let rows = Arc::new(Self { inbox: Arc::clone(&self.inbox), schema: Arc::clone(&schema) });
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![rows], None, [], false, limit)?))
    }
}

impl PartitionStream for InboxTable {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let has_patch_sets = self.schema.column_with_name("patch_set").is_some();
        let scan = self.inbox.scan(if has_patch_sets { Columns::All } else { Columns::Light }, usize::MAX);
        let schema = Arc::clone(&self.schema);
        let batches = futures::stream::try_unfold((scan, schema), |(mut scan, schema)| async move {
            loop {
                match scan.next().await.map_err(|err| DataFusionError::External(err.into()))? {
                    None => return Ok(None),
                    Some(Scanned::Rows(rows, patch_sets)) => {
                        let batch = batch(&schema, &rows, &patch_sets)?;
                        return Ok(Some((batch, (scan, schema))));
                    }
                    Some(Scanned::Unreadable(err)) => tracing::warn!(%err, "a file of the inbox is left out"),
                }
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}

fn batch(schema: &SchemaRef, rows: &[InboxRow], patch_sets: &[Cell]) -> Result<RecordBatch> {
    let texts = |of: fn(&InboxRow) -> &Cell| Arc::new(rows.iter().map(|row| of(row).text()).collect::<StringViewArray>());
    let column = |field: &Arc<Field>| -> ArrayRef {
        match field.name().as_str() {
            "at" => {
                let micros = rows.iter().map(|row| row.at.micros().filter(|micros| possible(*micros).is_some()));
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
