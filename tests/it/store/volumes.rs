//! A volume of Unity Catalog as the location of a trial lake: it must support exclusive creation of
//! a name.

use std::sync::Arc;

use lakeplan::cli::CliError;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::{Format, StoreError};
use object_store::memory::InMemory;
use url::Url;

use super::fault::{Fault, FaultStore, Plan};
use crate::support::{clock, random};

#[cfg(not(target_os = "macos"))]
#[tokio::test]
async fn a_volume_without_exclusive_create_is_refused_with_a_hint() {
    let store = FaultStore::new(Arc::new(InMemory::new()), 1);
    store.plan(Plan::Each { part: "_probe", fault: Fault::FailBefore });
    let at =
        |url: &str| LakeLocation { url: Url::parse(url).unwrap(), store: Arc::clone(&store) as _ };
    let made = async |root: LakeLocation| {
        DeltaStore::create(&root, Format::default(), clock(), random(1))
            .await
            .map(drop)
            .unwrap_err()
    };
    let error_text = |err: StoreError| {
        let json = CliError::from(err).to_json();
        ["message", "hint"].map(|part| json["error"][part].as_str().unwrap_or_default().to_owned())
    };
    let [message, hint] = error_text(made(at("file:///Volumes/main/plan/trial/lake/")).await);
    assert!(
        message.contains("a volume cannot stop two writers from creating the same file"),
        "{message}"
    );
    assert!(hint.contains("lakeplan init CATALOG.SCHEMA --location URL"), "{hint}");
    let [elsewhere, _] = error_text(made(at("file:///data/lake/")).await);
    assert!(!elsewhere.contains("volume"), "{elsewhere}");
}
