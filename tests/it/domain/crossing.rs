//! Links that lead from one project to another.

use lakeplan::planning::merge::merge;
use serde_json::{Value, json};

use super::World;
use crate::support::set_id;

/// OTH-1 relates to PAY-2, and PAY-2 is the same work as OTH-2.
fn world() -> World {
    let mut world = World::with(&["a", "b below PAY-1", "c"]);
    world.apply(json!([
        {"op": "create", "entity": "project", "id": "$p", "fields": {"name": "Other", "key": "OTH"}},
        {"op": "create", "entity": "task", "id": "$x", "fields": {"project_id": "$p", "title": "x"}},
        {"op": "create", "entity": "task", "id": "$y", "fields": {"project_id": "$p", "title": "y"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "$x", "to_id": "PAY-2", "kind": "relates"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-2", "to_id": "$y", "kind": "duplicates"}},
    ]));
    world
}

fn one(op: &str, entity: &str, id: &str) -> Value {
    json!([{"op": op, "entity": entity, "id": id}])
}

/// The living links by the keys of their ends, sorted.
fn links(world: &World) -> Vec<String> {
    let key = |id| world.state.task(id).unwrap().key.to_string();
    let live = world
        .state
        .projects()
        .flat_map(|project| project.links())
        .filter(|link| link.deleted_at.is_none());
    let mut result: Vec<String> = live
        .map(|link| format!("{} {} {}", key(link.from_id), link.kind, key(link.to_id)))
        .collect();
    result.sort();
    result
}

const BOTH: [&str; 2] = ["OTH-1 relates PAY-2", "PAY-2 duplicates OTH-2"];

#[test]
fn links_from_other_projects_go_and_come_with_a_task_its_parent_and_its_project() {
    for (entity, id) in [("task", "PAY-2"), ("task", "PAY-1"), ("project", "PAY")] {
        let mut world = world();
        world.apply(one("delete", entity, id));
        assert_eq!(links(&world), Vec::<String>::new(), "delete of {id}");
        world.apply(one("restore", entity, id));
        assert_eq!(links(&world), BOTH, "restore of {id}");
        world.undo().unwrap();
        assert_eq!(links(&world), Vec::<String>::new(), "undo of the restore of {id}");
        world.undo().unwrap();
        assert_eq!(links(&world), BOTH, "undo of that");
    }
}

#[test]
fn the_end_in_the_other_project_takes_the_link_along_too() {
    let mut world = world();
    world.apply(one("delete", "task", "OTH-1"));
    world.apply(one("delete", "task", "PAY-2"));
    world.apply(one("restore", "task", "PAY-2"));
    assert_eq!(links(&world), ["PAY-2 duplicates OTH-2"]);
    world.apply(one("restore", "task", "OTH-1"));
    assert_eq!(links(&world), BOTH);
}

#[test]
fn a_merge_takes_links_from_other_projects_over_and_an_undo_gives_them_back() {
    let mut world = world();
    let patches = merge(&world.state, world.get("PAY-3"), world.get("PAY-2"), set_id()).unwrap();
    world.patches(patches).unwrap();
    assert_eq!(links(&world), ["OTH-1 relates PAY-3", "PAY-3 duplicates OTH-2"]);
    world.undo().unwrap();
    assert_eq!(links(&world), BOTH);
}

#[test]
fn a_merge_says_nothing_twice_whichever_way_the_link_leads() {
    let mut world = world();
    world.apply(
        json!([{"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-3", "to_id": "OTH-1", "kind": "relates"}}]),
    );
    let patches = merge(&world.state, world.get("PAY-3"), world.get("PAY-2"), set_id()).unwrap();
    world.patches(patches).unwrap();
    assert_eq!(links(&world), ["PAY-3 duplicates OTH-2", "PAY-3 relates OTH-1"]);
}

#[test]
fn a_relation_stated_the_other_way_round_across_projects_is_refused() {
    let mut world = world();
    let back = json!([{"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-2", "to_id": "OTH-1", "kind": "relates"}}]);
    assert_eq!(world.rules(back), ["duplicate_link"]);
}

#[test]
fn a_link_ended_before_its_start_moved_comes_back_where_the_task_is() {
    let mut world = World::with(&["a", "b", "c"]);
    world.apply(json!([
        {"op": "create", "entity": "project", "fields": {"name": "Other", "key": "OTH"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-1", "to_id": "PAY-2", "kind": "relates"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-1", "to_id": "PAY-2"}},
        {"op": "create", "entity": "requirement", "fields": {"project_id": "PAY", "label": "R1", "text": "it works"}},
    ]));
    world
        .apply(json!([{"op": "link", "entity": "task_requirement", "fields": {"task_id": "PAY-1", "requirement_id": "PAY/R1"}}]));
    let answer = world.project().covers().next().unwrap().id.to_string();
    let ids: Vec<(String, String)> =
        world.project().links().map(|link| (link.kind.to_string(), link.id.to_string())).collect();
    let id = |kind: &str| ids.iter().find(|(own, _)| own == kind).unwrap().1.clone();
    world.apply(one("delete", "task", "PAY-2"));
    world.apply(
        json!([{"op": "move", "entity": "task", "id": "PAY-1", "fields": {"project_id": "OTH"}}]),
    );
    world.apply(one("restore", "task", "PAY-2"));
    assert_eq!(links(&world), ["OTH-1 relates PAY-2"], "the dependency would cross projects");
    assert_eq!(
        world.rules(one("restore", "task_link", &id("depends_on"))),
        ["dependency_across_projects"]
    );
    assert_eq!(
        world.rules(one("restore", "task_requirement", &answer)),
        ["dependency_across_projects"]
    );
    let other = world.state.project_by_key(&"OTH".parse().unwrap()).unwrap();
    assert_eq!(other.links().count(), 2, "a deleted link goes with the task it starts from");
}
