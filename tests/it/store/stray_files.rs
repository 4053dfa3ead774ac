//! Files in the log of a table that are not its entries: taken names, versions far ahead, stray
//! files.

use std::time::Duration;

use lakeplan::cli::hint::hint_text;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::doctor::{Finding, examine};
use lakeplan::store::event_tables::RUNS;
use lakeplan::store::{Format, Outcome, Retention, Store, StoreError};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde_json::json;

use super::doctor::{files, lake};
use super::foreign_operations::{follow_advice, fork};
use super::{commit, committed, make_project, open, set, state, task};
use crate::support::{clock, random};

async fn run_doctor(lake: &LakeLocation) -> Vec<Finding> {
    examine(&lake.store, lake.url.as_str(), &Format::default(), None).await.unwrap().findings
}

async fn within_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), work)
        .await
        .unwrap_or_else(|_| panic!("{what} hangs"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_at_the_next_log_entry_is_reported_without_hanging() {
    let folder = tempfile::tempdir().unwrap();
    let root = LakeLocation::open(folder.path().to_str().unwrap(), true).unwrap();
    let store = DeltaStore::create(&root, Format::default(), clock(), random(1)).await.unwrap();
    make_project(&store).await;
    store.fold().await.unwrap();
    for table in ["journal", "tasks", "runs"] {
        let next = files(&root, &format!("{table}/_delta_log"), ".json").await.len();
        let place = format!("{table}/_delta_log/{next:020}.json");
        std::fs::create_dir(folder.path().join(&place)).unwrap();
        let err = match table {
            "journal" => {
                match within_time(table, commit(&store, set(&store, task("blocked")).await)).await {
                    Outcome::NotWritten { cause } => cause,
                    other => panic!("{other:?}"),
                }
            }
            "tasks" => {
                let _ = committed(&store, task("not folded")).await;
                within_time(table, store.fold()).await.unwrap_err()
            }
            _ => {
                let run = json!({
                    "run_id": "a", "started_at": "2026-09-21T12:00:00Z", "duration_ms": 1, "command": "task", "actor": "ana",
                    "seq": 1, "version": "0.1.0",
                });
                let rows = vec![run.as_object().cloned().unwrap()];
                within_time(table, store.append(&RUNS, rows)).await.unwrap_err()
            }
        };
        assert!(matches!(&err, StoreError::NameTaken { path } if *path == place), "{err}");
        assert!(
            err.hint()
                .is_some_and(|hint| hint_text(&hint).contains("move the item with this name away")),
            "{err}"
        );
        let found = run_doctor(&root).await;
        assert!(
            found.iter().any(|finding| finding.place == place
                && hint_text(&finding.advice).contains("move the item with this name away")),
            "{found:?}"
        );
        std::fs::remove_dir(folder.path().join(&place)).unwrap();
        let _ = committed(&store, task(table)).await;
        store.fold().await.unwrap();
        assert_eq!(run_doctor(&root).await, []);
    }
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_entry_far_ahead_is_reported_and_repairable() {
    let (store, lake) = lake().await;
    let _ = store.maintain(Retention::default()).await.unwrap();
    drop(store);
    let whole = files(&lake, "tasks", ".parquet").await.len();
    assert!(whole > 0);
    for table in ["journal", "tasks", "runs", "table_state"] {
        for version in ["00000000000999999999", "09223372036854775807", "18446744073709551615"] {
            let mut damaged = fork(&lake).await;
            let place = format!("{table}/_delta_log/{version}.json");
            damaged
                .store
                .put(&Path::from(place.as_str()), r#"{"commitInfo":{}}"#.into())
                .await
                .unwrap();
            let what = format!("{table} {version}");
            let found = within_time(&what, run_doctor(&damaged)).await;
            assert!(!found.is_empty() && found.len() < 4, "{what}: {found:?}");
            assert!(
                found.iter().all(|finding| !hint_text(&finding.advice).contains("from a backup")),
                "{what}: {found:?}"
            );
            for finding in found {
                damaged = follow_advice(
                    damaged.clone(),
                    &hint_text(&finding.advice),
                    &finding.place,
                    &lake,
                )
                .await;
            }
            let left = run_doctor(&damaged).await;
            assert_eq!(left, [], "{what}");
            let store = open(&damaged, clock(), 7).await.unwrap();
            let _ = committed(&store, task("after")).await;
            store.fold().await.unwrap();
            store.shutdown().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_advises_moving_only_the_stray_file() {
    let (store, lake) = lake().await;
    let before = state(store.as_ref()).await;
    drop(store);
    let next = files(&lake, "journal/_delta_log", ".json").await.len();
    let checkpoint = "journal/_delta_log/00000000000000009999.checkpoint.parquet".to_owned();
    let cases = [
        (format!("journal/_delta_log/{next:020}.json"), ""),
        (
            format!("journal/_delta_log/{:020}.json", next + 3),
            r#"{"commitInfo":{"operation":"WRITE"}}"#,
        ),
        (checkpoint, "no parquet"),
    ];
    for (place, bytes) in cases {
        let damaged = fork(&lake).await;
        damaged.store.put(&Path::from(place.as_str()), bytes.into()).await.unwrap();
        assert!(open(&damaged, clock(), 7).await.is_err(), "{place}");
        let found = run_doctor(&damaged).await;
        assert_eq!(
            found.iter().map(|finding| finding.place.as_str()).collect::<Vec<_>>(),
            [place.as_str()],
            "{found:?}"
        );
        let repaired =
            follow_advice(damaged, &hint_text(&found[0].advice), &found[0].place, &lake).await;
        assert_eq!(run_doctor(&repaired).await, [], "{place}");
        let store = open(&repaired, clock(), 7).await.unwrap();
        assert!(state(&store).await.records().eq(before.records()), "{place}");
        store.shutdown().await;
    }
    // An entry with data files may have been a real one.
    let damaged = fork(&lake).await;
    damaged
        .store
        .put(&Path::from(format!("journal/_delta_log/{next:020}.json")), "".into())
        .await
        .unwrap();
    let rows = Path::from(format!(
        "journal/stream=work/date=2026-09-21/{next:020}-{}.parquet",
        uuid::Uuid::nil()
    ));
    damaged.store.put(&rows, "rows".into()).await.unwrap();
    let found = run_doctor(&damaged).await;
    assert!(
        found.iter().all(|finding| hint_text(&finding.advice).contains("from a backup")),
        "{found:?}"
    );
}
