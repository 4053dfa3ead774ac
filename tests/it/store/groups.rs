//! The number of sets in one commit.

use lakeplan::domain::patch::PatchSet;
use lakeplan::store::{Outcome, Store};
use serde_json::{Value, json};

use super::{delta_in_memory, make_project, state, task};
use crate::support::patch_set;

/// Returns a set with values of this size in MiB.
fn large(mib: usize) -> Value {
    let text = "x".repeat(1 << 20);
    let create = |n| json!({"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": format!("{n}"), "description": text}});
    (0..mib).map(create).collect()
}

#[tokio::test]
async fn a_group_commit_is_limited_in_size_and_a_large_set_is_alone() {
    let (store, _) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    let state = state(store.as_ref()).await;
    let small = || patch_set(&state, task("small")).unwrap();
    let large = |mib: usize| patch_set(&state, large(mib)).unwrap();
    let cases: [(&str, Vec<PatchSet>, u64); 5] = [
        ("as many as fit", (0..500).map(|_| small()).collect(), 1),
        ("more than fit", (0..1001).map(|_| small()).collect(), 3),
        ("large ones that fit", vec![large(3), large(4)], 1),
        ("large ones that do not", vec![large(3), large(4), large(3)], 2),
        ("one that is too large beside others", vec![small(), large(9), small(), small()], 3),
    ];
    for (case, sets, commits) in cases {
        let before = store.head().await.unwrap();
        let all = sets.len();
        let outcomes = store.commit(sets).await;
        let places: Vec<u64> = outcomes
            .iter()
            .map(|outcome| match outcome {
                Outcome::Committed { seq, .. } => *seq,
                other => panic!("{case}: {other:?}"),
            })
            .collect();
        assert_eq!(
            places,
            (before.seq + 1..=before.seq + all as u64).collect::<Vec<_>>(),
            "{case}"
        );
        assert_eq!(store.head().await.unwrap().version - before.version, commits, "{case}");
    }
}
