//! A process that is held in the middle of an operation, while another does what must not come in between.

use std::sync::Arc;

use futures::TryStreamExt;
use lakeplan::store::delta::DeltaStore;
use lakeplan::store::doctor::examine;
use lakeplan::store::{Compacted, Format, Outcome, Retention, Store};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;

use super::agreement::tables_agree;
use super::calls::{Call, Kind, Point, Verb};
use super::fault::{Fault, FaultStore};
use super::past::{late_clock, later};
use super::{commit, committed, make_project, open, root, set, task};
use crate::support::{clock, noon, random};

/// A lake with a project and two tasks, seen through two doors: one where a call is held, and one for whoever works
/// beside it.
struct Scene {
    held: Arc<FaultStore>,
    calm: Arc<FaultStore>,
}

impl Scene {
    async fn new() -> Self {
        let lake = Arc::new(InMemory::new());
        let [held, calm] =
            [1, 2].map(|seed| FaultStore::new(Arc::clone(&lake) as Arc<dyn ObjectStore>, seed));
        let store = DeltaStore::create(
            &root(Arc::clone(&calm) as Arc<_>),
            Format::default(),
            clock(),
            random(1),
        )
        .await
        .unwrap();
        make_project(&store).await;
        let _ = committed(&store, task("this")).await;
        let _ = committed(&store, task("that")).await;
        Self { held, calm }
    }

    async fn opened(&self, door: &Arc<FaultStore>, seed: u64) -> DeltaStore {
        open(&root(Arc::clone(door) as Arc<_>), clock(), seed).await.unwrap()
    }

    /// Waits for the nth call of a kind at the held door.
    fn hold(&self, verb: Verb, table: &str, nth: usize) {
        let call = Call { verb, table: table.to_owned(), kind: Kind::Entry };
        self.held.calls.await_point(Point { call, nth, fault: Fault::Hold });
    }

    /// Does one thing, and the other while the one is held; whether it was.
    async fn beside<T>(
        &self,
        one: impl Future<Output = T>,
        other: impl Future<Output = ()>,
    ) -> (T, bool) {
        let one = async {
            let done = one.await;
            (done, self.held.calls.release())
        };
        let other = async {
            self.held.calls.fired().await;
            other.await;
            self.held.calls.let_go();
        };
        futures::join!(one, other).0
    }

    async fn agrees(&self, at: &str) {
        let fresh = self.opened(&self.calm, 90).await;
        fresh.fold().await.unwrap();
        tables_agree(&self.calm, &fresh, at).await;
    }
}

/// A writer has put its file and not its entry, and whatever is not live may be deleted.
#[tokio::test(start_paused = true)]
async fn a_file_whose_entry_comes_after_a_vacuum_is_not_what_becomes_live() {
    let scene = Scene::new().await;
    let writer = scene.opened(&scene.held, 3).await;
    writer.fold().await.unwrap();
    let late = set(&writer, task("late")).await;
    let keeper = DeltaStore::open(
        &root(Arc::clone(&scene.calm) as Arc<_>),
        Format::default(),
        late_clock(),
        random(4),
    )
    .await;
    let keeper = keeper.unwrap();
    scene.hold(Verb::Put, "journal", 0);
    let mut deleted = 0;
    let (result, was_held) = scene
        .beside(commit(&writer, late), async {
            let there: Vec<_> = scene.calm.list(None).try_collect().await.unwrap();
            let names = there.into_iter().map(|meta| meta.location.to_string()).collect();
            scene.calm.calls.age(names, noon(), later());
            let report = keeper.maintain(Retention::default()).await.unwrap();
            deleted = report.vacuumed.iter().find(|(name, _)| *name == "journal").unwrap().1.files;
        })
        .await;
    assert!(
        was_held && deleted == 1,
        "the file was not deleted before its entry, so this test shows nothing: {deleted}"
    );
    assert!(matches!(result, Outcome::Committed { seq: 5, .. }), "{result:?}");
    scene.agrees("after the vacuum").await;
}

/// Another process commits at some point of a fold: what it brings is folded once.
#[tokio::test(start_paused = true)]
async fn what_is_committed_in_the_middle_of_a_fold_is_folded_once() {
    let mut held = 0;
    loop {
        let scene = Scene::new().await;
        let (folder, rival) =
            (scene.opened(&scene.held, 5).await, scene.opened(&scene.calm, 6).await);
        scene.hold(Verb::Get, "journal", held);
        let beside = async {
            let _ = committed(&rival, task("between")).await;
        };
        let (folded, was_held) = scene.beside(folder.fold(), beside).await;
        folded.unwrap();
        folder.fold().await.unwrap();
        tables_agree(&scene.calm, &folder, &format!("held at look {held}")).await;
        if !was_held {
            break;
        }
        held += 1;
    }
    assert!(held >= 3, "a fold looked only {held} times at the journal's log");
}

/// The change log's fold is held before its entry: `tasks`, which says that it is folded as far, has no entry either.
#[tokio::test(start_paused = true)]
async fn tasks_are_folded_after_their_changes() {
    let scene = Scene::new().await;
    let folder = scene.opened(&scene.held, 5).await;
    folder.fold().await.unwrap();
    let _ = committed(&folder, task("other")).await;
    let entries = async || {
        let log = Path::from("tasks/_delta_log");
        scene.calm.list(Some(&log)).try_collect::<Vec<_>>().await.unwrap().len()
    };
    let before = entries().await;
    scene.hold(Verb::Put, "field_changes", 0);
    let beside = async {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        assert_eq!(entries().await, before);
    };
    let (folded, was_held) = scene.beside(folder.fold(), beside).await;
    folded.unwrap();
    assert!(was_held);
    assert_eq!(entries().await, before + 1);
}

/// Maintenance folds and then compacts: what came in between is not folded, and stays as it is.
#[tokio::test(start_paused = true)]
async fn what_is_not_folded_is_not_compacted() {
    let scene = Scene::new().await;
    let (keeper, rival) = (scene.opened(&scene.held, 7).await, scene.opened(&scene.calm, 8).await);
    scene.hold(Verb::Put, "tasks", 0);
    let beside = async {
        for n in 0..10 {
            let _ = committed(&rival, task(&format!("{n}"))).await;
        }
    };
    let (report, was_held) = scene.beside(keeper.maintain(Retention::default()), beside).await;
    assert!(was_held);
    assert_eq!(
        report.unwrap().journal,
        Compacted::default(),
        "files were joined that are not folded"
    );
    assert_eq!(
        keeper.maintain(Retention::default()).await.unwrap().journal,
        Compacted { from: 14, into: 1 }
    );
    scene.agrees("after two rounds").await;
}

/// Another process commits and folds at some point of a check-up: it finds nothing that is not so.
#[tokio::test(start_paused = true)]
async fn a_check_up_beside_others_says_nothing_that_is_not_so() {
    for table in ["journal", "tasks", "field_changes"] {
        let mut held = 0;
        loop {
            let scene = Scene::new().await;
            let rival = scene.opened(&scene.calm, 6).await;
            rival.fold().await.unwrap();
            scene.hold(Verb::Get, table, held);
            let examined = root(Arc::clone(&scene.held) as Arc<_>);
            let beside = async {
                let _ = committed(&rival, task("between")).await;
                rival.fold().await.unwrap();
                // The next commit says how far the tables are folded.
                let _ = committed(&rival, task("after")).await;
            };
            let (checkup, was_held) = scene
                .beside(examine(&examined.store, "lake", &Format::default(), None), beside)
                .await;
            assert_eq!(checkup.unwrap().findings, [], "held at look {held} at {table}");
            if !was_held {
                break;
            }
            held += 1;
        }
        assert!(held > 0, "the check-up was never held at {table}");
    }
}
