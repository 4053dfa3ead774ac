//! A process that lives: several owners of one store, its shutdown, reads during commits, and
//! subscribers.

use std::sync::Arc;

use lakeplan::store::delta::DeltaStore;
use lakeplan::store::{Format, Freshness, LakeLocation, Outcome, Scope, Store, StoreError};
use object_store::ObjectStore;
use object_store::memory::InMemory;

use super::calls::{Call, Failpoint, Kind, Verb};
use super::fault::{Fault, FaultStore};
use super::folding::{in_tables, records};
use super::{
    commit, committed, delta_in_memory, make_project, open, root, set, state, task, titles,
};
use crate::support::{clock, random};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_owner_shuts_a_store_down_for_all() {
    let (store, root) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    store.keep_folded();
    let other = Arc::clone(&store);
    let _ = committed(other.as_ref(), task("before")).await;
    other.snapshot_at(&Scope::All, Freshness::Cached).await.unwrap();
    let late = set(other.as_ref(), task("late")).await;
    store.shutdown().await;
    // The owners that are left get an answer, and nothing is written.
    assert!(matches!(
        commit(other.as_ref(), late).await,
        Outcome::NotWritten { cause: StoreError::WriterGone }
    ));
    for freshness in [Freshness::Cached, Freshness::AtLeast(1), Freshness::Latest] {
        let read = other.snapshot_at(&Scope::All, freshness).await;
        assert!(matches!(read, Err(StoreError::WriterGone)), "{freshness:?}: {read:?}");
    }
    // A second shutdown finds nothing to do.
    other.shutdown().await;
    other.finished().await;
    let fresh = open(&root, clock(), 7).await.unwrap();
    let known = state(&fresh).await;
    assert_eq!(titles(&known), ["before"]);
    assert_eq!(in_tables(&root).await, records(known.records()), "the commit was not folded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_store_stops_its_background_work() {
    let (store, _root) = delta_in_memory().await;
    store.keep_folded();
    let finished = store.finished();
    drop(store);
    tokio::time::timeout(std::time::Duration::from_secs(20), finished).await.unwrap();
}

/// Returns a lake with a task, and its storage.
async fn on_faulty_storage() -> (DeltaStore, LakeLocation, Arc<FaultStore>) {
    let storage = FaultStore::new(Arc::new(InMemory::new()) as Arc<dyn ObjectStore>, 1);
    let location = root(Arc::clone(&storage) as Arc<_>);
    let store = DeltaStore::create(&location, Format::default(), clock(), random(1)).await.unwrap();
    make_project(&store).await;
    let _ = committed(&store, task("known")).await;
    (store, location, storage)
}

/// Suspends the next commit before its log entry.
fn hold_the_next_commit(storage: &FaultStore) {
    let call = Call { verb: Verb::Put, table: "journal".to_owned(), kind: Kind::Entry };
    storage.calls.set_failpoint(Failpoint { call, nth: 0, fault: Fault::Hold });
}

#[tokio::test(start_paused = true)]
async fn requests_that_arrived_before_the_shutdown_are_answered() {
    let (first, location, storage) = on_faulty_storage().await;
    let one = set(&first, task("one")).await;
    let others = [set(&first, task("two")).await, set(&first, task("three")).await];
    // This process has written nothing yet, so its shutdown has nothing to fold.
    let store = open(&location, clock(), 3).await.unwrap();
    hold_the_next_commit(&storage);
    let rest = async {
        storage.calls.fired().await;
        // The first poll sends these sets, which wait behind the suspended commit.
        let mut others =
            std::pin::pin!(futures::future::join_all(others.map(|set| commit(&store, set))));
        assert!(futures::poll!(others.as_mut()).is_pending());
        let mut shutdown = std::pin::pin!(store.shutdown());
        assert!(futures::poll!(shutdown.as_mut()).is_pending());
        storage.calls.resume();
        futures::join!(others, shutdown).0
    };
    let (outcome, others) = futures::join!(commit(&store, one), rest);
    assert!(storage.calls.release(), "the commit was not suspended");
    for outcome in std::iter::once(outcome).chain(others) {
        assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn cached_reads_do_not_wait_for_a_commit() {
    let (store, _location, storage) = on_faulty_storage().await;
    let seq = store.head().await.unwrap().seq;
    // The first read asks the writer, which publishes its state from then on.
    store.snapshot_at(&Scope::All, Freshness::Cached).await.unwrap();
    let next = set(&store, task("next")).await;
    hold_the_next_commit(&storage);
    let reads = async {
        storage.calls.fired().await;
        for freshness in [Freshness::Cached, Freshness::AtLeast(seq)] {
            let read = store.snapshot_at(&Scope::All, freshness).await.unwrap();
            assert_eq!(read.seq, seq, "{freshness:?}");
        }
        let read = async |freshness| store.snapshot_at(&Scope::All, freshness).await.unwrap().seq;
        let waiting =
            futures::future::join(read(Freshness::Latest), read(Freshness::AtLeast(seq + 1)));
        let mut waiting = std::pin::pin!(waiting);
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        storage.calls.resume();
        assert_eq!(waiting.await, (seq + 1, seq + 1));
    };
    let (outcome, ()) = futures::join!(commit(&store, next), reads);
    assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
    assert!(storage.calls.release(), "the commit was not suspended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cached_read_contains_every_acknowledged_commit() {
    let (store, root) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    store.snapshot_at(&Scope::All, Freshness::Cached).await.unwrap();
    for number in 0..20 {
        let _ = committed(store.as_ref(), task(&number.to_string())).await;
        let cached = store.snapshot_at(&Scope::All, Freshness::Cached).await.unwrap();
        assert_eq!(cached.seq, store.committed(), "task {number}");
    }
    // A project that another process adds is read once this process looks at the storage.
    let other = open(&root, clock(), 9).await.unwrap();
    let _ = committed(&other, task("theirs")).await;
    let latest = state(store.as_ref()).await;
    let cached = store.snapshot_at(&Scope::All, Freshness::Cached).await.unwrap();
    assert!(cached.state.records().eq(latest.records()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cached_read_loads_the_part_that_is_not_in_memory() {
    let (store, root) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    let _ = committed(store.as_ref(), task("one")).await;
    store.shutdown().await;
    let fresh = open(&root, clock(), 5).await.unwrap();
    let outline = fresh.snapshot_at(&Scope::outline(), Freshness::Cached).await.unwrap();
    let project = outline.state.project_ids().next().unwrap();
    assert!(!outline.state.is_loaded(project));
    for scope in [Scope::of([project]), Scope::All] {
        let read = fresh.snapshot_at(&scope, Freshness::Cached).await.unwrap();
        assert_eq!(titles(&read.state), ["one"], "{scope:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_see_own_and_foreign_commits() {
    let (store, root) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    let mut heads = store.subscribe();
    let known = heads.borrow_and_update().clone();
    assert_eq!(known, store.head().await.unwrap());
    let _ = committed(store.as_ref(), task("ours")).await;
    heads.changed().await.unwrap();
    assert_eq!(heads.borrow_and_update().seq, known.seq + 1);
    let other = open(&root, clock(), 9).await.unwrap();
    let _ = committed(&other, task("theirs")).await;
    let head = store.head().await.unwrap();
    heads.changed().await.unwrap();
    assert_eq!((heads.borrow_and_update().clone(), head.seq), (head.clone(), known.seq + 2));
    store.shutdown().await;
    // The fold of the shutdown is the last change. Then the channel is closed.
    while heads.changed().await.is_ok() {}
    assert_eq!(heads.borrow().folded.work, head.seq);
}
