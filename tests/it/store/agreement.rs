//! The files that the product reads of a table are those that delta-rs, and so any other engine, sees in its log.

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
use super::past::{self, Past, late_clock};
use super::{delta_rs, open, root};
use crate::support::{clock, counts, random};

/// Every table of a lake that is as it should be has the files that delta-rs sees; of `field_changes`, which `examine`
/// does not look into, the rows are compared with the journal's.
pub async fn tables_agree(door: &Arc<FaultStore>, store: &DeltaStore, at: &str) {
    let lake = Arc::clone(door) as Arc<dyn ObjectStore>;
    assert_eq!(
        examine(&lake, "lake", &Format::default(), None).await.unwrap().findings,
        [],
        "{at}"
    );
    for name in LakeTables::names() {
        let ours = store.tables().files(name).await.unwrap();
        let theirs = delta_rs(&lake, name).await;
        assert_eq!(ours.is_some(), theirs.is_some(), "{at}: only one of the two sees {name}");
        let (Some(ours), Some(theirs)) = (ours, theirs) else { continue };
        let ours: BTreeSet<String> =
            ours.into_iter().map(|file| format!("{name}/{}", file.path)).collect();
        let uris = theirs.get_file_uris().unwrap();
        let files: BTreeSet<String> =
            uris.map(|uri| uri[uri.find(&format!("{name}/")).unwrap()..].to_owned()).collect();
        assert_eq!(files, ours, "{at}: delta-rs sees other files of {name}");
        if name == field_changes::NAME {
            assert_eq!(rows_of(&lake, &files).await, wanted(store).await, "{at}: {name}");
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

/// How many rows the journal says `field_changes` has.
async fn wanted(store: &DeltaStore) -> usize {
    let rows = past::rows(store as &dyn Store).await;
    let batches = field_changes::batches(&rows.iter().collect::<Vec<_>>()).await.unwrap();
    batches.iter().map(|(_, batch)| batch.num_rows()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_that_race_with_compaction_and_vacuum_leave_logs_that_all_read_alike() {
    let (mut compacted, mut joined, mut vacuumed) = (0, 0, 0);
    for seed in 0..counts(2, 24) as u64 {
        let past = Past::folded(seed).await;
        let copied = past.copy();
        let lake = root(copied.door(seed) as Arc<dyn ObjectStore>);
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
        let keeper =
            DeltaStore::open(&lake, Format::default(), late_clock(), random(seed * 10 + 2))
                .await
                .unwrap();
        for _ in 0..2 {
            let report = keeper.maintain(Retention::default()).await.unwrap();
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
        tables_agree(&copied.door(seed), &fresh, &format!("seed {seed}")).await;
    }
    let done = [compacted, joined, vacuumed];
    assert!(
        done.iter().all(|files| *files > 0),
        "of the journal's, of field_changes', deleted: {done:?}; there was no race"
    );
}
