//! Copies and new lakes whose process dies at each put: an unfinished one is reported, and a retry
//! finishes it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::TimeDelta;
use lakeplan::domain::time::{AsOf, rfc3339};
use lakeplan::store::backup::{self, Copied, copy};
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::doctor::{Extent, examine_to};
use lakeplan::store::event_tables::RUNS;
use lakeplan::store::{Format, Store, StoreError};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::json;

use super::fault::{Fault, FaultStore, Plan};
use super::{committed, delta_in_memory, make_project, open, root, state, task, titles};
use crate::checked::MemoryLake;
use crate::support::{clock, noon, random};

/// Creates a lake with two tasks and one recorded run, in three journal files.
async fn lake() -> (Arc<DeltaStore>, MemoryLake) {
    let (store, lake) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    for title in ["one", "two"] {
        let _ = committed(store.as_ref(), task(title)).await;
    }
    append_run(&store, "first", 3).await;
    (store, lake)
}

async fn append_run(store: &DeltaStore, run: &str, seq: u64) {
    let row = json!({
        "run_id": run, "started_at": rfc3339(noon() + TimeDelta::minutes(1)), "duration_ms": 1, "command": "task",
        "actor": "ana", "seq": seq, "version": "0.1.0",
    });
    store.append(&RUNS, vec![row.as_object().cloned().unwrap()]).await.unwrap();
}

async fn runs(lake: &LakeLocation) -> Vec<String> {
    let mut runs = Vec::new();
    RUNS.texts(&lake.store, "run_id", |run| runs.push(run.to_owned())).await.unwrap();
    runs
}

async fn sound(lake: &LakeLocation, at: &str) {
    let extent = Extent { is_full: true, ..Extent::usual(None) };
    let checkup = examine_to(&lake.store, "lake", &Format::default(), extent).await.unwrap();
    assert_eq!(checkup.findings, [], "{at}");
}

/// Runs an operation whose storage dies at its nth put. Returns whether it died.
async fn run_with_death<T>(
    storage: &FaultStore,
    nth: u64,
    fault: Fault,
    operation: impl Future<Output = Result<T, StoreError>>,
) -> bool {
    storage.plan(Plan::Once { part: "", nth, fault });
    match tokio::time::timeout(Duration::from_secs(3600), operation).await {
        Err(_) => true,
        Ok(done) => {
            done.map(drop).unwrap_or_else(|err| panic!("put {nth}, {fault:?}: {err:?}"));
            assert_eq!(storage.faults.load(Ordering::SeqCst), 0);
            false
        }
    }
}

async fn start_copy(
    from: &LakeLocation,
    to: &LakeLocation,
    up_to: Option<AsOf>,
    seed: u64,
) -> Result<Copied, StoreError> {
    copy(from, to, up_to, clock().as_ref(), random(seed).as_ref()).await
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_copy_is_reported_and_finished_by_a_retry() {
    let mut deaths = 0;
    for fault in [Fault::DieBefore, Fault::DieAfter] {
        for nth in 0.. {
            let at = format!("put {nth}, {fault:?}");
            let (store, source) = lake().await;
            let target = root(Arc::new(InMemory::new()));
            let storage = FaultStore::new(Arc::clone(&target.store), nth);
            let location = root(Arc::clone(&storage) as Arc<dyn ObjectStore>);
            if !run_with_death(&storage, nth, fault, start_copy(&source, &location, None, 5)).await
            {
                break;
            }
            deaths += 1;
            let is_begun = target.store.head(&Path::from("_copy/copy.json")).await.is_ok();
            let is_lake = target
                .store
                .head(&Path::from("journal/_delta_log/00000000000000000000.json"))
                .await
                .is_ok();
            if is_begun && !is_lake {
                let unfinished = |err: Option<StoreError>| {
                    assert!(
                        matches!(err, Some(StoreError::UnfinishedCopy { .. })),
                        "{at}: {err:?}"
                    );
                };
                unfinished(open(&target, clock(), 6).await.err());
                unfinished(
                    examine_to(&target.store, "lake", &Format::default(), Extent::usual(None))
                        .await
                        .err(),
                );
                unfinished(
                    DeltaStore::create(&target, Format::default(), clock(), random(7)).await.err(),
                );
                unfinished(start_copy(&source, &target, Some(AsOf::Seq(2)), 8).await.err());
                let (_, other) = other_lake().await;
                unfinished(start_copy(&other, &target, None, 8).await.err());
                unfinished(
                    start_copy(&target, &root(Arc::new(InMemory::new())), None, 8).await.err(),
                );
            }
            if is_lake {
                assert_eq!(
                    runs(&target).await,
                    ["first"],
                    "{at}: an incomplete copy looks complete"
                );
                sound(&target, &at).await;
            }
            // The lake continues; the copy was started before.
            let _ = committed(store.as_ref(), task("later")).await;
            append_run(&store, "second", 5).await;
            let copied = start_copy(&source, &target, None, 9)
                .await
                .unwrap_or_else(|err| panic!("{at}: {err:?}"));
            let (seq, tasks, run_count) = if is_begun { (4, 2, 1) } else { (5, 3, 2) };
            assert_eq!(copied.seq, seq, "{at}");
            backup::finish(target.store.as_ref()).await.unwrap();
            let there = open(&target, clock(), 10).await.unwrap();
            assert_eq!(titles(&state(&there).await).len(), tasks, "{at}");
            there.fold().await.unwrap();
            assert_eq!(runs(&target).await.len(), run_count, "{at}");
            sound(&target, &at).await;
            assert!(
                matches!(
                    start_copy(&source, &target, None, 11).await,
                    Err(StoreError::CopyOntoLake { .. })
                ),
                "{at}"
            );
        }
    }
    eprintln!("copy: died at {deaths} puts");
    assert!(deaths >= 20, "{deaths}");
}

#[tokio::test(start_paused = true)]
async fn a_retry_removes_a_leftover_marker_unless_the_copy_changed() {
    let (_, source) = lake().await;
    let target = root(Arc::new(InMemory::new()));
    let copied = start_copy(&source, &target, None, 5).await.unwrap();
    let marker = Path::from("_copy/copy.json");
    assert!(target.store.head(&marker).await.is_ok());
    let there = open(&target, clock(), 6).await.unwrap();
    there.fold().await.unwrap();
    // A fold does not change the copied data.
    assert_eq!(start_copy(&source, &target, None, 7).await.unwrap(), copied);
    let _ = committed(&there, task("its own")).await;
    for seed in [8, 9] {
        let changed = start_copy(&source, &target, None, seed).await;
        assert!(matches!(changed, Err(StoreError::CopyChanged { seq: 5, .. })), "{changed:?}");
    }
    let words = start_copy(&source, &target, None, 10).await.unwrap_err();
    assert!(
        words.to_string().contains("is an independent lake now, at seq 5")
            && words.hint().is_some(),
        "{words}"
    );
    assert_eq!(titles(&state(&there).await).len(), 3);
    sound(&target, "changed").await;
}

async fn other_lake() -> (Arc<DeltaStore>, MemoryLake) {
    let other = MemoryLake::new(root(Arc::new(InMemory::new())));
    let store = DeltaStore::create(&other, Format::default(), clock(), random(77)).await.unwrap();
    (Arc::new(store), other)
}

#[tokio::test(start_paused = true)]
async fn a_retried_copy_does_not_rewrite_journal_files() {
    let (_, source) = lake().await;
    let target = root(Arc::new(InMemory::new()));
    let storage = FaultStore::new(Arc::clone(&target.store), 1);
    let location = root(Arc::clone(&storage) as Arc<dyn ObjectStore>);
    storage.plan(Plan::Once { part: "journal/_delta_log", nth: 0, fault: Fault::DieBefore });
    assert!(
        tokio::time::timeout(Duration::from_secs(3600), start_copy(&source, &location, None, 5))
            .await
            .is_err()
    );
    let healthy = FaultStore::new(Arc::clone(&target.store), 2);
    start_copy(&source, &root(Arc::clone(&healthy) as Arc<dyn ObjectStore>), None, 6)
        .await
        .unwrap();
    let puts =
        healthy.calls.seen().into_iter().filter(|(verb, _)| *verb == super::calls::Verb::Put);
    let puts: Vec<String> = puts.map(|(_, path)| path).collect();
    assert_eq!(puts, ["journal/_delta_log/00000000000000000000.json"]);
}

#[tokio::test(start_paused = true)]
async fn concurrent_copies_to_one_location_create_one_copy() {
    let (_, source) = lake().await;
    let target = root(Arc::new(InMemory::new()));
    let (one, two) = futures::join!(
        start_copy(&source, &target, None, 5),
        start_copy(&source, &target, None, 6)
    );
    assert_eq!(one.unwrap(), two.unwrap());
    backup::finish(target.store.as_ref()).await.unwrap();
    let there = open(&target, clock(), 10).await.unwrap();
    there.fold().await.unwrap();
    sound(&target, "two at once").await;
    assert_eq!(runs(&target).await, ["first"]);
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_create_is_finished_by_a_retry() {
    let mut deaths = 0;
    for fault in [Fault::DieBefore, Fault::DieAfter] {
        for nth in 0.. {
            let at = format!("put {nth}, {fault:?}");
            let place = root(Arc::new(InMemory::new()));
            let storage = FaultStore::new(Arc::clone(&place.store), nth);
            let location = root(Arc::clone(&storage) as Arc<dyn ObjectStore>);
            if !run_with_death(
                &storage,
                nth,
                fault,
                DeltaStore::create(&location, Format::default(), clock(), random(5)),
            )
            .await
            {
                break;
            }
            deaths += 1;
            match open(&place, clock(), 6).await {
                // It opens as a lake, so it is complete.
                Ok(_) => {}
                Err(StoreError::NotALake { .. }) => {
                    DeltaStore::create(&place, Format::default(), clock(), random(7))
                        .await
                        .unwrap_or_else(|err| panic!("{at}: {err:?}"));
                }
                Err(err) => panic!("{at}: {err:?}"),
            }
            for table in ["runs", "agent_logs", "table_state", "inbox", "inbox_results"] {
                let entry = Path::from(format!("{table}/_delta_log/00000000000000000000.json"));
                assert!(place.store.head(&entry).await.is_ok(), "{at}: {table}");
            }
            sound(&place, &at).await;
        }
    }
    eprintln!("create: died at {deaths} puts");
    assert!(deaths >= 14, "{deaths}");
}
