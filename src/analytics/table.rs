//! Table provider of a lake table: a scan of its live Parquet files, whose folders hold the
//! partition columns.
//!
//! The log already lists the files with their sizes and row counts. So a session opens without
//! listing files and plans with known statistics. Strings are read as views, which the engine
//! compares and groups fastest.

use std::sync::Arc;

use async_trait::async_trait;
use deltalake::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use deltalake::datafusion::catalog::Session;
use deltalake::datafusion::common::stats::Precision;
use deltalake::datafusion::common::{DFSchema, ScalarValue, Statistics};
use deltalake::datafusion::datasource::file_format::FileFormat;
use deltalake::datafusion::datasource::file_format::parquet::ParquetFormat;
use deltalake::datafusion::datasource::listing::PartitionedFile;
use deltalake::datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfigBuilder, ParquetSource,
};
use deltalake::datafusion::datasource::table_schema::TableSchema;
use deltalake::datafusion::datasource::{TableProvider, TableType};
use deltalake::datafusion::error::Result;
use deltalake::datafusion::execution::object_store::ObjectStoreUrl;
use deltalake::datafusion::logical_expr::utils::conjunction;
use deltalake::datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use deltalake::datafusion::physical_plan::ExecutionPlan;
use serde_json::Value;

use crate::store::dictionary::Column;
use crate::store::dictionary::Entry;
use crate::store::{LiveFile, TableLocation};

/// Table at one version.
#[derive(Debug)]
pub struct LakeTable {
    url: ObjectStoreUrl,
    schema: TableSchema,
    files: Vec<PartitionedFile>,
    rows: Option<usize>,
}

impl LakeTable {
    /// Creates the table of a dictionary entry, with these files at its location.
    pub fn new(place: &TableLocation, entry: &Entry, files: &[LiveFile]) -> Result<Self> {
        let schema = schema(entry);
        let folders = schema.table_partition_cols();
        let scanned = |file: &LiveFile| {
            let value =
                |field: &FieldRef| match file.partitions.get(field.name()).cloned().flatten() {
                    Some(text) => ScalarValue::try_from_string(text, field.data_type()),
                    None => ScalarValue::try_from(field.data_type()),
                };
            let values = folders.iter().map(value).collect::<Result<Vec<_>>>()?;
            // The engine expects a path without its leading slash.
            let path = format!("{}/{}", place.folder, file.path);
            Ok(PartitionedFile::new(path, file.size.unsigned_abs()).with_partition_values(values))
        };
        let scanned = files.iter().map(scanned).collect::<Result<Vec<_>>>()?;
        let url = ObjectStoreUrl::parse(place.url.as_str())?;
        Ok(Self { url, schema, files: scanned, rows: files.iter().map(rows).sum() })
    }

    /// Splits the files into one group per worker, about equal in size.
    fn groups(&self, workers: usize) -> Vec<FileGroup> {
        let mut groups: Vec<(u64, Vec<PartitionedFile>)> =
            vec![(0, Vec::new()); workers.clamp(1, self.files.len().max(1))];
        let mut files: Vec<&PartitionedFile> = self.files.iter().collect();
        files.sort_by_key(|file| std::cmp::Reverse(file.object_meta.size));
        for file in files {
            if let Some(least) = groups.iter_mut().min_by_key(|(size, _)| *size) {
                least.0 += file.object_meta.size;
                least.1.push(file.clone());
            }
        }
        groups.into_iter().map(|(_, files)| FileGroup::new(files)).collect()
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.schema.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Skips row groups and pages that cannot match the filters; the rest is filtered after the
    /// scan.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut source = ParquetSource::new(self.schema.clone());
        if let Some(filter) = conjunction(filters.to_vec()) {
            let schema = DFSchema::try_from(self.schema())?;
            source = source.with_predicate(state.create_physical_expr(filter, &schema)?);
        }
        // The byte size stays unknown: the files' sizes cover all columns, compressed, and a join
        // that uses them would hold the longer side in memory instead of the wider one.
        let mut statistics = Statistics::new_unknown(&self.schema());
        statistics.num_rows = self.rows.map_or(Precision::Absent, Precision::Exact);
        let config = FileScanConfigBuilder::new(self.url.clone(), Arc::new(source))
            .with_file_groups(self.groups(state.config().target_partitions()))
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(if filters.is_empty() { limit } else { None })
            .build();
        let options = state.default_table_options().parquet;
        ParquetFormat::new().with_options(options).create_physical_plan(state, config).await
    }
}

/// Returns the columns of a dictionary entry, as the session has them.
pub fn schema(entry: &Entry) -> TableSchema {
    let column =
        |column: &Column| Field::new(&column.name, data_type(&column.kind), column.nullable);
    let (folders, inside): (Vec<_>, Vec<_>) =
        entry.columns.iter().partition(|column| entry.partitions.contains(&column.name.as_str()));
    let folders: Vec<FieldRef> =
        folders.into_iter().map(|folder| Arc::new(column(folder))).collect();
    let inside = Arc::new(Schema::new(inside.into_iter().map(column).collect::<Vec<_>>()));
    TableSchema::builder(inside).with_table_partition_cols(folders).build()
}

fn rows(file: &LiveFile) -> Option<usize> {
    let stats: Value = serde_json::from_str(file.stats.as_deref()?).ok()?;
    usize::try_from(stats["numRecords"].as_u64()?).ok()
}

/// Returns the Arrow type of a column's Delta type.
fn data_type(kind: &Value) -> DataType {
    match kind.as_str() {
        Some("long") => DataType::Int64,
        Some("integer") => DataType::Int32,
        Some("date") => DataType::Date32,
        Some("timestamp") => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Some(_) => DataType::Utf8View,
        None => DataType::List(Arc::new(Field::new("element", DataType::Utf8View, false))),
    }
}
