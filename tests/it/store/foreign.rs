//! Commits of other engines to the lake's tables, and tables that are older than the journal. The
//! lake continues to work, and the next fold makes the tables match the journal.

use std::sync::Arc;

use rstest::rstest;
use serde_json::json;

use super::doctor::{files, has_finding, run_doctor};
use super::{committed, delta_in_memory, delta_rs, make_project, open, state, task, titles};
use crate::checked::MemoryLake;
use crate::support::clock;
use deltalake::arrow::array::{ArrayRef, RecordBatch, StringArray};
use deltalake::arrow::compute::{cast, concat_batches};
use deltalake::arrow::datatypes::{DataType, Field, TimeUnit};
use deltalake::operations::optimize::OptimizeType;
use deltalake::parquet::arrow::ArrowWriter;
use futures::TryStreamExt;
use lakeplan::domain::state::ProjectState;
use lakeplan::store::delta::LakeLocation;
use lakeplan::store::row::Stream;
use lakeplan::store::tables::read::batches;
use lakeplan::store::{LakeTables, Scope, Store};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

async fn lake(tasks: usize) -> MemoryLake {
    let (store, root) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    for number in 0..tasks {
        committed(store.as_ref(), task(&format!("task {number}"))).await;
    }
    store.fold().await.unwrap();
    Arc::into_inner(store).unwrap().shutdown().await;
    root
}

/// Opens the lake, adds a task and folds. Returns the titles and keys.
async fn add_task_and_fold(root: &LakeLocation, title: &str) -> (Vec<String>, Vec<String>) {
    let store = open(root, clock(), 7).await.unwrap();
    committed(&store, task(title)).await;
    // An edit finds its row by the order of rows in the table's file.
    let tasks = state(&store).await;
    let tasks = tasks.projects().flat_map(ProjectState::tasks);
    let edit = |key: String| json!({"op": "update", "entity": "task", "id": key, "fields": {"priority": "high"}});
    committed(&store, tasks.map(|task| edit(task.key.to_string())).collect()).await;
    store.fold().await.unwrap();
    let state = state(&store).await;
    let mut keys: Vec<String> = state
        .projects()
        .flat_map(ProjectState::tasks)
        .map(|task| format!("{:>4}", task.key.number()))
        .collect();
    keys.sort();
    keys.dedup();
    store.shutdown().await;
    (titles(&state), keys)
}

async fn rewrite(root: &LakeLocation, table: &str, kind: OptimizeType) {
    let table = delta_rs(&root.store, table).await.unwrap();
    table.optimize().with_type(kind).await.unwrap();
}

async fn copy(root: &LakeLocation, folder: &str) -> Vec<(Path, bytes::Bytes)> {
    let listed: Vec<_> = root.store.list(Some(&Path::from(folder))).try_collect().await.unwrap();
    let mut copied = Vec::new();
    for meta in listed {
        let bytes = root.store.get(&meta.location).await.unwrap().bytes().await.unwrap();
        copied.push((meta.location, bytes));
    }
    copied
}

async fn restore_files(root: &LakeLocation, folder: &str, copied: Vec<(Path, bytes::Bytes)>) {
    for (path, _) in copy(root, folder).await {
        root.store.delete(&path).await.unwrap();
    }
    for (path, bytes) in copied {
        root.store.put(&path, bytes.into()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn optimize_and_z_order_of_any_table_are_harmless() {
    for table in LakeTables::own() {
        for is_clustered in [false, true] {
            let kind = if is_clustered {
                OptimizeType::ZOrder(vec![order_of(table)])
            } else {
                OptimizeType::Compact
            };
            let root = lake(12).await;
            if delta_rs(&root.store, table)
                .await
                .is_none_or(|table| table.get_file_uris().unwrap().next().is_none())
            {
                continue;
            }
            rewrite(&root, table, kind).await;
            let (titles, keys) = add_task_and_fold(&root, "after").await;
            assert_eq!((titles.len(), keys.len()), (13, 13), "{table} {is_clustered}");
            assert_eq!(run_doctor(&root, None).await.findings, [], "{table} {is_clustered}");
        }
    }
}

fn order_of(table: &str) -> String {
    match table {
        "journal" => "digest",
        "field_changes" => "to_value",
        "tasks" => "title",
        "runs" | "agent_logs" | "table_state" => "run_id",
        "inbox_results" => "request_id",
        _ => "id",
    }
    .to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_copy_of_a_table_never_duplicates_keys() {
    let root = lake(3).await;
    let old = copy(&root, "tasks").await;
    add_task_and_fold(&root, "fourth").await;
    add_task_and_fold(&root, "fifth").await;
    restore_files(&root, "tasks", old).await;
    let (titles, keys) = add_task_and_fold(&root, "sixth").await;
    assert_eq!((titles.len(), keys.len()), (6, 6), "{titles:?} {keys:?}");
    assert_eq!(run_doctor(&root, None).await.findings, []);
}

#[rstest]
#[case::missing(None)]
#[case::emptied(Some(""))]
#[case::replaced(Some("no parquet"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_or_damaged_table_file_is_rebuilt_from_the_journal(
    #[case] bytes: Option<&'static str>,
) {
    let root = lake(3).await;
    let file = files(&root, "tasks", ".parquet").await.pop().unwrap();
    match bytes {
        None => root.store.delete(&file).await.unwrap(),
        Some(bytes) => drop(root.store.put(&file, bytes.into()).await.unwrap()),
    }
    let (titles, keys) = add_task_and_fold(&root, "fourth").await;
    assert_eq!((titles.len(), keys.len()), (4, 4), "{bytes:?}");
    assert_eq!(run_doctor(&root, None).await.findings, [], "{bytes:?}");
}

/// No change concerns the table, so no fold would rewrite the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_rebuilt_by_the_next_fold_after_a_read() {
    let root = lake(3).await;
    let file = files(&root, "tasks", ".parquet").await.pop().unwrap();
    root.store.put(&file, "no parquet".into()).await.unwrap();
    let store = open(&root, clock(), 7).await.unwrap();
    assert_eq!(titles(&state(&store).await).len(), 3);
    committed(&store, json!([{"op": "create", "entity": "user", "fields": {"handle": "ana"}}]))
        .await;
    store.fold().await.unwrap();
    store.shutdown().await;
    assert_eq!(run_doctor(&root, None).await.findings, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_deleted_by_another_engine_are_restored() {
    let root = lake(3).await;
    let table = delta_rs(&root.store, "tasks").await.unwrap();
    table.delete().await.unwrap();
    let (titles, keys) = add_task_and_fold(&root, "fourth").await;
    assert_eq!((titles.len(), keys.len()), (4, 4));
    assert_eq!(run_doctor(&root, None).await.findings, []);
}

/// Rewrites the rows of all journal files into one, like an engine that uses other types and writes
/// no statistics.
async fn rewrite_in_other_types(root: &LakeLocation, forge: impl Fn(RecordBatch) -> RecordBatch) {
    let table = delta_rs(&root.store, "journal").await.unwrap();
    let version = table.version().unwrap() + 1;
    let (mut actions, mut rows) = (Vec::new(), Vec::new());
    let live: Vec<String> = table
        .get_file_uris()
        .unwrap()
        .map(|uri| uri.rsplit("journal/").next().unwrap().to_owned())
        .collect();
    let values = json!({"stream": "work", "date": "2026-09-21"});
    for path in live {
        let bytes = root
            .store
            .get(&Path::from(format!("journal/{path}")))
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap();
        rows.extend(batches("journal", bytes).unwrap().map(Result::unwrap));
        actions.push(json!({"remove": {"path": path, "dataChange": false, "deletionTimestamp": 1, "partitionValues": values}}));
    }
    let all = forge(concat_batches(&rows[0].schema(), &rows).unwrap());
    let other = |field: &Field| match field.data_type() {
        DataType::Int64 => DataType::Int32,
        DataType::Int32 => DataType::Int64,
        DataType::Timestamp(..) => DataType::Timestamp(TimeUnit::Nanosecond, None),
        _ if field.name() == "actor" => {
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
        }
        _ => DataType::LargeUtf8,
    };
    let schema = all.schema();
    // The columns are in another order too.
    let mut columns: Vec<(String, ArrayRef)> = schema
        .fields()
        .iter()
        .zip(all.columns())
        .map(|(field, column)| (field.name().clone(), cast(column, &other(field)).unwrap()))
        .collect();
    columns.reverse();
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let path = "stream=work/date=2026-09-21/part-00000-other.parquet";
    actions.push(json!({"add": {
        "path": path, "partitionValues": values, "size": file.len(), "modificationTime": 1, "dataChange": false,
    }}));
    actions.push(json!({"commitInfo": {"operation": "OPTIMIZE", "engineInfo": "another"}}));
    root.store.put(&Path::from(format!("journal/{path}")), file.into()).await.unwrap();
    let lines: String = actions.iter().map(|action| format!("{action}\n")).collect();
    root.store
        .put(&Path::from(format!("journal/_delta_log/{version:020}.json")), lines.into())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compaction_in_other_types_and_without_statistics_is_read() {
    let root = lake(5).await;
    rewrite_in_other_types(&root, |rows| rows).await;
    assert_eq!(run_doctor(&root, None).await.findings, []);
    for table in LakeTables::folded() {
        restore_files(&root, table, Vec::new()).await;
    }
    let (titles, keys) = add_task_and_fold(&root, "after").await;
    assert_eq!((titles.len(), keys.len()), (6, 6));
    assert_eq!(run_doctor(&root, None).await.findings, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_compaction_that_changes_rows_is_not_trusted() {
    let lost = |rows: RecordBatch| rows.slice(0, rows.num_rows() - 1);
    let changed = |rows: RecordBatch| {
        let schema = rows.schema();
        let columns = schema.fields().iter().zip(rows.columns()).map(|(field, column)| match field
            .name()
            .as_str()
        {
            "actor" => Arc::new(StringArray::from(vec!["someone"; rows.num_rows()])) as ArrayRef,
            _ => Arc::clone(column),
        });
        RecordBatch::try_new(rows.schema(), columns.collect()).unwrap()
    };
    type Forge = fn(RecordBatch) -> RecordBatch;
    let forges: [(&str, Forge); 2] = [("rows", lost), ("digest", changed)];
    for (what, forge) in forges {
        let root = lake(5).await;
        root.skip_check("rows of the journal are forged");
        rewrite_in_other_types(&root, forge).await;
        let found = run_doctor(&root, None).await;
        assert!(has_finding(&found, "journal", what), "{:?}", found.findings);
        let opened = match open(&root, clock(), 8).await {
            Ok(store) => store
                .changes(0, Stream::Work, &Scope::All)
                .await
                .map(drop)
                .and(store.head().await.map(drop)),
            Err(err) => Err(err),
        };
        assert!(opened.unwrap_err().to_string().contains(what), "wrong {what} is trusted");
    }
}
