//! Merges two tasks that are the same work: one remains and the other is deleted.
//!
//! The remaining task keeps its title, status, position, and start and completion times. It takes a
//! missing assignee, estimate or description from the other task; if both have a description, it
//! keeps both, one below the other. Spent minutes are added. The earlier due date, the later
//! `not_before`, and the higher priority and importance win; tags are combined. The other task's
//! children move below the remaining task. Its links (including those from other projects) and
//! covered requirements are copied to the remaining task, except self-links and duplicates. If this
//! would create a cycle, the whole merge is refused.

use crate::domain::id::{EntityId, PatchSetId, TaskId, derived};
use crate::domain::link::LinkKind;
use crate::domain::patch::{Op, Patch};
use crate::domain::record::{Entity, Record};
use crate::domain::state::State;
use crate::domain::task::Task;
use crate::domain::value::{FieldValue, LongText, Tags};
use crate::domain::violation::{Rule, Violation};

/// Returns the patches that merge `gone` into `kept`, both live tasks of one project. `state` must
/// include every project with a link to either task.
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
        let is_stated = |from: TaskId, to: TaskId| {
            let own = state.task(from).and_then(|task| state.project(task.project_id));
            own.is_some_and(|own| own.links_between(from, to).any(|own| own.kind == link.kind))
        };
        // A `Relates` link is symmetric: either direction counts as a duplicate.
        let is_stated =
            is_stated(from, to) || (link.kind == LinkKind::Relates && is_stated(to, from));
        if other == kept.id || is_stated {
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
    for answer in project.coverage_of(gone.id.uuid()) {
        if project
            .coverage_of(kept.id.uuid())
            .any(|own| own.requirement_id == answer.requirement_id)
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

/// Returns the update of the remaining task, which expects the replaced values; `None` if nothing
/// changes.
fn joined_fields(kept: &Task, gone: &Task) -> Result<Option<Patch>, Violation> {
    let mut joined = kept.clone();
    joined.description = match (&kept.description, &gone.description) {
        (Some(own), Some(other)) if own != other => {
            let text = LongText::new(&format!("{own}\n\n{other}"));
            Some(text.map_err(|invalid| {
                Violation::new(0, Rule::Value, format!("the joined description {invalid}"))
            })?)
        }
        (own, other) => own.clone().or_else(|| other.clone()),
    };
    joined.assignee_id = kept.assignee_id.or(gone.assignee_id);
    if kept.estimate_likely.is_none() && !kept.is_milestone() {
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
    let (before, after) = joined.diff(kept);
    let mut update = Patch::new(Op::Update, Entity::Task, kept.id.uuid(), None);
    (update.fields, update.expect) = (after, before);
    Ok((!update.fields.is_empty()).then_some(update))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::domain::value::Kind;

    /// Fields that the remaining task keeps. From every other field, it takes the other task's value
    /// if it has none.
    const STAYING: &[&str] = &[
        "project_id",
        "parent_id",
        "title",
        "kind",
        "status",
        "source",
        "source_line",
        "source_end_line",
        "metadata",
    ];

    #[test]
    fn every_field_that_an_author_writes_is_joined_or_stays() {
        let kept = Task::empty(TaskId::of(Uuid::from_u128(1)));
        let mut gone = Task::empty(TaskId::of(Uuid::from_u128(2)));
        let written = Task::FIELDS.iter().filter(|field| field.access.is_authored());
        let names: Vec<&str> = written.clone().map(|field| field.name).collect();
        for field in written {
            let value = match field.kind {
                Kind::Text { .. } | Kind::String { .. } => json!("x"),
                Kind::Enum(words) => json!(words[words.len() - 1]),
                Kind::Integer { .. } => json!(1),
                Kind::Date => json!("2026-09-21"),
                Kind::Instant => json!("2026-09-21T12:00:00Z"),
                Kind::Id(_) => json!(Uuid::from_u128(3)),
                Kind::StringList { .. } => json!(["x"]),
                Kind::Object { .. } => json!({"x": 1}),
            };
            gone.set(field.name, &value).unwrap();
        }
        let update = joined_fields(&kept, &gone).unwrap().unwrap();
        for name in &names {
            let is_joined = update.fields.contains_key(*name);
            assert_ne!(is_joined, STAYING.contains(name), "{name} is in no list or in both");
        }
        assert!(STAYING.iter().all(|name| names.contains(name)));
    }
}
