//! A name resolves to its meaning at that point of the set.

use serde_json::{Value, json};

use super::Fixture;

fn update(task: &str, assignee: &str) -> Value {
    json!({"op": "update", "entity": "task", "id": task, "fields": {"assignee_id": assignee}})
}

fn link(op: &str, from: &str, to: &str) -> Value {
    json!({"op": op, "entity": "task_link", "fields": {"from_id": from, "to_id": to}})
}

fn assignee(fixture: &Fixture, task: &str) -> String {
    let id = fixture.get(task).assignee_id.expect("task has an assignee");
    fixture.state.user(id).unwrap().handle.to_string()
}

#[test]
fn names_created_or_changed_in_the_set_resolve() {
    let mut fixture = Fixture::with(&["a", "b"]);
    fixture.apply(json!([
        {"op": "create", "entity": "user", "fields": {"handle": "kim", "email": "kim@example.com"}},
        update("PAY-1", "@kim"),
        update("PAY-2", "kim@example.com"),
    ]));
    assert_eq!(
        (assignee(&fixture, "PAY-1"), assignee(&fixture, "PAY-2")),
        ("kim".to_owned(), "kim".to_owned())
    );
    fixture.apply(json!([
        {"op": "update", "entity": "user", "id": "ana", "fields": {"handle": "anna"}},
        update("PAY-1", "@anna"),
        // The author of the set may know her by the former name.
        update("PAY-2", "@ana"),
    ]));
    assert_eq!(
        (assignee(&fixture, "PAY-1"), assignee(&fixture, "PAY-2")),
        ("anna".to_owned(), "anna".to_owned())
    );
    // A reassigned name resolves to its new owner.
    fixture.apply(json!([
        {"op": "update", "entity": "user", "id": "anna", "fields": {"handle": "old"}},
        {"op": "create", "entity": "user", "fields": {"handle": "anna"}},
        update("PAY-1", "@anna"),
        update("PAY-2", "@old"),
    ]));
    assert_eq!(
        (assignee(&fixture, "PAY-1"), assignee(&fixture, "PAY-2")),
        ("anna".to_owned(), "old".to_owned())
    );
    fixture.apply(json!([
        {"op": "create", "entity": "project", "fields": {"key": "NN", "name": "New one"}},
        {"op": "create", "entity": "task", "id": "$t", "fields": {"project_id": "NN", "title": "by its key"}},
        {"op": "create", "entity": "task", "id": "$u", "fields": {"project_id": "New one", "title": "by its name", "parent_id": "$t"}},
        {"op": "create", "entity": "requirement", "fields": {"project_id": "NN", "label": "R1", "text": "It works"}},
        {"op": "link", "entity": "task_requirement", "fields": {"task_id": "$t", "requirement_id": "NN/R1"}},
        {"op": "unlink", "entity": "task_requirement", "fields": {"task_id": "$t", "requirement_id": "NN/R1"}},
        {"op": "link", "entity": "task_requirement", "fields": {"task_id": "$u", "requirement_id": "NN/R1"}},
    ]));
    assert_eq!(fixture.get("NN-2").title.as_str(), "by its name");
    fixture.apply(json!([
        {"op": "create", "entity": "requirement", "fields": {"project_id": "PAY", "label": "R1", "text": "It works"}},
        {"op": "update", "entity": "requirement", "id": "PAY/R1", "fields": {"label": "R2"}},
        {"op": "link", "entity": "task_requirement", "fields": {"task_id": "PAY-1", "requirement_id": "PAY/R2"}},
    ]));
}

#[test]
fn links_created_in_the_set_can_be_unlinked_by_their_ends() {
    let mut fixture = Fixture::with(&["a", "b", "c"]);
    let links = |fixture: &Fixture| {
        fixture.project().links().filter(|link| link.deleted_at.is_none()).count()
    };
    fixture.apply(json!([link("link", "PAY-1", "PAY-2"), link("unlink", "PAY-1", "PAY-2")]));
    assert_eq!(links(&fixture), 0);
    fixture.apply(json!([link("link", "PAY-1", "PAY-2")]));
    fixture.apply(json!([
        link("unlink", "PAY-1", "PAY-2"),
        link("link", "PAY-1", "PAY-2"),
        link("unlink", "PAY-1", "PAY-2")
    ]));
    assert_eq!(links(&fixture), 0);
    // A set may contain a temporary cycle.
    fixture.apply(json!([
        link("link", "PAY-1", "PAY-2"),
        link("link", "PAY-2", "PAY-1"),
        link("unlink", "PAY-1", "PAY-2")
    ]));
    assert_eq!(links(&fixture), 1);
    let result = fixture
        .refused(json!([link("unlink", "PAY-2", "PAY-1"), link("unlink", "PAY-2", "PAY-1")]));
    assert!(
        result.iter().all(|err| err.patch == 1 && err.message.contains("no active link")),
        "{result:?}"
    );
    let result = fixture.refused(json!([{"op": "delete", "entity": "task", "id": "PAY-2"}, link("unlink", "PAY-2", "PAY-1")]));
    assert!(result[0].patch == 1 && result[0].message.contains("no active link"), "{result:?}");
}

#[test]
fn a_name_from_a_failed_create_is_reported_once() {
    let mut fixture = Fixture::with(&["a"]);
    // A patch that depends on a refused one is not reported again.
    let result = fixture.refused(json!([
        {"op": "create", "entity": "project", "id": "$p", "fields": {"name": ""}},
        {"op": "create", "entity": "requirement", "fields": {"project_id": "$p", "label": "R1", "text": "t"}},
        update("PAY-1", "@kim"),
        {"op": "update", "entity": "project", "id": "PAY", "fields": {"owner": "@kim"}},
    ]));
    assert!(!result.iter().any(|err| err.patch == 1), "{result:?}");
    let result = fixture.refused(json!([
        {"op": "create", "entity": "user", "fields": {"handle": "two words"}},
        update("PAY-1", "@kim"),
        {"op": "create", "entity": "user", "fields": {"handle": "bo"}},
        update("PAY-1", "@bo"),
    ]));
    let patches: Vec<usize> = result.iter().map(|err| err.patch).collect();
    assert_eq!(patches, [0, 1, 2], "{result:?}");
    assert_eq!(
        fixture.rules(json!([update("PAY-1", "@kim"), {"op": "create", "entity": "user", "fields": {"handle": "kim"}}])),
        ["unknown_reference"]
    );
}
