//! Operations of another engine on a table, here those of delta-rs.

use std::collections::HashMap;

use chrono::TimeDelta;
use deltalake::arrow::array::{ArrayRef, RecordBatch, StringArray};
use deltalake::checkpoints::{cleanup_metadata, create_checkpoint};
use deltalake::datafusion::prelude::SessionContext;
use deltalake::kernel::{DataType, PrimitiveType, StructField, TableFeatures};
use deltalake::operations::optimize::OptimizeType;
use deltalake::operations::vacuum::VacuumMode;
use deltalake::operations::write::SchemaMode;
use deltalake::protocol::SaveMode;
use deltalake::{DeltaResult, DeltaTable};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde_json::json;

use crate::store::delta_rs;
use crate::store::doctor::files;
use lakeplan::store::delta::LakeLocation;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Optimize,
    ZOrder,
    /// Rewrites each file under another name without statistics.
    Rewrite,
    Vacuum,
    VacuumAll,
    /// To the version before the last.
    RestoreBack,
    /// To the first version.
    RestoreFirst,
    Update,
    Delete,
    DeleteSome,
    MergeDelete,
    Append,
    Overwrite,
    OverwriteColumns,
    AppendOnly,
    ShortLog,
    Feature(Feature),
    Constraint,
    AddColumn,
    Checkpoint,
    Cleanup,
    /// Deletes every log entry before the last checkpoint, however recent.
    LoseEntries,
}

/// A table feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    Vectors,
    Mapping,
    AppendOnly,
    V2Checkpoint,
}

/// The operations of each case, in order.
pub const CASES: &[&[Operation]] = &[
    &[Operation::Optimize],
    &[Operation::ZOrder],
    &[Operation::Rewrite],
    &[Operation::Vacuum],
    &[Operation::VacuumAll],
    &[Operation::RestoreBack],
    &[Operation::RestoreFirst],
    &[Operation::Update],
    &[Operation::Delete],
    &[Operation::DeleteSome],
    &[Operation::MergeDelete],
    &[Operation::Append],
    &[Operation::Overwrite],
    &[Operation::OverwriteColumns],
    &[Operation::AppendOnly],
    &[Operation::ShortLog],
    &[Operation::Feature(Feature::Vectors)],
    &[Operation::Feature(Feature::Mapping)],
    &[Operation::Feature(Feature::AppendOnly)],
    &[Operation::Feature(Feature::V2Checkpoint)],
    &[Operation::Constraint],
    &[Operation::AddColumn],
    &[Operation::Checkpoint],
    &[Operation::Cleanup],
    &[Operation::Checkpoint, Operation::LoseEntries],
    &[Operation::Optimize, Operation::VacuumAll],
    &[Operation::Optimize, Operation::VacuumAll, Operation::Checkpoint, Operation::LoseEntries],
    &[Operation::Append, Operation::Optimize],
    &[Operation::Append, Operation::Checkpoint],
    &[Operation::DeleteSome, Operation::Optimize, Operation::Checkpoint],
    &[Operation::Delete, Operation::RestoreBack],
    &[Operation::DeleteSome, Operation::Checkpoint, Operation::LoseEntries],
    &[Operation::Update, Operation::Checkpoint, Operation::LoseEntries],
    &[Operation::Append, Operation::Checkpoint, Operation::LoseEntries],
    &[Operation::RestoreFirst, Operation::Checkpoint, Operation::LoseEntries],
    &[Operation::DeleteSome, Operation::VacuumAll],
    &[Operation::Delete, Operation::VacuumAll],
    &[Operation::Overwrite, Operation::VacuumAll, Operation::Checkpoint],
];

/// Returns a text column of a table, and a predicate that some of its rows meet.
fn columns(table: &str) -> (&'static str, &'static str) {
    match table {
        "journal" => ("actor", "seq % 2 = 0"),
        "field_changes" => ("actor", "seq % 2 = 0"),
        "lake" => ("id", "id IS NOT NULL"),
        "runs" | "agent_logs" => ("run_id", "run_id <> 'a'"),
        "table_state" => ("run_id", "table_name = 'tasks'"),
        "inbox_results" => ("request_id", "request_id <> 'a'"),
        "inbox" => ("request_id", "request_id IS NOT NULL"),
        _ => ("id", "right(id, 1) < '8'"),
    }
}

async fn rewrite(
    root: &LakeLocation,
    name: &str,
    version: impl std::fmt::Display,
) -> DeltaResult<()> {
    let live = super::store_tables(root).await.files(name).await.unwrap().unwrap_or_default();
    let mut actions =
        vec![json!({"commitInfo": {"operation": "OPTIMIZE", "engineInfo": "Apache-Spark/3.5.0"}})];
    for (number, file) in live.into_iter().enumerate() {
        let of = Path::from(format!("{name}/{}", file.path));
        let bytes = root.store.get(&of).await?.bytes().await?;
        let folder =
            file.path.rsplit_once('/').map_or_else(String::new, |(folder, _)| format!("{folder}/"));
        let path = format!("{folder}part-{version}-{number}.snappy.parquet");
        root.store.put(&Path::from(format!("{name}/{path}")), bytes.into()).await?;
        let added = json!({"path": path, "partitionValues": file.partitions, "size": file.size, "modificationTime": 0});
        for (action, mut fields) in
            [("add", added), ("remove", json!({"path": file.path, "deletionTimestamp": 0}))]
        {
            fields["dataChange"] = json!(false);
            actions.push(json!({ action: fields }));
        }
    }
    let entry: String = actions.iter().map(|action| format!("{action}\n")).collect();
    root.store
        .put(&Path::from(format!("{name}/_delta_log/{version:0>20}.json")), entry.into())
        .await?;
    Ok(())
}

/// Runs an operation; returns `None` if the table does not exist.
pub async fn operation(
    root: &LakeLocation,
    name: &str,
    operation: Operation,
) -> Option<DeltaResult<()>> {
    let table = delta_rs(&root.store, name).await?;
    Some(of(root, name, table, operation).await)
}

async fn rows(table: &DeltaTable) -> DeltaResult<Vec<RecordBatch>> {
    let (_, stream) = table.clone().scan_table().await?;
    Ok(stream.try_collect().await?)
}

async fn of(
    root: &LakeLocation,
    name: &str,
    table: DeltaTable,
    operation: Operation,
) -> DeltaResult<()> {
    let (column, some) = columns(name);
    let version = table.version().unwrap_or_default();
    let properties = |name: &str, value: &str| HashMap::from([(name.to_owned(), value.to_owned())]);
    let vacuum = |table: DeltaTable, mode| {
        table
            .vacuum()
            .with_retention_period(TimeDelta::zero())
            .with_enforce_retention_duration(false)
            .with_mode(mode)
    };
    match operation {
        Operation::Optimize => table.optimize().with_type(OptimizeType::Compact).await.map(drop),
        Operation::Rewrite => rewrite(root, name, version + 1).await,
        Operation::ZOrder => table
            .optimize()
            .with_type(OptimizeType::ZOrder(vec![column.to_owned()]))
            .await
            .map(drop),
        Operation::Vacuum => vacuum(table, VacuumMode::Lite).await.map(drop),
        Operation::VacuumAll => vacuum(table, VacuumMode::Full).await.map(drop),
        Operation::RestoreBack => {
            table.restore().with_version_to_restore(version.saturating_sub(1)).await.map(drop)
        }
        Operation::RestoreFirst => table
            .restore()
            .with_version_to_restore(0)
            .with_ignore_missing_files(true)
            .await
            .map(drop),
        Operation::Update => {
            table.update().with_predicate(some).with_update(column, "'x'").await.map(drop)
        }
        Operation::Delete => table.delete().await.map(drop),
        Operation::DeleteSome => table.delete().with_predicate(some).await.map(drop),
        Operation::MergeDelete => {
            let source = SessionContext::new().read_batches(rows(&table).await?)?;
            let merged = table
                .merge(source, format!("t.{column} = s.{column}"))
                .with_source_alias("s")
                .with_target_alias("t");
            merged
                .when_matched_delete(|delete| delete.predicate(format!("t.{column} <> 'a'")))?
                .await
                .map(drop)
        }
        Operation::Append => {
            let more = rows(&table).await?;
            table.write(more).with_save_mode(SaveMode::Append).await.map(drop)
        }
        Operation::Overwrite => {
            let some: Vec<RecordBatch> = rows(&table)
                .await?
                .iter()
                .map(|batch| batch.slice(0, 1.min(batch.num_rows())))
                .collect();
            table.write(some).with_save_mode(SaveMode::Overwrite).await.map(drop)
        }
        Operation::OverwriteColumns => {
            let other = RecordBatch::try_from_iter([(
                "other",
                std::sync::Arc::new(StringArray::from(vec!["x"])) as ArrayRef,
            )])?;
            let written = table
                .write([other])
                .with_save_mode(SaveMode::Overwrite)
                .with_schema_mode(SchemaMode::Overwrite);
            written.with_partition_columns(Vec::<String>::new()).await.map(drop)
        }
        Operation::AppendOnly => table
            .set_tbl_properties()
            .with_properties(properties("delta.appendOnly", "true"))
            .await
            .map(drop),
        Operation::ShortLog => {
            let properties = properties("delta.logRetentionDuration", "interval 0 days");
            table.set_tbl_properties().with_properties(properties).await.map(drop)
        }
        Operation::Feature(feature) => {
            let feature = match feature {
                Feature::Vectors => TableFeatures::DeletionVectors,
                Feature::Mapping => TableFeatures::ColumnMapping,
                Feature::AppendOnly => TableFeatures::AppendOnly,
                Feature::V2Checkpoint => TableFeatures::V2Checkpoint,
            };
            table
                .add_feature()
                .with_feature(feature)
                .with_allow_protocol_versions_increase(true)
                .await
                .map(drop)
        }
        Operation::Constraint => table
            .add_constraint()
            .with_constraint("known", format!("{column} <> 'nobody'"))
            .await
            .map(drop),
        Operation::AddColumn => {
            let field = StructField::new("more", DataType::Primitive(PrimitiveType::String), true);
            table.add_columns().with_fields(vec![field]).await.map(drop)
        }
        Operation::Checkpoint => create_checkpoint(&table, None).await,
        Operation::Cleanup => cleanup_metadata(&table, None).await.map(drop),
        Operation::LoseEntries => {
            let log = format!("{name}/_delta_log");
            let checkpoints = files(root, &log, ".checkpoint.parquet").await;
            let Some(last) = checkpoints
                .last()
                .and_then(|path| path.filename())
                .map(|name| name[..20].to_owned())
            else {
                return Ok(());
            };
            for path in files(root, &log, "").await {
                let is_old = path.filename().is_some_and(|name| {
                    name.len() > 20 && name[..20] < *last && !name.starts_with('_')
                });
                let is_entry = path.filename().is_some_and(|name| name == format!("{last}.json"));
                if is_old || is_entry {
                    root.store.delete(&Path::from(path.as_ref())).await?;
                }
            }
            Ok(())
        }
    }
}
