//! Dependencies, and the links from tasks to requirements.

use super::change::{Change, Diff, fields};
use crate::domain::id::{EntityId, RequirementId, TaskId};
use crate::domain::link::LinkKind;
use crate::domain::record::{Entity, Fields};
use crate::domain::state::ProjectState;
use crate::domain::value::FieldValue;
use crate::planning::plan::fitting_title;
use crate::planning::replan::context::Context;
use crate::planning::replan::desired::Desired;
use crate::planning::replan::matching::Matched;
use crate::planning::replan::report::Mark;

/// Reports the dependencies that stay because a person edited them.
pub fn kept(context: &Context<'_>, desired: &Desired<'_>, diff: &mut Diff) {
    for link in &desired.links.stale.kept {
        let title = title(context, desired, link.from_id, link.to_id);
        diff.report
            .push(Mark::Kept, Entity::TaskLink, link.id.uuid(), &title)
            .between(link.from_id, link.to_id)
            .because("no longer in the description; it was edited since it was planned");
    }
}

/// Removes and creates dependencies.
pub fn links(context: &Context<'_>, desired: &Desired<'_>, diff: &mut Diff) {
    let entity = Entity::TaskLink;
    let is_deleted = |task: TaskId| desired.removed.deleted.contains(&task);
    for link in &desired.links.stale.removed {
        // Deleting a task also removes its links.
        if is_deleted(link.from_id) || is_deleted(link.to_id) {
            continue;
        }
        let title = title(context, desired, link.from_id, link.to_id);
        diff.report
            .push(Mark::Gone, entity, link.id.uuid(), &title)
            .between(link.from_id, link.to_id)
            .because("no longer in the description");
        let expected = fields([
            ("dependency", link.dependency.json()),
            ("lag_minutes", link.lag_minutes.get().into()),
        ]);
        diff.changes.push(Change::Unlink { entity, id: link.id.uuid(), expected });
    }
    for (from, to) in &desired.links.missing {
        let id = context.new_id(&format!("link {from} {to}"));
        let title = title(context, desired, *from, *to);
        if desired.links.left_out.contains(&(*from, *to)) {
            let item = diff.report.push(Mark::LeftOut, entity, id, &title).between(*from, *to);
            item.because("it would close a circle with a dependency made by hand");
            continue;
        }
        diff.report.push(Mark::New, entity, id, &title).between(*from, *to);
        let fields = fields([
            ("from_id", from.json()),
            ("to_id", to.json()),
            ("kind", LinkKind::DependsOn.json()),
        ]);
        diff.changes.push(Change::Link { entity, id, fields });
    }
}

/// Updates the links between tasks and requirements.
pub fn coverage(
    context: &Context<'_>,
    matched: &Matched<'_>,
    desired: &Desired<'_>,
    diff: &mut Diff,
) {
    let entity = Entity::TaskRequirement;
    for (row, task) in desired.rows.tasks().enumerate() {
        let Some(task) = task else { continue };
        let wanted = &desired.covers[row];
        let old: &[RequirementId] =
            matched.live(row).map(|known| known.base.answers.as_slice()).unwrap_or_default();
        let is_ended = |id: &RequirementId| {
            old.contains(id) && !wanted.contains(id) && !desired.requirements.ended.contains(id)
        };
        for cover in
            context.project.into_iter().flat_map(|project| project.coverage_of(task.uuid()))
        {
            if is_ended(&cover.requirement_id) {
                let expected = Fields::new();
                diff.changes.push(Change::Unlink { entity, id: cover.id.uuid(), expected });
            }
        }
        for requirement in wanted {
            if old.contains(requirement) || is_covered(context.project, task, *requirement) {
                continue;
            }
            let id = context.new_id(&format!("answer {task} {requirement}"));
            let fields = fields([("task_id", task.json()), ("requirement_id", requirement.json())]);
            diff.changes.push(Change::Link { entity, id, fields });
        }
    }
}

/// Whether a task is linked to a requirement.
pub fn is_covered(
    project: Option<&ProjectState>,
    task: TaskId,
    requirement: RequirementId,
) -> bool {
    let mut covers = project.into_iter().flat_map(|project| project.coverage_of(task.uuid()));
    covers.any(|cover| cover.requirement_id == requirement)
}

fn title(context: &Context<'_>, desired: &Desired<'_>, from: TaskId, to: TaskId) -> String {
    let title = |id: TaskId| {
        let known = context.project.and_then(|project| project.task(id));
        let planned = || {
            let row = desired.rows.tasks().position(|task| task == Some(id))?;
            Some(fitting_title(&context.plan().nodes[row].title))
        };
        known.map(|task| task.title.to_string()).or_else(planned).unwrap_or_default()
    };
    format!("{:?} waits for {:?}", title(from), title(to))
}
