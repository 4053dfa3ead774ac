//! Later patches of a set find a record after an earlier patch moved it.

use serde_json::{Value, json};

use super::Fixture;

fn fixture() -> Fixture {
    let mut fixture = Fixture::with(&["a", "b below PAY-1", "c", "d"]);
    fixture.apply(json!([
        {"op": "create", "entity": "project", "id": "$p", "fields": {"name": "Other", "key": "OTH"}},
        {"op": "create", "entity": "project", "fields": {"name": "Third", "key": "THI"}},
        {"op": "create", "entity": "task", "fields": {"project_id": "$p", "title": "x"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-2", "to_id": "PAY-1", "kind": "relates"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-3", "to_id": "PAY-1", "kind": "relates"}},
    ]));
    fixture
}

/// Moves PAY-1 to OTH, followed by these patches.
fn move_then(patches: Value) -> Value {
    let mut all = vec![
        json!({"op": "move", "entity": "task", "id": "PAY-1", "fields": {"project_id": "OTH"}}),
    ];
    all.extend(patches.as_array().unwrap().iter().cloned());
    Value::Array(all)
}

#[test]
fn an_update_after_a_move_finds_the_task_and_its_subtasks() {
    let mut fixture = fixture();
    fixture.apply(move_then(json!([
        {"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "a2"}},
        {"op": "update", "entity": "task", "id": "PAY-2", "fields": {"title": "b2"}, "expect": {"title": "b", "key": "OTH-3"}},
    ])));
    assert_eq!(
        (fixture.get("OTH-2").title.as_str(), fixture.get("PAY-2").title.as_str()),
        ("a2", "b2")
    );
}

#[test]
fn later_patches_find_a_moved_task_as_parent_and_sibling() {
    let mut fixture = fixture();
    fixture.apply(move_then(json!([
        {"op": "create", "entity": "task", "fields": {"project_id": "OTH", "title": "n", "parent_id": "PAY-1"}, "place": {"before": "PAY-2"}},
        {"op": "create", "entity": "task", "fields": {"project_id": "OTH", "title": "m"}, "place": {"after": "PAY-1"}},
        {"op": "move", "entity": "task", "id": "PAY-1", "place": "first"},
        {"op": "move", "entity": "task", "id": "PAY-2", "fields": {"project_id": "THI"}},
        {"op": "move", "entity": "task", "id": "PAY-2", "place": "last"},
    ])));
    let other = fixture.state.project_by_key(&"OTH".parse().unwrap()).unwrap();
    let tops: Vec<&str> = other.children(None).map(|task| task.title.as_str()).collect();
    assert_eq!(tops, ["a", "x", "m"]);
    assert_eq!(other.children(Some(fixture.get("PAY-1").id)).count(), 1);
    assert_eq!(fixture.get("PAY-2").key.to_string(), "THI-1");
}

#[test]
fn links_of_a_moved_task_are_created_and_deleted() {
    let mut fixture = fixture();
    fixture.apply(move_then(json!([
        {"op": "unlink", "entity": "task_link", "fields": {"from_id": "PAY-2", "to_id": "PAY-1"}},
        {"op": "unlink", "entity": "task_link", "fields": {"from_id": "PAY-3", "to_id": "PAY-1"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-1", "to_id": "OTH-1"}},
    ])));
    let other = fixture.state.project_by_key(&"OTH".parse().unwrap()).unwrap();
    assert_eq!(
        (
            other.dependencies().count(),
            other.links().filter(|link| link.deleted_at.is_none()).count()
        ),
        (1, 1)
    );
    let rules = fixture.rules(json!([
        {"op": "move", "entity": "task", "id": "PAY-4", "fields": {"project_id": "THI"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-4", "to_id": "PAY-3"}},
    ]));
    assert_eq!(rules, ["dependency_across_projects"]);
}

#[test]
fn a_delete_after_a_move_deletes_the_subtree_and_its_links() {
    let mut fixture = fixture();
    fixture.apply(move_then(json!([{"op": "delete", "entity": "task", "id": "PAY-1"}])));
    assert!(!fixture.get("PAY-1").is_live() && !fixture.get("PAY-2").is_live());
    let live = fixture
        .state
        .projects()
        .flat_map(|project| project.links())
        .filter(|link| link.deleted_at.is_none())
        .count();
    assert_eq!(live, 0);
}

#[test]
fn an_expectation_is_checked_after_the_move() {
    let mut fixture = fixture();
    let set = crate::support::patch_set(
        &fixture.state,
        move_then(
            json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "a2"}, "expect": {"key": "PAY-1"}}]),
        ),
    );
    assert!(matches!(
        fixture.try_set(&set.unwrap()),
        Err(lakeplan::domain::apply::Rejection::Conflicted(_))
    ));
}

#[test]
fn an_undo_restores_the_order_of_siblings() {
    let mut fixture = fixture();
    let tops = |fixture: &Fixture| fixture.outline();
    let before = tops(&fixture);
    fixture.apply(json!([
        {"op": "move", "entity": "task", "id": "PAY-4", "place": "first"},
        {"op": "move", "entity": "task", "id": "OTH-1", "fields": {"project_id": "PAY"}, "place": {"after": "PAY-3"}},
        {"op": "move", "entity": "task", "id": "PAY-3", "place": "last"},
    ]));
    fixture.undo().unwrap();
    assert_eq!(tops(&fixture), before);
    // A task that was moved below another task, which then moved to the other project.
    fixture.apply(json!([
        {"op": "move", "entity": "task", "id": "PAY-3", "fields": {"parent_id": "PAY-4"}},
        {"op": "move", "entity": "task", "id": "PAY-4", "fields": {"project_id": "THI"}},
        {"op": "delete", "entity": "task", "id": "PAY-3"},
    ]));
    fixture.undo().unwrap();
    assert_eq!(tops(&fixture), before);
}

#[test]
fn a_change_before_a_move_can_be_undone() {
    let mut fixture = fixture();
    let first = fixture.apply(
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "z"}}]),
    );
    fixture.apply(move_then(json!([])));
    let patches = lakeplan::domain::invert::invert(&first, &fixture.state);
    fixture.patches(patches).unwrap();
    assert_eq!(
        (fixture.get("OTH-2").title.as_str(), fixture.get("OTH-2").key.to_string().as_str()),
        ("a", "OTH-2")
    );
}
