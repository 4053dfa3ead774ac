use serde_json::{Value, json};

use super::Fixture;

fn to(task: &str, fields: Value) -> Value {
    json!([{"op": "move", "entity": "task", "id": task, "fields": fields}])
}

fn place(task: &str, place: Value) -> Value {
    json!([{"op": "move", "entity": "task", "id": task, "place": place}])
}

#[test]
fn a_moved_subtree_gets_a_new_depth_path_and_root() {
    let mut fixture = Fixture::with(&["a", "b", "c below PAY-2", "d below PAY-3"]);
    fixture.apply(to("PAY-2", json!({"parent_id": "PAY-1"})));
    assert_eq!(fixture.outline(), "1 .2 ..3 ...4");
    let leaf = fixture.get("PAY-4");
    assert_eq!((leaf.depth, leaf.path.as_str()), (3, "PAY-1/PAY-2/PAY-3/PAY-4"));
    assert_eq!(leaf.root_id, fixture.get("PAY-1").id);
    fixture.apply(to("PAY-3", json!({"parent_id": null})));
    assert_eq!(fixture.outline(), "1 .2 3 .4");
}

#[test]
fn siblings_stay_ordered_and_are_renumbered_when_needed() {
    let mut fixture = Fixture::with(&["a", "b", "c"]);
    fixture.apply(place("PAY-3", json!("first")));
    assert_eq!(fixture.outline(), "3 1 2");
    fixture.apply(place("PAY-3", json!({"after": "PAY-1"})));
    assert_eq!(fixture.outline(), "1 3 2");
    for _ in 0..15 {
        fixture.apply(place("PAY-1", json!({"after": "PAY-3"})));
        fixture.apply(place("PAY-3", json!({"after": "PAY-1"})));
    }
    assert_eq!(fixture.outline(), "1 3 2");
    assert_eq!(fixture.rules(place("PAY-3", json!({"after": "PAY-3"}))), ["unknown_reference"]);
}

#[test]
fn below_itself_too_deep_or_below_a_deleted_task_is_refused() {
    let mut fixture = Fixture::with(&[
        "0",
        "1 below PAY-1",
        "2 below PAY-2",
        "3 below PAY-3",
        "4 below PAY-4",
        "x",
        "y below PAY-6",
        "z below PAY-7",
    ]);
    assert_eq!(fixture.rules(to("PAY-1", json!({"parent_id": "PAY-3"}))), ["own_descendant"]);
    assert_eq!(
        fixture.rules(to("PAY-6", json!({"parent_id": "PAY-4"}))),
        ["depth"],
        "its subtree would reach level 6"
    );
    fixture.apply(json!([{"op": "delete", "entity": "task", "id": "PAY-6"}]));
    assert_eq!(fixture.rules(to("PAY-5", json!({"parent_id": "PAY-6"}))), ["deleted"]);
}

#[test]
fn a_move_to_another_project_assigns_new_keys_and_keeps_the_old_ones() {
    let mut fixture = Fixture::with(&["a", "b below PAY-1", "c"]);
    fixture.apply(json!([
        {"op": "create", "entity": "project", "id": "$p", "fields": {"name": "Other", "key": "OTH"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-3", "to_id": "PAY-2"}},
    ]));
    assert_eq!(
        fixture.rules(to("PAY-1", json!({"project_id": "OTH"}))),
        ["dependency_across_projects"]
    );
    fixture.apply(json!([{"op": "unlink", "entity": "task_link", "fields": {"from_id": "PAY-3", "to_id": "PAY-2"}}]));
    fixture.apply(to("PAY-1", json!({"project_id": "OTH"})));
    assert_eq!(fixture.get("OTH-1").title.as_str(), "a");
    assert_eq!(fixture.get("PAY-2").key.to_string(), "OTH-2");
    fixture.apply(json!([{"op": "delete", "entity": "task", "id": "PAY-3"}]));
    fixture.task("d");
    assert_eq!(
        fixture.get("PAY-4").title.as_str(),
        "d",
        "the numbers of moved tasks must not be reused"
    );
    fixture.apply(to("OTH-1", json!({"project_id": "PAY"})));
    assert_eq!(
        fixture.get("PAY-1").title.as_str(),
        "a",
        "a task that moves back must get its former key"
    );
}
