//! Merging two tasks that are the same work: one stays, the other ends in it.
//!
//! What wins: the title, status and place of the one that stays, and when it was started and completed. What it lacks
//! it takes from the other: assignee, estimate, description (both are kept, one below the other). Spent minutes add up.
//! The earlier due date, the later `not_before`, the higher priority and importance hold; tags are joined. Children move
//! below the one that stays; its links (also those from other projects) and answered requirements become the other's too,
//! except where that would link it to itself or say a thing twice. A circle that comes of it is refused with the whole merge.

use crate::domain::id::{EntityId, PatchSetId, TaskId, derived};
use crate::domain::link::LinkKind;
use crate::domain::patch::{Op, Patch};
use crate::domain::record::{Entity, Record};
use crate::domain::state::State;
use crate::domain::task::Task;
use crate::domain::value::{FieldValue, LongText, Tags};
use crate::domain::violation::{Rule, Violation};

/// The patches that merge `gone` into `kept`, both living tasks of one project. The projects with links that lead to them
/// must be in `state`.
pub fn merge(
    state: &State,
    kept: &Task,
    gone: &Task,
    set: PatchSetId,
) -> Result<Vec<Patch>, Violation> {
    let refuse = |message: String| Err(Violation::new(0, Rule::Operation, message));
    if kept.id == gone.id {
        return refuse(format!("{} cannot be merged into itself", kept.key));
    }
    if kept.project_id != gone.project_id {
        return refuse(format!(
            "{} and {} are in different projects; move one first",
            kept.key, gone.key
        ));
    }
    let Some(project) = state.project(kept.project_id) else {
        return refuse(format!("the project of {} is not there", kept.key));
    };
    if project.is_within(kept.id, gone.id) {
        return refuse(format!(
            "{} stands below {}; merge the other way round",
            kept.key, gone.key
        ));
    }
    let task = |op, id: TaskId| Patch::new(op, Entity::Task, id.uuid(), Some(kept.project_id));
    let mut patches = Vec::new();
    patches.extend(joined_fields(kept, gone)?.map(|update| Patch {
        id: kept.id.uuid(),
        project: Some(kept.project_id),
        ..update
    }));
    for child in project.children(Some(gone.id)).filter(|child| child.is_live()) {
        patches.push(task(Op::Move, child.id).with("parent_id", kept.id.json()));
    }
    let from_elsewhere = state
        .links_to(gone.id)
        .filter(|link| link.project_id != gone.project_id && link.deleted_at.is_none());
    for link in project.links_at(gone.id).chain(from_elsewhere) {
        let other = if link.from_id == gone.id { link.to_id } else { link.from_id };
        let (from, to) =
            if link.from_id == gone.id { (kept.id, link.to_id) } else { (link.from_id, kept.id) };
        let is_said = |from: TaskId, to: TaskId| {
            let own = state.task(from).and_then(|task| state.project(task.project_id));
            own.is_some_and(|own| own.links_between(from, to).any(|own| own.kind == link.kind))
        };
        // Two tasks relate to each other whichever of them the link starts from.
        let is_said = is_said(from, to) || (link.kind == LinkKind::Relates && is_said(to, from));
        if other == kept.id || is_said {
            continue;
        }
        let id = derived(set, &format!("link {}", link.id));
        let mut patch = Patch::new(Op::Link, Entity::TaskLink, id, Some(link.project_id))
            .with("from_id", from.json())
            .with("to_id", to.json())
            .with("kind", link.kind.json());
        if link.kind == LinkKind::DependsOn {
            patch = patch
                .with("dependency", link.dependency.json())
                .with("lag_minutes", link.lag_minutes.get());
        }
        patches.push(patch);
    }
    for answer in project.answers_at(gone.id.uuid()) {
        if project.answers_at(kept.id.uuid()).any(|own| own.requirement_id == answer.requirement_id)
        {
            continue;
        }
        let id = derived(set, &format!("answer {}", answer.id));
        let patch = Patch::new(Op::Link, Entity::TaskRequirement, id, Some(kept.project_id));
        patches.push(
            patch
                .with("task_id", kept.id.json())
                .with("requirement_id", answer.requirement_id.json()),
        );
    }
    patches.push(task(Op::Delete, gone.id).expecting("updated_at", gone.updated_at.json()));
    Ok(patches)
}

/// The update of the one that stays, expecting what it was made from; `None` where it lacks nothing.
fn joined_fields(kept: &Task, gone: &Task) -> Result<Option<Patch>, Violation> {
    let mut joined = kept.clone();
    joined.description = match (&kept.description, &gone.description) {
        (Some(own), Some(other)) if own != other => {
            let text = LongText::new(&format!("{own}\n\n{other}"));
            Some(text.map_err(|misfit| {
                Violation::new(0, Rule::Value, format!("the joined description {misfit}"))
            })?)
        }
        (own, other) => own.clone().or_else(|| other.clone()),
    };
    joined.assignee_id = kept.assignee_id.or(gone.assignee_id);
    if kept.estimate_likely.is_none() {
        (joined.estimate_low, joined.estimate_likely, joined.estimate_high) =
            (gone.estimate_low, gone.estimate_likely, gone.estimate_high);
    }
    joined.actual_minutes = match (kept.actual_minutes, gone.actual_minutes) {
        (Some(own), Some(other)) => Some(own.saturating_add(other)),
        (own, other) => own.or(other),
    };
    joined.due_date = [kept.due_date, gone.due_date].into_iter().flatten().min();
    joined.not_before = [kept.not_before, gone.not_before].into_iter().flatten().max();
    joined.sla_due = [kept.sla_due, gone.sla_due].into_iter().flatten().min();
    joined.priority = kept.priority.max(gone.priority);
    joined.importance = kept.importance.max(gone.importance);
    let mut tags = kept.tags.0.clone();
    tags.extend(gone.tags.0.iter().filter(|tag| !kept.tags.0.contains(tag)).cloned());
    joined.tags = Tags(tags);
    let (before, after) = joined.touched(kept);
    let mut update = Patch::new(Op::Update, Entity::Task, kept.id.uuid(), None);
    (update.fields, update.expect) = (after, before);
    Ok((!update.fields.is_empty()).then_some(update))
}
