//! The rules of tasks and patch sets, tested on a value without storage and runtime.

mod cross_project;
mod delete;
mod every_patch;
mod fields;
mod links;
mod merge_split;
mod milestones;
mod moved;
mod moves;
mod progress;
mod references;
mod scaling;
pub mod undo;

use lakeplan::domain::apply::{Applied, Rejection, apply};
use lakeplan::domain::change::Change;
use lakeplan::domain::invert::invert;
use lakeplan::domain::patch::{Patch, PatchSet, Source};
use lakeplan::domain::state::{ProjectState, State};
use lakeplan::domain::task::Task;
use lakeplan::domain::time::Instant;
use lakeplan::domain::value::Name;
use lakeplan::domain::violation::Violation;
use lakeplan::service::find;
use regex::Regex;
use serde_json::{Value, json};

use crate::support::{noon, patch_set, set_id};

/// A state for tests, with the changes of each applied set. When it is dropped, its indexes must be
/// those of a state that is loaded from its records.
pub struct Fixture {
    pub state: State,
    pub applied: Vec<Vec<Change>>,
    /// Time at which sets are applied.
    pub at: Instant,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut loaded = State::default();
        self.state.records().for_each(|record| loaded.put(record));
        let (held, expected) = (shape(&self.state), shape(&loaded));
        let differs = held.bytes().zip(expected.bytes()).position(|(a, b)| a != b);
        let part = |text: &str| {
            let around = differs.unwrap_or_default().saturating_sub(200);
            text.chars().skip(around).take(400).collect::<String>()
        };
        assert!(
            held == expected,
            "the indexes of the state do not fit its records:\n{}\n{}",
            part(&held),
            part(&expected)
        );
    }
}

/// Returns a state with its indexes, as text. Leaves out the empty entries of tasks whose last
/// subtask has moved away, and the empty parts of an index.
fn shape(state: &State) -> String {
    let entry = Regex::new(r"(None|Some\(TaskId\([0-9a-f-]+\)\)): \{\}(, )?").unwrap();
    let parts = Regex::new(r"\[\{\}(, \{\})*\]").unwrap();
    let text = format!("{state:?}");
    parts.replace_all(&entry.replace_all(&text, ""), "[]").replace(", }", "}")
}

impl Fixture {
    /// Creates a project PAY without tasks, and the users ana and bo.
    pub fn new() -> Self {
        let mut fixture = Self { state: State::default(), applied: Vec::new(), at: noon() };
        fixture.apply(json!([
            {"op": "create", "entity": "project", "fields": {"name": "Payments", "key": "PAY"}},
            {"op": "create", "entity": "user", "fields": {"handle": "ana"}},
            {"op": "create", "entity": "user", "fields": {"handle": "bo"}},
        ]));
        fixture
    }

    /// Adds tasks given as `title` or `title below KEY`. They get the keys PAY-1, PAY-2, … in
    /// order.
    pub fn with(tasks: &[&str]) -> Self {
        let mut fixture = Self::new();
        for task in tasks {
            fixture.task(task);
        }
        fixture
    }

    pub fn task(&mut self, task: &str) {
        let (title, parent) = task
            .split_once(" below ")
            .map_or((task, None), |(title, parent)| (title, Some(parent)));
        let mut fields = json!({"project_id": "PAY", "title": title});
        if let Some(parent) = parent {
            fields["parent_id"] = parent.into();
        }
        self.apply(json!([{"op": "create", "entity": "task", "fields": fields}]));
    }

    pub fn try_set(&mut self, set: &PatchSet) -> Result<Vec<Change>, Rejection> {
        let before = self.fingerprint();
        match apply(&mut self.state, set, self.at) {
            Ok(Applied { changes, .. }) => {
                self.applied.push(changes.clone());
                Ok(changes)
            }
            Err(rejection) => {
                assert_eq!(self.fingerprint(), before, "a rejected set changed the state");
                Err(rejection)
            }
        }
    }

    pub fn apply(&mut self, patches: Value) -> Vec<Change> {
        let set =
            patch_set(&self.state, patches).unwrap_or_else(|violations| panic!("{violations:?}"));
        self.try_set(&set).unwrap_or_else(|rejection| panic!("{rejection:?}"))
    }

    /// Returns the violations of a set, which must be refused.
    pub fn refused(&mut self, patches: Value) -> Vec<Violation> {
        let set = match patch_set(&self.state, patches) {
            Ok(set) => set,
            Err(violations) => return violations,
        };
        match self.try_set(&set) {
            Err(Rejection::Refused(violations)) => violations,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// Returns the rules that a refused set violates.
    pub fn rules(&mut self, patches: Value) -> Vec<String> {
        self.refused(patches).iter().map(|violation| violation.rule.to_string()).collect()
    }

    pub fn patches(&mut self, patches: Vec<Patch>) -> Result<Vec<Change>, Rejection> {
        let set = PatchSet {
            id: set_id(),
            request_hash: [0; 32],
            actor: Name::new("tester").unwrap(),
            source: Source::Cli,
            reason: None,
            patches,
            also: self.state.projects().filter_map(|found| Some(found.project()?.id)).collect(),
        };
        self.try_set(&set)
    }

    /// Undoes the last set.
    pub fn undo(&mut self) -> Result<Vec<Change>, Rejection> {
        let last = self.applied.last().unwrap().clone();
        self.patches(invert(&last, &self.state))
    }

    pub fn get(&self, key: &str) -> &Task {
        find::task(&self.state, key).unwrap()
    }

    pub fn project(&self) -> &ProjectState {
        self.state.project_by_key(&"PAY".parse().unwrap()).unwrap()
    }

    /// Returns the live tasks as an indented outline of keys.
    pub fn outline(&self) -> String {
        let project = self.project();
        let all = project
            .children(None)
            .flat_map(|top| std::iter::once(top).chain(project.descendants(top.id)));
        let lines: Vec<String> = all
            .filter(|task| task.is_live())
            .map(|task| format!("{}{}", ".".repeat(task.depth.into()), task.key.number()))
            .collect();
        lines.join(" ")
    }

    /// Returns all records of the state in a comparable form.
    pub fn fingerprint(&self) -> String {
        let records: Vec<String> = self
            .state
            .records()
            .map(|record| {
                format!("{:?} {}", record.record_key(), Value::Object(record.to_fields()))
            })
            .collect();
        records.join("\n")
    }
}
