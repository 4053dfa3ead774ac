//! Tasks whose statement was removed: deleted, cancelled, or kept without line numbers.

use serde_json::Value;

use super::change::{Change, Diff, fields};
use crate::domain::id::EntityId;
use crate::domain::record::{Entity, Record};
use crate::domain::task::{Task, TaskStatus};
use crate::domain::value::FieldValue;
use crate::planning::replan::base_storage;
use crate::planning::replan::desired::Desired;
use crate::planning::replan::desired::removed::Resolution;
use crate::planning::replan::matching::Matched;
use crate::planning::replan::merge_base::TaskBase;
use crate::planning::replan::report::{FieldChange, Mark};
use crate::planning::replan::task_fields::expected_by_delete;

pub fn tasks(matched: &Matched<'_>, desired: &Desired<'_>, diff: &mut Diff) {
    for removed in &desired.removed.tasks {
        let Some(known) = matched.planned(removed.task) else { continue };
        let task = known.task;
        let (status, reason) = match &removed.resolution {
            Resolution::Deleted => {
                delete(task, desired, diff);
                continue;
            }
            // Reported only once; the base records it.
            Resolution::Stays(_) if known.base.gone => continue,
            Resolution::Stays(reason) => (None, reason.as_str()),
            Resolution::Cancelled => (Some(TaskStatus::Cancelled), ""),
        };
        let base = TaskBase { gone: true, cancelled: status.is_some(), ..known.base.clone() };
        let mut fields = fields([("source_line", Value::Null), ("source_end_line", Value::Null)]);
        base_storage::write_task(&base, Some(task), &mut fields);
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

fn delete(task: &Task, desired: &Desired<'_>, diff: &mut Diff) {
    let (entity, id) = (Entity::Task, task.id.uuid());
    let item = diff.report.push(Mark::Gone, entity, id, task.title.as_str());
    item.because("no longer in the description");
    // A delete includes all descendants.
    if task.parent_id.is_some_and(|parent| desired.removed.deleted.contains(&parent)) {
        return;
    }
    let expected = expected_by_delete()
        .map(|field| (field.to_owned(), task.get(field).unwrap_or_default()))
        .collect();
    diff.changes.push(Change::Delete { entity, id, expected });
}
