//! The fields of a task that an author may write, by their meaning for a re-plan. Every field of the
//! record's declaration belongs to one of the lists, also a new one.

use super::merge_base::GROUPS;
use crate::domain::record::Record;
use crate::domain::task::Task;

/// Fields with a rule of their own in `removed`.
const WITH_OWN_RULE: &[&str] = &["parent_id", "status", "actual_minutes"];
/// Fields that follow the text and say nothing about people.
const PLACE: &[&str] = &["project_id", "source", "source_line", "source_end_line"];

/// Returns the fields that no description states, so that only people set them.
fn only_by_hand() -> impl Iterator<Item = &'static str> {
    let written = Task::FIELDS.iter().filter(|field| field.access.is_authored());
    written.map(|field| field.name).filter(|name| {
        !GROUPS.iter().any(|group| group.contains(name))
            && !WITH_OWN_RULE.contains(name)
            && !PLACE.contains(name)
    })
}

/// Whether a person set a field that no description states.
pub(super) fn is_set_by_hand(task: &Task) -> bool {
    let new = Task::empty(task.id);
    only_by_hand().any(|name| task.get(name) != new.get(name))
}

/// Returns the fields that show whether somebody touched a task; a delete expects their values.
pub(super) fn expected_by_delete() -> impl Iterator<Item = &'static str> {
    let stated = GROUPS.iter().copied().flatten();
    WITH_OWN_RULE.iter().chain(stated).copied().chain(only_by_hand())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_in_no_list_counts_as_set_by_hand() {
        assert_eq!(
            only_by_hand().collect::<Vec<_>>(),
            ["importance", "sla_due", "tags", "metadata"]
        );
        let mut expected: Vec<&str> = expected_by_delete().collect();
        expected.sort_unstable();
        let known = [
            "actual_minutes",
            "assignee_id",
            "description",
            "due_date",
            "estimate_high",
            "estimate_likely",
            "estimate_low",
            "importance",
            "kind",
            "metadata",
            "not_before",
            "parent_id",
            "priority",
            "sla_due",
            "status",
            "tags",
            "title",
        ];
        assert_eq!(expected, known);
    }
}
