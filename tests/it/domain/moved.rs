//! Later patches of a set find a record where an earlier one has put it.

use serde_json::{Value, json};

use super::World;

fn world() -> World {
    let mut world = World::with(&["a", "b below PAY-1", "c", "d"]);
    world.apply(json!([
        {"op": "create", "entity": "project", "id": "$p", "fields": {"name": "Other", "key": "OTH"}},
        {"op": "create", "entity": "project", "fields": {"name": "Third", "key": "THI"}},
        {"op": "create", "entity": "task", "fields": {"project_id": "$p", "title": "x"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-2", "to_id": "PAY-1", "kind": "relates"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-3", "to_id": "PAY-1", "kind": "relates"}},
    ]));
    world
}

/// PAY-1 goes to OTH, and then this.
fn then(patches: Value) -> Value {
    let mut all = vec![
        json!({"op": "move", "entity": "task", "id": "PAY-1", "fields": {"project_id": "OTH"}}),
    ];
    all.extend(patches.as_array().unwrap().iter().cloned());
    Value::Array(all)
}

#[test]
fn an_update_after_a_move_finds_the_task_and_its_parts() {
    let mut world = world();
    world.apply(then(json!([
        {"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "a2"}},
        {"op": "update", "entity": "task", "id": "PAY-2", "fields": {"title": "b2"}, "expect": {"title": "b", "key": "OTH-3"}},
    ])));
    assert_eq!(
        (world.get("OTH-2").title.as_str(), world.get("PAY-2").title.as_str()),
        ("a2", "b2")
    );
}

#[test]
fn a_second_move_a_create_below_and_a_place_behind_find_it() {
    let mut world = world();
    world.apply(then(json!([
        {"op": "create", "entity": "task", "fields": {"project_id": "OTH", "title": "n", "parent_id": "PAY-1"}, "place": {"before": "PAY-2"}},
        {"op": "create", "entity": "task", "fields": {"project_id": "OTH", "title": "m"}, "place": {"after": "PAY-1"}},
        {"op": "move", "entity": "task", "id": "PAY-1", "place": "first"},
        {"op": "move", "entity": "task", "id": "PAY-2", "fields": {"project_id": "THI"}},
        {"op": "move", "entity": "task", "id": "PAY-2", "place": "last"},
    ])));
    let other = world.state.project_by_key(&"OTH".parse().unwrap()).unwrap();
    let tops: Vec<&str> = other.children(None).map(|task| task.title.as_str()).collect();
    assert_eq!(tops, ["a", "x", "m"]);
    assert_eq!(other.children(Some(world.get("PAY-1").id)).count(), 1);
    assert_eq!(world.get("PAY-2").key.to_string(), "THI-1");
}

#[test]
fn links_of_a_moved_task_are_made_and_ended() {
    let mut world = world();
    world.apply(then(json!([
        {"op": "unlink", "entity": "task_link", "fields": {"from_id": "PAY-2", "to_id": "PAY-1"}},
        {"op": "unlink", "entity": "task_link", "fields": {"from_id": "PAY-3", "to_id": "PAY-1"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-1", "to_id": "OTH-1"}},
    ])));
    let other = world.state.project_by_key(&"OTH".parse().unwrap()).unwrap();
    assert_eq!(
        (
            other.dependencies().count(),
            other.links().filter(|link| link.deleted_at.is_none()).count()
        ),
        (1, 1)
    );
    let rules = world.rules(json!([
        {"op": "move", "entity": "task", "id": "PAY-4", "fields": {"project_id": "THI"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-4", "to_id": "PAY-3"}},
    ]));
    assert_eq!(rules, ["dependency_across_projects"]);
}

#[test]
fn a_delete_after_a_move_takes_the_branch_and_every_link() {
    let mut world = world();
    world.apply(then(json!([{"op": "delete", "entity": "task", "id": "PAY-1"}])));
    assert!(!world.get("PAY-1").is_live() && !world.get("PAY-2").is_live());
    let live = world
        .state
        .projects()
        .flat_map(|project| project.links())
        .filter(|link| link.deleted_at.is_none())
        .count();
    assert_eq!(live, 0);
}

#[test]
fn an_expectation_is_held_to_what_stands_after_the_move() {
    let mut world = world();
    let set = crate::support::patch_set(
        &world.state,
        then(
            json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "a2"}, "expect": {"key": "PAY-1"}}]),
        ),
    );
    assert!(matches!(
        world.try_set(&set.unwrap()),
        Err(lakeplan::domain::apply::Rejection::Conflicted(_))
    ));
}

#[test]
fn an_undo_puts_siblings_back_between_those_that_stood_there() {
    let mut world = world();
    let tops = |world: &World| world.outline();
    let before = tops(&world);
    world.apply(json!([
        {"op": "move", "entity": "task", "id": "PAY-4", "place": "first"},
        {"op": "move", "entity": "task", "id": "OTH-1", "fields": {"project_id": "PAY"}, "place": {"after": "PAY-3"}},
        {"op": "move", "entity": "task", "id": "PAY-3", "place": "last"},
    ]));
    world.undo().unwrap();
    assert_eq!(tops(&world), before);
    // A part that was moved below a task, which then left the project with it.
    world.apply(json!([
        {"op": "move", "entity": "task", "id": "PAY-3", "fields": {"parent_id": "PAY-4"}},
        {"op": "move", "entity": "task", "id": "PAY-4", "fields": {"project_id": "THI"}},
        {"op": "delete", "entity": "task", "id": "PAY-3"},
    ]));
    world.undo().unwrap();
    assert_eq!(tops(&world), before);
}

#[test]
fn what_was_changed_before_it_moved_on_can_be_taken_back() {
    let mut world = world();
    let first = world.apply(
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "z"}}]),
    );
    world.apply(then(json!([])));
    let patches = lakeplan::domain::invert::invert(&first, &world.state);
    world.patches(patches).unwrap();
    assert_eq!(
        (world.get("OTH-2").title.as_str(), world.get("OTH-2").key.to_string().as_str()),
        ("a", "OTH-2")
    );
}
