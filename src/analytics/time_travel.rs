//! Tables as of an earlier position: record tables are built in memory, tables that only grow are
//! filtered.

use std::sync::Arc;

use deltalake::arrow::array::{ArrayRef, Int32Array, RecordBatch};
use deltalake::arrow::compute::cast;
use deltalake::arrow::datatypes::SchemaRef;
use deltalake::arrow::error::ArrowError;
use deltalake::datafusion::common::ScalarValue;
use deltalake::datafusion::datasource::{MemTable, TableProvider};
use deltalake::datafusion::error::Result;
use deltalake::datafusion::prelude::{SessionContext, col, lit};

use super::table;
use crate::domain::any_record::AnyRecord;
use crate::domain::record::Entity;
use crate::domain::time::Instant;
use crate::store::Snapshot;
use crate::store::dictionary::{Entry, HistorySource};
use crate::store::tables::bucket;
use crate::store::tables::columns::encode;

/// Number of rows in a batch.
const ROWS: usize = 8192;

/// Snapshot of the lake at an earlier position, and the requested time.
#[derive(Debug)]
pub struct AsOfSnapshot {
    pub snapshot: Snapshot,
    pub at: Instant,
}

impl AsOfSnapshot {
    /// Returns what a table held. `now` is the current table, if there is one.
    pub fn table(
        &self,
        context: &SessionContext,
        entry: &Entry,
        now: Option<Arc<dyn TableProvider>>,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        let (column, last) = match entry.earlier {
            HistorySource::Records(entity) => {
                return self.records(entry, entity).map(|table| Some(Arc::new(table) as Arc<_>));
            }
            HistorySource::Seq(column) => {
                (column, ScalarValue::Int64(Some(self.snapshot.seq.try_into().unwrap_or(i64::MAX))))
            }
            HistorySource::Time(column) => (
                column,
                ScalarValue::TimestampMicrosecond(
                    Some(self.at.timestamp_micros()),
                    Some("UTC".into()),
                ),
            ),
        };
        let Some(now) = now else { return Ok(None) };
        let grown = context.read_table(now)?.filter(col(column).lt_eq(lit(last)))?;
        Ok(Some(grown.into_view()))
    }

    fn records(&self, entry: &Entry, entity: Entity) -> Result<MemTable> {
        let schema = table::schema(entry);
        let schema = schema.table_schema();
        let records: Vec<AnyRecord> =
            self.snapshot.state.records().filter(|record| record.entity() == entity).collect();
        let batches = records
            .chunks(ROWS)
            .map(|records| batch(schema, entity, records))
            .collect::<Result<_, _>>()?;
        MemTable::try_new(Arc::clone(schema), vec![batches])
    }
}

/// Returns records in the session's columns, including the partition column.
fn batch(
    schema: &SchemaRef,
    entity: Entity,
    records: &[AnyRecord],
) -> Result<RecordBatch, ArrowError> {
    let inside = encode(entity, records)?;
    let buckets = || {
        records.iter().map(|record| bucket(entity, record.project()) as i32).collect::<Int32Array>()
    };
    let column = |name: &str| {
        inside.column_by_name(name).cloned().unwrap_or_else(|| Arc::new(buckets()) as ArrayRef)
    };
    let columns =
        schema.fields().iter().map(|field| cast(&column(field.name()), field.data_type()));
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_, _>>()?)
}
