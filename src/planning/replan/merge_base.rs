//! Values in the current and the previous plan. The previous values are the base of the three-way
//! merge.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::domain::id::{EntityId, RequirementId, TaskId, UserId};
use crate::domain::record::{Fields, Record};
use crate::domain::task::{Task, TaskKind, TaskStatus};
use crate::domain::time::{Estimate, Minutes};
use crate::domain::value::FieldValue;
use crate::planning::plan::{Basis, Node, NodeKind, Progress, fitting_title};

/// Fields that a description may state, in groups. A person's edit of one field protects its whole
/// group: the bounds of an estimate depend on each other and on the kind, and so do the two dates.
pub(super) const GROUPS: &[&[&str]] = &[
    &["title"],
    &["description"],
    &["priority"],
    &["assignee_id"],
    &["not_before", "due_date"],
    &["estimate_low", "estimate_likely", "estimate_high", "kind"],
];

/// Everything that the previous plan of a project stated.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct MergeBase {
    /// Name that the plan gave to the project.
    pub title: Option<String>,
    /// Planned tasks, including deleted ones.
    pub tasks: BTreeMap<TaskId, TaskBase>,
    /// Planned requirements, including deleted ones.
    pub requirements: BTreeMap<RequirementId, RequirementBase>,
    /// Whether the records of the project store all of it.
    pub is_complete: bool,
}

/// The plan's previous values of a task.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct TaskBase {
    /// Stated fields; a description is stored only as its digest.
    pub fields: Fields,
    pub standing: Progress,
    pub parent: Option<TaskId>,
    /// Planned prerequisite tasks.
    pub after: Vec<TaskId>,
    /// Planned covered requirements.
    pub answers: Vec<RequirementId>,
    /// Whether the task is no longer in the description. A deleted task that still is in it was
    /// deleted by a person.
    pub gone: bool,
    /// Whether the plan cancelled the task because the description did.
    pub cancelled: bool,
}

/// The plan's previous value of a requirement.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RequirementBase {
    /// Digest of the normalized text.
    pub digest: String,
    /// Whether the requirement is no longer in the description.
    pub gone: bool,
}

/// Returns the fields that a row states; an unstated field is null.
pub(super) fn stated(node: &Node, owner: Option<UserId>) -> Fields {
    let estimate = capped(node.estimate.range);
    let kind = match node.kind {
        NodeKind::Milestone => TaskKind::Milestone,
        NodeKind::Phase | NodeKind::Task | NodeKind::Subtask => TaskKind::Task,
    };
    // Nobody stated the sum of a parent, and a stored sum would be wrong once a part changes.
    let is_stored = kind == TaskKind::Task && node.estimate.basis != Some(Basis::Children);
    let estimate = is_stored.then_some(estimate);
    let conflicting =
        matches!((node.not_before, node.due), (Some(begin), Some(due)) if begin > due);
    let not_before = node.not_before.filter(|_| !conflicting);
    let description = Some(node.description.trim()).filter(|text| !text.is_empty());
    [
        ("title", Value::from(fitting_title(&node.title))),
        (
            "description",
            description.map_or(Value::Null, |text| Value::from(text.replace('\0', ""))),
        ),
        ("kind", kind.json()),
        ("priority", node.priority.json()),
        ("assignee_id", owner.json()),
        ("not_before", not_before.json()),
        ("due_date", node.due.json()),
        ("estimate_low", estimate.map(|range| range.low).json()),
        ("estimate_likely", estimate.map(|range| range.likely).json()),
        ("estimate_high", estimate.map(|range| range.high).json()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// Returns the status that a row states.
pub(super) fn status_of(standing: Progress) -> Option<TaskStatus> {
    match standing {
        Progress::Open => None,
        Progress::Started => Some(TaskStatus::InProgress),
        Progress::Done => Some(TaskStatus::Completed),
    }
}

/// Normalizes a text for comparison: case and spacing are ignored.
pub(super) fn normal(text: &str) -> String {
    text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

fn capped(range: Estimate) -> Estimate {
    let cap = |minutes: Minutes| minutes.min(Minutes::MAX);
    Estimate { low: cap(range.low), likely: cap(range.likely), high: cap(range.high) }
}

/// Returns a field's value as stored in the base.
fn remembered(name: &str, value: &Value) -> Value {
    match (name, value) {
        ("description", Value::String(text)) => Value::from(digest(text)),
        _ => value.clone(),
    }
}

/// Returns the digest that stands for a long text.
fn digest(text: &str) -> String {
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

impl RequirementBase {
    /// Returns the base of a requirement that the plan states with this text.
    pub(super) fn of(text: &str) -> Self {
        Self { digest: digest(&normal(text)), gone: false }
    }

    /// Whether the description states the requirement with this text.
    pub(super) fn states(&self, text: &str) -> bool {
        !self.gone && self.digest == digest(&normal(text))
    }
}

impl TaskBase {
    pub(super) fn of(fields: &Fields, standing: Progress, parent: Option<TaskId>) -> Self {
        let fields = fields
            .iter()
            .map(|(name, value)| {
                let is_usual = name == "kind" && *value == TaskKind::Task.json();
                let value = if is_usual { Value::Null } else { remembered(name, value) };
                (name.clone(), value)
            })
            .collect();
        Self { fields, standing, parent, ..Self::default() }
    }

    pub(super) fn title(&self) -> &str {
        self.fields.get("title").and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether the plan's values of these fields are unchanged.
    pub(super) fn says(&self, group: &[&str], fields: &Fields) -> bool {
        group.iter().all(|name| {
            self.value(name) == remembered(name, fields.get(*name).unwrap_or(&Value::Null))
        })
    }

    /// Whether the task still has the planned values of these fields.
    pub(super) fn task_unchanged(
        &self,
        group: &[&str],
        task: &Task,
        acting: impl Fn(UserId) -> UserId,
    ) -> bool {
        group.iter().all(|name| {
            let planned = self.value(name);
            let planned = match planned
                .as_str()
                .filter(|_| *name == "assignee_id")
                .and_then(|id| id.parse().ok())
            {
                Some(user) => Value::from(acting(user).uuid().hyphenated().to_string()),
                None => planned,
            };
            planned == remembered(name, &task.get(name).unwrap_or_default())
        })
    }

    /// Returns the planned value of a field. The base of a task that is no milestone does not store
    /// its kind.
    fn value(&self, name: &str) -> Value {
        let value = self.fields.get(name).cloned().unwrap_or_default();
        if name == "kind" && value.is_null() { TaskKind::Task.json() } else { value }
    }
}
