//! Two diverged copies of a lake, mixed file by file: each entry is valid, but the sets are of two
//! histories.

use lakeplan::cli::hint::hint_text;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::doctor::examine;
use lakeplan::store::tables::FoldedTable;
use lakeplan::store::{Format, Outcome, Retention, Scope, Store, StoreError};
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::diverged_copies::lake_and_copy;
use super::doctor::files;
use super::foreign_operations::{follow_advice, run_doctor_full};
use super::{commit, committed, open, set, state, task, titles};
use crate::support::{clock, random};

async fn add_task_and_close(lake: &LakeLocation, title: &str) {
    let store = open(lake, clock(), 7).await.unwrap();
    let _ = committed(&store, task(title)).await;
    store.shutdown().await;
}

async fn put(from: &LakeLocation, to: &LakeLocation, path: &Path) {
    to.store
        .put(path, from.store.get(path).await.unwrap().bytes().await.unwrap().into())
        .await
        .unwrap();
}

/// Copies the missing files of a folder, like `cp -rn`.
async fn merge(from: &LakeLocation, into: &LakeLocation, folder: &str) {
    for path in files(from, folder, "").await {
        if into.store.head(&path).await.is_err() {
            put(from, into, &path).await;
        }
    }
}

/// Removes the chain from the journal's log entries, like earlier versions of Lakeplan wrote them.
async fn strip_chain(lake: &LakeLocation) {
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

fn assert_names(err: &StoreError, what: &str) {
    assert!(matches!(err, StoreError::Damaged { .. }), "{err}");
    assert!(
        err.to_string().contains(what)
            && err.to_string().contains("two copies of the lake are mixed"),
        "{err}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_continues_another_copy_is_refused() {
    let [lake, copy] = lake_and_copy().await;
    for title in ["here 1", "here 2"] {
        add_task_and_close(&lake, title).await;
    }
    for title in ["there 1", "there 2", "there 3", "there 4"] {
        add_task_and_close(&copy, title).await;
    }
    let end = files(&lake, "journal/_delta_log", ".json").await.len();
    merge(&copy, &lake, "").await;
    let place = format!("journal/_delta_log/{end:020}.json");
    assert_names(&open(&lake, clock(), 7).await.map(drop).unwrap_err(), &place);
    let found =
        examine(&lake.store, lake.url.as_str(), &Format::default(), None).await.unwrap().findings;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].place, place);
    assert!(hint_text(&found[0].advice).contains("move this entry and all after it"), "{found:?}");

    for entry in files(&lake, "journal/_delta_log", ".json").await.split_off(end) {
        lake.store.delete(&entry).await.unwrap();
    }
    let store =
        DeltaStore::open_to_rebuild(&lake, Format::default(), clock(), random(8)).await.unwrap();
    store.rebuild(None).await.unwrap();
    assert_eq!(titles(&state(&store).await), ["first", "here 1", "here 2"]);
    store.shutdown().await;
    add_task_and_close(&lake, "here 3").await;
    assert_eq!(examine(&lake.store, "lake", &Format::default(), None).await.unwrap().findings, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_writer_ignores_entries_of_another_copy() {
    let [lake, copy] = lake_and_copy().await;
    add_task_and_close(&lake, "here 1").await;
    // A different seed gives it different ids, so that the entry is not mistaken for its own
    // attempt.
    let store = open(&lake, clock(), 11).await.unwrap();
    assert_eq!(titles(&state(&store).await), ["first", "here 1"]);
    let new = set(&store, task("here 2")).await;
    for title in ["there 1", "there 2", "there 3"] {
        add_task_and_close(&copy, title).await;
    }
    merge(&copy, &lake, "journal").await;
    match commit(&store, new).await {
        Outcome::NotWritten { cause } => assert_names(&cause, ""),
        other => panic!("{other:?}"),
    }
    assert!(store.maintain(Retention::default()).await.is_err());
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mixed_entries_without_marks_are_found_by_their_rows() {
    let [lake, copy] = lake_and_copy().await;
    add_task_and_close(&lake, "here 1").await;
    for title in ["there 1", "there 2"] {
        add_task_and_close(&copy, title).await;
    }
    merge(&copy, &lake, "journal").await;
    strip_chain(&lake).await;
    // Opening the lake reads no row, and a rebuild from all rows is refused.
    let store = open(&lake, clock(), 7).await.unwrap();
    assert_names(&store.rebuild(None).await.map(drop).unwrap_err(), "journal, seq");
    store.shutdown().await;
    // The tables are empty, so all rows are read.
    for table in FoldedTable::all().map(FoldedTable::name) {
        for path in files(&lake, table, "").await {
            lake.store.delete(&path).await.unwrap();
        }
    }
    let refused = match open(&lake, clock(), 7).await {
        Ok(store) => store.snapshot(&Scope::All).await.err(),
        Err(err) => Some(err),
    };
    assert_names(&refused.unwrap(), "journal, seq");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_early_entry_of_another_copy_is_reported_instead_of_the_checkpoint() {
    let [lake, copy] = lake_and_copy().await;
    for title in ["here 1", "here 2", "here 3"] {
        add_task_and_close(&lake, title).await;
    }
    let store = open(&lake, clock(), 7).await.unwrap();
    store.maintain(Retention::default()).await.unwrap();
    store.shutdown().await;
    add_task_and_close(&lake, "here 4").await;
    assert!(!files(&lake, "journal/_delta_log", ".checkpoint.parquet").await.is_empty());
    add_task_and_close(&copy, "there 1").await;
    let stray = files(&copy, "journal/_delta_log", ".json").await.pop().unwrap();
    put(&copy, &lake, &stray).await;
    let mut lake = lake;
    let found = run_doctor_full(&lake).await.unwrap().findings;
    assert_eq!(
        found.iter().map(|finding| finding.place.as_str()).collect::<Vec<_>>(),
        [stray.as_ref()],
        "{found:?}"
    );
    lake = follow_advice(lake.clone(), &hint_text(&found[0].advice), &found[0].place, &lake).await;
    assert_eq!(run_doctor_full(&lake).await.unwrap().findings, []);
    let store = open(&lake, clock(), 8).await.unwrap();
    assert_eq!(titles(&state(&store).await), ["first", "here 1", "here 2", "here 3", "here 4"]);
    store.shutdown().await;
}

/// If the entry itself is inconclusive, `doctor` advises to keep the side with the valid chain.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_never_advises_removing_a_valid_checkpoint() {
    let [lake, copy] = lake_and_copy().await;
    for title in ["here 1", "here 2"] {
        add_task_and_close(&lake, title).await;
    }
    let store = open(&lake, clock(), 7).await.unwrap();
    store.maintain(Retention::default()).await.unwrap();
    store.shutdown().await;
    add_task_and_close(&copy, "there 1").await;
    strip_chain(&copy).await;
    let stray = files(&copy, "journal/_delta_log", ".json").await.pop().unwrap();
    put(&copy, &lake, &stray).await;
    let found = run_doctor_full(&lake).await.unwrap().findings;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(hint_text(&found[0].advice).contains("keep this file"), "{found:?}");
}
