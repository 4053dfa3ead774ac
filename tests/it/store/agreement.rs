//! The product reads the same files of a table from its log as delta-rs, and so as any other
//! engine.

use std::collections::BTreeSet;
use std::sync::Arc;

use lakeplan::store::delta::DeltaStore;
use lakeplan::store::doctor::examine;
use lakeplan::store::tables::{field_changes, read};
use lakeplan::store::{Format, LakeTables, Retention, Store};
use object_store::{ObjectStore, ObjectStoreExt};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::fault::FaultStore;
use super::folding::change_at_random;
use super::history::{self, History, late_clock};
use super::{delta_rs, open, root};
use crate::support::{clock, counts, random};

/// Asserts that every table of a healthy lake has the files that delta-rs reads. `examine` does not
/// check the rows of `field_changes`, so they are compared with the journal.
pub async fn assert_tables_agree(storage: &Arc<FaultStore>, store: &DeltaStore, at: &str) {
    let lake = Arc::clone(storage) as Arc<dyn ObjectStore>;
    assert_eq!(
        examine(&lake, "lake", &Format::default(), None).await.unwrap().findings,
        [],
        "{at}"
    );
    for name in LakeTables::names() {
        let ours = store.tables().files(name).await.unwrap();
        let theirs = delta_rs(&lake, name).await;
        assert_eq!(ours.is_some(), theirs.is_some(), "{at}: only one of the two finds {name}");
        let (Some(ours), Some(theirs)) = (ours, theirs) else { continue };
        let ours: BTreeSet<String> =
            ours.into_iter().map(|file| format!("{name}/{}", file.path)).collect();
        let uris = theirs.get_file_uris().unwrap();
        let files: BTreeSet<String> =
            uris.map(|uri| uri[uri.find(&format!("{name}/")).unwrap()..].to_owned()).collect();
        assert_eq!(files, ours, "{at}: delta-rs reads other files of {name}");
        if name == field_changes::NAME {
            assert_eq!(rows_of(&lake, &files).await, expected(store).await, "{at}: {name}");
        }
    }
}

async fn rows_of(lake: &Arc<dyn ObjectStore>, files: &BTreeSet<String>) -> usize {
    let mut rows = 0;
    for path in files {
        let bytes = lake.get(&path.as_str().into()).await.unwrap().bytes().await.unwrap();
        rows += read::batches(path, bytes)
            .unwrap()
            .map(|batch| batch.unwrap().num_rows())
            .sum::<usize>();
    }
    rows
}

/// Returns the number of rows that `field_changes` has according to the journal.
async fn expected(store: &DeltaStore) -> usize {
    let rows = history::rows(store as &dyn Store).await;
    let batches = field_changes::batches(&rows.iter().collect::<Vec<_>>()).await.unwrap();
    batches.iter().map(|(_, batch)| batch.num_rows()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_folds_compactions_and_vacuums_leave_logs_that_delta_rs_reads_alike() {
    let (mut compacted, mut joined, mut vacuumed) = (0, 0, 0);
    for seed in 0..counts(2, 24) as u64 {
        let history = History::folded(seed).await;
        let copied = history.copy();
        let lake = root(copied.storage(seed) as Arc<dyn ObjectStore>);
        let mut folders = Vec::new();
        for process in 0..2 {
            let store = open(&lake, clock(), seed * 10 + process).await.unwrap();
            folders.push(tokio::spawn(async move {
                let mut rng = StdRng::seed_from_u64(seed * 10 + process);
                for _ in 0..5 {
                    change_at_random(&store, &mut rng).await;
                    store.fold().await.unwrap();
                }
            }));
        }
        let maintainer =
            DeltaStore::open(&lake, Format::default(), late_clock(), random(seed * 10 + 2))
                .await
                .unwrap();
        for _ in 0..2 {
            let report = maintainer.maintain(Retention::default()).await.unwrap();
            compacted += report.journal.from;
            joined += report
                .compacted
                .iter()
                .filter(|(name, _)| *name == field_changes::NAME)
                .map(|(_, done)| done.from)
                .sum::<usize>();
            vacuumed += report.vacuumed.iter().map(|(_, vacuumed)| vacuumed.files).sum::<usize>();
        }
        for folder in folders {
            folder.await.unwrap();
        }
        let fresh = open(&lake, clock(), seed * 10 + 3).await.unwrap();
        fresh.fold().await.unwrap();
        assert_tables_agree(&copied.storage(seed), &fresh, &format!("seed {seed}")).await;
    }
    let done = [compacted, joined, vacuumed];
    assert!(
        done.iter().all(|files| *files > 0),
        "no race: rewritten files of the journal and of field_changes, and deleted files: {done:?}"
    );
}
