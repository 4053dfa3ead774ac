//! Random sets through the service, on a lake that is reopened, folded, read in the past and undone
//! in between.

use std::sync::Arc;

use lakeplan::domain::time::AsOf;
use lakeplan::domain::violation::Violation;
use lakeplan::planning::outline::OutlinePlanner;
use lakeplan::runtime::ManualClock;
use lakeplan::service::{Service, ServiceError};
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::location::durable::DurableLocal;
use lakeplan::store::memory::MemoryStore;
use lakeplan::store::{Format, Scope};
use object_store::memory::InMemory;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use url::Url;

use super::generate::Author;
use super::model::Model;
use super::{Counts, assert_same};
use crate::support::{author, clock, counts, random, request, setting};

/// Location of the lake.
enum Placement {
    Memory,
    Delta { root: LakeLocation, _folder: Option<tempfile::TempDir> },
}

impl Placement {
    fn in_memory() -> Self {
        let root = LakeLocation {
            url: Url::parse("memory:///lake/").unwrap(),
            store: Arc::new(InMemory::new()),
        };
        Self::Delta { root, _folder: None }
    }

    fn in_a_folder() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = Url::from_directory_path(folder.path()).unwrap();
        let store = Arc::new(DurableLocal::new(folder.path().to_path_buf()).unwrap());
        Self::Delta { root: LakeLocation { url, store }, _folder: Some(folder) }
    }

    async fn create(&self, clock: &Arc<ManualClock>, seed: u64) -> Service {
        let (clock, random) = (Arc::clone(clock), random(seed));
        match self {
            Self::Memory => {
                let store = Arc::new(MemoryStore::new(clock.clone(), random.clone()).unwrap());
                Service { planner: Arc::new(OutlinePlanner), store, clock, random }
            }
            Self::Delta { root, .. } => {
                let store =
                    DeltaStore::create(root, Format::default(), clock.clone(), random.clone())
                        .await
                        .unwrap();
                Service { planner: Arc::new(OutlinePlanner), store: Arc::new(store), clock, random }
            }
        }
    }

    /// Opens the lake as a new process with a cache of this many records.
    async fn open(
        &self,
        clock: &Arc<ManualClock>,
        seed: u64,
        max_cached: usize,
    ) -> Option<Service> {
        let Self::Delta { root, .. } = self else { return None };
        let (clock, random) = (Arc::clone(clock), random(seed));
        let store = DeltaStore::open_keeping(
            root,
            Format::default(),
            max_cached,
            clock.clone(),
            random.clone(),
        )
        .await
        .unwrap();
        Some(Service { planner: Arc::new(OutlinePlanner), store: Arc::new(store), clock, random })
    }
}

fn is_of_assignee(violation: &Violation) -> bool {
    violation.field.as_deref() == Some("fields.assignee_id")
}

async fn read_model(service: &Service) -> Model {
    Model::of(&service.state(&Scope::All).await.unwrap())
}

async fn run(seed: u64, steps: usize, place: Placement) -> Counts {
    let mut rng = StdRng::seed_from_u64(seed);
    let clock = clock();
    let mut service = place.create(&clock, seed).await;
    // Another process reads, so that the changing process has only the records in its cache that it
    // loads for a change.
    let observer =
        place.open(&clock, seed + 50_000, 100_000).await.unwrap_or_else(|| service.clone());
    let mut found = Counts::default();
    let mut model = read_model(&observer).await;
    // The live part of the lake before the last set, if the last step was a set.
    let mut undoable: Option<(Vec<String>, serde_json::Value)> = None;
    let mut past: Vec<(u64, Vec<String>)> = Vec::new();
    let mut named = 0;
    for step in 0..steps {
        let result = |what: &str| format!("seed {seed}, step {step}: {what}");
        found.steps += 1;
        let seq = observer.store.head().await.unwrap().seq;
        match rng.random_range(0..100) {
            0..8 => {
                let max_cached = [1, 1, 30][rng.random_range(0..3)];
                if let Some(again) =
                    place.open(&clock, seed * 100_000 + step as u64, max_cached).await
                {
                    service = again;
                    found.reopened += 1;
                }
            }
            8..11 => {
                service.store.fold().await.unwrap();
                found.folded += 1;
            }
            11..16 if !past.is_empty() => {
                let (seq, lines) = &past[rng.random_range(0..past.len())];
                let then = observer.read(&Scope::All, Some(AsOf::Seq(*seq))).await.unwrap().state;
                assert_same(&Model::of(&then).lines(), lines, &result(&format!("as of {seq}")));
                found.as_of += 1;
            }
            16..24 if undoable.is_some() => {
                let (before, set) = undoable.take().unwrap_or_default();
                match service.undo(Some(seq), &author(&service)).await {
                    Ok(_) => {}
                    // An assignment to a deleted user is not restored.
                    Err(ServiceError::Refused(violations))
                        if violations.iter().all(is_of_assignee) =>
                    {
                        assert_same(
                            &read_model(&observer).await.lines(),
                            &model.lines(),
                            &result("a refused undo left something"),
                        );
                        found.undo_refused += 1;
                        continue;
                    }
                    // A set without a change leaves nothing to undo.
                    Err(ServiceError::Input { .. }) if model.living() == before => {
                        found.undo_refused += 1;
                        continue;
                    }
                    Err(err) => {
                        panic!("{}", result(&format!("undo of {seq}, the last, {set}: {err:?}")))
                    }
                }
                model = read_model(&observer).await;
                assert_same(
                    &model.living(),
                    &before,
                    &result(&format!("undo of {seq}, the last, {set}")),
                );
                past.push((seq + 1, model.lines()));
                found.undone += 1;
            }
            24..27 if !past.is_empty() => {
                let chosen = past[rng.random_range(0..past.len())].0;
                match service.undo(Some(chosen), &author(&service)).await {
                    Ok((_, done)) => {
                        model = read_model(&observer).await;
                        past.push((done.seq, model.lines()));
                        undoable = None;
                        found.undone += 1;
                    }
                    Err(err) => {
                        let is_reported = matches!(
                            err,
                            ServiceError::Refused(_)
                                | ServiceError::Conflicted { .. }
                                | ServiceError::Input { .. }
                        );
                        assert!(is_reported, "{}", result(&format!("undo of {chosen}: {err:?}")));
                        assert_same(
                            &read_model(&observer).await.lines(),
                            &model.lines(),
                            &result("a refused undo left something"),
                        );
                        found.undo_refused += 1;
                    }
                }
            }
            _ => {
                let mut writer = Author { random: &mut rng, named };
                let actions = writer.actions(&model);
                let patches: Vec<_> =
                    actions.iter().map(|action| writer.json(&model, action)).collect();
                named = writer.named;
                if actions.is_empty() {
                    continue;
                }
                let mut predicted = model.clone();
                let verdict = predicted.apply(&actions);
                let patches = json!({ "patches": patches });
                match (service.change(&request(patches.clone()), &author(&service)).await, verdict)
                {
                    (Ok(done), Ok(())) => {
                        predicted.set_deleting_set(&done.id.to_string());
                        undoable = Some((model.living(), patches.clone()));
                        model = read_model(&observer).await;
                        assert_same(
                            &model.lines(),
                            &predicted.lines(),
                            &result(&patches.to_string()),
                        );
                        past.push((done.seq, model.lines()));
                        found.accepted += 1;
                    }
                    (Err(err), Err(_)) => {
                        let is_reported = match &err {
                            ServiceError::Refused(violations) => {
                                violations.iter().any(|found| found.patch < actions.len())
                            }
                            ServiceError::Conflicted { .. } => true,
                            _ => false,
                        };
                        assert!(is_reported, "{}", result(&format!("{patches}: {err:?}")));
                        assert_same(
                            &read_model(&observer).await.lines(),
                            &model.lines(),
                            &result("a refused set left something"),
                        );
                        found.refused += 1;
                    }
                    (done, verdict) => panic!(
                        "{}",
                        result(&format!("{patches}\nthe lake: {done:?}\nthe model: {verdict:?}"))
                    ),
                }
            }
        }
    }
    found
}

async fn runs(name: &str, first: u64, seeds: u64, steps: usize, place: impl Fn() -> Placement) {
    let seeds = match setting("LAKEPLAN_TEST_SEED") {
        Some(seed) => {
            let seed: u64 = seed.parse().expect("LAKEPLAN_TEST_SEED is a number");
            seed..seed + 1
        }
        None => first..first + seeds,
    };
    for seed in seeds {
        let found = run(seed, steps, place()).await;
        eprintln!("oracle, {name}, seed {seed}: {found}");
        assert!(found.accepted > found.steps / 4 && found.refused > 0, "{found}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_sets_match_the_model_in_memory() {
    runs("in memory", 0, counts(6, 12) as u64, counts(120, 250), || Placement::Memory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_sets_match_the_model_on_delta() {
    runs("delta", 1_000, counts(6, 12) as u64, counts(100, 150), Placement::in_memory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_sets_match_the_model_in_a_folder() {
    runs("folder", 2_000, 2, counts(60, 150), Placement::in_a_folder).await;
}
