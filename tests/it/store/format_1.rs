//! A lake that the last version of format 1 wrote. In `format_1` are its files and, in
//! `states.json`, what that version read at each seq. The sets after the first:
//!
//! 2. The plan of [`PLANNED`].
//! 3. A person edits "Build the walls".
//! 4. A person deletes "Paint the walls".
//! 5. A person adds metadata of their own to "Lay the floor".
//! 6. A person replaces the metadata of "Clean up", and with it what the plan remembered.
//! 7. A person creates two tasks with a key `plan` of their own in the metadata.
//! 8. A plan of a text without "Order a bench", with "Sweep the floor" and a longer "Hang the door".
//! 9. A person renames "Sweep the floor"; 10. undoes it.
//! 11. A plan adds "Build a fence"; 12. undoes it.
//! 13. A person clears the metadata of "Stay dry …"; 14. undoes it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use lakeplan::domain::any_record::AnyRecord;
use lakeplan::domain::state::{ProjectState, State};
use lakeplan::domain::task::Task;
use lakeplan::domain::time::AsOf;
use lakeplan::exchange::patchset::Request;
use lakeplan::planning::outline::outline;
use lakeplan::planning::plan::Plan;
use lakeplan::planning::planner::{Options, Planner, PlannerError};
use lakeplan::planning::unverified::Unverified;
use lakeplan::service::Service;
use lakeplan::service::as_of::read_as_of;
use lakeplan::service::plan::{PlanRequest, Preview};
use lakeplan::store::delta::DeltaStore;
use lakeplan::store::{Scope, Store};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use serde_json::{Map, Value, json};

use super::{open, root, state};
use crate::checked::MemoryLake;
use crate::support::{author, clock, random};

const PLANNED: &str = "# Shed\n\n## Requirements\n\n- The shed must stay dry in heavy rain.\n- The door must lock with a key.\n\n## Tasks\n\n### Phase 1: Walls\n\n- Lay the floor (2 days)\n- Build the walls (1 day), depends on the floor\n- Hang the door and lock it with a key (4 hours)\n- Stay dry in heavy rain: cover the roof (1 day)\n- Paint the walls (2 hours)\n\n### Phase 2: Rest\n\n- Clean up (1 hour)\n- Order a bench (1 hour)\n";

/// Returns the text that the lake holds.
fn stored() -> String {
    PLANNED
        .replace("- Order a bench (1 hour)\n", "- Sweep the floor (1 hour)\n")
        .replace("(4 hours)", "(6 hours)")
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/store/format_1")
}

/// Copies the files of a folder to a place in an object store.
async fn copy(from: &Path, to: &str, objects: &InMemory) {
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let place = format!("{to}/{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            Box::pin(copy(&path, &place, objects)).await;
        } else {
            let bytes = std::fs::read(&path).unwrap();
            objects.put(&ObjectPath::parse(&place).unwrap(), bytes.into()).await.unwrap();
        }
    }
}

/// Returns the lake, as the last version of format 1 left it.
async fn lake() -> MemoryLake {
    let objects = InMemory::new();
    for table in std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()) {
        if table.is_dir() {
            let name = table.file_name().unwrap().to_str().unwrap().to_owned();
            copy(&table, &name, &objects).await;
        }
    }
    MemoryLake::new(root(Arc::new(objects)))
}

async fn service(lake: &MemoryLake) -> (Service, Arc<DeltaStore>, Arc<CountingPlanner>) {
    let store = Arc::new(open(lake, clock(), 7).await.unwrap());
    let planner = Arc::new(CountingPlanner::default());
    let service = Service {
        planner: Arc::clone(&planner) as Arc<dyn Planner>,
        store: Arc::clone(&store) as Arc<dyn Store>,
        clock: clock(),
        random: random(8),
    };
    (service, store, planner)
}

/// The embedded planner, with the number of its requests.
#[derive(Debug, Default)]
struct CountingPlanner(AtomicUsize);

#[async_trait]
impl Planner for CountingPlanner {
    fn name(&self) -> &str {
        "counting"
    }
    fn model(&self) -> &str {
        "counting"
    }
    fn is_repeatable(&self) -> bool {
        true
    }
    async fn plan(&self, text: &str, options: Options) -> Result<Unverified<Plan>, PlannerError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Unverified::new(outline(text, options)))
    }
}

/// Returns tasks and projects as format 1 stored them, with the plan's values in the metadata.
fn as_in_format_1(state: &State) -> Value {
    let stored = state
        .records()
        .filter(|record| matches!(record, AnyRecord::Task(_) | AnyRecord::Project(_)));
    let stored = stored.map(|record| {
        let of = |field: &str| record.get(field).unwrap_or_default();
        let mut metadata = of("metadata");
        if let base @ Value::Object(_) = of("plan_base") {
            assert!(metadata.get("plan").is_none(), "{metadata} and {base}");
            metadata["plan"] = base;
        }
        let title = record.get("title").or_else(|| record.get("name"));
        let stored = json!({
            "entity": record.entity().as_str(), "title": title, "metadata": metadata,
            "is_live": record.is_live(), "source_line": of("source_line"),
        });
        (record.id().to_string(), stored)
    });
    Value::Object(stored.collect())
}

fn tasks(state: &State) -> impl Iterator<Item = &Task> {
    state.projects().flat_map(ProjectState::tasks).map(AsRef::as_ref)
}

fn live<'s>(state: &'s State, title: &str) -> Vec<&'s Task> {
    tasks(state).filter(|task| task.is_live() && task.title.as_str() == title).collect()
}

fn format(state: &State) -> (u32, u32) {
    let lake = state.lake.as_ref().unwrap();
    (lake.format_reader, lake.format_writer)
}

async fn plan(service: &Service, text: &str) -> (Preview, bool) {
    let request = PlanRequest {
        source: Some("shed.md".to_owned()),
        text: text.to_owned(),
        ..PlanRequest::default()
    };
    let (preview, done) = service.apply_plan(&request, &author(service)).await.unwrap();
    (preview, done.is_some())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_past_state_reads_as_before() {
    let lake = lake().await;
    let states = std::fs::read_to_string(folder().join("states.json")).unwrap();
    let states: Map<String, Value> = serde_json::from_str(&states).unwrap();
    let store = open(&lake, clock(), 7).await.unwrap();
    for seq in 1..=14 {
        let then = read_as_of(&store, &Scope::All, AsOf::Seq(seq)).await.unwrap().state;
        assert_eq!(as_in_format_1(&then), states[&seq.to_string()], "seq {seq}");
    }
    let now = state(&store).await;
    assert_eq!(as_in_format_1(&now), states["14"]);
    let person = |title: &str| live(&now, title)[0].metadata.0["plan"].clone();
    assert_eq!(person("By hand"), "before winter");
    assert_eq!(live(&now, "Lay the floor")[0].metadata.0.len(), 1);

    // The tables of format 1 have no column for the plan's values, so a fold rebuilds them.
    store.fold().await.unwrap();
    store.shutdown().await;
    let reopened = open(&lake, clock(), 9).await.unwrap();
    let read = state(&reopened).await;
    assert!(read.records().eq(now.records()), "the tables hold another state than the journal");
    assert_eq!(format(&read), (1, 1), "a fold raised the format");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_format_1_are_undone() {
    let lake = lake().await;
    let (service, store, _) = service(&lake).await;
    let now = state(store.as_ref()).await;
    let undo = async |seq: u64| {
        service.undo(Some(seq), &author(&service)).await.unwrap();
        state(store.as_ref()).await
    };
    // The plan's values and a person's own data come back separately.
    let then = undo(5).await;
    let floor = live(&then, "Lay the floor")[0];
    assert!(floor.metadata.0.is_empty());
    assert_eq!(floor.plan_base, live(&now, "Lay the floor")[0].plan_base);
    assert_eq!(format(&then), (2, 2), "a binary of format 1 would still open the lake");
    let then = undo(6).await;
    let cleaned = live(&then, "Clean up");
    assert!(cleaned.iter().all(|task| task.metadata.0.is_empty() && task.plan_base.is_some()));
    // A plan: what it created goes and is forgotten, what it deleted returns.
    let then = undo(8).await;
    assert_eq!((live(&then, "Sweep the floor").len(), live(&then, "Order a bench").len()), (0, 1));
    let gone = tasks(&then).find(|task| task.title.as_str() == "Sweep the floor").unwrap();
    assert_eq!(gone.plan_base, None);
    assert!(live(&then, "Order a bench")[0].plan_base.is_some());
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_replan_asks_for_the_stored_text_and_later_ones_do_not() {
    let lake = lake().await;
    let (service, store, planner) = service(&lake).await;
    // Nothing to change: the project keeps its form, and older binaries can still open the lake.
    let (preview, is_written) = plan(&service, &stored()).await;
    assert!(!is_written && preview.set.patches.is_empty(), "{:?}", preview.set.patches);
    assert_eq!(planner.0.load(Ordering::Relaxed), 2);
    assert_eq!(format(&state(store.as_ref()).await), (1, 1));

    let fence = stored().replace("- Sweep", "- Build a fence (1 hour)\n- Sweep");
    plan(&service, &fence).await;
    assert_eq!(planner.0.load(Ordering::Relaxed), 4);
    let then = state(store.as_ref()).await;
    assert_eq!(format(&then), (2, 2));
    assert_eq!(live(&then, "Build a fence").len(), 1, "a task of an undone plan was not created");
    assert!(live(&then, "Paint the walls").is_empty(), "a task that a person deleted came back");
    assert_eq!(live(&then, "Build the walls")[0].estimate_likely.unwrap().get(), 60);
    let requirements = || then.projects().flat_map(ProjectState::requirements);
    assert!(requirements().all(|known| known.plan_base.is_some()));

    let twice = fence.replace("- Build a fence (1 hour)", "- Build a fence (2 hours)");
    plan(&service, &twice.replace("- The door must lock with a key.\n", "")).await;
    assert_eq!(planner.0.load(Ordering::Relaxed), 5, "the stored text was planned again");
    let then = state(store.as_ref()).await;
    assert_eq!(live(&then, "Build a fence")[0].estimate_likely.unwrap().get(), 120);
    assert!(live(&then, "Paint the walls").is_empty());
    let stated = then.projects().flat_map(ProjectState::requirements);
    assert_eq!(stated.filter(|known| known.deleted_at.is_none()).count(), 1);
    let (preview, _) =
        plan(&service, &twice.replace("- The door must lock with a key.\n", "")).await;
    assert!(preview.set.patches.is_empty(), "{:?}", preview.set.patches);
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_old_task_is_a_task_and_the_first_milestone_raises_the_format() {
    let lake = lake().await;
    let (service, store, _) = service(&lake).await;
    let now = state(store.as_ref()).await;
    assert!(tasks(&now).all(|task| !task.is_milestone()));
    let key = live(&now, "Sweep the floor")[0].key.to_string();
    let update = |fields: Value| {
        let patches = json!([{"op": "update", "entity": "task", "id": key, "fields": fields}]);
        Request::from_json(&json!({ "patches": patches })).unwrap()
    };
    service.change(&update(json!({"priority": "high"})), &author(&service)).await.unwrap();
    assert_eq!(format(&state(store.as_ref()).await), (1, 1));
    let fields = json!({"kind": "milestone", "estimate_low": null, "estimate_likely": null, "estimate_high": null});
    service.change(&update(fields), &author(&service)).await.unwrap();
    let then = state(store.as_ref()).await;
    assert!(live(&then, "Sweep the floor")[0].is_milestone());
    assert_eq!(format(&then), (2, 2), "a binary of format 1 would take the milestone for a task");
    store.shutdown().await;
}
