//! Credentials that end while a process works: renewed before, by one for all, and no commit fails of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use lakeplan::runtime::ManualClock;
use lakeplan::store::catalog::SchemaName;
use lakeplan::store::delta::DeltaStore;
use lakeplan::store::{Format, Outcome, Scope, Store, StoreError};
use serde_json::json;

use super::BUCKET_LAKE;
use super::lakes::catalog;
use super::server::Server;
use crate::support::{clock, patch_set, random};

/// A lake of the server's, opened as the catalog has it; server and lake go by one clock.
async fn opened(server: &Server, clock: &Arc<ManualClock>) -> DeltaStore {
    server.world().clock = Arc::clone(clock) as _;
    let catalog = catalog(server, Arc::clone(clock) as _);
    let name: SchemaName = "main.plan".parse().unwrap();
    let place = catalog.place_for(&name, BUCKET_LAKE).await.unwrap();
    let made = DeltaStore::create(&place, Format::default(), Arc::clone(clock) as _, random(1))
        .await
        .unwrap();
    made.close().await;
    server.world().external_table(
        "main.plan.journal",
        &format!("{BUCKET_LAKE}/journal"),
        "EXTERNAL",
    );
    let root = catalog.root(&name).await.unwrap();
    DeltaStore::open(&root, Format::default(), Arc::clone(clock) as _, random(2)).await.unwrap()
}

async fn commit(store: &DeltaStore, number: usize) -> Outcome {
    let state = store.snapshot(&Scope::All).await.unwrap().state;
    let fields = json!({"name": format!("project {number}")});
    let set = patch_set(&state, json!([{"op": "create", "entity": "project", "fields": fields}]))
        .unwrap();
    store.commit(vec![set]).await.pop().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_end_during_a_run_are_renewed_and_no_commit_fails() {
    let (server, clock) = (Server::start(), clock());
    let store = opened(&server, &clock).await;
    for number in 0..36 {
        let outcome = commit(&store, number).await;
        assert!(matches!(outcome, Outcome::Committed { .. }), "commit {number}: {outcome:?}");
        clock.advance(TimeDelta::minutes(4));
    }
    store.close().await;
    let world = server.world();
    assert_eq!(world.refused_as_ended, 0, "the storage was shown an ended credential");
    // 144 minutes of credentials that hold an hour and are renewed five minutes before. The first was for the lake's place.
    let mut places = std::collections::BTreeMap::<_, usize>::new();
    for vended in world.vended.values() {
        *places.entry(vended.url.as_str()).or_default() += 1;
    }
    let of = |table: &str| places[format!("{BUCKET_LAKE}/{table}").as_str()];
    assert!((3..=4).contains(&of("journal")) && of("projects") > 1, "{places:?}");
    assert!(places[BUCKET_LAKE] == 1 && places.values().all(|times| *times <= 4), "{places:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_storage_of_these_tests_refuses_a_credential_that_has_ended() {
    let (server, clock) = (Server::start(), clock());
    let store = opened(&server, &clock).await;
    let denied = json!({"error_code": "PERMISSION_DENIED", "message": "no more"});
    server.script("POST", "temporary-table-credentials", usize::MAX, 403, denied);
    assert!(matches!(commit(&store, 1).await, Outcome::Committed { .. }));
    // The catalog's clock goes on and the process's stands still: it does not know that the credential has ended.
    server.world().clock =
        Arc::new(ManualClock::new(crate::support::noon() + TimeDelta::hours(2), TimeDelta::zero()));
    let err = store.fold().await.unwrap_err();
    assert!(
        matches!(&err, StoreError::Storage { .. })
            && err.hint().unwrap().contains("which gets new ones"),
        "{err:?}"
    );
    assert!(server.world().refused_as_ended > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_is_away_for_a_while_is_not_noticed_while_the_credential_holds() {
    let (server, clock) = (Server::start(), clock());
    let store = opened(&server, &clock).await;
    clock.advance(TimeDelta::minutes(56));
    server.script(
        "POST",
        "temporary-table-credentials",
        4,
        503,
        json!({"error_code": "TEMPORARILY_UNAVAILABLE", "message": "later"}),
    );
    assert!(matches!(commit(&store, 1).await, Outcome::Committed { .. }));
    clock.advance(TimeDelta::minutes(2));
    assert!(matches!(commit(&store, 2).await, Outcome::Committed { .. }));
    clock.advance(TimeDelta::hours(3));
    assert!(matches!(commit(&store, 3).await, Outcome::Committed { .. }));
    assert_eq!(server.world().refused_as_ended, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_hangs_holds_no_work_up_while_the_credential_holds() {
    let (server, clock) = (Server::start(), clock());
    let store = opened(&server, &clock).await;
    clock.advance(TimeDelta::minutes(56));
    server.hang("POST", "temporary-table-credentials");
    let began = Instant::now();
    for number in 0..3 {
        assert!(matches!(commit(&store, number).await, Outcome::Committed { .. }));
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(server.world().refused_as_ended, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_ends_while_its_renewal_fails_is_not_used() {
    let (server, clock) = (Server::start(), clock());
    let store = opened(&server, &clock).await;
    clock.advance(TimeDelta::minutes(56));
    let asked = || server.world().count("POST", "temporary-table-credentials");
    let before = asked();
    let denied = json!({"error_code": "PERMISSION_DENIED", "message": "no more"});
    server.script("POST", "temporary-table-credentials", 1, 403, denied);
    server.world().scripts[0].after = Duration::from_secs(1);
    let ending = async {
        while asked() == before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        clock.advance(TimeDelta::minutes(10));
    };
    // Looking is a try: what counts is what the storage is shown.
    let (looked, ()) = tokio::join!(store.snapshot(&Scope::All), ending);
    assert!(looked.is_err(), "there was no credential that holds");
    assert_eq!(server.world().refused_as_ended, 0, "the storage was shown an ended credential");
    assert!(matches!(commit(&store, 1).await, Outcome::Committed { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_is_refused_is_reported_by_what_the_catalog_stated() {
    let (server, clock) = (Server::start(), clock());
    let store = opened(&server, &clock).await;
    assert!(matches!(commit(&store, 1).await, Outcome::Committed { .. }));
    clock.advance(TimeDelta::hours(3));
    let denied = json!({"error_code": "PERMISSION_DENIED", "message": "no more"});
    server.script("POST", "temporary-table-credentials", usize::MAX, 403, denied);
    let err = store.fold().await.unwrap_err();
    assert!(
        matches!(&err, StoreError::Catalog(_)) && err.to_string().contains("no more"),
        "{err:?}"
    );
}
