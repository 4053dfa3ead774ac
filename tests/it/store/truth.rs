//! What is said of a set whose fate was open: never that it is not there when it is or may come to be, never that it is
//! there when it is in a hole.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::TimeDelta;
use lakeplan::runtime::{Clock, ManualClock};
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::{Format, Outcome, Store, StoreError};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::json;

use super::fault::{Fault, FaultStore, Plan};
use super::faults::journal;
use super::sleepers::{JumpingClock, advance_past_a_checkpoint};
use super::{commit, committed, delta_in_memory, make_project, open, root, set, state, task};
use crate::support::{clock, noon, random};

/// A lake with a project, its calm writer, and another writer whose storage can be made to fail.
async fn calm_and_flaky() -> (Arc<DeltaStore>, LakeLocation, DeltaStore, Arc<FaultStore>) {
    let (calm, lake) = delta_in_memory().await;
    make_project(calm.as_ref()).await;
    let faults = FaultStore::new(Arc::clone(&lake.store), 1);
    let flaky = open(&root(Arc::clone(&faults) as Arc<dyn ObjectStore>), clock(), 2).await.unwrap();
    (calm, lake, flaky, faults)
}

/// Lets everything land that is still on its way.
async fn settle() {
    tokio::time::sleep(Duration::from_secs(200)).await;
}

const LATE: Plan = Plan::Each { part: "_delta_log", fault: Fault::LandAfterDeadline };

#[tokio::test(start_paused = true)]
async fn an_entry_whose_rows_cannot_be_read_is_not_passed_over() {
    let (calm, lake, flaky, faults) = calm_and_flaky().await;
    let (first, second) =
        (set(calm.as_ref(), task("b")).await, set(calm.as_ref(), task("c")).await);
    let _ = committed(calm.as_ref(), task("a")).await;
    faults.plan(Plan::NoReads { part: "stream=work" });
    assert!(matches!(commit(&flaky, first).await, Outcome::NotWritten { .. }));
    faults.plan(Plan::Quiet);
    assert!(matches!(commit(&flaky, second).await, Outcome::Committed { seq: 4, .. }));
    journal(&open(&lake, clock(), 9).await.unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_commit_of_a_lake_is_not_called_unwritten_while_it_may_land() {
    let (calm, lake) = delta_in_memory().await;
    let faults = FaultStore::new(Arc::clone(&lake.store), 1);
    let flaky = open(&root(Arc::clone(&faults) as Arc<dyn ObjectStore>), clock(), 2).await.unwrap();
    let project = json!([{"op": "create", "entity": "project", "fields": {"name": "Payments", "key": "PAY"}}]);
    let project = set(calm.as_ref(), project).await;
    faults.plan(LATE);
    let result = commit(&flaky, project.clone()).await;
    settle().await;
    assert!(
        journal(calm.as_ref()).await.contains_key(&project.id),
        "nothing landed, so this test shows nothing"
    );
    assert!(matches!(result, Outcome::Unknown { .. }), "{result:?}");
}

/// Else the one who made it would have to look for the keys it was given.
#[tokio::test(start_paused = true)]
async fn a_commit_whose_answer_was_lost_still_tells_its_keys() {
    let (calm, _, flaky, faults) = calm_and_flaky().await;
    let lost = set(calm.as_ref(), task("a")).await;
    faults.plan(Plan::Once { part: "_delta_log", nth: 0, fault: Fault::FailAfter });
    let result = commit(&flaky, lost).await;
    assert!(matches!(&result, Outcome::Committed { keys, .. } if keys.len() == 1), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn a_set_seen_in_the_journal_is_committed_even_at_the_deadline() {
    let (calm, _, flaky, faults) = calm_and_flaky().await;
    let twice = set(calm.as_ref(), task("a")).await;
    assert!(matches!(commit(calm.as_ref(), twice.clone()).await, Outcome::Committed { .. }));
    faults.plan(Plan::Each { part: "_delta_log", fault: Fault::Slow });
    let result = commit(&flaky, twice).await;
    assert!(matches!(result, Outcome::AlreadyCommitted { seq: 3, .. }), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn a_repeat_in_a_group_is_as_unknown_as_what_it_repeats() {
    let (calm, _, flaky, faults) = calm_and_flaky().await;
    let (old, new) = (set(calm.as_ref(), task("a")).await, set(calm.as_ref(), task("b")).await);
    assert!(matches!(commit(&flaky, old.clone()).await, Outcome::Committed { .. }));
    faults.plan(LATE);
    let result = flaky.commit(vec![new.clone(), new.clone(), old]).await;
    settle().await;
    assert!(
        journal(calm.as_ref()).await.contains_key(&new.id),
        "nothing landed, so this test shows nothing"
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
async fn what_was_unknown_is_not_called_unwritten_before_its_slot_is_decided() {
    let (calm, _, flaky, faults) = calm_and_flaky().await;
    let open = set(calm.as_ref(), task("a")).await;
    faults.plan(LATE);
    assert!(matches!(commit(&flaky, open.clone()).await, Outcome::Unknown { .. }));
    faults.plan(Plan::Each { part: "stream=work", fault: Fault::FailBefore });
    let result = commit(&flaky, open.clone()).await;
    assert!(matches!(result, Outcome::Unknown { .. }), "{result:?}");
    faults.plan(Plan::Quiet);
    settle().await;
    assert!(
        journal(calm.as_ref()).await.contains_key(&open.id),
        "nothing landed, so this test shows nothing"
    );
    let result = commit(&flaky, open).await;
    assert!(matches!(result, Outcome::AlreadyCommitted { .. }), "{result:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_sleeper_put_into_a_hole_is_not_taken_in() {
    let (busy, lake) = delta_in_memory().await;
    make_project(busy.as_ref()).await;
    // It takes two looks before the put: one for staleness, one for the time of the group.
    let jumping = || Arc::new(JumpingClock { jump: false.into(), looks: 0.into(), after: 2 });
    let clocks = [jumping(), jumping()];
    let first = open(&lake, Arc::clone(&clocks[0]) as Arc<dyn Clock>, 7).await.unwrap();
    let second = open(&lake, Arc::clone(&clocks[1]) as Arc<dyn Clock>, 8).await.unwrap();
    // With the project at hand and the tables seen nothing is read again before the put.
    for sleeper in [&first, &second] {
        sleeper.fold().await.unwrap();
        let _ = state(sleeper).await;
    }
    let (a, b) =
        (set(busy.as_ref(), task("first")).await, set(busy.as_ref(), task("second")).await);
    let _ = advance_past_a_checkpoint(busy, &lake).await;
    for clock in &clocks {
        clock.jump.store(true, Ordering::SeqCst);
    }
    assert!(matches!(commit(&first, a.clone()).await, Outcome::Committed { .. }));
    let hole = lake.store.get(&Path::from("journal/_delta_log/00000000000000000002.json")).await;
    assert!(hole.is_ok(), "the put did not go into the hole, so this test shows nothing");
    assert!(matches!(commit(&second, b.clone()).await, Outcome::Committed { .. }));
    let found = journal(&open(&lake, clock(), 9).await.unwrap()).await;
    assert!(
        found.contains_key(&a.id) && found.contains_key(&b.id),
        "acknowledged and lost in a hole"
    );
}

/// Clean-up deletes in any order and can be cut short: the entry a writer knows may outlive the ones after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_left_over_by_a_clean_up_is_not_the_head() {
    let (busy, lake) = delta_in_memory().await;
    make_project(busy.as_ref()).await;
    let time = Arc::new(ManualClock::new(noon(), TimeDelta::zero()));
    let sleeper = open(&lake, Arc::clone(&time) as Arc<dyn Clock>, 7).await.unwrap();
    let late = set(busy.as_ref(), task("late")).await;
    let kept = Path::from("journal/_delta_log/00000000000000000001.json");
    let bytes = lake.store.get(&kept).await.unwrap().bytes().await.unwrap();
    let _ = advance_past_a_checkpoint(busy, &lake).await;
    lake.store.put(&kept, bytes.into()).await.unwrap();
    time.advance(TimeDelta::days(3));
    assert!(matches!(commit(&sleeper, late.clone()).await, Outcome::Committed { .. }));
    let found = journal(&open(&lake, clock(), 9).await.unwrap()).await;
    assert!(found.contains_key(&late.id), "acknowledged and lost in a hole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lake_whose_first_entries_are_cleaned_up_is_still_a_lake() {
    let (busy, lake) = delta_in_memory().await;
    make_project(busy.as_ref()).await;
    let _ = advance_past_a_checkpoint(busy, &lake).await;
    let second = DeltaStore::create(&lake, Format::default(), clock(), random(33)).await;
    assert!(
        matches!(second, Err(StoreError::AlreadyALake { .. })),
        "a second lake was made over the first"
    );
}
