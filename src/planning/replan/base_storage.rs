//! Where the merge base is stored: the field `plan_base` of the project, its tasks and its
//! requirements. Together they tell a re-plan all that the last plan stated, so that the last
//! description is not planned again.
//!
//! Only this file knows the form of the stored values.

use serde_json::{Map, Value, json};

use super::format_1;
use super::merge_base::{GROUPS, MergeBase, RequirementBase, TaskBase};
use crate::domain::project::Project;
use crate::domain::record::Fields;
use crate::domain::requirement::Requirement;
use crate::domain::state::ProjectState;
use crate::domain::task::Task;
use crate::domain::value::FieldValue;
use crate::planning::plan::{Plan, Progress};

/// Maximum number of remembered links per task; any further link counts as a person's.
const MAX_REMEMBERED: usize = 500;
pub(super) const FIELD: &str = "plan_base";
/// Key of the project's base that shows that every record of the project has its base.
const COMPLETE: &str = "complete";

/// Reads the merge base of a project. `previous` is the plan of its stored description, which
/// matters only if [`needs_previous`].
pub(super) fn read(project: Option<&ProjectState>, previous: Option<&Plan>) -> MergeBase {
    let Some(project) = project else {
        return MergeBase { is_complete: true, ..MergeBase::default() };
    };
    let tasks = project.tasks().filter_map(|task| Some((task.id, read_task(task)?)));
    let requirements = project
        .requirements()
        .filter_map(|requirement| Some((requirement.id, read_requirement(requirement)?)));
    let record = project.project();
    let mut base = MergeBase {
        title: record.and_then(|record| read_title(record)),
        tasks: tasks.collect(),
        requirements: requirements.collect(),
        is_complete: record.is_none_or(|record| !needs_previous(record)),
    };
    if !base.is_complete {
        format_1::complete(&mut base, project, previous);
    }
    base
}

/// Whether the records of a project lack a part of the merge base, because the project was last
/// planned in format 1. A re-plan then also needs the plan of the stored description.
pub fn needs_previous(project: &Project) -> bool {
    project.plan_base.as_ref().is_none_or(|base| !base.0.contains_key(COMPLETE))
}

fn read_title(project: &Project) -> Option<String> {
    Some(project.plan_base.as_ref()?.0.get("title")?.as_str()?.to_owned())
}

/// Reads the base of a task; `None` if the task was never planned.
fn read_task(task: &Task) -> Option<TaskBase> {
    let plan = &task.plan_base.as_ref()?.0;
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

fn read_requirement(requirement: &Requirement) -> Option<RequirementBase> {
    let plan = &requirement.plan_base.as_ref()?.0;
    let digest = plan.get("text")?.as_str()?.to_owned();
    Some(RequirementBase { digest, gone: plan.contains_key("gone") })
}

/// Adds the base of a task to the fields that a patch sets.
pub(super) fn write_task(base: &TaskBase, fields: &mut Fields) {
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
    fields.insert(FIELD.to_owned(), Value::Object(plan));
}

/// Adds the base of a requirement to the fields that a patch sets.
pub(super) fn write_requirement(base: &RequirementBase, fields: &mut Fields) {
    let mut plan = Map::from_iter([("text".to_owned(), Value::from(base.digest.as_str()))]);
    if base.gone {
        plan.insert("gone".to_owned(), Value::Bool(true));
    }
    fields.insert(FIELD.to_owned(), Value::Object(plan));
}

/// Adds the base of a project, its planned name, to the fields that a patch sets. The same set
/// writes the base of every other record of the project.
pub(super) fn write_project(title: &str, fields: &mut Fields) {
    fields.insert(FIELD.to_owned(), json!({ "title": title, COMPLETE: true }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{EntityId, TaskId};
    use crate::domain::record::Record;
    use crate::domain::value::Metadata;
    use uuid::Uuid;

    #[test]
    fn a_base_is_read_as_it_was_written_and_fits_its_field() {
        let id = |number: u128| TaskId::of(Uuid::from_u128(number));
        let fields = GROUPS.iter().copied().flatten();
        let base = TaskBase {
            fields: fields
                .map(|name| ((*name).to_owned(), Value::from("\u{1F600}".repeat(500))))
                .collect(),
            standing: Progress::Started,
            parent: Some(id(1)),
            after: (0..500).map(id).collect(),
            answers: (0..500).map(|number| EntityId::of(Uuid::from_u128(number))).collect(),
            gone: true,
            cancelled: true,
        };
        let mut written = Fields::new();
        write_task(&base, &mut written);
        let mut task = Task::empty(id(9));
        task.set(FIELD, &written[FIELD]).unwrap();
        assert_eq!(read_task(&task), Some(base));
        assert_eq!(read_task(&Task::empty(id(9))), None);
        assert!(Metadata::read(&written[FIELD]).is_ok());
    }
}
