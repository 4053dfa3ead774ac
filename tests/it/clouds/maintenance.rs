//! Folding, maintenance and checks of lakes in the clouds, and the listings and deletes of their
//! storage.

use std::sync::Arc;

use chrono::TimeDelta;
use futures::{StreamExt, TryStreamExt};
use lakeplan::runtime::SystemClock;
use lakeplan::store::delta::DeltaStore;
use lakeplan::store::{Format, Retention, Store};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

use super::{Cloud, Placement, place};
use crate::store::ambiguous_storage::journal;
use crate::store::maintenance::sound;
use crate::store::{committed, delta_in_memory, make_project, state, task, titles};
use crate::support::random;

/// Everything that is not needed now may be deleted immediately.
const NOW: Retention = Retention { files: TimeDelta::zero(), log: TimeDelta::zero() };

/// Opens the lake with the clock of the storage, by which ages are computed.
async fn open_with_storage_clock(place: &Placement, seed: u64) -> DeltaStore {
    DeltaStore::open(&place.root(), Format::default(), Arc::new(SystemClock), random(seed))
        .await
        .unwrap()
}

async fn names(store: &dyn ObjectStore) -> Vec<String> {
    store.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap()
}

async fn check_maintenance(cloud: Cloud) {
    let Some(place) = place(cloud, "upkeep") else { return };
    let store = place.lake().await;
    make_project(&store).await;
    for n in 0..30 {
        let _ = committed(&store, task(&format!("{n:02}"))).await;
        if n % 5 == 0 {
            store.fold().await.unwrap();
        }
    }
    let expected = titles(&state(&store).await);
    let before = names(&place.root().store).await;
    store.shutdown().await;
    let store = open_with_storage_clock(&place, 2).await;
    let done = store.maintain(NOW).await.unwrap();
    // The checkpoints must be older than the entries that they replace.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let again = store.maintain(NOW).await.unwrap();
    assert!(done.journal.from > done.journal.into, "{done:?}");
    let vacuumed = |what: fn(&lakeplan::store::Vacuumed) -> usize| -> usize {
        done.vacuumed.iter().chain(&again.vacuumed).map(|(_, vacuumed)| what(vacuumed)).sum()
    };
    let (files, entries) =
        (vacuumed(|vacuumed| vacuumed.files), vacuumed(|vacuumed| vacuumed.entries));
    assert!(files > 10 && entries > 10, "{files} files and {entries} entries were deleted");
    let after = names(&place.root().store).await;
    assert!(after.len() < before.len(), "{} objects, {} before", after.len(), before.len());
    assert!(after.iter().any(|name| name.contains("checkpoint.parquet")), "{after:?}");
    store.shutdown().await;
    let reopened = place.open(3).await;
    assert_eq!(titles(&state(&reopened).await), expected);
    assert_eq!(journal(&reopened).await.len(), 32);
    sound(&place.root()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn maintenance_on_s3_keeps_the_records() {
    check_maintenance(Cloud::S3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn maintenance_on_azure_keeps_the_records() {
    check_maintenance(Cloud::Azure).await;
}

/// More entries than one page of a listing has.
const ENTRIES: usize = 1_050;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_longer_than_a_listing_page_is_read_and_deleted() {
    let Some(place) = place(Cloud::S3, "pages") else { return };
    let (lake, from) = delta_in_memory().await;
    make_project(lake.as_ref()).await;
    for n in 0..ENTRIES {
        let _ = committed(lake.as_ref(), task(&format!("{n:04}"))).await;
    }
    let expected = state(lake.as_ref()).await;
    // There are no checkpoints, so the whole log must be listed.
    let listed: Vec<_> = from.store.list(None).try_collect().await.unwrap();
    let from = from.unchecked("the check-up of such a long log takes long").store;
    let to = place.root().store;
    let copied =
        listed.iter().filter(|meta| !meta.location.as_ref().contains("checkpoint")).map(|meta| {
            let (from, to) = (Arc::clone(&from), Arc::clone(&to));
            async move {
                let bytes = from.get(&meta.location).await.unwrap().bytes().await.unwrap();
                to.put(&meta.location, PutPayload::from(bytes)).await.unwrap();
            }
        });
    futures::stream::iter(copied).buffer_unordered(8).collect::<Vec<()>>().await;
    place.counts().await;
    let there = place.open(2).await;
    assert!(place.count("LIST", None).await >= 2, "the log fits into one page");
    assert_eq!(titles(&state(&there).await), titles(&expected));
    drop(there);
    let found = names(&to).await;
    assert!(found.is_sorted(), "a listing with several pages is not sorted");
    assert!(found.len() > 2 * ENTRIES, "{} objects", found.len());
    place.counts().await;
    let paths = futures::stream::iter(found.clone()).map(|name| Ok(Path::from(name))).boxed();
    let deleted: Vec<Path> = to.delete_stream(paths).try_collect().await.unwrap();
    assert_eq!(deleted.len(), found.len());
    assert_eq!(place.count("DELETE", None).await, found.len().div_ceil(1_000) as u64);
    assert_eq!(names(&to).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listings_are_sorted_and_start_after_the_offset() {
    for cloud in [Cloud::S3, Cloud::Azure] {
        let Some(place) = place(cloud, "order") else { continue };
        let store = place.root().store;
        for name in ["b/2", "a/10", "b/1", "a/9", "a/1"] {
            store.put(&Path::from(name), "x".into()).await.unwrap();
        }
        assert_eq!(names(&store).await, ["a/1", "a/10", "a/9", "b/1", "b/2"], "{cloud:?}");
        let after = store.list_with_offset(Some(&Path::from("a")), &Path::from("a/10"));
        let after: Vec<String> =
            after.map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
        assert_eq!(after, ["a/9"], "{cloud:?}");
    }
}
