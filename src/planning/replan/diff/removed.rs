//! Tasks whose statement was removed: deleted, cancelled, or kept without line numbers.

use std::collections::BTreeSet;

use serde_json::Value;

use super::change::{Change, Diff, fields};
use crate::domain::id::{EntityId, TaskId};
use crate::domain::record::{Entity, Fields, Record};
use crate::domain::state::ProjectState;
use crate::domain::task::TaskStatus;
use crate::domain::value::FieldValue;
use crate::planning::replan::base_storage;
use crate::planning::replan::context::Context;
use crate::planning::replan::desired::Desired;
use crate::planning::replan::desired::removed::Resolution;
use crate::planning::replan::matching::{ExistingTask, Matched};
use crate::planning::replan::merge_base::{MergeBase, TaskBase};
use crate::planning::replan::report::{FieldChange, Mark};
use crate::planning::replan::task_fields::expected_by_delete;

pub fn tasks(matched: &Matched<'_>, desired: &Desired<'_>, diff: &mut Diff) {
    for removed in &desired.removed.tasks {
        let Some(known) = matched.planned(removed.task) else { continue };
        let task = known.task;
        let (status, reason) = match &removed.resolution {
            Resolution::Deleted => {
                delete(known, desired, diff);
                continue;
            }
            // Reported only once; the base records it.
            Resolution::Stays(_) if known.base.gone && task.source_line.is_none() => continue,
            Resolution::Stays(reason) => (None, reason.as_str()),
            Resolution::Cancelled => (Some(TaskStatus::Cancelled), ""),
        };
        let base = TaskBase { gone: true, cancelled: status.is_some(), ..known.base.clone() };
        let mut fields = fields([("source_line", Value::Null), ("source_end_line", Value::Null)]);
        base_storage::write_task(&base, &mut fields);
        fields.extend(status.map(|status| ("status".to_owned(), status.json())));
        diff.changes.extend(Change::update(task, fields));
        let mark = if status.is_some() { Mark::Changed } else { Mark::Kept };
        let item = diff.report.push(mark, Entity::Task, task.id.uuid(), task.title.as_str());
        match status {
            Some(status) => {
                item.changes = vec![FieldChange {
                    field: "status".to_owned(),
                    from: task.status.json(),
                    to: status.json(),
                }];
            }
            None => {
                item.because(format!("no longer in the description; {reason}"));
            }
        }
    }
}

/// Marks the deleted tasks that the description does not state. A statement that returns then gets a
/// new task.
pub fn forgotten(context: &Context<'_>, base: &MergeBase, matched: &Matched<'_>, diff: &mut Diff) {
    let stated = matched.of_row.iter().flatten().map(|index| matched.tasks[*index].task.id);
    let stated: BTreeSet<TaskId> = stated.collect();
    let deleted = context.project.into_iter().flat_map(ProjectState::tasks);
    for task in deleted.filter(|task| !task.is_live() && !stated.contains(&task.id)) {
        let known = base.tasks.get(&task.id);
        let Some(known) = known.filter(|known| !(known.gone && base.is_complete)) else { continue };
        let mut fields = Fields::new();
        base_storage::write_task(&TaskBase { gone: true, ..known.clone() }, &mut fields);
        diff.changes.extend(Change::update(task.as_ref(), fields));
    }
}

fn delete(known: &ExistingTask<'_>, desired: &Desired<'_>, diff: &mut Diff) {
    let task = known.task;
    let (entity, id) = (Entity::Task, task.id.uuid());
    let item = diff.report.push(Mark::Gone, entity, id, task.title.as_str());
    item.because("no longer in the description");
    let mut after = Fields::new();
    base_storage::write_task(&TaskBase { gone: true, ..known.base.clone() }, &mut after);
    let before = expected_by_delete().chain([base_storage::FIELD]);
    let before =
        before.map(|field| (field.to_owned(), task.get(field).unwrap_or_default())).collect();
    diff.changes.push(Change::Update { entity, id, before, after });
    // A delete includes all descendants.
    if !task.parent_id.is_some_and(|parent| desired.removed.deleted.contains(&parent)) {
        diff.changes.push(Change::Delete { entity, id });
    }
}
