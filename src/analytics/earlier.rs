//! The tables as they stood at an earlier position: those that hold records in memory, those that only grow up to there.

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
use crate::domain::any::AnyRecord;
use crate::domain::record::Entity;
use crate::domain::time::Instant;
use crate::store::Snapshot;
use crate::store::tables::columns::encode;
use crate::store::tables::{Earlier, Entry, bucket};

/// Rows of a batch.
const ROWS: usize = 8192;

/// The lake as it stood, and the moment that it is asked of.
#[derive(Debug)]
pub struct Then {
    pub snapshot: Snapshot,
    pub at: Instant,
}

impl Then {
    /// What a table held. `now` is the table as it is, where there is one.
    pub fn table(
        &self,
        context: &SessionContext,
        entry: &Entry,
        now: Option<Arc<dyn TableProvider>>,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        let (column, last) = match entry.earlier {
            Earlier::Records(entity) => {
                return self.records(entry, entity).map(|table| Some(Arc::new(table) as Arc<_>));
            }
            Earlier::Seq(column) => {
                (column, ScalarValue::Int64(Some(self.snapshot.seq.try_into().unwrap_or(i64::MAX))))
            }
            Earlier::Time(column) => (
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

/// Records in the columns that the session has, the one of their folders with them.
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
