//! The guarantees of every store, checked on each of them.

use std::sync::Arc;

use chrono::TimeDelta;
use futures::TryStreamExt;
use lakeplan::domain::id::{EntityId, PatchSetId};
use lakeplan::domain::record::Entity;
use lakeplan::domain::task_counts::TaskCounts;
use lakeplan::runtime::uuid_v7;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::memory::MemoryStore;
use lakeplan::store::row::{Row, Stream, next_chain};
use lakeplan::store::{Format, Outcome, Scope, Store};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;

use super::folding::change_at_random;
use super::{commit, committed, delta_in_memory, make_project, set, state, task, titles};
use crate::clouds::{Cloud, lake};
use crate::support::{clock, noon, patch_set, random};

/// Runs a check on every store.
macro_rules! on_every_store {
    ($($name:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Arc::new(super::MemoryStore::new(super::clock(), super::random(1)).unwrap())).await;
            })+
        }
        mod delta_in_memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::delta_in_memory().await.0).await;
            })+
        }
        mod delta_on_disk {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let folder = tempfile::tempdir().unwrap();
                let root = super::LakeLocation::open(folder.path().to_str().unwrap(), true).unwrap();
                let store = super::DeltaStore::create(&root, super::Format::default(), super::clock(), super::random(1)).await.unwrap();
                super::$name(super::Arc::new(store)).await;
            })+
        }
        mod clouds_s3 {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(lake) = super::lake(super::Cloud::S3, stringify!($name)).await {
                    super::$name(lake).await;
                }
            })+
        }
        mod clouds_azure {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(lake) = super::lake(super::Cloud::Azure, stringify!($name)).await {
                    super::$name(lake).await;
                }
            })+
        }
    };
}

on_every_store! {
    a_committed_set_can_be_read,
    a_refused_set_has_no_effect_on_its_group,
    a_set_sees_earlier_sets_of_its_group,
    a_repeated_id_gets_the_first_outcome_or_is_refused_for_other_content,
    ids_from_the_distant_past_or_future_are_refused,
    the_journal_is_gapless_ordered_and_chained,
    concurrent_sets_all_commit,
    changes_of_a_scope_exclude_other_projects,
    task_counts_match_the_state,
}

async fn a_committed_set_can_be_read(store: Arc<dyn Store>) {
    make_project(store.as_ref()).await;
    let seq = committed(store.as_ref(), task("a")).await;
    let snapshot = store.snapshot(&Scope::All).await.unwrap();
    assert_eq!((snapshot.seq, titles(&snapshot.state)), (seq, vec!["a".to_owned()]));
    assert_eq!(store.head().await.unwrap().seq, seq);
    let lake = snapshot.state.lake.unwrap();
    assert_eq!((lake.format_reader, lake.max_depth), (2, 5));
}

async fn a_refused_set_has_no_effect_on_its_group(store: Arc<dyn Store>) {
    make_project(store.as_ref()).await;
    let good = set(store.as_ref(), task("good")).await;
    let bad = set(
        store.as_ref(),
        json!([
            {"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": "half"}},
            {"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": ""}},
        ]),
    )
    .await;
    let after = set(store.as_ref(), task("after")).await;
    let outcomes = store.commit(vec![good, bad, after]).await;
    assert!(matches!(outcomes[0], Outcome::Committed { .. }), "{outcomes:?}");
    assert!(matches!(outcomes[1], Outcome::Refused(_)), "{outcomes:?}");
    assert!(matches!(outcomes[2], Outcome::Committed { .. }), "{outcomes:?}");
    assert_eq!(titles(&state(store.as_ref()).await), ["after", "good"]);
}

async fn a_set_sees_earlier_sets_of_its_group(store: Arc<dyn Store>) {
    make_project(store.as_ref()).await;
    let first = set(
        store.as_ref(),
        json!([{"op": "create", "entity": "task", "id": "$a", "fields": {"project_id": "PAY", "title": "a"}}]),
    )
    .await;
    let id = first.patches[0].id.to_string();
    let mut second = set(store.as_ref(), task("b")).await;
    second.patches[0] = second.patches[0].clone().with("parent_id", id);
    let outcomes = store.commit(vec![first, second]).await;
    assert!(
        outcomes.iter().all(|outcome| matches!(outcome, Outcome::Committed { .. })),
        "{outcomes:?}"
    );
}

async fn a_repeated_id_gets_the_first_outcome_or_is_refused_for_other_content(
    store: Arc<dyn Store>,
) {
    make_project(store.as_ref()).await;
    let first = set(store.as_ref(), task("a")).await;
    let mut other = set(store.as_ref(), task("b")).await;
    other.id = first.id;
    let outcomes = store.commit(vec![first.clone(), first.clone()]).await;
    let (Outcome::Committed { seq, .. }, Outcome::AlreadyCommitted { seq: again, .. }) =
        (&outcomes[0], &outcomes[1])
    else {
        panic!("{outcomes:?}");
    };
    assert_eq!(seq, again);
    assert!(
        matches!(commit(store.as_ref(), first).await, Outcome::AlreadyCommitted { seq: later, .. } if later == *seq)
    );
    assert!(matches!(commit(store.as_ref(), other).await, Outcome::Refused(_)));
    assert_eq!(titles(&state(store.as_ref()).await), ["a"]);
}

async fn ids_from_the_distant_past_or_future_are_refused(store: Arc<dyn Store>) {
    make_project(store.as_ref()).await;
    for (offset, accepted) in [
        (TimeDelta::days(-8), false),
        (TimeDelta::days(-6), true),
        (TimeDelta::minutes(4), true),
        (TimeDelta::minutes(6), false),
    ] {
        let mut set = set(store.as_ref(), task("t")).await;
        set.id = PatchSetId::of(uuid_v7(
            noon() + offset,
            random(offset.num_minutes().unsigned_abs()).as_ref(),
        ));
        let outcome = commit(store.as_ref(), set).await;
        assert_eq!(matches!(outcome, Outcome::Committed { .. }), accepted, "{offset}: {outcome:?}");
    }
}

async fn the_journal_is_gapless_ordered_and_chained(store: Arc<dyn Store>) {
    make_project(store.as_ref()).await;
    for n in 0..5 {
        let _ = committed(store.as_ref(), task(&n.to_string())).await;
    }
    let rows: Vec<Row> =
        store.changes(0, Stream::Work, &Scope::All).await.unwrap().try_collect().await.unwrap();
    let mut chain = [0; 32];
    for (index, rows) in rows.chunk_by(|a, b| a.seq == b.seq).enumerate() {
        assert_eq!(rows[0].seq, index as u64 + 1);
        assert!(rows.iter().enumerate().all(|(ordinal, row)| row.ordinal == ordinal as u32));
        assert!(rows.iter().all(|row| row.compute_digest() == row.digest));
        chain = next_chain(chain, rows.iter().map(|row| row.digest));
        assert_eq!(rows.last().unwrap().chain, Some(chain));
    }
    assert!(rows.is_sorted_by_key(|row| row.at));
    assert_eq!(store.head().await.unwrap().chain, chain);
}

async fn concurrent_sets_all_commit(store: Arc<dyn Store>) {
    make_project(store.as_ref()).await;
    let state_now = state(store.as_ref()).await;
    let sets: Vec<_> =
        (0..50).map(|n| patch_set(&state_now, task(&format!("{n:02}"))).unwrap()).collect();
    let tasks: Vec<_> = sets
        .into_iter()
        .map(|set| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { commit(store.as_ref(), set).await })
        })
        .collect();
    let mut seqs = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            Outcome::Committed { seq, .. } => seqs.push(seq),
            other => panic!("{other:?}"),
        }
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (3..53).collect::<Vec<u64>>());
    assert_eq!(titles(&state(store.as_ref()).await).len(), 50);
}

async fn changes_of_a_scope_exclude_other_projects(store: Arc<dyn Store>) {
    make_project(store.as_ref()).await;
    let _ = committed(
        store.as_ref(),
        json!([{"op": "create", "entity": "project", "fields": {"name": "Other", "key": "OTH"}}]),
    )
    .await;
    let _ = committed(store.as_ref(), task("a")).await;
    let other = state(store.as_ref())
        .await
        .project_by_key(&"OTH".parse().unwrap())
        .unwrap()
        .project()
        .unwrap()
        .id;
    let result = |row: &Row| (row.seq, row.entity, row.project_id == Some(other));
    let scope = Scope::of([other]);
    let rows: Vec<Row> =
        store.changes(1, Stream::Work, &scope).await.unwrap().try_collect().await.unwrap();
    let forth: Vec<_> = rows.iter().map(result).collect();
    // The projects' own rows belong to every scope.
    assert_eq!(forth, [(2, Entity::Project, false), (3, Entity::Project, true)]);
    let rows: Vec<Row> =
        store.changes_back(Stream::Work, &scope).await.unwrap().try_collect().await.unwrap();
    let mut back: Vec<_> = rows.iter().map(result).collect();
    assert_eq!(back.pop(), Some((1, Entity::Lake, false)));
    back.reverse();
    assert_eq!(back, forth);
}

async fn task_counts_match_the_state(store: Arc<dyn Store>) {
    make_project(store.as_ref()).await;
    let mut rng = StdRng::seed_from_u64(11);
    for round in 0..12 {
        for _ in 0..4 {
            change_at_random(store.as_ref(), &mut rng).await;
        }
        let counted = store.tally().await.unwrap();
        assert_eq!(counted, TaskCounts::of(&state(store.as_ref()).await), "round {round}");
        if round % 3 == 0 {
            store.fold().await.unwrap();
        }
    }
}
