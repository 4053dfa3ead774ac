use lakeplan::domain::apply::Rejection;
use rstest::rstest;
use serde_json::{Value, json};

use super::Fixture;

/// Stamps, which an undo does not revert.
pub const QUIET: [&str; 7] = [
    "updated_at",
    "updated_by",
    "last_progress_at",
    "deleted_at",
    "deleted_by",
    "deleted_in",
    "left_number",
];

/// Returns the content of the state without the stamps.
fn content(fixture: &Fixture) -> Vec<String> {
    let living = fixture.state.records().filter(|record| record.is_live());
    living
        .map(|record| {
            let mut fields = record.to_fields();
            fields.retain(|field, _| !QUIET.contains(&field.as_str()));
            format!("{:?} {}", record.record_key(), Value::Object(fields))
        })
        .collect()
}

#[rstest]
#[case::changed_fields(json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "x", "due_date": "2026-12-01"}}]))]
#[case::a_created_branch(json!([{"op": "create", "entity": "task", "id": "$a", "fields": {"project_id": "PAY", "title": "n"}},
        {"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": "m", "parent_id": "$a"}},
        {"op": "update", "entity": "task", "id": "$a", "fields": {"status": "review"}}]))]
#[case::a_deleted_branch(json!([{"op": "delete", "entity": "task", "id": "PAY-1"}]))]
#[case::two_deleted_tasks(json!([{"op": "delete", "entity": "task", "id": "PAY-2"}, {"op": "delete", "entity": "task", "id": "PAY-4"}]))]
#[case::a_move_below_another_task(json!([{"op": "move", "entity": "task", "id": "PAY-3", "fields": {"parent_id": "PAY-4"}}]))]
#[case::a_move_to_the_front(json!([{"op": "move", "entity": "task", "id": "PAY-3", "place": "first"}]))]
#[case::a_move_of_a_top_task(json!([{"op": "move", "entity": "task", "id": "PAY-4", "place": "first"}]))]
#[case::a_link(json!([{"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-3", "to_id": "PAY-4"}}]))]
#[case::an_unlink(json!([{"op": "unlink", "entity": "task_link", "fields": {"from_id": "PAY-2", "to_id": "PAY-4"}}]))]
#[case::a_move_to_another_project(json!([{"op": "move", "entity": "task", "id": "PAY-5", "fields": {"project_id": "OTH"}}]))]
#[case::a_deleted_project(json!([{"op": "delete", "entity": "project", "id": "PAY"}]))]
#[case::a_restored_task(json!([{"op": "restore", "entity": "task", "id": "PAY-7"}]))]
// Like a user merge, and with its parts in other orders.
#[case::a_user_merge(json!([{"op": "update", "entity": "user", "id": "ana", "fields": {"merged_into": "bo"}},
        {"op": "update", "entity": "task", "id": "PAY-1", "fields": {"assignee_id": "bo"}},
        {"op": "update", "entity": "project", "id": "PAY", "fields": {"owner": "bo"}},
        {"op": "delete", "entity": "user", "id": "ana"}]))]
#[case::a_user_merge_in_another_order(json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"assignee_id": "bo"}},
        {"op": "update", "entity": "user", "id": "ana", "fields": {"merged_into": "bo"}},
        {"op": "delete", "entity": "user", "id": "ana"},
        {"op": "create", "entity": "user", "id": "$c", "fields": {"handle": "ana"}},
        {"op": "update", "entity": "task", "id": "PAY-4", "fields": {"assignee_id": "$c"}}]))]
fn every_set_can_be_undone(#[case] set: Value) {
    let mut fixture =
        Fixture::with(&["a", "b below PAY-1", "c below PAY-1", "d", "e", "f below PAY-5", "g"]);
    fixture.apply(json!([
        {"op": "create", "entity": "project", "fields": {"name": "Other", "key": "OTH"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-2", "to_id": "PAY-4"}},
        {"op": "delete", "entity": "task", "id": "PAY-7"},
        {"op": "update", "entity": "task", "id": "PAY-1", "fields": {"assignee_id": "ana"}},
        {"op": "update", "entity": "project", "id": "PAY", "fields": {"owner": "ana"}},
    ]));
    let before = content(&fixture);
    fixture.apply(set.clone());
    let after = content(&fixture);
    assert_ne!(before, after, "{set} changed nothing");
    fixture.undo().unwrap_or_else(|rejection| panic!("{set}: {rejection:?}"));
    let mut undone = content(&fixture);
    // Positions may differ if siblings were renumbered. Only their order matters, which the
    // outline compares.
    let strip =
        |lines: &mut Vec<String>| lines.iter_mut().for_each(|line| *line = without_position(line));
    let mut expected = before.clone();
    strip(&mut undone);
    strip(&mut expected);
    let former = |line: &String| {
        line.replace(r#""former_keys":["OTH-1"],"#, "").replace(r#""former_keys":["OTH-2"],"#, "")
    };
    assert_eq!(undone.iter().map(former).collect::<Vec<_>>(), expected, "undo of {set}");
}

fn without_position(line: &str) -> String {
    match line.find("\"position\":") {
        None => line.to_owned(),
        Some(at) => {
            let end = line[at..].find(',').map_or(line.len(), |comma| at + comma + 1);
            format!("{}{}", &line[..at], &line[end..])
        }
    }
}

#[test]
fn an_undo_can_be_undone() {
    let mut fixture = Fixture::with(&["a"]);
    fixture.apply(
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "b"}}]),
    );
    fixture.undo().unwrap();
    assert_eq!(fixture.get("PAY-1").title.as_str(), "a");
    fixture.undo().unwrap();
    assert_eq!(fixture.get("PAY-1").title.as_str(), "b");
}

#[test]
fn an_undo_is_refused_if_the_field_changed_since() {
    let mut fixture = Fixture::with(&["a"]);
    let first = fixture.apply(
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "b"}}]),
    );
    fixture.apply(
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "c"}}]),
    );
    let patches = lakeplan::domain::invert::invert(&first, &fixture.state);
    match fixture.patches(patches) {
        Err(Rejection::Conflicted(conflict)) => {
            assert_eq!((conflict.field.as_str(), conflict.theirs), ("title", json!("c")))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_undo_keeps_later_changes_of_other_fields() {
    let mut fixture = Fixture::with(&["a"]);
    let first = fixture.apply(
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "b"}}]),
    );
    fixture.apply(
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"status": "review"}}]),
    );
    let patches = lakeplan::domain::invert::invert(&first, &fixture.state);
    fixture.patches(patches).unwrap();
    assert_eq!(
        (fixture.get("PAY-1").title.as_str(), fixture.get("PAY-1").status.as_str()),
        ("a", "review")
    );
}

#[rstest]
#[case::nothing(json!([]), None)]
#[case::a_change_of_another_task(json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "x"}}]), None)]
#[case::a_move_among_siblings(json!([{"op": "move", "entity": "task", "id": "OTH-2", "place": "first"}]), None)]
#[case::a_deleted_task(json!([{"op": "delete", "entity": "task", "id": "OTH-1"}]), None)]
#[case::a_field_that_was_absent(json!([{"op": "update", "entity": "task", "id": "OTH-2", "fields": {"status": "review"}}]), Some("status"))]
#[case::a_field_that_was_set(json!([{"op": "update", "entity": "task", "id": "OTH-1", "fields": {"due_date": null}}]), Some("due_date"))]
#[case::a_move_to_the_top(json!([{"op": "move", "entity": "task", "id": "OTH-2", "fields": {"parent_id": null}}]), Some("parent_id"))]
#[case::a_new_task_in_the_project(json!([{"op": "create", "entity": "task", "fields": {"project_id": "OTH", "title": "d"}}]), Some(""))]
#[case::a_new_task_below_a_created_one(json!([{"op": "create", "entity": "task", "fields": {"project_id": "OTH", "title": "d", "parent_id": "OTH-2"}}]), Some(""))]
fn later_changes_to_created_records_are_found(
    #[case] later: Value,
    #[case] expected: Option<&str>,
) {
    use lakeplan::domain::later::{Later, find};
    let made = |fixture: &mut Fixture| {
        fixture.apply(json!([
            {"op": "create", "entity": "project", "id": "$p", "fields": {"name": "Other", "key": "OTH"}},
            {"op": "create", "entity": "task", "id": "$a", "fields": {"project_id": "$p", "title": "a"}},
            {"op": "create", "entity": "task", "fields": {"project_id": "$p", "title": "b", "parent_id": "$a"}},
            {"op": "update", "entity": "task", "id": "$a", "fields": {"title": "c", "due_date": "2026-12-01"}},
        ]))
    };
    let mut fixture = Fixture::with(&["a"]);
    let changes = made(&mut fixture);
    if later != json!([]) {
        fixture.apply(later.clone());
    }
    let found = find(&changes, &fixture.state).map(|found| match found {
        Later::Changed { field, .. } => field,
        Later::Added { .. } => "",
    });
    assert_eq!(found, expected, "{later}");
}
