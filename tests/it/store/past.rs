//! Lakes with a past to begin a test from: a random history that is made once and copied for every run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;
use futures::TryStreamExt;
use lakeplan::domain::apply::apply;
use lakeplan::domain::id::PatchSetId;
use lakeplan::domain::patch::PatchSet;
use lakeplan::domain::state::State;
use lakeplan::domain::time::Instant;
use lakeplan::runtime::ManualClock;
use lakeplan::store::delta::DeltaStore;
use lakeplan::store::row::{Row, Stream};
use lakeplan::store::{Format, Outcome, Retention, Scope, Store};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::fault::FaultStore;
use super::{delta_rs, make_project, root, state, task};
use crate::support::{clock, noon, patch_set, random, random_patches};

/// When the history is so old that vacuum may delete what it left.
pub fn later() -> Instant {
    noon() + TimeDelta::days(10)
}

/// The clock of a process that works [`later`].
pub fn late_clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(later(), TimeDelta::milliseconds(1)))
}

/// A lake with a past, and what a model says of it.
pub struct Past {
    lake: InMemory,
    pub model: State,
    /// The sets that were acknowledged.
    pub acknowledged: BTreeSet<PatchSetId>,
    names: BTreeSet<String>,
}

/// Where versions of the logs stand before a hundred, at which checkpoints are written.
const BEFORE_A_CHECKPOINT: u64 = 99;

impl Past {
    /// A lake with a random history: folded, maintained once, with files that are dead and files to be joined.
    pub async fn folded(seed: u64) -> Self {
        let memory = Arc::new(InMemory::new());
        let lake = root(Arc::clone(&memory) as Arc<dyn ObjectStore>);
        let store =
            DeltaStore::create(&lake, Format::default(), clock(), random(seed)).await.unwrap();
        make_project(&store).await;
        let model = state(&store).await;
        let mut past = Self {
            lake: InMemory::new(),
            model,
            acknowledged: BTreeSet::new(),
            names: BTreeSet::new(),
        };
        past.add(&store, task("this")).await;
        past.add(&store, task("that")).await;
        store.fold().await.unwrap();
        store.maintain(Retention::default()).await.unwrap();
        let mut rng = StdRng::seed_from_u64(seed);
        for n in 0..12 {
            past.add(&store, random_patches(&past.model, &mut rng)).await;
            if n % 4 == 3 {
                store.fold().await.unwrap();
            }
        }
        // A first commit after the last fold notes that everything is folded; two tasks are there to be changed.
        for title in ["from", "to"] {
            past.add(&store, task(title)).await;
        }
        store.fold().await.unwrap();
        past.keep(&memory).await;
        past
    }

    /// The same lake, later: with changes of every table that are not folded.
    pub async fn with_a_tail(&self, seed: u64) -> Self {
        let memory = Arc::new(self.lake.fork());
        let store = DeltaStore::open(
            &root(Arc::clone(&memory) as _),
            Format::default(),
            clock(),
            random(seed + 400),
        )
        .await
        .unwrap();
        let (model, acknowledged) = (self.model.clone(), self.acknowledged.clone());
        let mut past = Self { lake: InMemory::new(), model, acknowledged, names: BTreeSet::new() };
        let mut rng = StdRng::seed_from_u64(seed + 400);
        past.add(&store, everywhere(&past.model)).await;
        for _ in 0..3 {
            past.add(&store, random_patches(&past.model, &mut rng)).await;
        }
        past.keep(&memory).await;
        past
    }

    /// The same lake, the logs of the journal and of two tables one commit before a checkpoint.
    pub async fn before_a_checkpoint(&self) -> Self {
        let memory = Arc::new(self.lake.fork());
        let entry = |table: &str, version: u64| {
            Path::from(format!("{table}/_delta_log/{version:020}.json"))
        };
        let mut heads: BTreeMap<String, u64> = BTreeMap::new();
        for name in self
            .names
            .iter()
            .filter(|name| name.contains("/_delta_log/") && name.ends_with(".json"))
        {
            let (table, version) =
                name.trim_end_matches(".json").split_once("/_delta_log/").unwrap();
            let head = heads.entry(table.to_owned()).or_default();
            *head = version.parse::<u64>().unwrap().max(*head);
        }
        for (table, head) in heads
            .into_iter()
            .filter(|(table, _)| ["journal", "tasks", "users"].contains(&table.as_str()))
        {
            for version in head + 1..=BEFORE_A_CHECKPOINT {
                let fence =
                    json!({"commitInfo": {"operation": "VACUUM", "timestamp": 0}}).to_string();
                memory.put(&entry(&table, version), fence.into()).await.unwrap();
            }
            // The long log is put behind a checkpoint, so that the runs need not read it.
            let delta =
                delta_rs(&(Arc::clone(&memory) as Arc<dyn ObjectStore>), &table).await.unwrap();
            deltalake::checkpoints::create_checkpoint(&delta, None).await.unwrap();
            for version in 0..BEFORE_A_CHECKPOINT {
                let _ = memory.delete(&entry(&table, version)).await;
            }
        }
        let (model, acknowledged) = (self.model.clone(), self.acknowledged.clone());
        let mut past = Self { lake: InMemory::new(), model, acknowledged, names: BTreeSet::new() };
        past.keep(&memory).await;
        past
    }

    async fn add(&mut self, store: &DeltaStore, patches: Value) {
        let Ok(set) = patch_set(&self.model, patches) else { return };
        match super::commit(store, set.clone()).await {
            Outcome::Committed { .. } => {
                let at = store.head().await.unwrap().at;
                let _ = apply(&mut self.model, &set, at).unwrap();
                self.acknowledged.insert(set.id);
            }
            Outcome::Refused(_) => {}
            other => panic!("{other:?}"),
        }
    }

    async fn keep(&mut self, memory: &InMemory) {
        self.lake = memory.fork();
        let listed: Vec<_> = memory.list(None).try_collect().await.unwrap();
        self.names = listed.into_iter().map(|meta| meta.location.to_string()).collect();
    }

    /// A copy of the lake, and a way to open stores on it that tell how old its objects are.
    pub fn copy(&self) -> Copied<'_> {
        Copied { past: self, memory: Arc::new(self.lake.fork()) }
    }

    /// The model after what came into the journal since; `sets` are those that can have come.
    pub fn model_of(&self, rows: &[Row], sets: &[PatchSet]) -> State {
        let mut model = self.model.clone();
        for rows in rows.chunk_by(|a, b| a.seq == b.seq) {
            if let Some(set) = sets.iter().find(|set| set.id == rows[0].patch_set_id) {
                let _ = apply(&mut model, set, rows[0].at).unwrap();
            }
        }
        model
    }
}

/// A copy of a lake.
pub struct Copied<'p> {
    past: &'p Past,
    memory: Arc<InMemory>,
}

impl Copied<'_> {
    /// Another way into it, with faults of its own.
    pub fn door(&self, seed: u64) -> Arc<FaultStore> {
        let store = FaultStore::new(Arc::clone(&self.memory) as Arc<dyn ObjectStore>, seed);
        store.calls.age(self.past.names.clone(), noon(), later());
        store
    }
}

/// Patches that concern every folded table.
pub fn everywhere(model: &State) -> Value {
    let key = |title: &str| {
        let tasks = model.projects().flat_map(|project| project.tasks());
        let found = tasks
            .filter(|task| task.title.as_str() == title)
            .map(|task| task.key.to_string())
            .next();
        found.unwrap_or_else(|| panic!("{title} is not there"))
    };
    json!([
        {"op": "create", "entity": "project", "fields": {"name": "Everywhere", "key": "EVE"}},
        {"op": "create", "entity": "user", "fields": {"handle": "eve"}},
        {"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": "new"}},
        {"op": "update", "entity": "task", "id": key("from"), "fields": {"status": "in_progress", "title": "changed"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": key("from"), "to_id": key("to"), "kind": "duplicates"}},
    ])
}

/// The rows of the journal in order.
pub async fn rows(store: &dyn Store) -> Vec<Row> {
    store.changes(0, Stream::Work, &Scope::All).await.unwrap().try_collect().await.unwrap()
}
