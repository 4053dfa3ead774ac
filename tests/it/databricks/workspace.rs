//! The data of the server: securables, grants, vended credentials, executed statements, stored
//! objects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use lakeplan::runtime::{Clock, SystemClock};
use serde_json::{Value, json};

use super::TOKEN;
use super::s3::Object;
use super::statements::{Answer, Running};

/// A vended credential.
#[derive(Clone, Debug)]
pub struct Vended {
    pub url: String,
    pub ends_at: i64,
    pub may_write: bool,
}

/// A response that overrides the next requests with this method and path.
#[derive(Clone, Debug)]
pub struct Script {
    pub method: &'static str,
    pub path: &'static str,
    /// A text in the body, such as an operation.
    pub body: &'static str,
    pub times: usize,
    pub status: u16,
    pub after: Duration,
    pub headers: Vec<(&'static str, &'static str)>,
    pub answer: Value,
}

/// A storage response that overrides the next requests with this method and path.
#[derive(Clone, Debug)]
pub struct StorageScript {
    pub method: &'static str,
    pub path: &'static str,
    pub times: usize,
    pub status: u16,
    pub code: &'static str,
    /// Whether the storage executes the request before it returns this response.
    pub is_done: bool,
}

/// A received request.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub body: Value,
}

pub struct FakeWorkspace {
    pub clock: Arc<dyn Clock>,
    pub address: String,
    pub tokens: BTreeSet<String>,
    pub catalogs: BTreeSet<String>,
    pub schemas: BTreeSet<String>,
    pub tables: BTreeMap<String, Value>,
    pub locations: Vec<(String, String)>,
    /// The privileges by securable: pairs of principal and privilege.
    pub grants: BTreeMap<String, Vec<(String, String)>>,
    pub external_access: Option<bool>,
    pub warehouse_state: &'static str,
    pub life: TimeDelta,
    /// By session token.
    pub credential: BTreeMap<String, Vended>,
    pub scripts: Vec<Script>,
    pub storage_scripts: Vec<StorageScript>,
    pub seen: Vec<Seen>,
    pub answers: BTreeMap<String, Answer>,
    pub running: BTreeMap<String, Running>,
    pub statements: Vec<Value>,
    pub objects: BTreeMap<String, Object>,
    /// The requests to the storage: method, path, query, and authorization.
    pub stored: Vec<[String; 4]>,
    /// Number of requests that the storage refused because of an expired credential.
    pub refused_as_expired: usize,
    pub tokens_granted: usize,
    /// Violations of the APIs' rules; the test fails if there are any.
    pub violations: Vec<String>,
}

impl FakeWorkspace {
    pub fn new() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            address: String::new(),
            tokens: BTreeSet::from([TOKEN.to_owned()]),
            catalogs: BTreeSet::from(["main".to_owned()]),
            schemas: BTreeSet::from(["main.plan".to_owned()]),
            tables: BTreeMap::new(),
            locations: vec![
                ("team-root".to_owned(), "s3://team".to_owned()),
                ("plans".to_owned(), "s3://team/plans/".to_owned()),
            ],
            grants: BTreeMap::new(),
            external_access: Some(true),
            warehouse_state: "RUNNING",
            life: TimeDelta::hours(1),
            credential: BTreeMap::new(),
            scripts: Vec::new(),
            storage_scripts: Vec::new(),
            seen: Vec::new(),
            answers: BTreeMap::new(),
            running: BTreeMap::new(),
            statements: Vec::new(),
            objects: BTreeMap::new(),
            stored: Vec::new(),
            refused_as_expired: 0,
            tokens_granted: 0,
            violations: Vec::new(),
        }
    }

    pub fn now(&self) -> i64 {
        self.clock.now().timestamp_millis()
    }

    /// Returns whether registered tables are below a location. A credential for it would also give
    /// access to tables of other owners, so nobody gets one. The open-source Unity Catalog does the
    /// same.
    pub fn holds_tables(&self, url: &str) -> bool {
        let below = format!("{}/", url.trim_end_matches('/'));
        self.tables.values().any(|table| {
            table["storage_location"].as_str().is_some_and(|at| at.starts_with(&below))
        })
    }

    /// Vends a credential for a location, in the format of its cloud.
    pub fn vend(&mut self, url: &str, may_write: bool) -> Value {
        let number = self.credential.len() + 1;
        let session = format!("session-canary-{number}");
        let ends_at = self.now() + self.life.num_milliseconds();
        self.credential.insert(session.clone(), Vended { url: url.to_owned(), ends_at, may_write });
        if url.starts_with("abfss://") {
            let sas = format!("sv=2024-11-04&sp=rwl&sig={session}%2Bsigned%3D");
            return json!({"azure_user_delegation_sas": {"sas_token": sas}, "expiration_time": ends_at, "url": url});
        }
        if url.starts_with("gs://") {
            return json!({"gcp_oauth_token": {"oauth_token": session}, "expiration_time": ends_at, "url": url});
        }
        json!({
            "aws_temp_credentials": {
                "access_key_id": format!("ASIA{number:016}"), "secret_access_key": "secret-canary-key", "session_token": session,
            },
            "expiration_time": ends_at, "url": url,
        })
    }

    pub fn external_table(&mut self, full_name: &str, location: &str, kind: &str) {
        let mut parts = full_name.split('.');
        let mut part = || parts.next().unwrap().to_owned();
        let info = json!({
            "catalog_name": part(), "schema_name": part(), "name": part(), "table_type": kind, "data_source_format": "DELTA",
            "storage_location": location, "table_id": format!("id-of-{full_name}"), "columns": [], "properties": {},
        });
        self.tables.insert(full_name.to_owned(), info);
    }

    /// Returns the scripted response for a request, if any.
    pub fn scripted(&mut self, method: &str, path: &str, body: &str) -> Option<Script> {
        let fits = |script: &&mut Script| {
            script.times > 0
                && script.method == method
                && path.contains(script.path)
                && body.contains(script.body)
        };
        let script = self.scripts.iter_mut().find(fits)?;
        script.times -= 1;
        Some(script.clone())
    }

    pub fn count(&self, method: &str, path: &str) -> usize {
        self.seen.iter().filter(|seen| seen.method == method && seen.path.contains(path)).count()
    }

    /// Returns how often a table of the lake was looked up.
    pub fn looked_up(&self, table: &str) -> usize {
        let path = format!("/tables/main.plan.{table}");
        self.seen.iter().filter(|seen| seen.method == "GET" && seen.path.ends_with(&path)).count()
    }

    /// Returns how often a credential for a table of the lake was requested.
    pub fn credentials(&self, table: &str) -> usize {
        let id = format!("id-of-main.plan.{table}");
        self.seen.iter().filter(|seen| seen.body["table_id"] == id.as_str()).count()
    }

    pub fn ran(&self) -> Vec<&str> {
        self.statements.iter().map(|statement| statement["statement"].as_str().unwrap()).collect()
    }
}
