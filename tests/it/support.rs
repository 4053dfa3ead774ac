//! Shared helpers of the tests: a fixed clock, seeded randomness, short forms of patches.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use chrono::{DateTime, TimeDelta};
use lakeplan::domain::id::{EntityId, PatchSetId};
use lakeplan::domain::patch::{PatchSet, Source};
use lakeplan::domain::state::State;
use lakeplan::domain::task::{Task, TaskStatus};
use lakeplan::domain::time::Instant;
use lakeplan::domain::value::Name;
use lakeplan::domain::violation::Violation;
use lakeplan::exchange::patchset::Request;
use lakeplan::runtime::{Clock, ManualClock, SeededRandom, uuid_v7};
use lakeplan::service::resolve::resolve;
use lakeplan::service::{RequestContext, Service};
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

/// Returns the time at which every test begins: 2026-09-21 14:13:20 UTC.
pub fn noon() -> Instant {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

pub fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(noon(), TimeDelta::milliseconds(1)))
}

/// Returns the context of a request by the tester, who uses the command line.
pub fn author(service: &Service) -> RequestContext {
    service.request(Name::new("tester").unwrap(), Source::Cli)
}

pub fn random(seed: u64) -> Arc<SeededRandom> {
    Arc::new(SeededRandom::new(seed))
}

/// Returns a new set id of the tests' time.
pub fn set_id() -> PatchSetId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let random = SeededRandom::new(1_000_000 + NEXT.fetch_add(1, Ordering::Relaxed));
    PatchSetId::of(uuid_v7(noon(), &random))
}

/// Parses a request from JSON.
pub fn request(json: Value) -> Request {
    Request::from_json(&json).unwrap_or_else(|violations| panic!("{violations:?}"))
}

/// Returns a patch set from the JSON of its patches, resolved against a state.
pub fn patch_set(state: &State, patches: Value) -> Result<PatchSet, Vec<Violation>> {
    let request = request(serde_json::json!({ "patches": patches }));
    let actor = Name::new("tester").unwrap();
    let context = RequestContext { actor, source: Source::Cli, now: clock().now() };
    resolve(state, &request, set_id(), &context)
}

/// Returns a folder of the test data that is distributed separately. Returns `None` and prints a
/// message if it is missing.
pub fn shared(folder: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared").join(folder);
    if path.exists() {
        return Some(path);
    }
    skip(format_args!("no shared data ({folder})"));
    None
}

/// Prints that a test, or a part of it, is skipped, once for each reason. The test harness does not
/// capture the line, so that it is also visible if the test passes; `tests/run` counts the lines.
pub fn skip(reason: impl Display) {
    static PRINTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let test = thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("skipped: {test}: {reason}");
    if PRINTED.lock().unwrap_or_else(PoisonError::into_inner).insert(line.clone()) {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}

/// Returns the value of a variable that controls the tests. An empty value counts as not set.
pub fn setting(name: &str) -> Option<String> {
    lakeplan::config::variable(name).filter(|value| !value.is_empty())
}

/// Returns whether to run the full counts; `tests/run --full` requests them.
pub fn full() -> bool {
    setting("LAKEPLAN_TEST_FULL").is_some()
}

/// The cases of a tester that a variable selects: those with its value in their name.
pub struct Selection {
    variable: &'static str,
    part: Option<String>,
    matched: usize,
}

impl Selection {
    pub fn from_variable(variable: &'static str) -> Self {
        Self { variable, part: setting(variable), matched: 0 }
    }

    /// Returns whether the variable is set.
    pub fn is_set(&self) -> bool {
        self.part.is_some()
    }

    /// Returns whether to run a case. Without the variable, every case runs.
    pub fn includes(&mut self, case: &str) -> bool {
        let is_included = self.part.as_ref().is_none_or(|part| case.contains(part.as_str()));
        self.matched += usize::from(is_included);
        is_included
    }

    /// Asserts that a case ran. A misspelled filter would otherwise pass.
    pub fn assert_matched(&self) {
        let part = self.part.as_deref().unwrap_or_default();
        assert!(self.matched > 0, "{}: no case has {part:?} in its name", self.variable);
    }
}

/// Returns a small count, or the full one.
pub fn counts(small: usize, full_count: usize) -> usize {
    if full() { full_count } else { small }
}

/// Returns one to three random patches, valid or invalid, for a state.
pub fn random_patches(state: &State, random: &mut StdRng) -> Value {
    let tasks: Vec<&Task> =
        state.projects().flat_map(|project| project.tasks()).map(AsRef::as_ref).collect();
    let projects: Vec<String> =
        state.projects().filter_map(|project| Some(project.project()?.key.to_string())).collect();
    let count = random.random_range(1..=3);
    (0..count).map(|_| random_patch(&tasks, &projects, random)).collect()
}

fn random_patch(tasks: &[&Task], projects: &[String], random: &mut StdRng) -> Value {
    let number: u32 = random.random_range(0..1_000_000);
    let project = &projects[random.random_range(0..projects.len())];
    let any = |random: &mut StdRng| {
        (!tasks.is_empty()).then(|| tasks[random.random_range(0..tasks.len())].key.to_string())
    };
    let (Some(task), Some(other)) = (any(random), any(random)) else {
        return json!({"op": "create", "entity": "task", "fields": {"project_id": project, "title": format!("task {number}")}});
    };
    match random.random_range(0..13) {
        0..3 => {
            json!({"op": "create", "entity": "task", "fields": {"project_id": project, "title": format!("task {number}"), "estimate_likely": number % 1000}})
        }
        3..5 => {
            json!({"op": "create", "entity": "task", "fields": {"project_id": task.split('-').next(), "title": format!("part {number}"), "parent_id": task}})
        }
        5..7 => {
            let status = TaskStatus::NAMES[number as usize % TaskStatus::NAMES.len()];
            json!({"op": "update", "entity": "task", "id": task, "fields": {"status": status, "description": format!("text {number}"), "tags": ["a", format!("t{number}")]}})
        }
        7 => json!({"op": "move", "entity": "task", "id": task, "fields": {"parent_id": other}}),
        8 => json!({"op": "move", "entity": "task", "id": task, "fields": {"project_id": project}}),
        9 => json!({"op": "delete", "entity": "task", "id": task}),
        10 => json!({"op": "restore", "entity": "task", "id": task}),
        11 => {
            let kind = if number.is_multiple_of(3) { "relates" } else { "depends_on" };
            json!({"op": "link", "entity": "task_link", "fields": {"from_id": task, "to_id": other, "kind": kind}})
        }
        _ => {
            json!({"op": "create", "entity": "project", "fields": {"name": format!("project {number}")}})
        }
    }
}
