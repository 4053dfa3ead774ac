use serde_json::{Value, json};

use super::World;

fn to(task: &str, fields: Value) -> Value {
    json!([{"op": "move", "entity": "task", "id": task, "fields": fields}])
}

fn place(task: &str, place: Value) -> Value {
    json!([{"op": "move", "entity": "task", "id": task, "place": place}])
}

#[test]
fn a_branch_moves_with_depth_path_and_root() {
    let mut world = World::with(&["a", "b", "c below PAY-2", "d below PAY-3"]);
    world.apply(to("PAY-2", json!({"parent_id": "PAY-1"})));
    assert_eq!(world.outline(), "1 .2 ..3 ...4");
    let leaf = world.get("PAY-4");
    assert_eq!((leaf.depth, leaf.path.as_str()), (3, "PAY-1/PAY-2/PAY-3/PAY-4"));
    assert_eq!(leaf.root_id, world.get("PAY-1").id);
    world.apply(to("PAY-3", json!({"parent_id": null})));
    assert_eq!(world.outline(), "1 .2 3 .4");
}

#[test]
fn siblings_keep_an_order_and_room_is_made_where_there_is_none() {
    let mut world = World::with(&["a", "b", "c"]);
    world.apply(place("PAY-3", json!("first")));
    assert_eq!(world.outline(), "3 1 2");
    world.apply(place("PAY-3", json!({"after": "PAY-1"})));
    assert_eq!(world.outline(), "1 3 2");
    for _ in 0..15 {
        world.apply(place("PAY-1", json!({"after": "PAY-3"})));
        world.apply(place("PAY-3", json!({"after": "PAY-1"})));
    }
    assert_eq!(world.outline(), "1 3 2");
    assert_eq!(world.rules(place("PAY-3", json!({"after": "PAY-3"}))), ["unknown_reference"]);
}

#[test]
fn below_itself_too_deep_or_below_a_deleted_task_is_refused() {
    let mut world = World::with(&[
        "0",
        "1 below PAY-1",
        "2 below PAY-2",
        "3 below PAY-3",
        "4 below PAY-4",
        "x",
        "y below PAY-6",
        "z below PAY-7",
    ]);
    assert_eq!(world.rules(to("PAY-1", json!({"parent_id": "PAY-3"}))), ["own_descendant"]);
    assert_eq!(
        world.rules(to("PAY-6", json!({"parent_id": "PAY-4"}))),
        ["depth"],
        "its branch would stand on level 6"
    );
    world.apply(json!([{"op": "delete", "entity": "task", "id": "PAY-6"}]));
    assert_eq!(world.rules(to("PAY-5", json!({"parent_id": "PAY-6"}))), ["deleted"]);
}

#[test]
fn another_project_gives_new_keys_and_the_old_ones_still_find_the_task() {
    let mut world = World::with(&["a", "b below PAY-1", "c"]);
    world.apply(json!([
        {"op": "create", "entity": "project", "id": "$p", "fields": {"name": "Other", "key": "OTH"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-3", "to_id": "PAY-2"}},
    ]));
    assert_eq!(
        world.rules(to("PAY-1", json!({"project_id": "OTH"}))),
        ["dependency_across_projects"]
    );
    world.apply(json!([{"op": "unlink", "entity": "task_link", "fields": {"from_id": "PAY-3", "to_id": "PAY-2"}}]));
    world.apply(to("PAY-1", json!({"project_id": "OTH"})));
    assert_eq!(world.get("OTH-1").title.as_str(), "a");
    assert_eq!(world.get("PAY-2").key.to_string(), "OTH-2");
    world.apply(json!([{"op": "delete", "entity": "task", "id": "PAY-3"}]));
    world.task("d");
    assert_eq!(world.get("PAY-4").title.as_str(), "d", "numbers that left are not given again");
    world.apply(to("OTH-1", json!({"project_id": "PAY"})));
    assert_eq!(world.get("PAY-1").title.as_str(), "a", "a task that comes back gets its key back");
}
