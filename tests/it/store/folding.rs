//! The current tables match the journal, regardless of when and by which process they are folded.

use std::collections::BTreeMap;
use std::sync::Arc;

use deltalake::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use lakeplan::domain::any_record::AnyRecord;
use lakeplan::domain::state::State;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::tables::{TABLES, read};
use lakeplan::store::{Format, Outcome, Scope, Store};
use object_store::ObjectStoreExt;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::fault::{FaultStore, Plan};
use super::{commit, committed, delta_in_memory, make_project, open, root, state};
use crate::support::{clock, counts, patch_set, random, random_patches};

/// Returns the records of a state by key, in a comparable form.
pub fn records(records: impl Iterator<Item = AnyRecord>) -> BTreeMap<String, String> {
    records
        .map(|record| {
            (format!("{:?}", record.record_key()), Value::Object(record.to_fields()).to_string())
        })
        .collect()
}

pub async fn in_tables(root: &LakeLocation) -> BTreeMap<String, String> {
    let mut tables = Vec::new();
    for table in TABLES {
        tables.push(
            read::one(&root.store, table, &Scope::All, None)
                .await
                .unwrap()
                .expect("the table exists"),
        );
    }
    let count: usize = tables.iter().map(|table| table.records.len()).sum();
    let found = records(tables.into_iter().flat_map(|table| table.records));
    assert_eq!(found.len(), count, "a record is in the tables twice");
    found
}

pub async fn change_at_random(store: &dyn Store, random: &mut StdRng) {
    let state: State = state(store).await;
    if let Ok(set) = patch_set(&state, random_patches(&state, random)) {
        match commit(store, set).await {
            Outcome::Committed { .. } | Outcome::Refused(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folded_tables_equal_the_state_and_open_the_lake() {
    for seed in 0..counts(3, 40) as u64 {
        let (store, lake) = delta_in_memory().await;
        make_project(store.as_ref()).await;
        let mut rng = StdRng::seed_from_u64(seed);
        for round in 0..10 {
            for _ in 0..8 {
                change_at_random(store.as_ref(), &mut rng).await;
            }
            let report = store.fold().await.unwrap();
            let expected = records(state(store.as_ref()).await.records());
            assert_eq!(in_tables(&lake).await, expected, "seed {seed}, round {round}");
            assert_eq!(report.seq, store.head().await.unwrap().seq);
            let again = store.fold().await.unwrap();
            assert!(
                again.tables.iter().all(|(_, folded)| folded.files == 0),
                "a second fold wrote files: {again:?}"
            );
            // An unfolded tail, read by a process that starts from the tables.
            change_at_random(store.as_ref(), &mut rng).await;
            let fresh = open(&lake, clock(), seed + 50).await.unwrap();
            assert_eq!(
                records(state(&fresh).await.records()),
                records(state(store.as_ref()).await.records()),
                "seed {seed}, round {round}"
            );
            assert_eq!(fresh.head().await.unwrap().chain, store.head().await.unwrap().chain);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_folds_and_writes_leave_correct_tables() {
    for seed in 0..counts(2, 30) as u64 {
        let (first, lake) = delta_in_memory().await;
        make_project(first.as_ref()).await;
        let mut running = Vec::new();
        for process in 0..3u64 {
            let store = Arc::new(
                DeltaStore::open(&lake, Format::default(), clock(), random(seed * 7 + process))
                    .await
                    .unwrap(),
            );
            running.push(tokio::spawn(async move {
                let mut rng = StdRng::seed_from_u64(seed * 100 + process);
                for _ in 0..10 {
                    change_at_random(store.as_ref(), &mut rng).await;
                    store.fold().await.unwrap();
                }
            }));
        }
        for process in running {
            process.await.unwrap();
        }
        first.fold().await.unwrap();
        assert_eq!(
            in_tables(&lake).await,
            records(state(first.as_ref()).await.records()),
            "seed {seed}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_fold_with_faults_is_correct_or_absent() {
    for seed in 0..counts(8, 40) as u64 {
        let (healthy, lake) = delta_in_memory().await;
        make_project(healthy.as_ref()).await;
        let flaky = FaultStore::new(Arc::clone(&lake.store), seed);
        let store = open(&root(Arc::clone(&flaky) as Arc<_>), clock(), seed).await.unwrap();
        let mut rng = StdRng::seed_from_u64(seed);
        for _ in 0..6 {
            for _ in 0..3 {
                change_at_random(healthy.as_ref(), &mut rng).await;
            }
            flaky.plan(Plan::Random { share: 0.1 });
            // The next fold repeats a failed one.
            let _ = store.fold().await;
            flaky.plan(Plan::Quiet);
        }
        tokio::time::sleep(std::time::Duration::from_secs(120)).await;
        healthy.fold().await.unwrap();
        assert_eq!(
            in_tables(&lake).await,
            records(state(healthy.as_ref()).await.records()),
            "seed {seed}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_lived_process_folds_in_the_background() {
    let (store, root) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    store.keep_folded();
    let mut rng = StdRng::seed_from_u64(5);
    for _ in 0..80 {
        change_at_random(store.as_ref(), &mut rng).await;
    }
    let end = store.head().await.unwrap().seq;
    let folded = async {
        while store.head().await.unwrap().folded.work < end {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), folded)
        .await
        .expect("the store folds in the background");
    assert_eq!(in_tables(&root).await, records(state(store.as_ref()).await.records()));
}

/// A file with several row groups, and all kinds of changes at once: edits of some columns and of
/// lists, rows inserted in between and at the end, deleted rows, and a second project with rows in
/// the same bucket.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_changed_row_groups_of_a_bucket_are_rewritten() {
    const TASKS: usize = 24_000;
    let (store, lake) = delta_in_memory().await;
    // The last byte chooses the bucket.
    let id = |kind: u32, number: usize| format!("01900000-0000-7000-8000-{kind:04x}{number:06x}00");
    let patches = async |patches: Vec<Value>| {
        let _ = committed(store.as_ref(), Value::from(patches)).await;
    };
    let project = |number: usize, key: &str| json!({"op": "create", "entity": "project", "id": id(1, number), "fields": {"name": key, "key": key}});
    let task = |number: usize, project: usize| {
        let fields = json!({"project_id": id(1, project), "title": format!("Task {number}"), "tags": ["a", "b"]});
        json!({"op": "create", "entity": "task", "id": id(2, number), "fields": fields})
    };
    let update = |number: usize, fields: Value| json!({"op": "update", "entity": "task", "id": id(2, number), "fields": fields});
    // Even numbers first, so that others can be inserted between them.
    patches((0..3).map(|number| project(number, ["ONE", "TWO", "FAR"][number])).collect()).await;
    for part in (0..TASKS).collect::<Vec<_>>().chunks(6_000) {
        patches(part.iter().map(|number| task(2 * number, number * 2 / TASKS)).collect()).await;
    }
    store.fold().await.unwrap();
    let groups = row_groups(&store, &lake, "tasks").await;
    assert!(groups.iter().any(|groups| groups.len() > 2), "{groups:?}");

    let check = async |what: &str| {
        let report = store.fold().await.unwrap();
        assert!(
            report.tables.iter().any(|(name, folded)| *name == "tasks" && folded.files > 0),
            "{what}"
        );
        assert_eq!(
            in_tables(&lake).await,
            records(state(store.as_ref()).await.records()),
            "{what}"
        );
        let groups = row_groups(&store, &lake, "tasks").await;
        assert!(
            groups.iter().flatten().all(|rows| (4_096..=12_288).contains(rows)),
            "{what}: {groups:?}"
        );
    };
    patches(vec![
        update(10, json!({"title": "Edited", "tags": ["c"]})),
        update(2 * TASKS - 2, json!({"tags": [], "estimate_likely": 60})),
    ])
    .await;
    check("edits of the first and the last group").await;
    patches(vec![task(11, 0), update(12, json!({"priority": "high"})), task(2 * TASKS + 1, 1)])
        .await;
    check("tasks that come between and behind, beside an edit").await;
    let far = json!({"project_id": id(1, 2)});
    patches(vec![
        json!({"op": "move", "entity": "task", "id": id(2, 20), "fields": far}),
        json!({"op": "move", "entity": "task", "id": id(2, 2 * TASKS - 4), "fields": {"project_id": id(1, 0)}}),
        json!({"op": "delete", "entity": "task", "id": id(2, 22)}),
        update(24, json!({"description": "Edited beside one that leaves"})),
    ])
    .await;
    check("tasks that leave for another project").await;
    patches(vec![
        update(11, json!({"metadata": {"a": 1}})),
        update(TASKS, json!({"due_date": "2026-11-20"})),
    ])
    .await;
    check("edits of what came").await;
}

/// Returns the number of rows in each row group of each file of a table.
async fn row_groups(store: &DeltaStore, lake: &LakeLocation, table: &str) -> Vec<Vec<i64>> {
    let mut groups = Vec::new();
    let live = store.tables().files(table).await.unwrap().unwrap();
    for file in live {
        let path = object_store::path::Path::from(format!("{table}/{}", file.path));
        let bytes = lake.store.get(&path).await.unwrap().bytes().await.unwrap();
        groups.push(
            ParquetRecordBatchReaderBuilder::try_new(bytes)
                .unwrap()
                .metadata()
                .row_groups()
                .iter()
                .map(|group| group.num_rows())
                .collect(),
        );
    }
    groups
}

#[tokio::test(start_paused = true)]
async fn many_pending_rows_trigger_an_early_fold() {
    let folded_after = async |rows: usize| {
        let (store, _) = delta_in_memory().await;
        make_project(store.as_ref()).await;
        store.keep_folded();
        let head = async || store.head().await.unwrap();
        while head().await.folded.work < head().await.seq {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let started = tokio::time::Instant::now();
        let tasks: Vec<Value> = (0..rows).map(|n| super::task(&n.to_string())[0].clone()).collect();
        let _ = committed(store.as_ref(), tasks.into()).await;
        while head().await.folded.work < head().await.seq {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        store.shutdown().await;
        started.elapsed()
    };
    let (few, many) = (folded_after(1_000).await, folded_after(2_000).await);
    assert!(
        few > std::time::Duration::from_millis(1_500),
        "a thousand rows were folded early, after {few:?}"
    );
    assert!(
        many < std::time::Duration::from_millis(500),
        "two thousand rows were not folded for {many:?}"
    );
}
