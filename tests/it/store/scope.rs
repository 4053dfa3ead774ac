//! A scoped read equals the same part of the whole lake, regardless of folds and moves by other
//! processes.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::TryStreamExt;

use lakeplan::domain::id::{EntityId, ProjectId};
use lakeplan::domain::key::TaskKey;
use lakeplan::domain::record::Entity;
use lakeplan::domain::state::{ProjectState, State};
use lakeplan::domain::time::AsOf;
use lakeplan::planning::outline::OutlinePlanner;
use lakeplan::service::as_of::read_as_of;
use lakeplan::service::{Service, ServiceError, find};
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::{Format, LakeTables, Outcome, RecordLookup, Scope, Snapshot, Store};
use object_store::ObjectStoreExt;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{committed, delta_in_memory, make_project, state};
use crate::checked::MemoryLake;
use crate::support::{author, clock, counts, patch_set, random, random_patches};

fn ids(state: &State) -> Vec<ProjectId> {
    state.projects().filter_map(|found| Some(found.project()?.id)).collect()
}

fn records(project: Option<&ProjectState>) -> Vec<String> {
    let text = |record: lakeplan::domain::any_record::AnyRecord| {
        format!("{:?} {}", record.record_key(), serde_json::Value::Object(record.to_fields()))
    };
    project.into_iter().flat_map(|project| project.records()).map(text).collect()
}

/// Opens a store with almost no cache.
async fn open_with_small_cache(root: &LakeLocation, seed: u64) -> DeltaStore {
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
            let lookup = [RecordLookup::Id(record.entity(), record.id())];
            assert_eq!(store.find(&lookup).await.unwrap(), [record.project()], "{record:?}");
        }
        for task in project.tasks() {
            for key in &task.former_keys.0 {
                let lookup = [RecordLookup::FormerKey(key.parse::<TaskKey>().unwrap())];
                assert_eq!(store.find(&lookup).await.unwrap(), [Some(task.project_id)], "{key}");
            }
        }
    }
    let nowhere = [RecordLookup::Id(Entity::Task, uuid::Uuid::nil())];
    assert_eq!(store.find(&nowhere).await.unwrap(), [None]);
    let then = &moments[rng.random_range(0..moments.len())];
    for id in ids(&then.state) {
        let past = read_as_of(store, &Scope::of([id]), AsOf::Seq(then.seq)).await.unwrap();
        assert_eq!(
            records(past.state.project(id)),
            records(then.state.project(id)),
            "as of {}",
            then.seq
        );
        assert_eq!((past.seq, past.at), (then.seq, then.at));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scoped_snapshot_equals_the_whole_lake() {
    let mut moved = 0;
    for seed in 0..counts(6, 60) as u64 {
        let (store, root) = delta_in_memory().await;
        make_project(store.as_ref()).await;
        for key in ["AAA", "BBB"] {
            let fields = serde_json::json!({"name": key, "key": key});
            let _ = committed(
                store.as_ref(),
                serde_json::json!([{"op": "create", "entity": "project", "fields": fields}]),
            )
            .await;
        }
        let mut rng = StdRng::seed_from_u64(seed);
        let other = Arc::new(open_with_small_cache(&root, seed + 1000).await);
        let mut moments = vec![store.snapshot(&Scope::All).await.unwrap()];
        for round in 0..60_u64 {
            let whole = state(store.as_ref()).await;
            let writer: &DeltaStore = if rng.random_bool(0.7) { &other } else { &store };
            if let Ok(set) = patch_set(&whole, random_patches(&whole, &mut rng)) {
                match writer.commit(vec![set]).await.pop() {
                    Some(Outcome::Committed { .. }) => {
                        moments.push(store.snapshot(&Scope::All).await.unwrap())
                    }
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
                check(
                    &open_with_small_cache(&root, seed + round + 2000).await,
                    &whole,
                    &moments,
                    &mut rng,
                )
                .await;
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
    assert!(
        moved > 10,
        "only {moved} tasks were moved between projects, which is too few for the test"
    );
}

/// Returns a service over a newly opened store with an empty cache.
async fn fresh(root: &LakeLocation, seed: u64) -> Service {
    let store = Arc::new(open_with_small_cache(root, seed).await);
    Service { planner: Arc::new(OutlinePlanner), store, clock: clock(), random: random(seed) }
}

/// Creates two projects, PAY and OPS, each with a task.
async fn two_projects() -> MemoryLake {
    let (store, root) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    let fields = serde_json::json!({"name": "CI/CD", "key": "OPS"});
    let _ = committed(
        store.as_ref(),
        serde_json::json!([{"op": "create", "entity": "project", "fields": fields}]),
    )
    .await;
    for (project, title) in [("PAY", "one"), ("PAY", "two"), ("OPS", "three")] {
        let fields = serde_json::json!({"project_id": project, "title": title});
        let _ = committed(
            store.as_ref(),
            serde_json::json!([{"op": "create", "entity": "task", "fields": fields}]),
        )
        .await;
    }
    store.fold().await.unwrap();
    root
}

async fn change(service: &Service, patches: serde_json::Value) -> Result<u64, ServiceError> {
    let request = crate::support::request(serde_json::json!({ "patches": patches }));
    service.change(&request, &author(service)).await.map(|done| done.seq)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_with_a_slash_and_former_keys_resolve() {
    let root = two_projects().await;
    let service = fresh(&root, 1).await;
    let before = service.store.head().await.unwrap().seq;
    change(&service, serde_json::json!([{"op": "update", "entity": "project", "id": "PAY", "fields": {"name": "Money"}}]))
        .await
        .unwrap();
    for (word, as_of, tasks) in
        [("CI/CD", None, 1), ("Payments", Some(AsOf::Seq(before)), 2), ("Money", None, 2)]
    {
        let state = fresh(&root, 2).await.read_projects_of(&[word], as_of).await.unwrap().state;
        assert_eq!(find::project(&state, word).unwrap().0.tasks().count(), tasks, "{word}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moved_task_is_found_by_its_former_key() {
    let root = two_projects().await;
    let service = fresh(&root, 1).await;
    let state = service.state_for_names(&["PAY-1"]).await.unwrap();
    let (id, before) = (
        find::task(&state, "PAY-1").unwrap().id.to_string(),
        service.store.head().await.unwrap().seq,
    );
    change(&service, serde_json::json!([{"op": "move", "entity": "task", "id": "PAY-1", "fields": {"project_id": "OPS"}}]))
        .await
        .unwrap();
    for word in [id.as_str(), "PAY-1", "OPS-2"] {
        let now = fresh(&root, 2).await.state_for_names(&[word]).await.unwrap();
        assert_eq!(find::task(&now, word).unwrap().key.to_string(), "OPS-2", "{word}");
    }
    for word in [id.as_str(), "PAY-1"] {
        let then = fresh(&root, 3)
            .await
            .read_projects_of(&[word], Some(AsOf::Seq(before)))
            .await
            .unwrap()
            .state;
        assert_eq!(find::task(&then, word).unwrap().key.to_string(), "PAY-1", "{word}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_of_a_moved_task_is_refused_as_a_whole() {
    let root = two_projects().await;
    let service = fresh(&root, 1).await;
    let both = change(
        &service,
        serde_json::json!([
            {"op": "move", "entity": "task", "id": "PAY-2", "fields": {"parent_id": "PAY-1"}},
            {"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "changed"}},
        ]),
    )
    .await
    .unwrap();
    change(
        &service,
        serde_json::json!([{"op": "move", "entity": "task", "id": "PAY-2", "fields": {"project_id": "OPS", "parent_id": null}}]),
    )
    .await
    .unwrap();
    service.store.fold().await.unwrap();
    let other = fresh(&root, 2).await;
    let refused = other.undo(Some(both), &author(&other)).await;
    assert!(
        matches!(refused, Err(ServiceError::Refused(_) | ServiceError::Conflicted { .. })),
        "{refused:?}"
    );
    let state = fresh(&root, 3).await.state_for_names(&["PAY-1"]).await.unwrap();
    assert_eq!(find::task(&state, "PAY-1").unwrap().title.as_str(), "changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_between_projects_is_restored_with_its_task() {
    let root = two_projects().await;
    let service = fresh(&root, 1).await;
    let patches = serde_json::json!([{"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-1", "to_id": "OPS-1", "kind": "relates"}}]);
    change(&service, patches).await.unwrap();
    change(&service, serde_json::json!([{"op": "delete", "entity": "task", "id": "PAY-1"}]))
        .await
        .unwrap();
    service.store.fold().await.unwrap();
    let restore = || {
        crate::support::request(
            serde_json::json!({"patches": [{"op": "restore", "entity": "task", "id": "PAY-1"}]}),
        )
    };
    let preview = fresh(&root, 2).await.preview(&restore(), &author(&service)).await.unwrap();
    assert_eq!(preview.len(), 2, "the task and its link: {preview:?}");
    fresh(&root, 3).await.change(&restore(), &author(&service)).await.unwrap();
    let page = fresh(&root, 4).await.read_task_page("PAY-1", None).await.unwrap().state;
    let task = find::task(&page, "PAY-1").unwrap();
    let far: Vec<_> = page
        .project(task.project_id)
        .unwrap()
        .links_at(task.id)
        .map(|link| page.task(link.to_id).unwrap().key.to_string())
        .collect();
    assert_eq!(far, ["OPS-1"]);
}

/// Tasks that moved out of a loaded project already have their current state in the other project.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loading_a_project_keeps_tasks_that_moved_out_of_it() {
    let root = two_projects().await;
    let service = fresh(&root, 1).await;
    let third = serde_json::json!([{"op": "create", "entity": "project", "fields": {"name": "third", "key": "THI"}}]);
    change(&service, third).await.unwrap();
    let moves = serde_json::json!([{"op": "move", "entity": "task", "id": "PAY-1", "fields": {"project_id": "OPS"}}]);
    change(&service, moves).await.unwrap();
    let edit = serde_json::json!([{"op": "update", "entity": "task", "id": "OPS-2", "fields": {"title": "newer"}}]);
    change(&service, edit).await.unwrap();
    let store =
        DeltaStore::open_keeping(&root, Format::default(), 4, clock(), random(2)).await.unwrap();
    let whole = state(fresh(&root, 3).await.store.as_ref()).await;
    let id = |key: &str| {
        whole
            .projects()
            .find_map(|found| found.project().filter(|is| is.key.as_str() == key))
            .unwrap()
            .id
    };
    // The third project evicts PAY and keeps OPS cached; then PAY is loaded again.
    for key in ["PAY", "OPS", "THI", "PAY", "OPS"] {
        let part = store.snapshot(&Scope::of([id(key)])).await.unwrap().state;
        assert_eq!(records(part.project(id(key))), records(whole.project(id(key))), "{key}");
    }
}

async fn remove(root: &LakeLocation, folder: &str) {
    let listed: Vec<_> = root.store.list(Some(&folder.into())).try_collect().await.unwrap();
    for meta in listed {
        root.store.delete(&meta.location).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_table_is_noticed_and_rebuilt() {
    for table in LakeTables::folded() {
        let root = two_projects().await;
        let id = {
            let state = fresh(&root, 1).await.state_for_names(&["PAY-1"]).await.unwrap();
            find::task(&state, "PAY-1").unwrap().id.to_string()
        };
        remove(&root, table).await;
        let service = fresh(&root, 2).await;
        let state = service.state_for_names(&[id.as_str()]).await.unwrap();
        assert_eq!(find::task(&state, &id).unwrap().key.to_string(), "PAY-1", "without {table}");
        let report = service.store.fold().await.unwrap();
        assert!(
            report.tables.iter().any(|(name, _)| *name == table),
            "{table} was not rebuilt: {report:?}"
        );
        super::maintenance::sound(&root).await;
    }
}

/// Only an explicit fold checks every table; the fold at the end of a process notices the loss by
/// itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_lost_while_the_store_is_open_is_rebuilt_on_close() {
    for table in ["tasks", "field_changes"] {
        let root = two_projects().await;
        let store = DeltaStore::open(&root, Format::default(), clock(), random(1)).await.unwrap();
        let _ = committed(&store, super::task("before")).await;
        store.fold().await.unwrap();
        remove(&root, table).await;
        let _ = committed(&store, super::task("after")).await;
        store.shutdown().await;
        super::maintenance::sound(&root).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_lost_its_end_is_not_written() {
    let root = two_projects().await;
    root.skip_check("the end of the journal is removed");
    let service = fresh(&root, 1).await;
    let version = service.store.head().await.unwrap().version;
    change(&service, serde_json::json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "new"}}]))
        .await
        .unwrap();
    service.store.fold().await.unwrap();
    drop(service);
    root.store
        .delete(&format!("journal/_delta_log/{:020}.json", version + 1).into())
        .await
        .unwrap();
    let user = serde_json::json!([{"op": "create", "entity": "user", "fields": {"handle": "ana"}}]);
    let refused = change(&fresh(&root, 2).await, user).await;
    assert!(format!("{refused:?}").contains("lost its end"), "{refused:?}");
}
