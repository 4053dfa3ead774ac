//! Maintenance on a machine whose clock was once far ahead.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{NaiveDate, TimeDelta, TimeZone, Utc};
use lakeplan::runtime::{Clock, ManualClock, fresh_set_id};
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::event_tables::{AGENT_LOGS, INBOX_RESULTS, RUNS};
use lakeplan::store::{Outcome, Retention, Store};
use serde_json::{Value, json};

use super::{commit, delta_in_memory, make_project, open, set, task};
use crate::support::{noon, random};

async fn append_run(store: &DeltaStore, clock: &ManualClock) {
    let at = lakeplan::domain::time::rfc3339(clock.now());
    let fields = |row: Value| row.as_object().cloned().unwrap();
    let run = json!({"run_id": at, "started_at": at, "duration_ms": 1, "command": "task", "actor": "ana", "seq": 1, "version": "0"});
    store.append(&RUNS, vec![fields(run)]).await.unwrap();
    let log = json!({"run_id": at, "at": at, "agent": "planner", "model": "outline", "actor": "ana", "duration_ms": 1, "phases": 0,
        "tasks": 0, "subtasks": 0, "links": 0, "requirements": 0, "problems": 0, "skipped": 0, "skipped_parts": "[]"});
    store.append(&AGENT_LOGS, vec![fields(log)]).await.unwrap();
    let answer = json!({"request_id": at, "at": at, "outcome": "applied", "patch_set_id": at});
    store.append(&INBOX_RESULTS, vec![fields(answer)]).await.unwrap();
}

/// Opens a writer with this clock; the ids of one writer never collide with those of another.
async fn writer(root: &LakeLocation, clock: &Arc<ManualClock>) -> DeltaStore {
    static SEED: AtomicU64 = AtomicU64::new(100);
    open(root, Arc::clone(clock) as Arc<dyn Clock>, SEED.fetch_add(1, Ordering::Relaxed))
        .await
        .unwrap()
}

/// Runs maintenance. Returns the number of expired rows by table.
async fn maintain(root: &LakeLocation, clock: &Arc<ManualClock>) -> BTreeMap<&'static str, usize> {
    let store = writer(root, clock).await;
    let report = store.maintain(Retention::default()).await.unwrap();
    store.shutdown().await;
    report
        .compacted
        .into_iter()
        .map(|(name, done)| (name, done.expired))
        .filter(|(_, expired)| *expired > 0)
        .collect()
}

fn at(day: NaiveDate) -> Arc<ManualClock> {
    let noon = Utc.from_utc_datetime(&day.and_hms_opt(12, 0, 0).unwrap());
    Arc::new(ManualClock::new(noon, TimeDelta::milliseconds(1)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_far_ahead_expires_no_rows_and_blocks_no_writes() {
    let (store, root) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    store.fold().await.unwrap();
    let clock = Arc::new(ManualClock::new(noon(), TimeDelta::milliseconds(1)));
    for _ in 0..10 {
        append_run(&writer(&root, &clock).await, &clock).await;
        assert_eq!(maintain(&root, &clock).await, BTreeMap::new());
        clock.advance(TimeDelta::days(1));
    }
    // A day, a second run, and later days: rows that the wrong clock itself wrote are no evidence
    // that the clock is right.
    for day in ["2099-01-01", "2099-01-01", "2099-01-02", "2300-01-01"] {
        let wrong = at(day.parse().unwrap());
        append_run(&writer(&root, &wrong).await, &wrong).await;
        assert_eq!(maintain(&root, &wrong).await, BTreeMap::new(), "{day}");
    }
    // The clock is right again: commits continue, and rows expire at the right time.
    let again = writer(&root, &clock).await;
    let mut set = set(&again, task("after it")).await;
    set.id = fresh_set_id(clock.as_ref(), random(9).as_ref());
    let outcome = commit(&again, set).await;
    assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
    again.fold().await.unwrap();
    let mut expired = BTreeMap::new();
    for _ in 0..20 {
        clock.advance(TimeDelta::days(5));
        append_run(&writer(&root, &clock).await, &clock).await;
        expired.extend(maintain(&root, &clock).await);
    }
    let names: Vec<_> = expired.keys().copied().collect();
    assert_eq!(names, ["runs", "table_state"], "{expired:?}");
}
