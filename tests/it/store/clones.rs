//! A journal with a log that another engine wrote: by a clone, by writing its rows into a new
//! table, or by a conversion of its files. It is not the journal, whatever rows it contains, and
//! nothing is reverted or rebuilt from it.

use bytes::Bytes;
use lakeplan::cli::hint::hint_text;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::doctor::examine;
use lakeplan::store::{Format, Retention, Store, StoreError};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde_json::{Value, json};

use super::doctor::files;
use super::foreign_operations::{backup, fork};
use super::{committed, delta_in_memory, make_project, open, state, task, titles};
use crate::support::{clock, random};

async fn bytes(lake: &LakeLocation, path: &Path) -> Bytes {
    lake.store.get(path).await.unwrap().bytes().await.unwrap()
}

/// Creates a lake with two tasks in its tables.
async fn small_lake() -> LakeLocation {
    let (store, lake) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    for title in ["first", "second"] {
        let _ = committed(store.as_ref(), task(title)).await;
    }
    store.fold().await.unwrap();
    lake.unchecked("every test replaces a log")
}

/// Rewrites the log of a table like an engine that converts existing files to a table.
async fn convert(lake: &LakeLocation, table: &str) {
    let mut actions = vec![
        json!({"commitInfo": {"operation": "CONVERT", "engineInfo": "Apache-Spark/3.5"}})
            .to_string(),
    ];
    for entry in files(lake, &format!("{table}/_delta_log"), ".json").await {
        let text = String::from_utf8(bytes(lake, &entry).await.to_vec()).unwrap();
        let is_kept = |line: &&str| {
            let action: Value = serde_json::from_str(line).unwrap();
            ["add", "protocol", "metaData"].iter().any(|kind| action.get(kind).is_some())
        };
        actions.extend(text.lines().filter(is_kept).map(str::to_owned));
        lake.store.delete(&entry).await.unwrap();
    }
    let path = Path::from(format!("{table}/_delta_log/{:020}.json", 0));
    lake.store.put(&path, actions.join("\n").into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_with_a_foreign_log_is_refused_until_its_own_log_is_restored() {
    let lake = small_lake().await;
    let before = fork(&lake).await;
    let running = open(&lake, clock(), 5).await.unwrap();
    convert(&lake, "journal").await;
    let held = files(&lake, "", "").await;

    let is_refused = |err: &StoreError| {
        assert!(matches!(err, StoreError::Damaged { .. }), "{err}");
        assert!(
            err.to_string().contains("journal/_delta_log")
                && err.to_string().contains("another engine"),
            "{err}"
        );
        assert!(
            err.hint().is_some_and(|hint| hint_text(&hint).contains("lakeplan doctor")),
            "{err}"
        );
    };
    is_refused(&open(&lake, clock(), 7).await.map(drop).unwrap_err());
    is_refused(
        &DeltaStore::open_to_rebuild(&lake, Format::default(), clock(), random(7))
            .await
            .map(drop)
            .unwrap_err(),
    );
    is_refused(
        &DeltaStore::create(&lake, Format::default(), clock(), random(7))
            .await
            .map(drop)
            .unwrap_err(),
    );
    is_refused(&backup(&lake).await.map(drop).unwrap_err());
    // A process that opened the lake before does not use the log either.
    is_refused(&running.rebuild(None).await.map(drop).unwrap_err());
    let _ = running.maintain(Retention::default()).await;
    running.shutdown().await;
    let is_of_work = |path: &&Path| {
        ["journal/", "tasks/", "projects/"].iter().any(|table| path.as_ref().starts_with(table))
    };
    let now = files(&lake, "", "").await;
    assert!(
        held.iter().filter(is_of_work).eq(now.iter().filter(is_of_work)),
        "a file was written: {now:?}"
    );

    let found =
        examine(&lake.store, lake.url.as_str(), &Format::default(), None).await.unwrap().findings;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].place, "journal/_delta_log");
    assert!(hint_text(&found[0].advice).contains("restore the folder journal"), "{found:?}");

    for path in files(&lake, "journal", "").await {
        lake.store.delete(&path).await.unwrap();
    }
    for path in files(&before, "journal", "").await {
        lake.store.put(&path, bytes(&before, &path).await.into()).await.unwrap();
    }
    let store = open(&lake, clock(), 8).await.unwrap();
    assert_eq!(titles(&state(&store).await), ["first", "second"]);
    let _ = committed(&store, task("third")).await;
    store.shutdown().await;
    assert_eq!(examine(&lake.store, "lake", &Format::default(), None).await.unwrap().findings, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lake_of_cloned_tables_recovers_once_its_journal_is_restored() {
    let lake = small_lake().await;
    let before = fork(&lake).await;
    for table in ["journal", "tasks", "projects", "users", "field_changes"] {
        convert(&lake, table).await;
    }
    assert!(open(&lake, clock(), 7).await.is_err());
    for path in files(&before, "journal", "").await {
        lake.store.put(&path, bytes(&before, &path).await.into()).await.unwrap();
    }
    let store = open(&lake, clock(), 8).await.unwrap();
    assert_eq!(titles(&state(&store).await), ["first", "second"]);
    store.fold().await.unwrap();
    store.shutdown().await;
    assert_eq!(examine(&lake.store, "lake", &Format::default(), None).await.unwrap().findings, []);
}
