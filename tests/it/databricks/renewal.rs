//! Credentials that expire while a process works: they are renewed in time, once for all tasks, and
//! no commit fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use lakeplan::cli::hint::hint_text;
use lakeplan::databricks::catalog::SchemaName;
use lakeplan::runtime::ManualClock;
use lakeplan::store::delta::DeltaStore;
use lakeplan::store::{Format, Outcome, Scope, Store, StoreError};
use serde_json::json;

use super::BUCKET_LAKE;
use super::lakes::catalog;
use super::server::Server;
use crate::support::{clock, patch_set, random};

/// Opens a lake of the server through the catalog; server and lake share a clock.
async fn opened(server: &Server, clock: &Arc<ManualClock>) -> DeltaStore {
    server.workspace().clock = Arc::clone(clock) as _;
    let catalog = catalog(server, Arc::clone(clock) as _);
    let name: SchemaName = "main.plan".parse().unwrap();
    let place = catalog.place_for(&name, BUCKET_LAKE).await.unwrap();
    let made = DeltaStore::create(&place, Format::default(), Arc::clone(clock) as _, random(1))
        .await
        .unwrap();
    made.shutdown().await;
    server.workspace().external_table(
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
async fn credentials_that_expire_during_a_run_are_renewed() {
    let (server, clock) = (Server::start(), clock());
    let store = opened(&server, &clock).await;
    for number in 0..36 {
        let outcome = commit(&store, number).await;
        assert!(matches!(outcome, Outcome::Committed { .. }), "commit {number}: {outcome:?}");
        clock.advance(TimeDelta::minutes(4));
    }
    store.shutdown().await;
    let workspace = server.workspace();
    assert_eq!(workspace.refused_as_expired, 0, "the storage received an expired credential");
    // 144 minutes of credentials that are valid for an hour and renewed five minutes before. The
    // first was for the location of the lake.
    let mut places = std::collections::BTreeMap::<_, usize>::new();
    for credential in workspace.credential.values() {
        *places.entry(credential.url.as_str()).or_default() += 1;
    }
    let of = |table: &str| places[format!("{BUCKET_LAKE}/{table}").as_str()];
    assert!((3..=4).contains(&of("journal")) && of("projects") > 1, "{places:?}");
    assert!(places[BUCKET_LAKE] == 1 && places.values().all(|times| *times <= 4), "{places:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_test_storage_refuses_expired_credentials() {
    let (server, clock) = (Server::start(), clock());
    let store = opened(&server, &clock).await;
    let denied = json!({"error_code": "PERMISSION_DENIED", "message": "no more"});
    server.script("POST", "temporary-table-credentials", usize::MAX, 403, denied);
    assert!(matches!(commit(&store, 1).await, Outcome::Committed { .. }));
    // The clock of the catalog advances and that of the process does not, so the process does not
    // know that the credential has expired.
    server.workspace().clock =
        Arc::new(ManualClock::new(crate::support::noon() + TimeDelta::hours(2), TimeDelta::zero()));
    let err = store.fold().await.unwrap_err();
    assert!(
        matches!(&err, StoreError::Storage { .. })
            && hint_text(&err.hint().unwrap()).contains("which gets new ones"),
        "{err:?}"
    );
    assert!(server.workspace().refused_as_expired > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_outage_is_harmless_while_the_credential_is_valid() {
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
    assert_eq!(server.workspace().refused_as_expired, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_renewal_does_not_block_while_the_credential_is_valid() {
    let (server, clock) = (Server::start(), clock());
    let store = opened(&server, &clock).await;
    clock.advance(TimeDelta::minutes(56));
    server.hang("POST", "temporary-table-credentials");
    let began = Instant::now();
    for number in 0..3 {
        assert!(matches!(commit(&store, number).await, Outcome::Committed { .. }));
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(server.workspace().refused_as_expired, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_credential_is_not_used_if_renewal_fails() {
    let (server, clock) = (Server::start(), clock());
    let store = opened(&server, &clock).await;
    clock.advance(TimeDelta::minutes(56));
    let asked = || server.workspace().count("POST", "temporary-table-credentials");
    let before = asked();
    let denied = json!({"error_code": "PERMISSION_DENIED", "message": "no more"});
    server.script("POST", "temporary-table-credentials", 1, 403, denied);
    server.workspace().scripts[0].after = Duration::from_secs(1);
    let ending = async {
        while asked() == before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        clock.advance(TimeDelta::minutes(10));
    };
    // A read attempt is allowed; the test checks the credentials that the storage received.
    let (looked, ()) = tokio::join!(store.snapshot(&Scope::All), ending);
    assert!(looked.is_err(), "no credential was valid");
    assert_eq!(
        server.workspace().refused_as_expired,
        0,
        "the storage received an expired credential"
    );
    assert!(matches!(commit(&store, 1).await, Outcome::Committed { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_renewal_is_reported_with_the_catalogs_message() {
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
