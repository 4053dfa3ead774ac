//! Splits a task into parts. The task remains and the parts become its children. Its links,
//! requirements and history keep their meaning, and the parts share its estimate. Spent time stays
//! with the task.

use crate::domain::id::{EntityId, PatchSetId, derived};
use crate::domain::patch::{Op, Patch};
use crate::domain::record::{Entity, Record};
use crate::domain::task::Task;
use crate::domain::time::Minutes;
use crate::domain::value::{FieldValue, Title};
use crate::domain::violation::{Rule, Violation};

/// A part of a task, with its likely effort if the author stated one.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub title: Title,
    pub estimate: Option<Minutes>,
}

/// Fields that each part takes from the task.
const INHERITED: &[&str] = &["priority", "assignee_id", "due_date"];
/// Fields that the parts without a stated effort share.
const SHARED: &[&str] = &["estimate_low", "estimate_likely", "estimate_high"];

/// Returns the patches that split `task`. Parts without an effort share the remaining estimate of
/// the task.
pub fn split(task: &Task, parts: &[Part], set: PatchSetId) -> Result<Vec<Patch>, Violation> {
    if parts.len() < 2 {
        return Err(Violation::new(
            0,
            Rule::Operation,
            format!("{} is split into two parts or more", task.key),
        ));
    }
    let stated = parts
        .iter()
        .filter_map(|part| part.estimate)
        .fold(Minutes::default(), Minutes::saturating_add);
    let open = parts.iter().filter(|part| part.estimate.is_none()).count() as u32;
    let mut patches = Vec::new();
    let mut shared = 0;
    for (index, part) in parts.iter().enumerate() {
        let id = derived(set, &format!("part {index}"));
        let mut patch = Patch::new(Op::Create, Entity::Task, id, Some(task.project_id))
            .with("project_id", task.project_id.json())
            .with("parent_id", task.id.json())
            .with("title", part.title.json());
        for field in INHERITED {
            if let Some(inherited) = task.get(field).filter(|value| !value.is_null()) {
                patch = patch.with(field, inherited);
            }
        }
        if let Some(estimate) = part.estimate {
            patch = patch.with("estimate_likely", estimate.json());
        } else {
            for field in SHARED {
                let whole = task.get(field).and_then(|value| Minutes::read(&value).ok());
                if let Some(whole) = whole {
                    let left = whole.saturating_sub(stated).get();
                    patch = patch.with(field, share_of(left, open, shared));
                }
            }
            shared += 1;
        }
        patches.push(patch);
    }
    let mut guard = Patch::new(Op::Update, Entity::Task, task.id.uuid(), Some(task.project_id))
        .with("title", task.title.json());
    for (field, value) in
        [("estimate_likely", task.estimate_likely.json()), ("assignee_id", task.assignee_id.json())]
    {
        guard = guard.expecting(field, value);
    }
    patches.insert(0, guard);
    Ok(patches)
}

/// Returns the `index`th of `count` shares, which add up to `whole`.
fn share_of(whole: u32, count: u32, index: u32) -> u32 {
    let count = count.max(1);
    whole / count + u32::from(index < whole % count)
}

#[cfg(test)]
mod tests {
    use super::{INHERITED, SHARED, share_of};
    use crate::domain::record::Record;
    use crate::domain::task::Task;

    /// Fields that say something about the whole task, or that a part has of its own.
    const NOT_PASSED_ON: &[&str] = &[
        "project_id",
        "parent_id",
        "title",
        "kind",
        "description",
        "status",
        "not_before",
        "actual_minutes",
        "importance",
        "sla_due",
        "tags",
        "source",
        "source_line",
        "source_end_line",
        "metadata",
    ];

    #[test]
    fn every_field_that_an_author_writes_is_in_one_list() {
        for field in Task::FIELDS.iter().filter(|field| field.access.is_authored()) {
            let lists = [INHERITED, SHARED, NOT_PASSED_ON];
            let found = lists.iter().filter(|list| list.contains(&field.name)).count();
            assert_eq!(found, 1, "{}", field.name);
        }
    }

    #[test]
    fn shares_add_up_to_the_whole() {
        for (whole, count) in [(480, 3), (100, 7), (5, 8), (0, 2)] {
            assert_eq!((0..count).map(|index| share_of(whole, count, index)).sum::<u32>(), whole);
        }
    }
}
