//! The tables next to the journal: they start empty, are maintained while others append, and the
//! inbox is left alone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::TimeDelta;
use futures::TryStreamExt;
use lakeplan::analytics::{Session, rows_text};
use lakeplan::domain::time::{AsOf, rfc3339};
use lakeplan::runtime::ManualClock;
use lakeplan::store::backup::copy;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::event_tables::RUNS;
use lakeplan::store::{Format, Retention, Store};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use serde_json::json;

use super::fault::{Fault, FaultStore, Plan};
use super::maintenance::sound;
use super::{committed, delta_in_memory, make_project, open, root, task};
use crate::support::{clock, noon, random};

async fn rows(store: &DeltaStore, sql: &str) -> Vec<Vec<String>> {
    let session = Session::open(&store.tables(), noon()).await.unwrap();
    rows_text(&session.query(sql).await.unwrap()).unwrap().1
}

async fn listed(root: &LakeLocation, folder: &str) -> Vec<ObjectMeta> {
    root.store.list(Some(&Path::from(folder))).try_collect().await.unwrap()
}

async fn append_run(store: &DeltaStore, run: &str, seq: u64, minute: i64) {
    let row = json!({
        "run_id": run, "started_at": rfc3339(noon() + TimeDelta::minutes(minute)), "duration_ms": 1, "command": "task",
        "actor": "ana", "seq": seq, "version": "0.1.0",
    });
    store.append(&RUNS, vec![row.as_object().cloned().unwrap()]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_lake_has_empty_event_tables() {
    let (store, _) = delta_in_memory().await;
    for name in [
        "runs",
        "agent_logs",
        "table_state",
        "inbox",
        "run_log",
        "agent_runs",
        "latest_table_state",
    ] {
        assert_eq!(rows(&store, &format!("SELECT count(*) FROM {name}")).await, [["0"]], "{name}");
    }
    assert_eq!(rows(&store, "SELECT * FROM lag").await, [[""; 0]; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fold_is_recorded_once_for_all_its_tables() {
    let (store, root) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    store.fold().await.unwrap();
    let _ = committed(store.as_ref(), task("one")).await;
    store.fold().await.unwrap();
    store.fold().await.unwrap();
    assert_eq!(
        listed(&root, "table_state")
            .await
            .iter()
            .filter(|meta| meta.location.as_ref().ends_with(".parquet"))
            .count(),
        2
    );
    let found =
        rows(&store, "SELECT table_name, seq, rows_written, files FROM table_state WHERE seq = 3 ORDER BY table_name").await;
    assert_eq!(found, [["field_changes", "3", "1", "1"], ["tasks", "3", "1", "1"]]);
    // The statistics from the log equal the recorded ones.
    store.maintain(Retention::default()).await.unwrap();
    let recorded = "SELECT count(DISTINCT bytes), count(DISTINCT files), count(*) FROM table_state WHERE table_name = 'tasks' AND seq = 3";
    assert_eq!(rows(&store, recorded).await, [["1", "1", "2"]]);
    assert_eq!(
        rows(&store, "SELECT count(*), min(seq), max(sets_behind) FROM lag").await,
        [["8", "3", "0"]]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_appended_during_maintenance_are_kept_exactly_once() {
    let (first, root) = delta_in_memory().await;
    // The appending writers have a clock that is a day behind, so for the maintainer their days are
    // past.
    let ahead = Arc::new(ManualClock::new(noon() + TimeDelta::days(1), TimeDelta::milliseconds(1)));
    let maintainer = open(&root, ahead, 9).await.unwrap();
    let second = Arc::new(open(&root, clock(), 8).await.unwrap());
    let running: Vec<_> = [(first, "a"), (second, "b")]
        .into_iter()
        .map(|(store, name)| {
            tokio::spawn(async move {
                for number in 0..40 {
                    append_run(&store, &format!("{name}{number}"), 1, number).await;
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let mut joined = 0;
    while running.iter().any(|task| !task.is_finished()) {
        joined += maintainer
            .maintain(Retention::default())
            .await
            .unwrap()
            .compacted
            .iter()
            .map(|(_, done)| done.from)
            .sum::<usize>();
    }
    for task in running {
        task.await.unwrap();
    }
    joined += maintainer
        .maintain(Retention::default())
        .await
        .unwrap()
        .compacted
        .iter()
        .map(|(_, done)| done.from)
        .sum::<usize>();
    assert!(joined > 1, "nothing was compacted");
    let found = rows(&maintainer, "SELECT run_id FROM runs").await;
    let distinct: BTreeSet<&Vec<String>> = found.iter().collect();
    assert_eq!((found.len(), distinct.len()), (80, 80));
    let files = rows(&maintainer, "SELECT count(*) FROM run_log").await;
    assert_eq!(files, [["80"]]);
    sound(&root).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn maintenance_does_not_touch_the_inbox() {
    let (store, lake) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    let entry = |version: u32| Path::from(format!("inbox/_delta_log/{version:020}.json"));
    let first = lake.store.get(&entry(0)).await.unwrap().bytes().await.unwrap();
    assert!(
        std::str::from_utf8(&first)
            .unwrap()
            .contains(r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#)
    );
    // Another engine changed the inbox to an unsupported protocol, and left a file that no version
    // needs.
    lake.store
        .put(&entry(1), r#"{"protocol":{"minReaderVersion":99,"minWriterVersion":99}}"#.into())
        .await
        .unwrap();
    lake.store.put(&Path::from("inbox/old.parquet"), "old".into()).await.unwrap();
    let before = listed(&lake, "inbox").await;
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let now = Retention { files: TimeDelta::zero(), log: TimeDelta::zero() };
    let maintainer = open(&lake, Arc::new(lakeplan::runtime::SystemClock), 3).await.unwrap();
    let report = maintainer.maintain(now).await.unwrap();
    assert!(report.vacuumed.iter().all(|(name, _)| *name != "inbox"));
    assert_eq!(listed(&lake, "inbox").await, before);
    sound(&lake).await;
    assert_eq!(
        rows(&maintainer, "SELECT count(*) FROM projects").await,
        [["1"]],
        "the other tables must be readable"
    );

    let target = root(Arc::new(InMemory::new()));
    copy(&lake, &target, None, clock().as_ref(), random(4).as_ref()).await.unwrap();
    assert!(!target.store.get(&entry(0)).await.unwrap().bytes().await.unwrap().is_empty());
    assert_eq!(
        listed(&target, "inbox").await.len(),
        1,
        "a copy must not contain the requests to the lake"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_contains_the_events_up_to_its_seq() {
    let (store, lake) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    let _ = committed(store.as_ref(), task("one")).await;
    store.fold().await.unwrap();
    for (run, seq) in [("two", 2), ("two", 2), ("three", 3)] {
        append_run(&store, run, seq, seq as i64).await;
    }
    for (up_to, expected) in [
        (None, vec!["three", "two"]),
        (Some(AsOf::Seq(2)), vec!["two"]),
        (Some(AsOf::Time(noon() + TimeDelta::seconds(150))), vec!["two"]),
    ] {
        let target = root(Arc::new(InMemory::new()));
        copy(&lake, &target, up_to, clock().as_ref(), random(4).as_ref()).await.unwrap();
        let copied =
            DeltaStore::open(&target, Format::default(), clock(), random(5)).await.unwrap();
        let found = rows(&copied, "SELECT run_id FROM runs ORDER BY run_id").await;
        assert_eq!(
            found,
            expected.into_iter().map(|run| vec![run.to_owned()]).collect::<Vec<_>>(),
            "{up_to:?}"
        );
        assert_eq!(
            rows(&copied, "SELECT count(*) FROM table_state").await,
            [["0"]],
            "the copy must not contain statistics of the other lake"
        );
        copied.fold().await.unwrap();
        sound(&target).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_false_conflict_leaves_no_gap_in_the_log() {
    let (healthy, lake) = delta_in_memory().await;
    make_project(healthy.as_ref()).await;
    for (seed, fault) in [(11, Fault::FalseConflict), (12, Fault::Precondition)] {
        let flaky = FaultStore::new(Arc::clone(&lake.store), seed);
        let store = open(&root(Arc::clone(&flaky) as Arc<_>), clock(), seed).await.unwrap();
        flaky.plan(Plan::Once { part: "runs/_delta_log", nth: 0, fault });
        append_run(&store, &format!("{fault:?}"), 2, 1).await;
        assert_eq!(flaky.faults.load(Ordering::SeqCst), 1);
        sound(&lake).await;
    }
    assert_eq!(
        rows(&healthy, "SELECT run_id FROM runs ORDER BY run_id").await,
        [["FalseConflict"], ["Precondition"]]
    );
}
