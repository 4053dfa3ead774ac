//! Links from projects that nobody named: a writer with an empty cache finds them before it
//! validates a set.

use std::sync::Arc;

use lakeplan::domain::id::EntityId;
use lakeplan::planning::outline::OutlinePlanner;
use lakeplan::service::{Service, find};
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::{Format, Scope, Store};
use rstest::rstest;
use serde_json::{Value, json};

use super::{committed, delta_in_memory, make_project, state};
use crate::checked::MemoryLake;
use crate::support::{author, clock, random, request};

/// Opens a new process with an empty cache.
async fn fresh(root: &LakeLocation, seed: u64) -> Service {
    let store =
        DeltaStore::open_keeping(root, Format::default(), 1, clock(), random(seed)).await.unwrap();
    Service {
        planner: Arc::new(OutlinePlanner),
        store: Arc::new(store),
        clock: clock(),
        random: random(seed),
    }
}

async fn change(root: &LakeLocation, seed: u64, patches: Value) {
    let service = fresh(root, seed).await;
    service.change(&request(json!({ "patches": patches })), &author(&service)).await.unwrap();
}

async fn undo(root: &LakeLocation, seed: u64, seq: Option<u64>) {
    let service = fresh(root, seed).await;
    service.undo(seq, &author(&service)).await.unwrap();
}

/// Creates PAY-1, PAY-2, and OTH-1, which relates to PAY-1. The options fold the lake, and then
/// move the task with the link to the other project.
async fn lake(folds: bool, moves: bool) -> (Arc<DeltaStore>, MemoryLake) {
    let (store, root) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    let project = |key: &str| json!({"op": "create", "entity": "project", "fields": {"name": key, "key": key}});
    let _ = committed(store.as_ref(), json!([project("OTH"), project("THI")])).await;
    let task = |project: &str| json!({"op": "create", "entity": "task", "fields": {"project_id": project, "title": "t"}});
    let start = if moves { "THI" } else { "OTH" };
    let _ = committed(store.as_ref(), json!([task("PAY"), task("PAY"), task(start)])).await;
    let link = json!({"from_id": format!("{start}-1"), "to_id": "PAY-1", "kind": "relates"});
    let _ =
        committed(store.as_ref(), json!([{"op": "link", "entity": "task_link", "fields": link}]))
            .await;
    if folds {
        store.fold().await.unwrap();
    }
    if moves {
        let _ =
            committed(store.as_ref(), json!([{"op": "move", "entity": "task", "id": "THI-1", "fields": {"project_id": "OTH"}}]))
                .await;
    }
    (store, root)
}

/// Returns the live links with the keys of their ends.
async fn links(store: &dyn Store) -> Vec<String> {
    let state = state(store).await;
    let key = |id| state.task(id).unwrap().key.to_string();
    let live = state
        .projects()
        .flat_map(|project| project.links())
        .filter(|link| link.deleted_at.is_none());
    let mut result: Vec<String> =
        live.map(|link| format!("{} {}", key(link.from_id), key(link.to_id))).collect();
    result.sort();
    result
}

#[rstest]
#[case::from_the_journal(false, false)]
#[case::from_folded_tables(true, false)]
#[case::of_a_moved_task_from_the_journal(false, true)]
#[case::of_a_moved_task_from_folded_tables(true, true)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_writer_updates_links_from_other_projects(
    #[case] folds: bool,
    #[case] moves: bool,
) {
    let (store, root) = lake(folds, moves).await;
    let result = format!("folded {folds}, moved {moves}");
    change(&root, 11, json!([{"op": "delete", "entity": "task", "id": "PAY-1"}])).await;
    assert_eq!(links(store.as_ref()).await, Vec::<String>::new(), "{result}: delete");
    change(&root, 12, json!([{"op": "restore", "entity": "task", "id": "PAY-1"}])).await;
    assert_eq!(links(store.as_ref()).await, ["OTH-1 PAY-1"], "{result}: restore");
    change(&root, 13, json!([{"op": "delete", "entity": "project", "id": "PAY"}])).await;
    assert_eq!(
        links(store.as_ref()).await,
        Vec::<String>::new(),
        "{result}: delete of the project"
    );
    undo(&root, 14, None).await;
    assert_eq!(links(store.as_ref()).await, ["OTH-1 PAY-1"], "{result}: undo");
    let service = fresh(&root, 15).await;
    let merged = service.merge_tasks("PAY-2", "PAY-1", &author(&service)).await.unwrap();
    assert_eq!(links(store.as_ref()).await, ["OTH-1 PAY-2"], "{result}: merge");
    undo(&root, 16, Some(merged.seq)).await;
    assert_eq!(links(store.as_ref()).await, ["OTH-1 PAY-1"], "{result}: undo of the merge");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_includes_links_from_other_projects() {
    let (store, root) = lake(true, true).await;
    let delete = request(json!({"patches": [{"op": "delete", "entity": "task", "id": "PAY-1"}]}));
    let service = fresh(&root, 21).await;
    let changes = service.preview(&delete, &author(&service)).await.unwrap();
    assert_eq!(changes.len(), 2, "the task and the link");
    let whole = state(store.as_ref()).await;
    let [one, two] = ["PAY-1", "PAY-2"].map(|key| find::task(&whole, key).unwrap().id);
    let other = find::project(&whole, "OTH").unwrap().1.id;
    for store in [
        store.clone(),
        Arc::new(DeltaStore::open(&root, Format::default(), clock(), random(22)).await.unwrap()),
    ] {
        assert!(store.linked_from(&[one].into()).await.unwrap().contains(&other));
        assert!(store.linked_from(&[two].into()).await.unwrap().is_empty());
        assert!(store.linked_from(&[].into()).await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_created_after_the_writers_snapshot_is_deleted_too() {
    let (store, root) = lake(true, false).await;
    // This process knows the lake without the second link.
    let early = fresh(&root, 31).await;
    let _ = early.state(&Scope::outline()).await.unwrap();
    let whole = state(store.as_ref()).await;
    let task = find::task(&whole, "PAY-1").unwrap().id.uuid().to_string();
    let late = json!({"from_id": "OTH-1", "to_id": "PAY-1", "kind": "duplicates"});
    let set = early
        .resolve(
            &early.state_for_names(&["PAY-1"]).await.unwrap(),
            &request(json!({"patches": [{"op": "delete", "entity": "task", "id": task}]})),
            &author(&early),
        )
        .unwrap();
    let _ =
        committed(store.as_ref(), json!([{"op": "link", "entity": "task_link", "fields": late}]))
            .await;
    early.commit(&whole, set).await.unwrap();
    assert_eq!(links(store.as_ref()).await, Vec::<String>::new());
}
