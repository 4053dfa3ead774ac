use serde_json::{Value, json};

use super::World;

fn delete(task: &str) -> Value {
    json!([{"op": "delete", "entity": "task", "id": task}])
}

fn restore(task: &str) -> Value {
    json!([{"op": "restore", "entity": "task", "id": task}])
}

#[test]
fn a_branch_goes_and_comes_back_with_its_links() {
    let mut world = World::with(&["a", "b below PAY-1", "c"]);
    world.apply(json!([{"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-2", "to_id": "PAY-3"}}]));
    world.apply(delete("PAY-1"));
    assert_eq!((world.outline().as_str(), world.project().dependencies().count()), ("3", 0));
    world.apply(restore("PAY-1"));
    assert_eq!((world.outline().as_str(), world.project().dependencies().count()), ("1 .2 3", 1));
}

#[test]
fn restore_brings_back_only_what_the_same_set_deleted() {
    let mut world = World::with(&["a", "b below PAY-1", "c below PAY-1"]);
    world.apply(delete("PAY-2"));
    world.apply(delete("PAY-1"));
    world.apply(restore("PAY-1"));
    assert_eq!(world.outline(), "1 .3");
    world.apply(restore("PAY-2"));
    assert_eq!(world.outline(), "1 .2 .3");
}

#[test]
fn a_child_edited_since_keeps_the_edit() {
    let mut world = World::with(&["a", "b below PAY-1"]);
    world.apply(delete("PAY-1"));
    world.apply(
        json!([{"op": "update", "entity": "task", "id": "PAY-2", "fields": {"title": "edited"}}]),
    );
    world.apply(restore("PAY-1"));
    assert_eq!(world.get("PAY-2").title.as_str(), "edited");
    assert!(world.get("PAY-2").is_live());
}

#[test]
fn a_child_cannot_come_back_before_its_parent_and_the_error_names_it() {
    let mut world = World::with(&["a", "b below PAY-1"]);
    world.apply(delete("PAY-2"));
    world.apply(delete("PAY-1"));
    let faults = world.refused(restore("PAY-2"));
    assert_eq!(faults[0].rule.to_string(), "parent_deleted");
    assert!(
        faults[0].message.contains("PAY-1")
            && faults[0].hint.as_deref() == Some("lakeplan task restore PAY-1")
    );
}

#[test]
fn a_link_whose_other_end_is_gone_stays_away() {
    let mut world = World::with(&["a", "b"]);
    world.apply(json!([{"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-1", "to_id": "PAY-2"}}]));
    world.apply(delete("PAY-1"));
    world.apply(delete("PAY-2"));
    world.apply(restore("PAY-1"));
    assert_eq!(world.project().dependencies().count(), 0);
}

#[test]
fn restoring_what_now_closes_a_circle_is_refused() {
    let mut world = World::with(&["a", "b"]);
    world.apply(json!([{"op": "link", "entity": "task_link", "id": "$l", "fields": {"from_id": "PAY-1", "to_id": "PAY-2"}}]));
    let link = world.project().links().next().unwrap().id;
    world.apply(json!([{"op": "unlink", "entity": "task_link", "id": link.to_string()}]));
    world.apply(json!([{"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-2", "to_id": "PAY-1"}}]));
    assert_eq!(
        world.rules(json!([{"op": "restore", "entity": "task_link", "id": link.to_string()}])),
        ["dependency_cycle"]
    );
}

#[test]
fn a_project_goes_and_comes_back_whole() {
    let mut world = World::with(&["a", "b below PAY-1"]);
    world.apply(
        json!([{"op": "create", "entity": "requirement", "fields": {"project_id": "PAY", "label": "R1", "text": "it works"}}]),
    );
    world
        .apply(json!([{"op": "link", "entity": "task_requirement", "fields": {"task_id": "PAY-2", "requirement_id": "PAY/R1"}}]));
    world.apply(json!([{"op": "delete", "entity": "project", "id": "PAY"}]));
    assert_eq!(world.outline(), "");
    let create =
        json!([{"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": "x"}}]);
    assert_eq!(world.rules(create), ["deleted"]);
    assert_eq!(world.rules(restore("PAY-1")), ["parent_deleted"]);
    world.apply(json!([{"op": "restore", "entity": "project", "id": "PAY"}]));
    assert_eq!(world.outline(), "1 .2");
    let id = lakeplan::domain::id::EntityId::uuid(world.get("PAY-2").id);
    assert_eq!(world.project().coverage_of(id).count(), 1);
}

#[test]
fn twice_is_refused_either_way() {
    let mut world = World::with(&["a"]);
    assert_eq!(world.rules(restore("PAY-1")), ["not_deleted"]);
    world.apply(delete("PAY-1"));
    assert_eq!(world.rules(delete("PAY-1")), ["deleted"]);
}
