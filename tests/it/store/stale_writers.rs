//! Stale writers, suspended writers, and writers whose log was cleaned up.

use std::sync::Arc;

use chrono::TimeDelta;
use futures::TryStreamExt;
use lakeplan::runtime::{Clock, ManualClock, fresh_set_id};
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::{Outcome, Store};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::{commit, committed, delta_in_memory, make_project, open, set, state, task, titles};
use crate::support::{clock, noon, random};

/// Removes the log entries below a version, like a cleanup behind a checkpoint.
async fn clean_up(root: &LakeLocation, below: u64) {
    let listed: Vec<_> =
        root.store.list(Some(&Path::from("journal/_delta_log"))).try_collect().await.unwrap();
    for meta in listed {
        let version = meta
            .location
            .filename()
            .unwrap()
            .strip_suffix(".json")
            .and_then(|name| name.parse::<u64>().ok());
        if version.is_some_and(|version| version < below) {
            root.store.delete(&meta.location).await.unwrap();
        }
    }
}

/// Commits until a checkpoint is written, and cleans up behind it. Returns the number of tasks.
pub async fn advance_past_a_checkpoint(store: Arc<DeltaStore>, root: &LakeLocation) -> usize {
    for n in 0..105 {
        let _ = committed(store.as_ref(), task(&format!("{n:03}"))).await;
    }
    Arc::into_inner(store).unwrap().shutdown().await;
    let checkpoint = root.store.get(&Path::from("journal/_delta_log/_last_checkpoint")).await;
    assert!(checkpoint.is_ok(), "no checkpoint was written after a hundred commits");
    clean_up(root, 100).await;
    105
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_writer_does_not_commit_in_a_gap() {
    let (busy, root) = delta_in_memory().await;
    make_project(busy.as_ref()).await;
    let time = Arc::new(ManualClock::new(noon(), TimeDelta::zero()));
    let stale = open(&root, Arc::clone(&time) as Arc<dyn Clock>, 7).await.unwrap();
    let early = set(busy.as_ref(), task("stale")).await;
    let tasks = advance_past_a_checkpoint(busy, &root).await;
    time.advance(TimeDelta::days(3));
    match commit(&stale, early).await {
        Outcome::Committed { seq, .. } => assert_eq!(seq, 3 + tasks as u64),
        other => panic!("{other:?}"),
    }
    let fresh = open(&root, clock(), 8).await.unwrap();
    let found = titles(&state(&fresh).await);
    assert_eq!(found.len(), tasks + 1, "{found:?}");
    assert!(found.contains(&"stale".to_owned()));
}

/// A clock that jumps between the writer's last read of it and the return of its put, like after
/// closing a laptop.
#[derive(Debug)]
pub struct JumpingClock {
    pub jump: std::sync::atomic::AtomicBool,
    pub looks: std::sync::atomic::AtomicU64,
    pub after: u64,
}

impl Clock for JumpingClock {
    fn now(&self) -> lakeplan::domain::time::Instant {
        use std::sync::atomic::Ordering::SeqCst;
        if !self.jump.load(SeqCst) {
            return noon();
        }
        let looks = self.looks.fetch_add(1, SeqCst);
        if looks < self.after { noon() } else { noon() + TimeDelta::days(3) }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_writer_does_not_acknowledge_a_set_in_a_gap() {
    let (busy, root) = delta_in_memory().await;
    make_project(busy.as_ref()).await;
    // The clock is read twice before the put: once for staleness, once for the time of the group.
    let time = Arc::new(JumpingClock { jump: false.into(), looks: 0.into(), after: 2 });
    let stale = open(&root, Arc::clone(&time) as Arc<dyn Clock>, 7).await.unwrap();
    // With the project cached and the tables read, nothing is read again before the put.
    stale.fold().await.unwrap();
    let _ = state(&stale).await;
    let early = set(busy.as_ref(), task("stale")).await;
    let tasks = advance_past_a_checkpoint(busy, &root).await;
    time.jump.store(true, std::sync::atomic::Ordering::SeqCst);
    let outcome = commit(&stale, early.clone()).await;
    let gap = root.store.get(&Path::from("journal/_delta_log/00000000000000000002.json")).await;
    assert!(gap.is_ok(), "the put did not go into the gap, so the test proves nothing");
    let fresh = open(&root, clock(), 8).await.unwrap();
    let found = titles(&state(&fresh).await);
    match outcome {
        Outcome::Committed { seq, .. } => {
            assert_eq!(seq, 3 + tasks as u64);
            assert!(found.contains(&"stale".to_owned()), "acknowledged and lost in a gap");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(found.len(), tasks + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_behind_the_head_catches_up() {
    let (busy, root) = delta_in_memory().await;
    make_project(busy.as_ref()).await;
    let slow = open(&root, clock(), 3).await.unwrap();
    for n in 0..10 {
        let _ = committed(busy.as_ref(), task(&n.to_string())).await;
    }
    let mut late = set(busy.as_ref(), task("late")).await;
    late.id = fresh_set_id(clock().as_ref(), random(77).as_ref());
    assert!(matches!(commit(&slow, late).await, Outcome::Committed { seq: 13, .. }));
    assert_eq!(titles(&state(busy.as_ref()).await).len(), 11);
}
