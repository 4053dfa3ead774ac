//! A process is suspended in the middle of an operation, while another process does something
//! conflicting.

use std::sync::Arc;

use futures::TryStreamExt;
use lakeplan::store::delta::DeltaStore;
use lakeplan::store::doctor::examine;
use lakeplan::store::{Compacted, Format, Outcome, Retention, Store};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;

use super::agreement::assert_tables_agree;
use super::calls::{Call, Failpoint, Kind, Verb};
use super::fault::{Fault, FaultStore};
use super::history::{late_clock, later};
use super::{commit, committed, make_project, open, root, set, task};
use crate::support::{clock, noon, random};

/// A lake with a project and two tasks, and two stores over it: one that can suspend a call, and
/// one for the concurrent process.
struct Suspension {
    held: Arc<FaultStore>,
    healthy: Arc<FaultStore>,
}

impl Suspension {
    async fn new() -> Self {
        let lake = Arc::new(InMemory::new());
        let [held, healthy] =
            [1, 2].map(|seed| FaultStore::new(Arc::clone(&lake) as Arc<dyn ObjectStore>, seed));
        let store = DeltaStore::create(
            &root(Arc::clone(&healthy) as Arc<_>),
            Format::default(),
            clock(),
            random(1),
        )
        .await
        .unwrap();
        make_project(&store).await;
        let _ = committed(&store, task("this")).await;
        let _ = committed(&store, task("that")).await;
        Self { held, healthy }
    }

    async fn opened(&self, storage: &Arc<FaultStore>, seed: u64) -> DeltaStore {
        open(&root(Arc::clone(storage) as Arc<_>), clock(), seed).await.unwrap()
    }

    /// Suspends the nth call of a kind.
    fn hold(&self, verb: Verb, table: &str, nth: usize) {
        let call = Call { verb, table: table.to_owned(), kind: Kind::Entry };
        self.held.calls.set_failpoint(Failpoint { call, nth, fault: Fault::Hold });
    }

    /// Runs `one`, and runs `other` while `one` is suspended. Returns whether it was suspended.
    async fn concurrent<T>(
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
            self.held.calls.resume();
        };
        futures::join!(one, other).0
    }

    async fn assert_agrees(&self, at: &str) {
        let fresh = self.opened(&self.healthy, 90).await;
        fresh.fold().await.unwrap();
        assert_tables_agree(&self.healthy, &fresh, at).await;
    }
}

/// A writer has put its data file but not its log entry, and everything that is not live may be
/// deleted.
#[tokio::test(start_paused = true)]
async fn a_file_deleted_by_vacuum_before_its_commit_is_written_again() {
    let suspension = Suspension::new().await;
    let writer = suspension.opened(&suspension.held, 3).await;
    writer.fold().await.unwrap();
    let late = set(&writer, task("late")).await;
    let maintainer = DeltaStore::open(
        &root(Arc::clone(&suspension.healthy) as Arc<_>),
        Format::default(),
        late_clock(),
        random(4),
    )
    .await;
    let maintainer = maintainer.unwrap();
    suspension.hold(Verb::Put, "journal", 0);
    let mut deleted = 0;
    let (result, was_held) = suspension
        .concurrent(commit(&writer, late), async {
            let there: Vec<_> = suspension.healthy.list(None).try_collect().await.unwrap();
            let names = there.into_iter().map(|meta| meta.location.to_string()).collect();
            suspension.healthy.calls.set_ages(names, noon(), later());
            let report = maintainer.maintain(Retention::default()).await.unwrap();
            deleted = report.vacuumed.iter().find(|(name, _)| *name == "journal").unwrap().1.files;
        })
        .await;
    assert!(
        was_held && deleted == 1,
        "the file was not deleted before its entry, so the test proves nothing: {deleted}"
    );
    assert!(matches!(result, Outcome::Committed { seq: 5, .. }), "{result:?}");
    suspension.assert_agrees("after the vacuum").await;
}

/// Another process commits at some point of a fold, and its changes are folded once.
#[tokio::test(start_paused = true)]
async fn a_commit_during_a_fold_is_folded_once() {
    let mut held = 0;
    loop {
        let suspension = Suspension::new().await;
        let (folder, rival) = (
            suspension.opened(&suspension.held, 5).await,
            suspension.opened(&suspension.healthy, 6).await,
        );
        suspension.hold(Verb::Get, "journal", held);
        let concurrent = async {
            let _ = committed(&rival, task("between")).await;
        };
        let (folded, was_held) = suspension.concurrent(folder.fold(), concurrent).await;
        folded.unwrap();
        folder.fold().await.unwrap();
        assert_tables_agree(&suspension.healthy, &folder, &format!("suspended at read {held}"))
            .await;
        if !was_held {
            break;
        }
        held += 1;
    }
    assert!(held >= 3, "a fold read the journal's log only {held} times");
}

/// The fold of `field_changes` is suspended before its log entry. `tasks`, which records that it is
/// folded as far, has no entry yet either.
#[tokio::test(start_paused = true)]
async fn tasks_are_folded_after_field_changes() {
    let suspension = Suspension::new().await;
    let folder = suspension.opened(&suspension.held, 5).await;
    folder.fold().await.unwrap();
    let _ = committed(&folder, task("other")).await;
    let entries = async || {
        let log = Path::from("tasks/_delta_log");
        suspension.healthy.list(Some(&log)).try_collect::<Vec<_>>().await.unwrap().len()
    };
    let before = entries().await;
    suspension.hold(Verb::Put, "field_changes", 0);
    let concurrent = async {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        assert_eq!(entries().await, before);
    };
    let (folded, was_held) = suspension.concurrent(folder.fold(), concurrent).await;
    folded.unwrap();
    assert!(was_held);
    assert_eq!(entries().await, before + 1);
}

/// Maintenance folds and then compacts. Commits in between are not folded, so their files are left
/// alone.
#[tokio::test(start_paused = true)]
async fn unfolded_files_are_not_compacted() {
    let suspension = Suspension::new().await;
    let (maintainer, rival) = (
        suspension.opened(&suspension.held, 7).await,
        suspension.opened(&suspension.healthy, 8).await,
    );
    suspension.hold(Verb::Put, "tasks", 0);
    let concurrent = async {
        for n in 0..10 {
            let _ = committed(&rival, task(&format!("{n}"))).await;
        }
    };
    let (report, was_held) =
        suspension.concurrent(maintainer.maintain(Retention::default()), concurrent).await;
    assert!(was_held);
    assert_eq!(report.unwrap().journal, Compacted::default(), "unfolded files were compacted");
    assert_eq!(
        maintainer.maintain(Retention::default()).await.unwrap().journal,
        Compacted { from: 14, into: 1 }
    );
    suspension.assert_agrees("after two rounds").await;
}

/// Another process commits and folds at some point of a check, which must have no false findings.
#[tokio::test(start_paused = true)]
async fn doctor_has_no_false_findings_during_writes_and_folds() {
    for table in ["journal", "tasks", "field_changes"] {
        let mut held = 0;
        loop {
            let suspension = Suspension::new().await;
            let rival = suspension.opened(&suspension.healthy, 6).await;
            rival.fold().await.unwrap();
            suspension.hold(Verb::Get, table, held);
            let examined = root(Arc::clone(&suspension.held) as Arc<_>);
            let concurrent = async {
                let _ = committed(&rival, task("between")).await;
                rival.fold().await.unwrap();
                // The next commit records how far the tables are folded.
                let _ = committed(&rival, task("after")).await;
            };
            let (checkup, was_held) = suspension
                .concurrent(examine(&examined.store, "lake", &Format::default(), None), concurrent)
                .await;
            assert_eq!(checkup.unwrap().findings, [], "suspended at read {held} of {table}");
            if !was_held {
                break;
            }
            held += 1;
        }
        assert!(held > 0, "doctor was never suspended at {table}");
    }
}
