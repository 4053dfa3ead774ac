//! The stores: one suite for all implementations, and tests for the one on an object store.

mod agreement;
pub mod ambiguous_storage;
mod as_of;
mod backup;
mod calls;
mod clock_ahead;
mod clones;
mod conformance;
mod damage;
mod diverged_copies;
mod doctor;
mod doctor_full;
mod erase;
mod event_tables;
mod failpoints;
mod fault;
mod field_values;
pub mod folding;
mod foreign;
mod foreign_operations;
pub mod forge;
mod format;
mod format_1;
mod groups;
mod history;
mod ids;
mod inbound_links;
mod log_bytes;
mod long_lived;
pub mod maintenance;
mod mixed_copies;
mod rebuild;
mod repairs;
mod scope;
mod stale_writers;
mod stray_files;
mod suspensions;
mod unknown_outcomes;
mod volumes;

use std::sync::Arc;

use deltalake::DeltaTable;
use deltalake::logstore::{StorageConfig, default_logstore};
use lakeplan::domain::patch::PatchSet;
use lakeplan::domain::state::State;
use lakeplan::runtime::Clock;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::{Format, Outcome, Scope, Store, StoreError};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::prefix::PrefixStore;
use serde_json::{Value, json};
use url::Url;

use crate::checked::MemoryLake;
use crate::support::{clock, patch_set, random};

/// Returns a table as delta-rs reads it; `None` if it does not exist.
pub async fn delta_rs(lake: &Arc<dyn ObjectStore>, table: &str) -> Option<DeltaTable> {
    let folder = Arc::new(PrefixStore::new(Arc::clone(lake), table));
    let url = Url::parse(&format!("memory:///{table}/")).unwrap();
    let log = default_logstore(folder, Arc::clone(lake), &url, &StorageConfig::default());
    if !log.is_delta_table_location().await.unwrap() {
        return None;
    }
    let mut table = DeltaTable::new(log);
    table.load().await.unwrap();
    Some(table)
}

pub fn root(store: Arc<dyn ObjectStore>) -> LakeLocation {
    LakeLocation { url: Url::parse("memory:///lake/").unwrap(), store }
}

/// Creates a lake in memory, through Delta.
pub async fn delta_in_memory() -> (Arc<DeltaStore>, MemoryLake) {
    let root = MemoryLake::new(root(Arc::new(InMemory::new())));
    let store = DeltaStore::create(&root, Format::default(), clock(), random(1)).await.unwrap();
    (Arc::new(store), root)
}

/// Opens another writer of the same lake.
pub async fn open(
    root: &LakeLocation,
    clock: Arc<dyn Clock>,
    seed: u64,
) -> Result<DeltaStore, StoreError> {
    DeltaStore::open(root, Format::default(), clock, random(seed)).await
}

pub async fn state(store: &dyn Store) -> State {
    store.snapshot(&Scope::All).await.unwrap().state
}

/// Commits one set and returns its outcome.
pub async fn commit(store: &dyn Store, set: PatchSet) -> Outcome {
    store.commit(vec![set]).await.pop().unwrap()
}

/// Returns a set that is resolved against the current state.
pub async fn set(store: &dyn Store, patches: Value) -> PatchSet {
    patch_set(&state(store).await, patches).unwrap()
}

/// Commits patches that must be accepted. Returns the seq.
pub async fn committed(store: &dyn Store, patches: Value) -> u64 {
    match commit(store, set(store, patches).await).await {
        Outcome::Committed { seq, .. } => seq,
        other => panic!("{other:?}"),
    }
}

/// Creates the project of the tests.
pub async fn make_project(store: &dyn Store) {
    let _ = committed(store, json!([{"op": "create", "entity": "project", "fields": {"name": "Payments", "key": "PAY"}}])).await;
}

pub fn task(title: &str) -> Value {
    json!([{"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": title}}])
}

/// Returns the titles of all tasks, sorted.
pub fn titles(state: &State) -> Vec<String> {
    let mut titles: Vec<String> = state
        .projects()
        .flat_map(|project| project.tasks())
        .map(|task| task.title.to_string())
        .collect();
    titles.sort();
    titles
}
