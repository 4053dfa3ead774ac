//! Lakes in the clouds: the guarantees of the store on stand-ins for S3 and Azure, behind a proxy
//! that drops responses.
//!
//! `tests/clouds/run` starts the servers and passes their addresses. Without them, each test prints
//! that it is skipped.

mod binary;
mod commits;
mod errors;
mod maintenance;

use std::sync::Arc;

use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::{Format, Store};
use serde_json::{Value, json};

use crate::support::{clock, random, setting, skip};

/// A cloud with a stand-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    S3,
    Azure,
}

/// The secret key of these lakes, which no output may contain.
pub const SECRET: &str = "the-canary-among-the-keys";
/// The account key of the stand-in for Azure.
const AZURE_KEY: &str = "dGhlIGtleSBvZiB0aGUgdGVzdHM=";

/// A test's own folder in a cloud.
#[derive(Clone, Debug)]
pub struct Placement {
    pub cloud: Cloud,
    pub url: String,
    proxy: String,
    folder: String,
}

/// Returns a folder for a test. Returns `None` and prints a message if there is no server.
pub fn place(cloud: Cloud, test: &str) -> Option<Placement> {
    let (name, server) = match cloud {
        Cloud::S3 => ("LAKEPLAN_TEST_S3", "S3"),
        Cloud::Azure => ("LAKEPLAN_TEST_AZURE", "Azure"),
    };
    let Some(proxy) = setting(name) else {
        skip(format_args!("no {server} server; tests/clouds/run starts one"));
        return None;
    };
    let url = match cloud {
        Cloud::S3 => format!("s3://clouds/{test}/lake"),
        Cloud::Azure => format!("az://clouds/{test}/lake"),
    };
    Some(Placement { cloud, url, proxy, folder: format!("clouds/{test}") })
}

impl Placement {
    /// Returns the environment variables that a process needs for this location.
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

    /// Creates a lake at this location.
    pub async fn lake(&self) -> DeltaStore {
        DeltaStore::create(&self.root(), Format::default(), clock(), random(1)).await.unwrap()
    }

    /// Opens the lake as another writer with its own connections.
    pub async fn open(&self, seed: u64) -> DeltaStore {
        DeltaStore::open(&self.root(), Format::default(), clock(), random(seed)).await.unwrap()
    }

    /// Sets the proxy's rules for the following requests; see tests/clouds/proxy.py.
    pub async fn rules(&self, rules: Value) {
        let address = format!("{}/_proxy/rules/{}", self.proxy, self.folder);
        let answer =
            reqwest::Client::new().post(address).body(rules.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// Returns the requests since the last call, as counted by the proxy.
    pub async fn counts(&self) -> Vec<Value> {
        let address = format!("{}/_proxy/counts/{}", self.proxy, self.folder);
        let answer = reqwest::get(address).await.unwrap().text().await.unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    /// Returns the number of requests with this method, and with this status if given, since the
    /// last call.
    pub async fn count(&self, verb: &str, status: Option<u16>) -> u64 {
        let fits = |row: &&Value| {
            row["verb"] == verb && status.is_none_or(|status| row["status"] == json!(status))
        };
        self.counts().await.iter().filter(fits).map(|row| row["requests"].as_u64().unwrap()).sum()
    }
}

/// Creates a lake for a test of the conformance suite.
pub async fn lake(cloud: Cloud, test: &str) -> Option<Arc<dyn Store>> {
    Some(Arc::new(place(cloud, test)?.lake().await))
}
