//! Lakes in the clouds: the store's promises over S3 and Azure as stand-ins speak them, through a proxy that loses answers.
//!
//! `tests/clouds/run` starts the servers and says where they are; without them each test says that it was skipped.

mod binary;
mod commits;
mod faults;
mod upkeep;

use std::sync::Arc;

use lakeplan::config::variable;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::{Format, Store};
use serde_json::{Value, json};

use crate::support::{clock, random};

/// A cloud that the tests have a stand-in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    S3,
    Azure,
}

/// The secret that each of these lakes is opened with, and that may be in nothing that is said.
pub const SECRET: &str = "the-canary-among-the-keys";
/// The key that the stand-in for Azure was started with.
const AZURE_KEY: &str = "dGhlIGtleSBvZiB0aGUgdGVzdHM=";

/// A test's own folder in a cloud.
#[derive(Clone, Debug)]
pub struct Placement {
    pub cloud: Cloud,
    pub url: String,
    proxy: String,
    folder: String,
}

/// A folder for a test; `None`, said aloud, where there is no server.
pub fn place(cloud: Cloud, test: &str) -> Option<Placement> {
    let (name, server) = match cloud {
        Cloud::S3 => ("LAKEPLAN_TEST_S3", "S3"),
        Cloud::Azure => ("LAKEPLAN_TEST_AZURE", "Azure"),
    };
    let Some(proxy) = variable(name) else {
        eprintln!("skipped: no {server} server (tests/clouds/run starts one)");
        return None;
    };
    let url = match cloud {
        Cloud::S3 => format!("s3://clouds/{test}/lake"),
        Cloud::Azure => format!("az://clouds/{test}/lake"),
    };
    Some(Placement { cloud, url, proxy, folder: format!("clouds/{test}") })
}

impl Placement {
    /// What a process has to have in its environment to reach the place.
    pub fn environment(&self) -> Vec<(String, String)> {
        let pairs: &[(&str, &str)] = match self.cloud {
            Cloud::S3 => &[
                ("AWS_ACCESS_KEY_ID", "AKIATEST"),
                ("AWS_SECRET_ACCESS_KEY", SECRET),
                ("AWS_ENDPOINT_URL", &self.proxy),
                ("AWS_ALLOW_HTTP", "true"),
                ("AWS_REGION", "us-east-1"),
            ],
            Cloud::Azure => &[
                ("AZURE_STORAGE_ACCOUNT_NAME", "devstoreaccount1"),
                ("AZURE_STORAGE_ACCOUNT_KEY", AZURE_KEY),
                ("AZURE_STORAGE_ENDPOINT", &format!("{}/devstoreaccount1", self.proxy)),
                ("AZURE_ALLOW_HTTP", "true"),
            ],
        };
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    pub fn root(&self) -> LakeLocation {
        LakeLocation::open_in(&self.url, false, self.environment()).unwrap()
    }

    /// A new lake there.
    pub async fn lake(&self) -> DeltaStore {
        DeltaStore::create(&self.root(), Format::default(), clock(), random(1)).await.unwrap()
    }

    /// Another writer of the lake there, with connections of its own.
    pub async fn open(&self, seed: u64) -> DeltaStore {
        DeltaStore::open(&self.root(), Format::default(), clock(), random(seed)).await.unwrap()
    }

    /// What is to become of requests from now on; see tests/clouds/proxy.py.
    pub async fn rules(&self, rules: Value) {
        let address = format!("{}/_proxy/rules/{}", self.proxy, self.folder);
        let answer =
            reqwest::Client::new().post(address).body(rules.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// The requests since this was asked last, as the proxy counted them.
    pub async fn counts(&self) -> Vec<Value> {
        let address = format!("{}/_proxy/counts/{}", self.proxy, self.folder);
        let answer = reqwest::get(address).await.unwrap().text().await.unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    /// How many requests of a verb, and of a status where one is given, there were since this was asked last.
    pub async fn count(&self, verb: &str, status: Option<u16>) -> u64 {
        let fits = |row: &&Value| {
            row["verb"] == verb && status.is_none_or(|status| row["status"] == json!(status))
        };
        self.counts().await.iter().filter(fits).map(|row| row["requests"].as_u64().unwrap()).sum()
    }
}

/// A lake of its own for a test of the suite.
pub async fn lake(cloud: Cloud, test: &str) -> Option<Arc<dyn Store>> {
    Some(Arc::new(place(cloud, test)?.lake().await))
}
