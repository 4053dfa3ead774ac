use serde_json::{Value, json};

use super::World;

fn link(from: &str, to: &str) -> Value {
    json!({"op": "link", "entity": "task_link", "fields": {"from_id": from, "to_id": to}})
}

fn typed(from: &str, to: &str, dependency: &str) -> Value {
    json!({"op": "link", "entity": "task_link", "fields": {"from_id": from, "to_id": to, "dependency": dependency}})
}

#[test]
fn a_circle_of_dependencies_is_refused_and_spelled_out() {
    let mut world = World::with(&["a", "b", "c"]);
    world.apply(json!([link("PAY-1", "PAY-2"), link("PAY-2", "PAY-3")]));
    let faults = world.refused(json!([link("PAY-3", "PAY-1")]));
    assert_eq!(faults.len(), 1);
    assert!(
        faults[0].message.contains("PAY-1 waits for PAY-2 waits for PAY-3 waits for PAY-1"),
        "{}",
        faults[0].message
    );
}

#[test]
fn a_set_may_pass_through_a_circle_and_not_end_in_one() {
    let mut world = World::with(&["a", "b"]);
    world.apply(json!([link("PAY-1", "PAY-2")]));
    world.apply(json!([
        link("PAY-2", "PAY-1"),
        {"op": "unlink", "entity": "task_link", "fields": {"from_id": "PAY-1", "to_id": "PAY-2"}},
    ]));
    assert_eq!(world.project().dependencies().count(), 1);
}

#[test]
fn a_dependency_on_an_ancestor_or_descendant_is_refused() {
    let mut world = World::with(&["a", "b below PAY-1", "c below PAY-2"]);
    assert_eq!(world.rules(json!([link("PAY-3", "PAY-1")])), ["dependency_on_relative"]);
    assert_eq!(world.rules(json!([link("PAY-1", "PAY-3")])), ["dependency_on_relative"]);
}

#[test]
fn a_deadlock_through_parents_is_refused() {
    // A's part waits for B, and B's part waits for A: neither can ever end.
    let mut world = World::with(&["A", "a below PAY-1", "B", "b below PAY-3"]);
    world.apply(json!([link("PAY-2", "PAY-3")]));
    assert_eq!(world.rules(json!([link("PAY-4", "PAY-1")])), ["dependency_cycle"]);
}

#[test]
fn a_move_that_would_make_a_deadlock_is_refused() {
    let mut world = World::with(&["A", "B", "c", "d"]);
    world.apply(json!([link("PAY-3", "PAY-2"), link("PAY-4", "PAY-1")]));
    world.apply(
        json!([{"op": "move", "entity": "task", "id": "PAY-3", "fields": {"parent_id": "PAY-1"}}]),
    );
    let rules = world.rules(
        json!([{"op": "move", "entity": "task", "id": "PAY-4", "fields": {"parent_id": "PAY-2"}}]),
    );
    assert_eq!(rules, ["dependency_cycle"]);
    let rules = world.rules(
        json!([{"op": "move", "entity": "task", "id": "PAY-4", "fields": {"parent_id": "PAY-1"}}]),
    );
    assert_eq!(rules, ["dependency_on_relative"]);
}

#[test]
fn types_and_lags_are_of_dependencies_only() {
    let mut world = World::with(&["a", "b", "c"]);
    world.apply(json!([typed("PAY-1", "PAY-2", "SS"), typed("PAY-3", "PAY-2", "FF")]));
    let relates = json!([{"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-1", "to_id": "PAY-3", "kind": "relates", "lag_minutes": 5}}]);
    assert_eq!(world.rules(relates), ["operation"]);
}

#[test]
fn the_same_link_twice_to_itself_or_to_a_deleted_task_is_refused() {
    let mut world = World::with(&["a", "b", "c"]);
    world.apply(json!([link("PAY-1", "PAY-2"), {"op": "delete", "entity": "task", "id": "PAY-3"}]));
    assert_eq!(world.rules(json!([link("PAY-1", "PAY-2")])), ["duplicate_link"]);
    assert_eq!(world.rules(json!([link("PAY-1", "PAY-1")])), ["self_link"]);
    assert_eq!(world.rules(json!([link("PAY-1", "PAY-3")])), ["deleted"]);
    let relates = |from: &str, to: &str| json!([{"op": "link", "entity": "task_link", "fields": {"from_id": from, "to_id": to, "kind": "relates"}}]);
    world.apply(relates("PAY-1", "PAY-2"));
    assert_eq!(
        world.rules(relates("PAY-2", "PAY-1")),
        ["duplicate_link"],
        "relates says the same both ways"
    );
}

#[test]
fn dependencies_stay_in_a_project_and_relates_may_cross() {
    let mut world = World::with(&["a"]);
    world.apply(json!([
        {"op": "create", "entity": "project", "id": "$p", "fields": {"name": "Other", "key": "OTH"}},
        {"op": "create", "entity": "task", "fields": {"project_id": "$p", "title": "x"}},
    ]));
    assert_eq!(world.rules(json!([link("PAY-1", "OTH-1")])), ["dependency_across_projects"]);
    world.apply(
        json!([{"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-1", "to_id": "OTH-1", "kind": "relates"}}]),
    );
}

#[test]
fn a_task_answers_a_requirement_once() {
    let mut world = World::with(&["a"]);
    world.apply(
        json!([{"op": "create", "entity": "requirement", "fields": {"project_id": "PAY", "label": "R1", "text": "it works"}}]),
    );
    let answers = json!([{"op": "link", "entity": "task_requirement", "fields": {"task_id": "PAY-1", "requirement_id": "PAY/R1"}}]);
    world.apply(answers.clone());
    assert_eq!(world.rules(answers), ["duplicate_link"]);
}
