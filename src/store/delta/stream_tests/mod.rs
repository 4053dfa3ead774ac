//! The two streams of the journal, on a lake in memory. Users have no record of the stream `sync`
//! yet, so a record that only unit tests have stands for them.

mod commits;
mod folds;
mod older_lakes;
mod rewrites;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use super::DeltaStore;
use crate::domain::any_record::AnyRecord;
use crate::domain::id::{EntityId, ProjectId};
use crate::domain::patch::{Op, Patch, PatchSet, Source};
use crate::domain::record::{Entity, Stream, SyncEntity};
use crate::domain::time::Instant;
use crate::domain::value::Name;
use crate::runtime::{Clock, ManualClock, SeededRandom, fresh_set_id};
use crate::store::doctor::examine;
use crate::store::location::LakeLocation;
use crate::store::row::Row;
use crate::store::{Format, Outcome, Scope, Store};

const NOTE: Entity = Entity::Sync(SyncEntity::Note);
const PROJECT: u128 = 1;
const TASK: u128 = 2;
const CURSOR: u128 = 3;
const LEASE: u128 = 4;

/// A lake in memory.
struct Lake {
    memory: Arc<InMemory>,
    clock: Arc<ManualClock>,
}

impl Lake {
    async fn create() -> (Self, DeltaStore) {
        let now = Instant::default() + TimeDelta::days(20_000);
        let clock = Arc::new(ManualClock::new(now, TimeDelta::milliseconds(10)));
        let lake = Self { memory: Arc::new(InMemory::new()), clock };
        let (location, clock) = (lake.location(), Arc::clone(&lake.clock) as Arc<dyn Clock>);
        let random = Arc::new(SeededRandom::new(1));
        let store = DeltaStore::create(&location, Format::default(), clock, random).await.unwrap();
        (lake, store)
    }

    /// Returns a copy as it is now.
    fn fork(&self) -> Self {
        Self { memory: Arc::new(self.memory.fork()), clock: Arc::clone(&self.clock) }
    }

    fn root(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.memory) as _
    }

    fn location(&self) -> LakeLocation {
        LakeLocation { url: Url::parse("memory:///lake").unwrap(), store: self.root() }
    }

    async fn open(&self, seed: u64) -> DeltaStore {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let random = Arc::new(SeededRandom::new(seed));
        DeltaStore::open(&self.location(), Format::default(), clock, random).await.unwrap()
    }

    fn set(&self, seed: u64, patches: Vec<Patch>) -> PatchSet {
        let id = fresh_set_id(self.clock.as_ref(), &SeededRandom::new(seed));
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&seed.to_be_bytes());
        PatchSet::new(id, Name::new("sync").unwrap(), Source::Sync, patches).requested(hash)
    }

    /// Returns the names of all objects.
    async fn names(&self) -> BTreeSet<String> {
        let listed: Vec<_> = self.memory.list(None).try_collect().await.unwrap();
        listed.into_iter().map(|meta| meta.location.to_string()).collect()
    }

    async fn get(&self, name: &str) -> bytes::Bytes {
        self.memory.get(&Path::from(name)).await.unwrap().bytes().await.unwrap()
    }

    async fn put(&self, name: &str, bytes: bytes::Bytes) {
        self.memory.put(&Path::from(name), bytes.into()).await.unwrap();
    }

    /// Returns the actions of an entry of the journal's log.
    async fn entry(&self, version: u64) -> Vec<Value> {
        let bytes = self.get(&format!("journal/_delta_log/{version:020}.json")).await;
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Fails if the check-up finds anything, with the chain and the tables of both streams.
    async fn assert_sound(&self) {
        let checkup =
            examine(&self.root(), "memory:///lake", &Format::default(), None).await.unwrap();
        assert_eq!(checkup.findings, []);
    }
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn project() -> ProjectId {
    ProjectId::of(id(PROJECT))
}

fn create_project() -> Patch {
    Patch::new(Op::Create, Entity::Project, id(PROJECT), Some(project())).with("name", "Payments")
}

fn create_task(number: u128, title: &str) -> Patch {
    Patch::new(Op::Create, Entity::Task, id(number), Some(project()))
        .with("project_id", project().to_string())
        .with("title", title)
}

fn set_title(title: &str) -> Patch {
    Patch::new(Op::Update, Entity::Task, id(TASK), Some(project())).with("title", title)
}

fn create_note(number: u128) -> Patch {
    Patch::new(Op::Create, NOTE, id(number), None)
}

fn set_cursor(cursor: &str) -> Patch {
    Patch::new(Op::Update, NOTE, id(CURSOR), None).with("cursor", cursor)
}

/// Returns the patches of a page of news: a project with a task between a lease and a cursor.
fn page() -> Vec<Patch> {
    vec![
        create_note(LEASE).with("epoch", 1),
        create_project(),
        create_task(TASK, "Move the ledger"),
        create_note(CURSOR).with("cursor", "page 1"),
    ]
}

async fn commit(store: &DeltaStore, set: PatchSet) -> u64 {
    match store.commit(vec![set]).await.as_slice() {
        [Outcome::Committed { seq, .. }] => *seq,
        other => panic!("{other:?}"),
    }
}

async fn rows(store: &DeltaStore, stream: Stream) -> Vec<Row> {
    store.changes(0, stream, &Scope::All).await.unwrap().try_collect().await.unwrap()
}

/// Returns the titles of the tasks.
async fn titles(store: &DeltaStore) -> Vec<String> {
    let state = store.snapshot(&Scope::All).await.unwrap().state;
    assert!(state.records().all(|record| record.entity().stream() == Stream::Work));
    let Some(project) = state.project(project()) else { return Vec::new() };
    project.tasks().map(|task| task.title.to_string()).collect()
}

/// Returns the cursor and the epoch of each note.
async fn notes(store: &DeltaStore) -> Vec<(Value, Value)> {
    let state = store.sync_snapshot().await.unwrap().state;
    let field = |record: &AnyRecord, name| record.get(name).unwrap();
    state.records().map(|note| (field(note, "cursor"), field(note, "epoch"))).collect()
}
