//! What is read of some projects is what stands in the whole lake, whoever folded and moved what meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;

use lakeplan::domain::id::{EntityId, ProjectId};
use lakeplan::domain::key::TaskKey;
use lakeplan::domain::record::Entity;
use lakeplan::domain::state::{ProjectState, State};
use lakeplan::domain::time::AsOf;
use lakeplan::service::history::read_as_of;
use lakeplan::store::delta::{DeltaStore, Root};
use lakeplan::store::row::Stream;
use lakeplan::store::{Format, Outcome, Scope, Snapshot, Sought, Store};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{committed, delta_in_memory, make_project, state};
use crate::support::{clock, counts, patch_set, random, random_patches};

fn ids(state: &State) -> Vec<ProjectId> {
    state.projects().filter_map(|found| Some(found.project()?.id)).collect()
}

fn records(project: Option<&ProjectState>) -> Vec<String> {
    let text =
        |record: lakeplan::domain::any::AnyRecord| format!("{:?} {}", record.slot(), serde_json::Value::Object(record.present()));
    project.into_iter().flat_map(|project| project.records()).map(text).collect()
}

/// A store that keeps next to nothing at hand.
async fn forgetful(root: &Root, seed: u64) -> DeltaStore {
    DeltaStore::open_keeping(root, Format::default(), 3, clock(), random(seed)).await.unwrap()
}

async fn check(store: &DeltaStore, whole: &State, moments: &[Snapshot], rng: &mut StdRng) {
    for id in ids(whole) {
        let part = store.snapshot(&Scope::of([id])).await.unwrap().state;
        assert_eq!(records(part.project(id)), records(whole.project(id)));
    }
    let outline = store.snapshot(&Scope::outline()).await.unwrap().state;
    assert_eq!(ids(&outline), ids(whole));
    for project in whole.projects() {
        for record in project.records() {
            let sought = [Sought::Id(record.entity(), record.id())];
            assert_eq!(store.find(&sought).await.unwrap(), [record.project()], "{record:?}");
        }
        for task in project.tasks() {
            for key in &task.former_keys.0 {
                let sought = [Sought::FormerKey(key.parse::<TaskKey>().unwrap())];
                assert_eq!(store.find(&sought).await.unwrap(), [Some(task.project_id)], "{key}");
            }
        }
    }
    let nowhere = [Sought::Id(Entity::Task, uuid::Uuid::nil())];
    assert_eq!(store.find(&nowhere).await.unwrap(), [None]);
    let then = &moments[rng.random_range(0..moments.len())];
    for id in ids(&then.state) {
        let past = read_as_of(store, &Scope::of([id]), AsOf::Seq(then.seq), Stream::Work).await.unwrap();
        assert_eq!(records(past.state.project(id)), records(then.state.project(id)), "as of {}", then.seq);
        assert_eq!((past.seq, past.at), (then.seq, then.at));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_reads_as_the_whole() {
    let mut moved = 0;
    for seed in 0..counts(6, 60) as u64 {
        let (store, root) = delta_in_memory().await;
        make_project(store.as_ref()).await;
        for key in ["AAA", "BBB"] {
            let fields = serde_json::json!({"name": key, "key": key});
            let _ = committed(store.as_ref(), serde_json::json!([{"op": "create", "entity": "project", "fields": fields}])).await;
        }
        let mut rng = StdRng::seed_from_u64(seed);
        let other = Arc::new(forgetful(&root, seed + 1000).await);
        let mut moments = vec![store.snapshot(&Scope::All).await.unwrap()];
        for round in 0..60_u64 {
            let whole = state(store.as_ref()).await;
            let writer: &DeltaStore = if rng.random_bool(0.7) { &other } else { &store };
            if let Ok(set) = patch_set(&whole, random_patches(&whole, &mut rng)) {
                match writer.commit(vec![set]).await.pop() {
                    Some(Outcome::Committed { .. }) => moments.push(store.snapshot(&Scope::All).await.unwrap()),
                    Some(Outcome::Refused(_)) => {}
                    outcome => panic!("seed {seed}, round {round}: {outcome:?}"),
                }
            }
            if rng.random_bool(0.1) {
                let folder: &DeltaStore = if rng.random_bool(0.5) { &other } else { &store };
                folder.fold().await.unwrap();
            }
            if rng.random_bool(0.1) {
                let whole = state(store.as_ref()).await;
                check(&other, &whole, &moments, &mut rng).await;
                check(&forgetful(&root, seed + round + 2000).await, &whole, &moments, &mut rng).await;
            }
        }
        let end = state(store.as_ref()).await;
        let left: BTreeSet<_> = end
            .projects()
            .flat_map(ProjectState::tasks)
            .filter(|task| !task.former_keys.0.is_empty())
            .collect::<Vec<_>>()
            .into_iter()
            .map(|task| task.id.uuid())
            .collect();
        moved += left.len();
    }
    assert!(moved > 10, "only {moved} tasks were moved between projects, so that was hardly tested");
}
