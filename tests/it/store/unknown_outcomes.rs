//! The outcome of a set with an open result: it is never reported as unwritten if it is or may be
//! written, and never as committed if it is in a gap of the log.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::TimeDelta;
use lakeplan::runtime::{Clock, ManualClock};
use lakeplan::store::delta::DeltaStore;
use lakeplan::store::{Format, Outcome, Store, StoreError};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::json;

use super::ambiguous_storage::journal;
use super::fault::{Fault, FaultStore, Plan};
use super::stale_writers::{JumpingClock, advance_past_a_checkpoint};
use super::{commit, committed, delta_in_memory, make_project, open, root, set, state, task};
use crate::checked::MemoryLake;
use crate::support::{clock, noon, random};

/// Creates a lake with a project, a healthy writer, and another writer with storage that can fail.
async fn healthy_and_flaky() -> (Arc<DeltaStore>, MemoryLake, DeltaStore, Arc<FaultStore>) {
    let (healthy, lake) = delta_in_memory().await;
    make_project(healthy.as_ref()).await;
    let faults = FaultStore::new(Arc::clone(&lake.store), 1);
    let flaky = open(&root(Arc::clone(&faults) as Arc<dyn ObjectStore>), clock(), 2).await.unwrap();
    (healthy, lake, flaky, faults)
}

/// Waits until all pending puts have landed.
async fn settle() {
    tokio::time::sleep(Duration::from_secs(200)).await;
}

const LATE: Plan = Plan::Each { part: "_delta_log", fault: Fault::LandAfterDeadline };

#[tokio::test(start_paused = true)]
async fn an_entry_with_unreadable_rows_is_not_skipped() {
    let (healthy, lake, flaky, faults) = healthy_and_flaky().await;
    let (first, second) =
        (set(healthy.as_ref(), task("b")).await, set(healthy.as_ref(), task("c")).await);
    let _ = committed(healthy.as_ref(), task("a")).await;
    faults.plan(Plan::NoReads { part: "stream=work" });
    assert!(matches!(commit(&flaky, first).await, Outcome::NotWritten { .. }));
    faults.plan(Plan::Quiet);
    assert!(matches!(commit(&flaky, second).await, Outcome::Committed { seq: 4, .. }));
    journal(&open(&lake, clock(), 9).await.unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn a_first_commit_that_may_land_is_not_reported_as_unwritten() {
    let (healthy, lake) = delta_in_memory().await;
    let faults = FaultStore::new(Arc::clone(&lake.store), 1);
    let flaky = open(&root(Arc::clone(&faults) as Arc<dyn ObjectStore>), clock(), 2).await.unwrap();
    let project = json!([{"op": "create", "entity": "project", "fields": {"name": "Payments", "key": "PAY"}}]);
    let project = set(healthy.as_ref(), project).await;
    faults.plan(LATE);
    let result = commit(&flaky, project.clone()).await;
    settle().await;
    assert!(
        journal(healthy.as_ref()).await.contains_key(&project.id),
        "nothing landed, so the test proves nothing"
    );
    assert!(matches!(result, Outcome::Unknown { .. }), "{result:?}");
}

/// Otherwise the client would have to look up the assigned keys.
#[tokio::test(start_paused = true)]
async fn a_commit_with_a_lost_response_returns_its_keys() {
    let (healthy, _, flaky, faults) = healthy_and_flaky().await;
    let lost = set(healthy.as_ref(), task("a")).await;
    faults.plan(Plan::Once { part: "_delta_log", nth: 0, fault: Fault::FailAfter });
    let result = commit(&flaky, lost).await;
    assert!(matches!(&result, Outcome::Committed { keys, .. } if keys.len() == 1), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn a_set_in_the_journal_is_committed_even_at_the_deadline() {
    let (healthy, _, flaky, faults) = healthy_and_flaky().await;
    let twice = set(healthy.as_ref(), task("a")).await;
    assert!(matches!(commit(healthy.as_ref(), twice.clone()).await, Outcome::Committed { .. }));
    faults.plan(Plan::Each { part: "_delta_log", fault: Fault::Slow });
    let result = commit(&flaky, twice).await;
    assert!(matches!(result, Outcome::AlreadyCommitted { seq: 3, .. }), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_in_a_group_gets_the_same_unknown_outcome() {
    let (healthy, _, flaky, faults) = healthy_and_flaky().await;
    let (old, new) =
        (set(healthy.as_ref(), task("a")).await, set(healthy.as_ref(), task("b")).await);
    assert!(matches!(commit(&flaky, old.clone()).await, Outcome::Committed { .. }));
    faults.plan(LATE);
    let result = flaky.commit(vec![new.clone(), new.clone(), old]).await;
    settle().await;
    assert!(
        journal(healthy.as_ref()).await.contains_key(&new.id),
        "nothing landed, so the test proves nothing"
    );
    let result = <[Outcome; 3]>::try_from(result).unwrap();
    let [
        Outcome::Unknown { .. },
        Outcome::Unknown { .. },
        Outcome::AlreadyCommitted { seq: 3, .. },
    ] = result
    else {
        panic!("{result:?}")
    };
}

#[tokio::test(start_paused = true)]
async fn an_unknown_set_stays_unknown_until_its_version_is_decided() {
    let (healthy, _, flaky, faults) = healthy_and_flaky().await;
    let open = set(healthy.as_ref(), task("a")).await;
    faults.plan(LATE);
    assert!(matches!(commit(&flaky, open.clone()).await, Outcome::Unknown { .. }));
    faults.plan(Plan::Each { part: "stream=work", fault: Fault::FailBefore });
    let result = commit(&flaky, open.clone()).await;
    assert!(matches!(result, Outcome::Unknown { .. }), "{result:?}");
    faults.plan(Plan::Quiet);
    settle().await;
    assert!(
        journal(healthy.as_ref()).await.contains_key(&open.id),
        "nothing landed, so the test proves nothing"
    );
    let result = commit(&flaky, open).await;
    assert!(matches!(result, Outcome::AlreadyCommitted { .. }), "{result:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_in_a_gap_by_another_stale_writer_is_ignored() {
    let (busy, lake) = delta_in_memory().await;
    make_project(busy.as_ref()).await;
    // The clock is read twice before the put: once for staleness, once for the time of the group.
    let jumping = || Arc::new(JumpingClock { jump: false.into(), looks: 0.into(), after: 2 });
    let clocks = [jumping(), jumping()];
    let first = open(&lake, Arc::clone(&clocks[0]) as Arc<dyn Clock>, 7).await.unwrap();
    let second = open(&lake, Arc::clone(&clocks[1]) as Arc<dyn Clock>, 8).await.unwrap();
    // With the project cached and the tables read, nothing is read again before the put.
    for stale in [&first, &second] {
        stale.fold().await.unwrap();
        let _ = state(stale).await;
    }
    let (a, b) =
        (set(busy.as_ref(), task("first")).await, set(busy.as_ref(), task("second")).await);
    let _ = advance_past_a_checkpoint(busy, &lake).await;
    for clock in &clocks {
        clock.jump.store(true, Ordering::SeqCst);
    }
    assert!(matches!(commit(&first, a.clone()).await, Outcome::Committed { .. }));
    let gap = lake.store.get(&Path::from("journal/_delta_log/00000000000000000002.json")).await;
    assert!(gap.is_ok(), "the put did not go into the gap, so the test proves nothing");
    assert!(matches!(commit(&second, b.clone()).await, Outcome::Committed { .. }));
    let found = journal(&open(&lake, clock(), 9).await.unwrap()).await;
    assert!(
        found.contains_key(&a.id) && found.contains_key(&b.id),
        "acknowledged and lost in a gap"
    );
}

/// A cleanup deletes in any order and can be interrupted: the last entry that a writer knows may
/// outlive the entries after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_left_by_a_log_cleanup_is_not_the_head() {
    let (busy, lake) = delta_in_memory().await;
    make_project(busy.as_ref()).await;
    let time = Arc::new(ManualClock::new(noon(), TimeDelta::zero()));
    let stale = open(&lake, Arc::clone(&time) as Arc<dyn Clock>, 7).await.unwrap();
    let late = set(busy.as_ref(), task("late")).await;
    let kept = Path::from("journal/_delta_log/00000000000000000001.json");
    let bytes = lake.store.get(&kept).await.unwrap().bytes().await.unwrap();
    let _ = advance_past_a_checkpoint(busy, &lake).await;
    lake.store.put(&kept, bytes.into()).await.unwrap();
    time.advance(TimeDelta::days(3));
    assert!(matches!(commit(&stale, late.clone()).await, Outcome::Committed { .. }));
    let found = journal(&open(&lake, clock(), 9).await.unwrap()).await;
    assert!(found.contains_key(&late.id), "acknowledged and lost in a gap");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lake_without_its_first_entries_is_still_a_lake() {
    let (busy, lake) = delta_in_memory().await;
    make_project(busy.as_ref()).await;
    let _ = advance_past_a_checkpoint(busy, &lake).await;
    let second = DeltaStore::create(&lake, Format::default(), clock(), random(33)).await;
    assert!(
        matches!(second, Err(StoreError::AlreadyALake { .. })),
        "a second lake was created over the first"
    );
}
