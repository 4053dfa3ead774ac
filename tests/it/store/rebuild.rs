//! Tables that are missing or outdated are read from the journal until the next fold rebuilds them.

use std::sync::Arc;

use lakeplan::cli::hint::hint_text;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::doctor::{Extent, examine_to};
use lakeplan::store::{Format, LakeTables, Retention, Store};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rstest::rstest;
use serde_json::{Value, json};

use super::doctor::{files, has_finding, lake, run_doctor};
use super::folding::{change_at_random, in_tables, records};
use super::{committed, delta_in_memory, delta_rs, make_project, open, state, task};
use crate::support::{clock, counts};

async fn entry(root: &LakeLocation, table: &str, version: u64) -> Path {
    let path = Path::from(format!("{table}/_delta_log/{version:020}.json"));
    assert!(root.store.head(&path).await.is_ok(), "{path} does not exist");
    path
}

async fn version(root: &LakeLocation, table: &str) -> u64 {
    delta_rs(&root.store, table).await.unwrap().version().unwrap()
}

/// Changes the columns of a table like an older version: one fewer, or one of another type.
async fn make_outdated(root: &LakeLocation, table: &str, change: impl Fn(&mut Vec<Value>)) {
    let first = root.store.get(&entry(root, table, 0).await).await.unwrap().bytes().await.unwrap();
    let lines = String::from_utf8(first.to_vec()).unwrap();
    let mut described: Value =
        serde_json::from_str(lines.lines().find(|line| line.contains("metaData")).unwrap())
            .unwrap();
    let mut schema: Value =
        serde_json::from_str(described["metaData"]["schemaString"].as_str().unwrap()).unwrap();
    change(schema["fields"].as_array_mut().unwrap());
    described["metaData"]["schemaString"] = Value::from(schema.to_string());
    let next = version(root, table).await + 1;
    let path = Path::from(format!("{table}/_delta_log/{next:020}.json"));
    root.store.put(&path, described.to_string().into()).await.unwrap();
}

async fn remove(root: &LakeLocation, table: &str) {
    for path in files(root, table, "").await {
        root.store.delete(&path).await.unwrap();
    }
}

async fn table_id(root: &LakeLocation, table: &str) -> String {
    delta_rs(&root.store, table).await.unwrap().snapshot().unwrap().metadata().id().to_owned()
}

fn lacks_a_column(fields: &mut Vec<Value>) {
    fields.retain(|field| field["name"] != "priority" && field["name"] != "actor");
}

fn has_another_type(fields: &mut [Value]) {
    fields[2]["type"] = json!("binary");
}

#[rstest]
#[case::a_missing_column_of_tasks("tasks", lacks_a_column)]
#[case::another_type_in_tasks("tasks", |fields: &mut Vec<Value>| has_another_type(fields))]
#[case::another_type_in_projects("projects", |fields: &mut Vec<Value>| has_another_type(fields))]
#[case::a_missing_column_of_field_changes("field_changes", lacks_a_column)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outdated_table_is_read_from_the_journal_and_rebuilt_by_the_next_fold(
    #[case] table: &str,
    #[case] change: fn(&mut Vec<Value>),
) {
    let (store, root) = lake().await;
    let expected = records(state(store.as_ref()).await.records());
    drop(store);
    let id = table_id(&root, table).await;
    make_outdated(&root, table, change).await;
    let before = version(&root, table).await;

    let found = run_doctor(&root, None).await;
    assert!(
        has_finding(&found, table, "columns") && found.findings.len() == 1,
        "{table}: {:?}",
        found.findings
    );
    assert!(hint_text(&found.findings[0].advice).contains("lakeplan fold"));
    let fresh = open(&root, clock(), 9).await.unwrap();
    assert_eq!(
        records(state(&fresh).await.records()),
        expected,
        "{table} is not read from the journal"
    );
    assert_eq!(version(&root, table).await, before, "a read wrote {table}");

    // A command that changes something also folds.
    let _ = committed(&fresh, task("one more")).await;
    let expected = records(state(&fresh).await.records());
    fresh.shutdown().await;
    assert_eq!(run_doctor(&root, None).await.findings, [], "{table}");
    assert_eq!(in_tables(&root).await, expected, "{table}");
    assert_eq!(version(&root, table).await, before + 1, "{table} was not rebuilt in one commit");
    entry(&root, table, 0).await;
    assert_eq!(table_id(&root, table).await, id, "{table} has a new table id");

    // The columns in a checkpoint are used too.
    let maintainer = open(&root, clock(), 10).await.unwrap();
    maintainer.maintain(Retention::default()).await.unwrap();
    assert_eq!(version(&root, table).await, before + 1, "{table} was rebuilt again");
    assert_eq!(run_doctor(&root, None).await.findings, [], "{table}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_rebuilt_bucket_by_bucket_agree_with_the_journal() {
    for seed in 0..counts(3, 30) as u64 {
        let (store, root) = delta_in_memory().await;
        make_project(store.as_ref()).await;
        for key in ["OPS", "WEB", "LAB"] {
            let project =
                json!([{"op": "create", "entity": "project", "fields": {"name": key, "key": key}}]);
            let _ = committed(store.as_ref(), project).await;
        }
        let mut random = StdRng::seed_from_u64(seed);
        let mut moved = 0;
        for round in 0..12 {
            let _ = committed(store.as_ref(), task(&format!("{round}"))).await;
            let (to, key) =
                (["OPS", "WEB", "LAB", "PAY"][round % 4], format!("PAY-{}", round / 2 + 1));
            let there = state(store.as_ref()).await;
            let known = lakeplan::service::find::task(&there, &key)
                .is_ok_and(|task| task.deleted_at.is_none());
            if known {
                let patches = json!([{"op": "move", "entity": "task", "id": key, "fields": {"project_id": to, "parent_id": null}}]);
                if let Ok(set) = crate::support::patch_set(&there, patches) {
                    moved += usize::from(matches!(
                        super::commit(store.as_ref(), set).await,
                        lakeplan::store::Outcome::Committed { .. }
                    ));
                }
            }
            change_at_random(store.as_ref(), &mut random).await;
            if round == 6 {
                // From here on, the moves are in the unfolded tail of the journal.
                store.fold().await.unwrap();
                assert_eq!(examine_by_bucket(&root).await, [], "seed {seed}");
            }
        }
        assert!(moved > 2, "seed {seed}: only {moved} tasks moved");
        assert_eq!(examine_by_bucket(&root).await, [], "seed {seed}, with a tail");
        store.fold().await.unwrap();
        let expected = records(state(store.as_ref()).await.records());
        let lost: &[&str] =
            [&["tasks"][..], &["field_changes", "task_links"], &["projects"]][seed as usize % 3];
        let all: Vec<&str> = LakeTables::folded().collect();
        for lost in [lost, &all] {
            for table in lost {
                remove(&root, table).await;
            }
            let fresh = open(&root, clock(), seed + 100).await.unwrap().with_replay_budget(1);
            assert_eq!(
                records(state(&fresh).await.records()),
                expected,
                "seed {seed}: without {lost:?}"
            );
            let report = fresh.fold().await.unwrap();
            assert!(report.tables.iter().any(|(_, folded)| folded.files > 0));
            assert_eq!(in_tables(&root).await, expected, "seed {seed}: {lost:?}");
            assert_eq!(examine_by_bucket(&root).await, [], "seed {seed}: {lost:?}");
            assert_eq!(run_doctor(&root, None).await.findings, [], "seed {seed}: {lost:?}");
        }
    }
}

/// Runs `doctor` with one bucket at a time in memory.
async fn examine_by_bucket(root: &LakeLocation) -> Vec<lakeplan::store::doctor::Finding> {
    let extent = Extent { is_full: true, budget: 1, ..Extent::usual(None) };
    examine_to(&root.store, "lake", &Format::default(), extent).await.unwrap().findings
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_rebuilds_of_a_table_commit_once() {
    let (store, root) = lake().await;
    make_outdated(&root, "tasks", |fields| fields.retain(|field| field["name"] != "priority"))
        .await;
    remove(&root, "users").await;
    let expected = records(state(store.as_ref()).await.records());
    drop(store);
    let folders: Vec<Arc<DeltaStore>> =
        futures::future::join_all((0..3).map(|seed| open(&root, clock(), 20 + seed)))
            .await
            .into_iter()
            .map(|opened| Arc::new(opened.unwrap()))
            .collect();
    let before = version(&root, "tasks").await;
    let folded = folders
        .iter()
        .cloned()
        .map(|store| tokio::spawn(async move { store.fold().await.unwrap() }));
    for done in folded.collect::<Vec<_>>() {
        done.await.unwrap();
    }
    assert_eq!((version(&root, "tasks").await, version(&root, "users").await), (before + 1, 0));
    assert_eq!(in_tables(&root).await, expected);
    assert_eq!(run_doctor(&root, None).await.findings, []);
}

#[rstest]
#[case::a_removed_entry_of_tasks("tasks", None)]
#[case::a_cut_entry_of_tasks("tasks", Some("{\"add\":"))]
#[case::an_emptied_entry_of_projects("projects", Some(""))]
#[case::a_removed_entry_of_field_changes("field_changes", None)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_with_a_damaged_log_is_rebuilt_and_keeps_its_history(
    #[case] table: &str,
    #[case] garbage: Option<&'static str>,
) {
    let (store, root) = lake().await;
    let _ = committed(store.as_ref(), task("later")).await;
    store.fold().await.unwrap();
    let expected = records(state(store.as_ref()).await.records());
    drop(store);
    let broken = entry(&root, table, 0).await;
    match garbage {
        None => root.store.delete(&broken).await.unwrap(),
        Some(text) => drop(root.store.put(&broken, text.into()).await.unwrap()),
    }
    let found = run_doctor(&root, None).await;
    assert!(
        has_finding(&found, &format!("{table}/_delta_log"), "damaged") && found.findings.len() == 1,
        "{:?}",
        found.findings
    );
    assert!(hint_text(&found.findings[0].advice).contains("lakeplan fold"), "{:?}", found.findings);
    let fresh = open(&root, clock(), 9).await.unwrap();
    assert_eq!(
        records(state(&fresh).await.records()),
        expected,
        "{table} {garbage:?} is not read from the journal"
    );
    fresh.fold().await.unwrap();
    fresh.shutdown().await;
    assert_eq!(in_tables(&root).await, expected, "{table} {garbage:?}");
    let extent = Extent { is_full: true, ..Extent::usual(None) };
    assert_eq!(
        examine_to(&root.store, "lake", &Format::default(), extent).await.unwrap().findings,
        [],
        "{table} {garbage:?}"
    );
    assert!(version(&root, table).await > 0, "{table} {garbage:?}: its history was lost");
}
