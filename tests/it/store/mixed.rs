//! Two copies of a lake that went on apart, mixed file by file: each entry is sound, and the sets are of two histories.

use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::doctor::examine;
use lakeplan::store::tables::FoldedTable;
use lakeplan::store::{Format, Outcome, Retention, Scope, Store, StoreError};
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::check_up::files;
use super::foreign_acts::{follow, thorough};
use super::strangers::two;
use super::{commit, committed, open, set, state, task, titles};
use crate::support::{clock, random};

async fn go_on(lake: &LakeLocation, title: &str) {
    let store = open(lake, clock(), 7).await.unwrap();
    let _ = committed(&store, task(title)).await;
    store.close().await;
}

async fn put(from: &LakeLocation, to: &LakeLocation, path: &Path) {
    to.store
        .put(path, from.store.get(path).await.unwrap().bytes().await.unwrap().into())
        .await
        .unwrap();
}

/// Copies what of a folder is not there, as `cp -rn` does.
async fn merge(from: &LakeLocation, into: &LakeLocation, folder: &str) {
    for path in files(from, folder, "").await {
        if into.store.head(&path).await.is_err() {
            put(from, into, &path).await;
        }
    }
}

/// Takes what entries of the journal say of the chain out of its log, as earlier versions of Lakeplan wrote them.
async fn forget_chain(lake: &LakeLocation) {
    for path in files(lake, "journal/_delta_log", ".json").await {
        let text =
            String::from_utf8(lake.store.get(&path).await.unwrap().bytes().await.unwrap().to_vec())
                .unwrap();
        let kept: String = text
            .lines()
            .filter(|line| !line.contains("lakeplan-chain"))
            .flat_map(|line| [line, "\n"])
            .collect();
        lake.store.put(&path, kept.into()).await.unwrap();
    }
}

fn is_named(err: &StoreError, what: &str) {
    assert!(matches!(err, StoreError::Damaged { .. }), "{err}");
    assert!(
        err.to_string().contains(what)
            && err.to_string().contains("two copies of the lake are mixed"),
        "{err}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_with_the_end_of_another_copy_is_refused_and_the_entry_is_named() {
    let [lake, copy] = two().await;
    for title in ["here 1", "here 2"] {
        go_on(&lake, title).await;
    }
    for title in ["there 1", "there 2", "there 3", "there 4"] {
        go_on(&copy, title).await;
    }
    let end = files(&lake, "journal/_delta_log", ".json").await.len();
    merge(&copy, &lake, "").await;
    let place = format!("journal/_delta_log/{end:020}.json");
    is_named(&open(&lake, clock(), 7).await.map(drop).unwrap_err(), &place);
    let found =
        examine(&lake.store, lake.url.as_str(), &Format::default(), None).await.unwrap().findings;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].place, place);
    assert!(found[0].advice.contains("move this entry and all after it"), "{found:?}");

    for entry in files(&lake, "journal/_delta_log", ".json").await.split_off(end) {
        lake.store.delete(&entry).await.unwrap();
    }
    let store =
        DeltaStore::open_to_rebuild(&lake, Format::default(), clock(), random(8)).await.unwrap();
    store.rebuild(None).await.unwrap();
    assert_eq!(titles(&state(&store).await), ["first", "here 1", "here 2"]);
    store.close().await;
    go_on(&lake, "here 3").await;
    assert_eq!(examine(&lake.store, "lake", &Format::default(), None).await.unwrap().findings, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_is_open_takes_nothing_in_of_another_copy() {
    let [lake, copy] = two().await;
    go_on(&lake, "here 1").await;
    // With ids of its own: an entry of its own attempt would be its own.
    let store = open(&lake, clock(), 11).await.unwrap();
    assert_eq!(titles(&state(&store).await), ["first", "here 1"]);
    let new = set(&store, task("here 2")).await;
    for title in ["there 1", "there 2", "there 3"] {
        go_on(&copy, title).await;
    }
    merge(&copy, &lake, "journal").await;
    match commit(&store, new).await {
        Outcome::NotWritten { cause } => is_named(&cause, ""),
        other => panic!("{other:?}"),
    }
    assert!(store.maintain(Retention::default()).await.is_err());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_marks_in_the_log_the_rows_that_are_read_decide() {
    let [lake, copy] = two().await;
    go_on(&lake, "here 1").await;
    for title in ["there 1", "there 2"] {
        go_on(&copy, title).await;
    }
    merge(&copy, &lake, "journal").await;
    forget_chain(&lake).await;
    // Who opens the lake reads no row, and nothing is made of all of them.
    let store = open(&lake, clock(), 7).await.unwrap();
    is_named(&store.rebuild(None).await.map(drop).unwrap_err(), "journal, seq");
    store.close().await;
    // The tables show nothing, so that all rows are read.
    for table in FoldedTable::all().map(FoldedTable::name) {
        for path in files(&lake, table, "").await {
            lake.store.delete(&path).await.unwrap();
        }
    }
    let refused = match open(&lake, clock(), 7).await {
        Ok(store) => store.snapshot(&Scope::All).await.err(),
        Err(err) => Some(err),
    };
    is_named(&refused.unwrap(), "journal, seq");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_early_entry_of_another_copy_is_named_and_not_the_checkpoint_after_it() {
    let [lake, copy] = two().await;
    for title in ["here 1", "here 2", "here 3"] {
        go_on(&lake, title).await;
    }
    let store = open(&lake, clock(), 7).await.unwrap();
    store.maintain(Retention::default()).await.unwrap();
    store.close().await;
    go_on(&lake, "here 4").await;
    assert!(!files(&lake, "journal/_delta_log", ".checkpoint.parquet").await.is_empty());
    go_on(&copy, "there 1").await;
    let stray = files(&copy, "journal/_delta_log", ".json").await.pop().unwrap();
    put(&copy, &lake, &stray).await;
    let mut lake = lake;
    let found = thorough(&lake).await.unwrap().findings;
    assert_eq!(
        found.iter().map(|finding| finding.place.as_str()).collect::<Vec<_>>(),
        [stray.as_ref()],
        "{found:?}"
    );
    lake = follow(lake.clone(), found[0].advice, &found[0].place, &lake).await;
    assert_eq!(thorough(&lake).await.unwrap().findings, []);
    let store = open(&lake, clock(), 8).await.unwrap();
    assert_eq!(titles(&state(&store).await), ["first", "here 1", "here 2", "here 3", "here 4"]);
    store.close().await;
}

/// Where the entry itself does not tell, the side is kept with which the chain verifies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_with_which_the_chain_verifies_is_never_to_be_removed() {
    let [lake, copy] = two().await;
    for title in ["here 1", "here 2"] {
        go_on(&lake, title).await;
    }
    let store = open(&lake, clock(), 7).await.unwrap();
    store.maintain(Retention::default()).await.unwrap();
    store.close().await;
    go_on(&copy, "there 1").await;
    forget_chain(&copy).await;
    let stray = files(&copy, "journal/_delta_log", ".json").await.pop().unwrap();
    put(&copy, &lake, &stray).await;
    let found = thorough(&lake).await.unwrap().findings;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].advice.contains("keep this file"), "{found:?}");
}
