//! Two runs over the inbox at once, of which each sees other rows of one request: it is applied once and answered once.

use std::sync::Arc;

use lakeplan::runtime::SystemClock;
use lakeplan::service::inbox::{InboxOutcome, MAX_REQUESTS};
use lakeplan::store::Format;
use lakeplan::store::catalog::InboxRoot;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use serde_json::json;

use super::inbox::{ask, create};
use super::{json_of, lake, ok};
use crate::planning::at_once::{Late, service, writer};
use crate::support::random;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_appears_while_another_is_applied_is_not_applied_too() {
    let lake = lake();
    let folder = lake.path().to_owned();
    let root = LakeLocation::open(folder.join("lake").to_str().unwrap(), false).unwrap();
    let reader =
        DeltaStore::open(&root, Format::default(), Arc::new(SystemClock), random(9)).await.unwrap();
    let tables = || reader.tables().with_inbox(InboxRoot::below(&root));
    tokio::task::block_in_place(|| {
        ask(&folder, &[("one", "2026-11-20T10:00:01Z", "ana", &create("late"))])
    });
    let other = service(writer(&root, 5).await, 6);
    let (their_tables, their_folder) = (tables(), folder.clone());
    let meanwhile = Box::pin(async move {
        let early = [("one", "2026-11-20T10:00:00Z", "ana", create("early"))];
        std::thread::spawn(move || {
            ask(&their_folder, &early.each_ref().map(|row| (row.0, row.1, row.2, row.3.as_str())))
        })
        .join()
        .unwrap();
        let done = other.apply_inbox(&their_tables, MAX_REQUESTS).await.unwrap();
        assert_eq!(done.answers.len(), 1);
    });
    let late = service(Late::new(writer(&root, 7).await, meanwhile), 8);
    let done = late.apply_inbox(&tables(), MAX_REQUESTS).await.unwrap();
    assert_eq!((done.answers, done.left), (Vec::new(), 1));
    tokio::task::block_in_place(|| {
        assert_eq!(
            json_of(&folder, &["query", "SELECT title FROM tasks"]),
            json!([{"title": "early"}])
        );
        assert!(ok(&folder, &["inbox", "apply"]).contains("no request waits"));
        assert_eq!(
            json_of(&folder, &["query", "SELECT count(*) AS n FROM inbox_results"]),
            json!([{"n": 1}])
        );
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_run_has_answered_meanwhile_is_not_noted_again() {
    let lake = lake();
    let folder = lake.path().to_owned();
    let root = LakeLocation::open(folder.join("lake").to_str().unwrap(), false).unwrap();
    let reader =
        DeltaStore::open(&root, Format::default(), Arc::new(SystemClock), random(9)).await.unwrap();
    let tables = || reader.tables().with_inbox(InboxRoot::below(&root));
    let asked = [
        ("one", "2026-11-20T10:00:00Z", "ana", create("One")),
        ("two", "2026-11-20T10:00:01Z", "ana", "{".to_owned()),
    ];
    tokio::task::block_in_place(|| {
        ask(&folder, &asked.each_ref().map(|row| (row.0, row.1, row.2, row.3.as_str())))
    });
    let other = service(writer(&root, 5).await, 6);
    let their_tables = tables();
    let meanwhile = Box::pin(async move {
        assert_eq!(other.apply_inbox(&their_tables, MAX_REQUESTS).await.unwrap().answers.len(), 2);
    });
    let late = service(Late::new(writer(&root, 7).await, meanwhile), 8);
    let fates: Vec<_> = late
        .apply_inbox(&tables(), MAX_REQUESTS)
        .await
        .unwrap()
        .answers
        .into_iter()
        .map(|answer| answer.outcome)
        .collect();
    assert_eq!(fates, [InboxOutcome::Applied, InboxOutcome::Refused]);
    tokio::task::block_in_place(|| {
        assert_eq!(
            json_of(&folder, &["query", "SELECT count(*) AS n FROM inbox_results"]),
            json!([{"n": 2}])
        );
    });
}
