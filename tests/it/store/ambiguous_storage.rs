//! Ambiguous storage: whatever its responses, an acknowledged set is in the journal exactly once
//! and complete, and a refused set never.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::TryStreamExt;
use lakeplan::domain::id::PatchSetId;
use lakeplan::domain::patch::PatchSet;
use lakeplan::store::row::{Row, Stream, next_chain};
use lakeplan::store::{Outcome, Scope, Store};
use object_store::ObjectStore;
use object_store::memory::InMemory;

use super::fault::{FAULTS, Fault, FaultStore, Plan};
use super::{commit, delta_in_memory, make_project, open, root, set, task, titles};
use crate::support::{clock, counts, patch_set};

/// The final outcome that a client got for its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reported {
    Committed,
    NotWritten,
    Unknown,
}

/// Returns the sets of the journal by id. Asserts that they are without gaps, chained, and not
/// duplicated.
pub async fn journal(store: &dyn Store) -> BTreeMap<PatchSetId, usize> {
    let rows: Vec<Row> =
        store.changes(0, Stream::Work, &Scope::All).await.unwrap().try_collect().await.unwrap();
    let mut found = BTreeMap::new();
    let mut chain = [0; 32];
    for (index, rows) in rows.chunk_by(|a, b| a.seq == b.seq).enumerate() {
        assert_eq!(rows[0].seq, index as u64 + 1, "the journal has a gap");
        chain = next_chain(chain, rows.iter().map(Row::compute_digest));
        assert_eq!(rows.last().unwrap().chain, Some(chain), "the chain breaks at {}", rows[0].seq);
        let twice = found.insert(rows[0].patch_set_id, rows.len());
        assert!(twice.is_none(), "{} is in the journal twice", rows[0].patch_set_id);
    }
    found
}

/// Commits a set like a careful client, which repeats a set with the same id if it was not written
/// or its outcome is unknown. Returns the last outcome.
pub async fn commit_carefully(store: &dyn Store, set: PatchSet, attempts: usize) -> Reported {
    let mut result = Reported::Unknown;
    for _ in 0..attempts {
        result = match commit(store, set.clone()).await {
            Outcome::Committed { .. } | Outcome::AlreadyCommitted { .. } => {
                return Reported::Committed;
            }
            Outcome::NotWritten { .. } => Reported::NotWritten,
            Outcome::Unknown { .. } => Reported::Unknown,
            other => panic!("{other:?}"),
        };
    }
    result
}

/// Asserts that the outcomes are correct.
pub fn check(result: &[(PatchSetId, Reported)], found: &BTreeMap<PatchSetId, usize>) {
    for (id, result) in result {
        match result {
            Reported::Committed => {
                assert_eq!(
                    found.get(id),
                    Some(&2),
                    "{id} was acknowledged and is missing or incomplete"
                )
            }
            Reported::NotWritten => {
                assert!(
                    !found.contains_key(id),
                    "{id} was reported as not written, but is committed"
                )
            }
            Reported::Unknown => {}
        }
    }
}

pub fn two_tasks(n: usize) -> serde_json::Value {
    let title = |part: &str| serde_json::json!({"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": format!("{n}{part}")}});
    serde_json::json!([title("a"), title("b")])
}

#[tokio::test(start_paused = true)]
async fn outcomes_of_three_writers_are_correct_through_many_faults() {
    let commits = counts(240, 2_000);
    let mut faults = 0;
    let mut totals: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..4 {
        let (healthy, lake) = delta_in_memory().await;
        make_project(healthy.as_ref()).await;
        let mut clients = Vec::new();
        for writer in 0..3u64 {
            let flaky = FaultStore::new(Arc::clone(&lake.store), seed * 10 + writer);
            let store = Arc::new(
                open(
                    &root(Arc::clone(&flaky) as Arc<dyn ObjectStore>),
                    clock(),
                    seed * 10 + writer,
                )
                .await
                .unwrap(),
            );
            flaky.plan(Plan::Random { share: 0.35 });
            clients.push((store, flaky));
        }
        let state = super::state(healthy.as_ref()).await;
        let mut running = Vec::new();
        for (writer, (store, _)) in clients.iter().enumerate() {
            let sets: Vec<PatchSet> = (0..commits / 12)
                .map(|n| patch_set(&state, two_tasks(writer * 10_000 + n)).unwrap())
                .collect();
            let store = Arc::clone(store);
            running.push(tokio::spawn(async move {
                let mut result = Vec::new();
                for (n, set) in sets.into_iter().enumerate() {
                    // Some clients give up after the first failure, which must then be correct.
                    let attempts = if n % 4 == 0 { 1 } else { 4 };
                    result.push((set.id, commit_carefully(store.as_ref(), set, attempts).await));
                }
                result
            }));
        }
        let mut result = Vec::new();
        for client in running {
            result.extend(client.await.unwrap());
        }
        // All pending puts land or fail now.
        tokio::time::sleep(Duration::from_secs(120)).await;
        check(&result, &journal(healthy.as_ref()).await);
        faults += clients.iter().map(|(_, flaky)| flaky.faults.load(Ordering::SeqCst)).sum::<u64>();
        for (_, result) in result {
            *totals.entry(format!("{result:?}")).or_default() += 1;
        }
    }
    eprintln!("{commits} commits, {faults} faults, outcomes {totals:?}");
    assert!(totals.get("Committed").copied().unwrap_or_default() > commits / 2, "{totals:?}");
    assert!(faults as usize >= commits * 3 / 10, "{faults} faults for {commits} commits");
}

#[tokio::test(start_paused = true)]
async fn outcomes_are_correct_for_each_fault_at_each_put() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..8 {
        for part in ["stream=work", "_delta_log"] {
            for fault in FAULTS {
                let (healthy, lake) = delta_in_memory().await;
                make_project(healthy.as_ref()).await;
                let flaky = FaultStore::new(Arc::clone(&lake.store), seed);
                let store = open(&root(Arc::clone(&flaky) as Arc<dyn ObjectStore>), clock(), seed)
                    .await
                    .unwrap();
                flaky.plan(Plan::Once { part, nth: 0, fault });
                let set = set(healthy.as_ref(), two_tasks(0)).await;
                let result = commit_carefully(&store, set.clone(), 1).await;
                tokio::time::sleep(Duration::from_secs(120)).await;
                assert_eq!(
                    flaky.faults.load(Ordering::SeqCst),
                    1,
                    "{part} {fault:?} did not happen"
                );
                check(&[(set.id, result)], &journal(healthy.as_ref()).await);
                let again = commit_carefully(&store, set.clone(), 1).await;
                assert_eq!(
                    again,
                    Reported::Committed,
                    "{part} {fault:?}: a repeat with the same id did not commit it"
                );
                check(&[(set.id, again)], &journal(healthy.as_ref()).await);
                outcomes.insert((part, format!("{fault:?}"), format!("{result:?}")));
            }
        }
    }
    let result = |part: &str, fault: Fault| {
        outcomes
            .iter()
            .filter(|(p, f, _)| *p == part && *f == format!("{fault:?}"))
            .map(|(_, _, result)| result.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        result("_delta_log", Fault::FailAfter),
        ["Committed"],
        "the writer took its own commit for another's"
    );
    assert_eq!(result("_delta_log", Fault::FalseConflict), ["Committed"]);
    assert_eq!(
        result("_delta_log", Fault::Full),
        ["NotWritten"],
        "a full disk must not wait for the deadline"
    );
    assert_eq!(result("stream=work", Fault::FailBefore), ["NotWritten"]);
}

/// A process that dies at any point of a commit leaves a complete set or none, and the next process
/// continues.
#[tokio::test(start_paused = true)]
async fn a_writer_that_dies_at_any_put_leaves_complete_sets_or_none() {
    let mut left = BTreeSet::new();
    for seed in 0..8 {
        for part in ["stream=work", "_delta_log"] {
            for fault in [Fault::DieBefore, Fault::DieAfter] {
                let (healthy, lake) = delta_in_memory().await;
                make_project(healthy.as_ref()).await;
                let flaky = FaultStore::new(Arc::clone(&lake.store), seed);
                let dying = open(&root(Arc::clone(&flaky) as Arc<dyn ObjectStore>), clock(), seed)
                    .await
                    .unwrap();
                flaky.plan(Plan::Once { part, nth: 0, fault });
                let set = set(healthy.as_ref(), two_tasks(0)).await;
                let answer =
                    tokio::time::timeout(Duration::from_secs(600), commit(&dying, set.clone()))
                        .await;
                assert!(answer.is_err(), "a dead process returned an outcome");
                drop(dying);
                let next = open(&lake, clock(), seed + 100).await.unwrap();
                let there = journal(&next).await.get(&set.id).copied();
                assert!(matches!(there, None | Some(2)), "{there:?}");
                assert_eq!(commit_carefully(&next, set.clone(), 1).await, Reported::Committed);
                assert_eq!(journal(&next).await.get(&set.id), Some(&2));
                left.insert((part, format!("{fault:?}"), there.is_some()));
            }
        }
    }
    let expected = [
        ("_delta_log", "DieAfter", true),
        ("_delta_log", "DieBefore", false),
        ("stream=work", "DieAfter", false),
        ("stream=work", "DieBefore", false),
    ];
    assert_eq!(
        left,
        expected.map(|(part, fault, there)| (part, fault.to_owned(), there)).into_iter().collect()
    );
}

/// The storage responds to no put of a log entry. The writer gives up the version at the deadline
/// and reports the correct outcome.
#[tokio::test(start_paused = true)]
async fn the_outcome_at_the_deadline_is_correct() {
    let (healthy, lake) = delta_in_memory().await;
    make_project(healthy.as_ref()).await;
    let flaky = FaultStore::new(Arc::clone(&lake.store), 5);
    let store = open(&root(Arc::clone(&flaky) as Arc<dyn ObjectStore>), clock(), 5).await.unwrap();
    let set = set(healthy.as_ref(), task("a")).await;
    flaky.plan(Plan::Random { share: 1.0 });
    let before = tokio::time::Instant::now();
    let result = commit_carefully(&store, set.clone(), 1).await;
    assert!(before.elapsed() < Duration::from_secs(60), "it took {:?}", before.elapsed());
    flaky.plan(Plan::Quiet);
    tokio::time::sleep(Duration::from_secs(120)).await;
    let found = journal(healthy.as_ref()).await.contains_key(&set.id);
    assert!(result != Reported::Committed || found);
    assert!(result != Reported::NotWritten || !found);
    assert_eq!(commit_carefully(&store, set, 1).await, Reported::Committed);
    assert_eq!(titles(&super::state(healthy.as_ref()).await), ["a"]);
}

/// A commit that lost its version is validated again, and is refused if the winner made it invalid.
#[tokio::test]
async fn a_set_is_validated_against_the_winning_commit() {
    let inner: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let lake = root(inner);
    let first = lakeplan::store::delta::DeltaStore::create(
        &lake,
        lakeplan::store::Format::default(),
        clock(),
        crate::support::random(1),
    )
    .await
    .unwrap();
    make_project(&first).await;
    let _ = super::committed(&first, task("a")).await;
    let second = open(&lake, clock(), 2).await.unwrap();
    let late = set(&first, serde_json::json!([{"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": "b", "parent_id": "PAY-1"}}])).await;
    let _ = super::committed(
        &first,
        serde_json::json!([{"op": "delete", "entity": "task", "id": "PAY-1"}]),
    )
    .await;
    match commit(&second, late).await {
        Outcome::Refused(violations) => assert_eq!(violations[0].rule.as_str(), "deleted"),
        other => panic!("{other:?}"),
    }
}
