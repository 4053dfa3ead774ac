use lakeplan::domain::hint::Hint;
use serde_json::{Value, json};

use super::Fixture;

fn delete(task: &str) -> Value {
    json!([{"op": "delete", "entity": "task", "id": task}])
}

fn restore(task: &str) -> Value {
    json!([{"op": "restore", "entity": "task", "id": task}])
}

#[test]
fn a_subtree_is_deleted_and_restored_with_its_links() {
    let mut fixture = Fixture::with(&["a", "b below PAY-1", "c"]);
    fixture.apply(json!([{"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-2", "to_id": "PAY-3"}}]));
    fixture.apply(delete("PAY-1"));
    assert_eq!((fixture.outline().as_str(), fixture.project().dependencies().count()), ("3", 0));
    fixture.apply(restore("PAY-1"));
    assert_eq!(
        (fixture.outline().as_str(), fixture.project().dependencies().count()),
        ("1 .2 3", 1)
    );
}

#[test]
fn restore_reverts_only_the_deletions_of_the_same_set() {
    let mut fixture = Fixture::with(&["a", "b below PAY-1", "c below PAY-1"]);
    fixture.apply(delete("PAY-2"));
    fixture.apply(delete("PAY-1"));
    fixture.apply(restore("PAY-1"));
    assert_eq!(fixture.outline(), "1 .3");
    fixture.apply(restore("PAY-2"));
    assert_eq!(fixture.outline(), "1 .2 .3");
}

#[test]
fn a_child_edited_since_keeps_the_edit() {
    let mut fixture = Fixture::with(&["a", "b below PAY-1"]);
    fixture.apply(delete("PAY-1"));
    fixture.apply(
        json!([{"op": "update", "entity": "task", "id": "PAY-2", "fields": {"title": "edited"}}]),
    );
    fixture.apply(restore("PAY-1"));
    assert_eq!(fixture.get("PAY-2").title.as_str(), "edited");
    assert!(fixture.get("PAY-2").is_live());
}

#[test]
fn a_child_cannot_be_restored_before_its_parent() {
    let mut fixture = Fixture::with(&["a", "b below PAY-1"]);
    fixture.apply(delete("PAY-2"));
    fixture.apply(delete("PAY-1"));
    let violations = fixture.refused(restore("PAY-2"));
    assert_eq!(violations[0].rule.to_string(), "parent_deleted");
    assert!(
        violations[0].message.contains("PAY-1")
            && violations[0].hint == Some(Hint::RestoreTask { key: "PAY-1".parse().unwrap() })
    );
}

#[test]
fn a_link_to_a_deleted_task_is_not_restored() {
    let mut fixture = Fixture::with(&["a", "b"]);
    fixture.apply(json!([{"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-1", "to_id": "PAY-2"}}]));
    fixture.apply(delete("PAY-1"));
    fixture.apply(delete("PAY-2"));
    fixture.apply(restore("PAY-1"));
    assert_eq!(fixture.project().dependencies().count(), 0);
}

#[test]
fn a_restore_that_closes_a_cycle_is_refused() {
    let mut fixture = Fixture::with(&["a", "b"]);
    fixture.apply(json!([{"op": "link", "entity": "task_link", "id": "$l", "fields": {"from_id": "PAY-1", "to_id": "PAY-2"}}]));
    let link = fixture.project().links().next().unwrap().id;
    fixture.apply(json!([{"op": "unlink", "entity": "task_link", "id": link.to_string()}]));
    fixture.apply(json!([{"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-2", "to_id": "PAY-1"}}]));
    assert_eq!(
        fixture.rules(json!([{"op": "restore", "entity": "task_link", "id": link.to_string()}])),
        ["dependency_cycle"]
    );
}

#[test]
fn a_project_is_deleted_and_restored_with_its_records() {
    let mut fixture = Fixture::with(&["a", "b below PAY-1"]);
    fixture.apply(
        json!([{"op": "create", "entity": "requirement", "fields": {"project_id": "PAY", "label": "R1", "text": "it works"}}]),
    );
    fixture
        .apply(json!([{"op": "link", "entity": "task_requirement", "fields": {"task_id": "PAY-2", "requirement_id": "PAY/R1"}}]));
    fixture.apply(json!([{"op": "delete", "entity": "project", "id": "PAY"}]));
    assert_eq!(fixture.outline(), "");
    let create =
        json!([{"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": "x"}}]);
    assert_eq!(fixture.rules(create), ["deleted"]);
    assert_eq!(fixture.rules(restore("PAY-1")), ["parent_deleted"]);
    fixture.apply(json!([{"op": "restore", "entity": "project", "id": "PAY"}]));
    assert_eq!(fixture.outline(), "1 .2");
    let id = lakeplan::domain::id::EntityId::uuid(fixture.get("PAY-2").id);
    assert_eq!(fixture.project().coverage_of(id).count(), 1);
}

#[test]
fn deleting_or_restoring_twice_is_refused() {
    let mut fixture = Fixture::with(&["a"]);
    assert_eq!(fixture.rules(restore("PAY-1")), ["not_deleted"]);
    fixture.apply(delete("PAY-1"));
    assert_eq!(fixture.rules(delete("PAY-1")), ["deleted"]);
}
