//! Commits to storage that loses responses, is slow, fails temporarily, or has another writer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use lakeplan::domain::patch::PatchSet;
use lakeplan::store::delta::DeltaStore;
use lakeplan::store::{Format, Outcome, StoreError};
use serde_json::{Value, json};

use super::{Cloud, Placement, place};
use crate::store::ambiguous_storage::{Reported, check, commit_carefully, journal, two_tasks};
use crate::store::maintenance::sound;
use crate::store::{commit, make_project, set, state};
use crate::support::{clock, counts, patch_set, random};

/// Returns a location in each cloud for a test.
fn places(test: &str) -> Vec<Placement> {
    [Cloud::S3, Cloud::Azure].into_iter().filter_map(|cloud| place(cloud, test)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_with_a_lost_response_commits_once() {
    for place in places("lost_answers") {
        let store = place.lake().await;
        make_project(&store).await;
        let mut result = Vec::new();
        for part in ["journal/_delta_log", "journal/stream=work"] {
            // The storage client retries a 500 itself, and then finds the name taken by its own
            // first put.
            for lost in [json!({"status": 500}), json!({"status": 503}), json!({})] {
                let mut rule = json!({"verb": "PUT", "part": part, "do": "after", "times": 1});
                rule.as_object_mut().unwrap().extend(lost.as_object().unwrap().clone());
                place.counts().await;
                place.rules(json!([rule])).await;
                let set = set(&store, two_tasks(result.len())).await;
                let id = set.id;
                let outcome = commit(&store, set).await;
                let is_committed = matches!(outcome, Outcome::Committed { seq, .. } if seq == result.len() as u64 + 3);
                assert!(is_committed, "{:?} {part} {rule}: {outcome:?}", place.cloud);
                // The name was found taken, so the response was lost and the put was repeated.
                let taken = place
                    .count("PUT", Some(if place.cloud == Cloud::S3 { 412 } else { 409 }))
                    .await;
                let is_repeated = rule.get("status").is_some();
                assert!(
                    !is_repeated || taken == 1,
                    "{:?} {part} {rule}: {taken} puts found the name taken",
                    place.cloud
                );
                result.push((id, Reported::Committed));
            }
        }
        place.rules(json!([])).await;
        check(&result, &journal(&place.open(2).await).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_that_hangs_and_lands_late_commits_once() {
    let Some(place) = place(Cloud::S3, "late") else { return };
    let store = place.lake().await;
    make_project(&store).await;
    let set = set(&store, two_tasks(0)).await;
    place.rules(json!([{"verb": "PUT", "part": "journal/_delta_log", "do": "late", "seconds": 12, "times": 1}])).await;
    let started = std::time::Instant::now();
    let outcome = commit(&store, set.clone()).await;
    assert!(matches!(outcome, Outcome::Committed { seq: 3, .. }), "{outcome:?}");
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "it waited {:?} for one put",
        started.elapsed()
    );
    // The first put reaches the storage now and is rejected.
    tokio::time::sleep(Duration::from_secs(13).saturating_sub(started.elapsed())).await;
    check(&[(set.id, Reported::Committed)], &journal(&place.open(2).await).await);
}

/// Returns rules by which a third of the puts and a tenth of the reads fail, in all possible ways.
fn random_failures(seed: u64) -> Value {
    let share = |verb: &str, share: f64, rest: Value| {
        let mut rule = json!({"verb": verb, "share": share, "seed": seed});
        rule.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        rule
    };
    json!([
        share("PUT", 0.08, json!({"do": "before", "status": 500})),
        share("PUT", 0.08, json!({"do": "after", "status": 500})),
        share(
            "PUT",
            0.08,
            json!({"do": "before", "status": 503, "body": "<Error><Code>SlowDown</Code></Error>"})
        ),
        share("PUT", 0.08, json!({"do": "before"})),
        share("PUT", 0.08, json!({"do": "after"})),
        share("GET", 0.1, json!({"do": "before", "status": 500})),
        share("GET", 0.05, json!({"do": "after"})),
        share("LIST", 0.1, json!({"do": "before", "status": 503})),
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outcomes_are_correct_while_a_third_of_the_puts_fail() {
    for place in places("bad_days") {
        let store = Arc::new(place.lake().await);
        make_project(store.as_ref()).await;
        let other = Arc::new(place.open(2).await);
        let state = state(store.as_ref()).await;
        place.counts().await;
        place.rules(random_failures(7)).await;
        let mut running = Vec::new();
        for (writer, store) in [store, other].into_iter().enumerate() {
            let sets: Vec<PatchSet> = (0..counts(12, 100))
                .map(|n| patch_set(&state, two_tasks(writer * 10_000 + n)).unwrap())
                .collect();
            running.push(tokio::spawn(async move {
                let mut result = Vec::new();
                for (n, set) in sets.into_iter().enumerate() {
                    // Some clients give up at the first failure, which must then be correct.
                    let attempts = if n % 2 == 0 { 1 } else { 4 };
                    result.push((set.id, commit_carefully(store.as_ref(), set, attempts).await));
                }
                result
            }));
        }
        let result: Vec<_> = join_all(running).await.into_iter().flat_map(Result::unwrap).collect();
        place.rules(json!([])).await;
        let counted = place.counts().await;
        let puts = |failed: bool| -> u64 {
            let wrong =
                |row: &&Value| !failed || matches!(row["status"].as_u64(), Some(0 | 500 | 503));
            counted
                .iter()
                .filter(|row| row["verb"] == "PUT")
                .filter(wrong)
                .map(|row| row["requests"].as_u64().unwrap())
                .sum()
        };
        let mut totals: BTreeMap<String, usize> = BTreeMap::new();
        result
            .iter()
            .for_each(|(_, result)| *totals.entry(format!("{result:?}")).or_default() += 1);
        eprintln!(
            "{:?}: {} of {} puts failed, outcomes {totals:?}",
            place.cloud,
            puts(true),
            puts(false)
        );
        assert!(puts(true) * 4 >= puts(false), "{} of {} puts failed", puts(true), puts(false));
        let clean = place.open(3).await;
        check(&result, &journal(&clean).await);
        assert!(
            totals.get("Committed").copied().unwrap_or_default() * 2 > result.len(),
            "{totals:?}"
        );
        assert!(clean.maintain(lakeplan::store::Retention::default()).await.is_ok());
        sound(&place.root()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_racing_writers_commit_each_set_once() {
    for place in places("races") {
        let first = Arc::new(place.lake().await);
        make_project(first.as_ref()).await;
        let second = Arc::new(place.open(2).await);
        let state = state(first.as_ref()).await;
        place.counts().await;
        let mut running = Vec::new();
        for (writer, store) in [first, second].into_iter().enumerate() {
            for part in 0..3 {
                let (store, state) = (Arc::clone(&store), state.clone());
                running.push(tokio::spawn(async move {
                    let mut result = Vec::new();
                    for n in 0..8 {
                        let set =
                            patch_set(&state, two_tasks(writer * 10_000 + part * 100 + n)).unwrap();
                        result.push((set.id, commit(store.as_ref(), set).await));
                    }
                    result
                }));
            }
        }
        let result: Vec<_> = join_all(running).await.into_iter().flat_map(Result::unwrap).collect();
        let mut seqs = Vec::new();
        for (id, outcome) in &result {
            let Outcome::Committed { seq, .. } = outcome else { panic!("{id}: {outcome:?}") };
            seqs.push(*seq);
        }
        seqs.sort_unstable();
        assert_eq!(seqs, (3..3 + result.len() as u64).collect::<Vec<_>>(), "{:?}", place.cloud);
        let lost = place.count("PUT", Some(if place.cloud == Cloud::S3 { 412 } else { 409 })).await;
        assert!(lost > 0, "{:?}: no writer ever lost a version, so there was no race", place.cloud);
        let result: Vec<_> = result.into_iter().map(|(id, _)| (id, Reported::Committed)).collect();
        check(&result, &journal(&place.open(3).await).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_without_conditional_puts_is_refused() {
    let Some(place) = place(Cloud::S3, "unconditional") else { return };
    place.rules(json!([{"verb": "PUT", "do": "ignore"}])).await;
    let root = place.root();
    let Err(err) = DeltaStore::create(&root, Format::default(), clock(), random(1)).await else {
        panic!("a lake was created")
    };
    assert!(matches!(err, StoreError::UnusableRoot { .. }), "{err:?}");
    assert!(err.to_string().contains("two writers"), "{err}");
    let left: Vec<_> = futures::TryStreamExt::try_collect(root.store.list(None)).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}
