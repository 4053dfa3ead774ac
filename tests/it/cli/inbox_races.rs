//! Two concurrent runs over the inbox see different rows of one request. It is applied once and
//! gets one result.

use std::sync::Arc;

use lakeplan::runtime::SystemClock;
use lakeplan::service::inbox::{InboxOutcome, MAX_REQUESTS};
use lakeplan::store::Format;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::location::catalog::InboxRoot;
use serde_json::json;

use super::inbox::{create, insert_requests};
use super::{json_of, lake, ok};
use crate::planning::concurrent::{InterleavedStore, service, writer};
use crate::support::{author, random};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_duplicate_row_that_arrives_during_a_run_is_not_applied() {
    let lake = lake();
    let folder = lake.path().to_owned();
    let root = LakeLocation::open(folder.join("lake").to_str().unwrap(), false).unwrap();
    let reader =
        DeltaStore::open(&root, Format::default(), Arc::new(SystemClock), random(9)).await.unwrap();
    let tables = || reader.tables().with_inbox(InboxRoot::below(&root));
    tokio::task::block_in_place(|| {
        insert_requests(&folder, &[("one", "2026-11-20T10:00:01Z", "ana", &create("late"))])
    });
    let other = service(writer(&root, 5).await, 6);
    let (their_tables, their_folder) = (tables(), folder.clone());
    let interleaved = Box::pin(async move {
        let early = [("one", "2026-11-20T10:00:00Z", "ana", create("early"))];
        std::thread::spawn(move || {
            insert_requests(
                &their_folder,
                &early.each_ref().map(|row| (row.0, row.1, row.2, row.3.as_str())),
            )
        })
        .join()
        .unwrap();
        let done = other.apply_inbox(&their_tables, MAX_REQUESTS, &author(&other)).await.unwrap();
        assert_eq!(done.answers.len(), 1);
    });
    let late = service(InterleavedStore::new(writer(&root, 7).await, interleaved), 8);
    let done = late.apply_inbox(&tables(), MAX_REQUESTS, &author(&late)).await.unwrap();
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
async fn a_result_of_a_concurrent_run_is_not_recorded_twice() {
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
        insert_requests(&folder, &asked.each_ref().map(|row| (row.0, row.1, row.2, row.3.as_str())))
    });
    let other = service(writer(&root, 5).await, 6);
    let their_tables = tables();
    let interleaved = Box::pin(async move {
        assert_eq!(
            other
                .apply_inbox(&their_tables, MAX_REQUESTS, &author(&other))
                .await
                .unwrap()
                .answers
                .len(),
            2
        );
    });
    let late = service(InterleavedStore::new(writer(&root, 7).await, interleaved), 8);
    let fates: Vec<_> = late
        .apply_inbox(&tables(), MAX_REQUESTS, &author(&late))
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
