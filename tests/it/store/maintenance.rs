//! Writes, folds, compaction and vacuum in every order: the lake matches a model.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use futures::TryStreamExt;
use lakeplan::domain::any_record::AnyRecord;
use lakeplan::domain::apply::apply;
use lakeplan::domain::state::State;
use lakeplan::runtime::SystemClock;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::doctor::examine;
use lakeplan::store::{Format, Outcome, Retention, Store};
use object_store::ObjectStore;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::ambiguous_storage::journal;
use super::{committed, delta_in_memory, make_project, open, state, task};
use crate::support::{clock, counts, noon, patch_set, random, random_patches};

/// Everything that is not needed now may be deleted immediately.
const NOW: Retention = Retention { files: TimeDelta::zero(), log: TimeDelta::zero() };

/// The same for files, while log entries are kept: their retention limits how long a writer may be
/// suspended unnoticed.
const FILES_NOW: Retention = Retention { files: TimeDelta::zero(), log: TimeDelta::days(365_000) };

/// Returns the clock of the storage, by which ages are computed.
fn real() -> Arc<SystemClock> {
    Arc::new(SystemClock)
}

fn records(records: impl Iterator<Item = AnyRecord>) -> BTreeMap<String, String> {
    records
        .map(|record| {
            (
                format!("{:?}", record.record_key()),
                serde_json::Value::Object(record.to_fields()).to_string(),
            )
        })
        .collect()
}

async fn count(root: &LakeLocation, ending: &str) -> usize {
    let listed: Vec<_> = root.store.list(None).try_collect().await.unwrap();
    listed.iter().filter(|meta| meta.location.as_ref().ends_with(ending)).count()
}

pub async fn sound(root: &LakeLocation) {
    let checkup = examine(&root.store, "lake", &Format::default(), None).await.unwrap();
    assert_eq!(checkup.findings, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn maintenance_reduces_files_and_keeps_the_records() {
    let (store, root) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    for n in 0..40 {
        let _ = committed(store.as_ref(), task(&format!("{n}"))).await;
        if n % 3 == 0 {
            store.fold().await.unwrap();
        }
    }
    let before = (count(&root, ".parquet").await, count(&root, ".json").await);
    let expected = records(state(store.as_ref()).await.records());
    let head = store.head().await.unwrap();
    let maintainer = open(&root, real(), 5).await.unwrap();
    let report = maintainer.maintain(NOW).await.unwrap();
    assert!(report.journal.from > 30 && report.journal.into == 1, "{report:?}");
    // A recent reader may still need a file that was just removed; the next run finds it old
    // enough.
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    maintainer.maintain(NOW).await.unwrap();
    let after = (count(&root, ".parquet").await, count(&root, ".json").await);
    assert!(after.0 < before.0 / 3 && after.1 < before.1 / 3, "{before:?} became {after:?}");
    sound(&root).await;
    let fresh = open(&root, clock(), 6).await.unwrap();
    assert_eq!(records(state(&fresh).await.records()), expected);
    assert_eq!(fresh.head().await.unwrap().chain, head.chain);
    let _ = committed(store.as_ref(), task("the old writer goes on")).await;
    assert_eq!(
        maintainer.maintain(NOW).await.unwrap().journal.from,
        0,
        "a second run compacted files"
    );
    sound(&root).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_interleaving_of_writes_folds_and_maintenance_gives_the_same_rows() {
    let interleavings = counts(12, 500);
    for seed in 0..interleavings as u64 {
        let (first, root) = delta_in_memory().await;
        make_project(first.as_ref()).await;
        let mut model: State = state(first.as_ref()).await;
        let mut stores: Vec<Arc<DeltaStore>> = vec![first];
        for writer in 0..2 {
            stores.push(Arc::new(open(&root, clock(), seed * 3 + writer).await.unwrap()));
        }
        let maintainer = open(&root, real(), seed * 3 + 2).await.unwrap();
        let mut rng = StdRng::seed_from_u64(seed);
        for _ in 0..25 {
            let store = Arc::clone(&stores[rng.random_range(0..stores.len())]);
            match rng.random_range(0..10) {
                0..7 => {
                    let Ok(set) = patch_set(&model, random_patches(&model, &mut rng)) else {
                        continue;
                    };
                    match store.commit(vec![set.clone()]).await.pop().unwrap() {
                        Outcome::Committed { .. } => {
                            let at = store.head().await.unwrap().at;
                            let _ = apply(&mut model, &set, at).unwrap();
                        }
                        Outcome::Refused(violations) => {
                            assert!(
                                apply(&mut model, &set, noon()).is_err(),
                                "seed {seed}: {violations:?} for {set:?}"
                            )
                        }
                        other => panic!("{other:?}"),
                    }
                }
                7 | 8 => {
                    store.fold().await.unwrap();
                }
                _ => {
                    maintainer.maintain(FILES_NOW).await.unwrap();
                }
            }
        }
        let expected = records(model.records());
        for store in &stores {
            assert_eq!(records(state(store.as_ref()).await.records()), expected, "seed {seed}");
        }
        let fresh =
            DeltaStore::open(&root, Format::default(), clock(), random(seed)).await.unwrap();
        assert_eq!(records(state(&fresh).await.records()), expected, "seed {seed}");
        fresh.fold().await.unwrap();
        journal(&fresh).await;
        sound(&root).await;
    }
    eprintln!("{interleavings} interleavings of writes, folds, compaction and vacuum");
}
