//! What a plan says of a task, and what it last said: the base of the three-way merge, kept in `metadata.plan`.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::domain::id::{EntityId, RequirementId, TaskId, UserId};
use crate::domain::record::{Fields, Record};
use crate::domain::task::Task;
use crate::domain::time::{Estimate, Minutes};
use crate::domain::value::{FieldValue, Metadata, Title};
use crate::planning::plan::{Basis, Node, Standing};

/// Fields that a description may state. A person's edit of one keeps its whole group: the ends of an estimate and the
/// two dates hold each other.
pub(super) const GROUPS: &[&[&str]] = &[
    &["title"],
    &["description"],
    &["priority"],
    &["assignee_id"],
    &["not_before", "due_date"],
    &["estimate_low", "estimate_likely", "estimate_high"],
];

/// More links of one task than this are not remembered; forgotten ones count as a person's.
const MOST_REMEMBERED: usize = 500;
const KEY: &str = "plan";

/// What the plan last said of a task.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Base {
    /// The stated fields; of a description only its digest.
    pub fields: Fields,
    pub standing: Standing,
    pub parent: Option<TaskId>,
    /// The tasks it was said to wait for.
    pub after: Vec<TaskId>,
    /// The requirements it was said to answer.
    pub answers: Vec<RequirementId>,
    /// The description no longer says it.
    pub gone: bool,
    /// The description called it cancelled, and so the plan cancelled it.
    pub cancelled: bool,
}

/// The fields a row states, null where it is silent.
pub(super) fn stated(node: &Node, owner: Option<UserId>) -> Fields {
    let estimate = capped(node.estimate.range);
    // A parent's sum is not stated by anyone, and a stored sum would be wrong as soon as a part changes.
    let estimate = (node.estimate.basis != Basis::Children).then_some(estimate);
    let conflicting =
        matches!((node.not_before, node.due), (Some(begin), Some(due)) if begin > due);
    let not_before = node.not_before.filter(|_| !conflicting);
    let description = Some(node.description.trim()).filter(|text| !text.is_empty());
    [
        ("title", Value::from(title(&node.title))),
        (
            "description",
            description.map_or(Value::Null, |text| Value::from(text.replace('\0', ""))),
        ),
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

/// A text as a title: one line that fits.
pub(super) fn title(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('\0', "");
    match line.chars().count() {
        0 => "Untitled".to_owned(),
        length if length <= Title::MAX => line,
        _ => line.chars().take(Title::MAX - 1).chain(['…']).collect(),
    }
}

/// A text as it is compared: case and spacing say nothing.
pub(super) fn normal(text: &str) -> String {
    text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

fn capped(range: Estimate) -> Estimate {
    let cap = |minutes: Minutes| minutes.min(Minutes::MAX);
    Estimate { low: cap(range.low), likely: cap(range.likely), high: cap(range.high) }
}

/// A field's value as the base holds it.
fn remembered(name: &str, value: &Value) -> Value {
    match (name, value) {
        ("description", Value::String(text)) => {
            let digest = Sha256::digest(text);
            Value::from(digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>())
        }
        _ => value.clone(),
    }
}

impl Base {
    pub(super) fn of(fields: &Fields, standing: Standing, parent: Option<TaskId>) -> Self {
        let fields =
            fields.iter().map(|(name, value)| (name.clone(), remembered(name, value))).collect();
        Self { fields, standing, parent, ..Self::default() }
    }

    /// What the plan last said of a task; `None` where it was never planned.
    pub(super) fn read(task: &Task) -> Option<Self> {
        let plan = task.metadata.0.get(KEY)?.as_object()?;
        let ids = |name: &str| {
            plan.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        };
        let fields = GROUPS.iter().copied().flatten();
        Some(Self {
            fields: fields
                .map(|name| ((*name).to_owned(), plan.get(*name).cloned().unwrap_or_default()))
                .collect(),
            standing: match (plan.get("done"), plan.get("started")) {
                (Some(_), _) => Standing::Done,
                (None, Some(_)) => Standing::Started,
                (None, None) => Standing::Open,
            },
            parent: plan.get("parent").and_then(Value::as_str).and_then(|id| id.parse().ok()),
            after: ids("after").filter_map(|id| id.parse().ok()).collect(),
            answers: ids("answers").filter_map(|id| id.parse().ok()).collect(),
            gone: plan.get("gone").is_some(),
            cancelled: plan.get("cancelled").is_some(),
        })
    }

    /// The metadata of a task with this as its base; the old one where there is no room for it.
    pub(super) fn write(&self, metadata: &Metadata) -> Metadata {
        let mut plan: Map<String, Value> = self
            .fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let (is_done, is_started) =
            (self.standing == Standing::Done, self.standing == Standing::Started);
        for (name, holds) in [
            ("done", is_done),
            ("started", is_started),
            ("gone", self.gone),
            ("cancelled", self.cancelled),
        ] {
            if holds {
                plan.insert(name.to_owned(), Value::Bool(true));
            }
        }
        if let Some(parent) = self.parent {
            plan.insert("parent".to_owned(), parent.json());
        }
        let after: Vec<Value> =
            self.after.iter().take(MOST_REMEMBERED).map(FieldValue::json).collect();
        let answers: Vec<Value> =
            self.answers.iter().take(MOST_REMEMBERED).map(FieldValue::json).collect();
        for (name, ids) in [("after", after), ("answers", answers)] {
            if !ids.is_empty() {
                plan.insert(name.to_owned(), Value::Array(ids));
            }
        }
        let mut written = metadata.clone();
        written.0.insert(KEY.to_owned(), Value::Object(plan));
        if Metadata::read(&written.json()).is_ok() { written } else { metadata.clone() }
    }

    pub(super) fn title(&self) -> &str {
        self.fields.get("title").and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether what the plan says in these fields is what it said before.
    pub(super) fn says(&self, group: &[&str], fields: &Fields) -> bool {
        group.iter().all(|name| {
            self.value(name) == remembered(name, fields.get(*name).unwrap_or(&Value::Null))
        })
    }

    /// Whether a task still has what the plan said in these fields.
    pub(super) fn stands(
        &self,
        group: &[&str],
        task: &Task,
        acting: impl Fn(UserId) -> UserId,
    ) -> bool {
        group.iter().all(|name| {
            let said = self.value(name);
            let said = match said
                .as_str()
                .filter(|_| *name == "assignee_id")
                .and_then(|id| id.parse().ok())
            {
                Some(user) => Value::from(acting(user).uuid().hyphenated().to_string()),
                None => said,
            };
            said == remembered(name, &task.get(name).unwrap_or_default())
        })
    }

    fn value(&self, name: &str) -> Value {
        self.fields.get(name).cloned().unwrap_or_default()
    }
}
