//! Where the merge base is stored: the key `plan` in the metadata of tasks and of the project. What
//! the last description stated is not stored; it comes from the plan of that description.
//!
//! Only this file knows the place and the form of the stored values.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::merge_base::{GROUPS, MergeBase, TaskBase, normal};
use crate::domain::project::Project;
use crate::domain::record::Fields;
use crate::domain::state::ProjectState;
use crate::domain::task::Task;
use crate::domain::value::{FieldValue, Metadata};
use crate::planning::plan::{Plan, Progress, fitting_title};

/// Maximum number of remembered links per task; any further link counts as a person's.
const MAX_REMEMBERED: usize = 500;
const FIELD: &str = "metadata";
const KEY: &str = "plan";

/// Reads the merge base of a project. `previous` is the plan of its stored description.
pub(super) fn read(project: Option<&ProjectState>, previous: Option<&Plan>) -> MergeBase {
    let tasks = project.into_iter().flat_map(ProjectState::tasks);
    let mut rows: BTreeMap<(String, Option<u32>), usize> = BTreeMap::new();
    for node in previous.into_iter().flat_map(|plan| &plan.nodes) {
        let line = node.line().and_then(|line| u32::try_from(line).ok());
        *rows.entry((normal(&fitting_title(&node.title)), line)).or_default() += 1;
    }
    let requirements = previous.into_iter().flat_map(|plan| &plan.requirements);
    MergeBase {
        title: project.and_then(ProjectState::project).and_then(|project| read_title(project)),
        tasks: tasks.filter_map(|task| Some((task.id, read_task(task)?))).collect(),
        rows,
        requirements: requirements.map(|known| normal(&known.text)).collect(),
    }
}

fn read_title(project: &Project) -> Option<String> {
    Some(project.metadata.0.get(KEY)?.get("title")?.as_str()?.to_owned())
}

/// Reads the base of a task; `None` if the task was never planned.
fn read_task(task: &Task) -> Option<TaskBase> {
    let plan = task.metadata.0.get(KEY)?.as_object()?;
    let ids = |name: &str| {
        plan.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    };
    let fields = GROUPS.iter().copied().flatten();
    Some(TaskBase {
        fields: fields
            .map(|name| ((*name).to_owned(), plan.get(*name).cloned().unwrap_or_default()))
            .collect(),
        standing: match (plan.get("done"), plan.get("started")) {
            (Some(_), _) => Progress::Done,
            (None, Some(_)) => Progress::Started,
            (None, None) => Progress::Open,
        },
        parent: plan.get("parent").and_then(Value::as_str).and_then(|id| id.parse().ok()),
        after: ids("after").filter_map(|id| id.parse().ok()).collect(),
        answers: ids("answers").filter_map(|id| id.parse().ok()).collect(),
        gone: plan.get("gone").is_some(),
        cancelled: plan.get("cancelled").is_some(),
    })
}

/// Adds the base of a task to the fields that a patch sets; `task` is absent if it is new. Adds the
/// previous base if the new one does not fit.
pub(super) fn write_task(base: &TaskBase, task: Option<&Task>, fields: &mut Fields) {
    let mut plan: Map<String, Value> = base
        .fields
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let (is_done, is_started) =
        (base.standing == Progress::Done, base.standing == Progress::Started);
    for (name, holds) in [
        ("done", is_done),
        ("started", is_started),
        ("gone", base.gone),
        ("cancelled", base.cancelled),
    ] {
        if holds {
            plan.insert(name.to_owned(), Value::Bool(true));
        }
    }
    if let Some(parent) = base.parent {
        plan.insert("parent".to_owned(), parent.json());
    }
    let after: Vec<Value> = base.after.iter().take(MAX_REMEMBERED).map(FieldValue::json).collect();
    let answers: Vec<Value> =
        base.answers.iter().take(MAX_REMEMBERED).map(FieldValue::json).collect();
    for (name, ids) in [("after", after), ("answers", answers)] {
        if !ids.is_empty() {
            plan.insert(name.to_owned(), Value::Array(ids));
        }
    }
    let old = task.map(|task| task.metadata.clone()).unwrap_or_default();
    let mut new = old.clone();
    new.0.insert(KEY.to_owned(), Value::Object(plan));
    let fitting = if Metadata::read(&new.json()).is_ok() { new } else { old };
    fields.insert(FIELD.to_owned(), fitting.json());
}

/// Adds the planned name of a project to the fields that a patch sets; `project` is absent if it is
/// new.
pub(super) fn write_title(title: &str, project: Option<&Project>, fields: &mut Fields) {
    let mut metadata = project.map(|project| project.metadata.clone()).unwrap_or_default();
    metadata.0.insert(KEY.to_owned(), json!({ "title": title }));
    fields.insert(FIELD.to_owned(), metadata.json());
}

/// Whether a field stores the base and a person's data side by side. `holds_more` distinguishes them.
pub(super) fn is_shared(field: &str) -> bool {
    field == FIELD
}

/// Whether the field with the base of a task also holds data of a person.
pub(super) fn holds_more(task: &Task) -> bool {
    task.metadata.0.len() > 1
}
