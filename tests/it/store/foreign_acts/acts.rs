//! What another engine can do to a table: the operations of delta-rs.

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

use crate::store::check_up::files;
use crate::store::delta_rs;
use lakeplan::store::delta::LakeLocation;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Optimize,
    ZOrder,
    /// Each file is written again under another name, without statistics, as an engine does that notes none.
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
    /// Every entry before the last checkpoint goes, however young.
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

/// What is done in each case, one operation after the other.
pub const CASES: &[&[Act]] = &[
    &[Act::Optimize],
    &[Act::ZOrder],
    &[Act::Rewrite],
    &[Act::Vacuum],
    &[Act::VacuumAll],
    &[Act::RestoreBack],
    &[Act::RestoreFirst],
    &[Act::Update],
    &[Act::Delete],
    &[Act::DeleteSome],
    &[Act::MergeDelete],
    &[Act::Append],
    &[Act::Overwrite],
    &[Act::OverwriteColumns],
    &[Act::AppendOnly],
    &[Act::ShortLog],
    &[Act::Feature(Feature::Vectors)],
    &[Act::Feature(Feature::Mapping)],
    &[Act::Feature(Feature::AppendOnly)],
    &[Act::Feature(Feature::V2Checkpoint)],
    &[Act::Constraint],
    &[Act::AddColumn],
    &[Act::Checkpoint],
    &[Act::Cleanup],
    &[Act::Checkpoint, Act::LoseEntries],
    &[Act::Optimize, Act::VacuumAll],
    &[Act::Optimize, Act::VacuumAll, Act::Checkpoint, Act::LoseEntries],
    &[Act::Append, Act::Optimize],
    &[Act::Append, Act::Checkpoint],
    &[Act::DeleteSome, Act::Optimize, Act::Checkpoint],
    &[Act::Delete, Act::RestoreBack],
    &[Act::DeleteSome, Act::Checkpoint, Act::LoseEntries],
    &[Act::Update, Act::Checkpoint, Act::LoseEntries],
    &[Act::Append, Act::Checkpoint, Act::LoseEntries],
    &[Act::RestoreFirst, Act::Checkpoint, Act::LoseEntries],
    &[Act::DeleteSome, Act::VacuumAll],
    &[Act::Delete, Act::VacuumAll],
    &[Act::Overwrite, Act::VacuumAll, Act::Checkpoint],
];

/// A text column of a table, and a predicate that some of its rows meet.
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

/// Does one; `None` where there is no such table.
pub async fn act(root: &LakeLocation, name: &str, act: Act) -> Option<DeltaResult<()>> {
    let table = delta_rs(&root.store, name).await?;
    Some(of(root, name, table, act).await)
}

async fn rows(table: &DeltaTable) -> DeltaResult<Vec<RecordBatch>> {
    let (_, stream) = table.clone().scan_table().await?;
    Ok(stream.try_collect().await?)
}

async fn of(root: &LakeLocation, name: &str, table: DeltaTable, act: Act) -> DeltaResult<()> {
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
    match act {
        Act::Optimize => table.optimize().with_type(OptimizeType::Compact).await.map(drop),
        Act::Rewrite => rewrite(root, name, version + 1).await,
        Act::ZOrder => table
            .optimize()
            .with_type(OptimizeType::ZOrder(vec![column.to_owned()]))
            .await
            .map(drop),
        Act::Vacuum => vacuum(table, VacuumMode::Lite).await.map(drop),
        Act::VacuumAll => vacuum(table, VacuumMode::Full).await.map(drop),
        Act::RestoreBack => {
            table.restore().with_version_to_restore(version.saturating_sub(1)).await.map(drop)
        }
        Act::RestoreFirst => table
            .restore()
            .with_version_to_restore(0)
            .with_ignore_missing_files(true)
            .await
            .map(drop),
        Act::Update => {
            table.update().with_predicate(some).with_update(column, "'x'").await.map(drop)
        }
        Act::Delete => table.delete().await.map(drop),
        Act::DeleteSome => table.delete().with_predicate(some).await.map(drop),
        Act::MergeDelete => {
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
        Act::Append => {
            let more = rows(&table).await?;
            table.write(more).with_save_mode(SaveMode::Append).await.map(drop)
        }
        Act::Overwrite => {
            let some: Vec<RecordBatch> = rows(&table)
                .await?
                .iter()
                .map(|batch| batch.slice(0, 1.min(batch.num_rows())))
                .collect();
            table.write(some).with_save_mode(SaveMode::Overwrite).await.map(drop)
        }
        Act::OverwriteColumns => {
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
        Act::AppendOnly => table
            .set_tbl_properties()
            .with_properties(properties("delta.appendOnly", "true"))
            .await
            .map(drop),
        Act::ShortLog => {
            let properties = properties("delta.logRetentionDuration", "interval 0 days");
            table.set_tbl_properties().with_properties(properties).await.map(drop)
        }
        Act::Feature(feature) => {
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
        Act::Constraint => table
            .add_constraint()
            .with_constraint("known", format!("{column} <> 'nobody'"))
            .await
            .map(drop),
        Act::AddColumn => {
            let field = StructField::new("more", DataType::Primitive(PrimitiveType::String), true);
            table.add_columns().with_fields(vec![field]).await.map(drop)
        }
        Act::Checkpoint => create_checkpoint(&table, None).await,
        Act::Cleanup => cleanup_metadata(&table, None).await.map(drop),
        Act::LoseEntries => {
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
