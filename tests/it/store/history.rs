//! Lakes with a random history, which is created once and copied for every run.

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

/// A time at which the files of the history are old enough for vacuum.
pub fn later() -> Instant {
    noon() + TimeDelta::days(10)
}

/// Returns the clock of a process that runs at [`later`].
pub fn late_clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(later(), TimeDelta::milliseconds(1)))
}

/// A lake with a history, and its model.
pub struct History {
    lake: InMemory,
    pub model: State,
    /// The acknowledged sets.
    pub acknowledged: BTreeSet<PatchSetId>,
    names: BTreeSet<String>,
}

/// The version before the one at which checkpoints are written.
const BEFORE_A_CHECKPOINT: u64 = 99;

impl History {
    /// Creates a lake with a random history: folded, maintained once, with dead files and with
    /// files to compact.
    pub async fn folded(seed: u64) -> Self {
        let memory = Arc::new(InMemory::new());
        let lake = root(Arc::clone(&memory) as Arc<dyn ObjectStore>);
        let store =
            DeltaStore::create(&lake, Format::default(), clock(), random(seed)).await.unwrap();
        make_project(&store).await;
        let model = state(&store).await;
        let mut history = Self {
            lake: InMemory::new(),
            model,
            acknowledged: BTreeSet::new(),
            names: BTreeSet::new(),
        };
        history.add(&store, task("this")).await;
        history.add(&store, task("that")).await;
        store.fold().await.unwrap();
        store.maintain(Retention::default()).await.unwrap();
        let mut rng = StdRng::seed_from_u64(seed);
        for n in 0..12 {
            history.add(&store, random_patches(&history.model, &mut rng)).await;
            if n % 4 == 3 {
                store.fold().await.unwrap();
            }
        }
        // The first commit after the last fold records that everything is folded; two tasks can be
        // changed.
        for title in ["from", "to"] {
            history.add(&store, task(title)).await;
        }
        store.fold().await.unwrap();
        history.save(&memory).await;
        history
    }

    /// Returns the same lake later, with unfolded changes of every table.
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
        let mut history =
            Self { lake: InMemory::new(), model, acknowledged, names: BTreeSet::new() };
        let mut rng = StdRng::seed_from_u64(seed + 400);
        history.add(&store, patches_for_every_table(&history.model)).await;
        for _ in 0..3 {
            history.add(&store, random_patches(&history.model, &mut rng)).await;
        }
        history.save(&memory).await;
        history
    }

    /// Returns the same lake, with the logs of the journal and of two tables one commit before a
    /// checkpoint.
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
            // A checkpoint covers the long log, so that the runs need not read it.
            let delta =
                delta_rs(&(Arc::clone(&memory) as Arc<dyn ObjectStore>), &table).await.unwrap();
            deltalake::checkpoints::create_checkpoint(&delta, None).await.unwrap();
            for version in 0..BEFORE_A_CHECKPOINT {
                let _ = memory.delete(&entry(&table, version)).await;
            }
        }
        let (model, acknowledged) = (self.model.clone(), self.acknowledged.clone());
        let mut history =
            Self { lake: InMemory::new(), model, acknowledged, names: BTreeSet::new() };
        history.save(&memory).await;
        history
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

    async fn save(&mut self, memory: &InMemory) {
        self.lake = memory.fork();
        let listed: Vec<_> = memory.list(None).try_collect().await.unwrap();
        self.names = listed.into_iter().map(|meta| meta.location.to_string()).collect();
    }

    /// Copies the lake, with stores that report the age of its objects.
    pub fn copy(&self) -> HistoryCopy<'_> {
        HistoryCopy { history: self, memory: Arc::new(self.lake.fork()) }
    }

    /// Returns the model after the later commits in the journal; `sets` are the possible ones.
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
pub struct HistoryCopy<'p> {
    history: &'p History,
    memory: Arc<InMemory>,
}

impl HistoryCopy<'_> {
    /// Returns another store over it with its own faults.
    pub fn storage(&self, seed: u64) -> Arc<FaultStore> {
        let store = FaultStore::new(Arc::clone(&self.memory) as Arc<dyn ObjectStore>, seed);
        store.calls.set_ages(self.history.names.clone(), noon(), later());
        store
    }
}

/// Returns patches that change every folded table.
pub fn patches_for_every_table(model: &State) -> Value {
    let key = |title: &str| {
        let tasks = model.projects().flat_map(|project| project.tasks());
        let found = tasks
            .filter(|task| task.title.as_str() == title)
            .map(|task| task.key.to_string())
            .next();
        found.unwrap_or_else(|| panic!("no task {title}"))
    };
    json!([
        {"op": "create", "entity": "project", "fields": {"name": "Everywhere", "key": "EVE"}},
        {"op": "create", "entity": "user", "fields": {"handle": "eve"}},
        {"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": "new"}},
        {"op": "update", "entity": "task", "id": key("from"), "fields": {"status": "in_progress", "title": "changed"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": key("from"), "to_id": key("to"), "kind": "duplicates"}},
    ])
}

/// Returns the rows of the journal in order.
pub async fn rows(store: &dyn Store) -> Vec<Row> {
    store.changes(0, Stream::Work, &Scope::All).await.unwrap().try_collect().await.unwrap()
}
