//! Links from one project to another.

use lakeplan::planning::merge::merge;
use serde_json::{Value, json};

use super::Fixture;
use crate::support::set_id;

/// OTH-1 relates to PAY-2, and PAY-2 duplicates OTH-2.
fn fixture() -> Fixture {
    let mut fixture = Fixture::with(&["a", "b below PAY-1", "c"]);
    fixture.apply(json!([
        {"op": "create", "entity": "project", "id": "$p", "fields": {"name": "Other", "key": "OTH"}},
        {"op": "create", "entity": "task", "id": "$x", "fields": {"project_id": "$p", "title": "x"}},
        {"op": "create", "entity": "task", "id": "$y", "fields": {"project_id": "$p", "title": "y"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "$x", "to_id": "PAY-2", "kind": "relates"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-2", "to_id": "$y", "kind": "duplicates"}},
    ]));
    fixture
}

fn single_patch(op: &str, entity: &str, id: &str) -> Value {
    json!([{"op": op, "entity": entity, "id": id}])
}

/// Returns the live links with the keys of their ends, sorted.
fn links(fixture: &Fixture) -> Vec<String> {
    let key = |id| fixture.state.task(id).unwrap().key.to_string();
    let live = fixture
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
fn links_from_other_projects_are_deleted_and_restored_with_their_task() {
    for (entity, id) in [("task", "PAY-2"), ("task", "PAY-1"), ("project", "PAY")] {
        let mut fixture = fixture();
        fixture.apply(single_patch("delete", entity, id));
        assert_eq!(links(&fixture), Vec::<String>::new(), "delete of {id}");
        fixture.apply(single_patch("restore", entity, id));
        assert_eq!(links(&fixture), BOTH, "restore of {id}");
        fixture.undo().unwrap();
        assert_eq!(links(&fixture), Vec::<String>::new(), "undo of the restore of {id}");
        fixture.undo().unwrap();
        assert_eq!(links(&fixture), BOTH, "undo of that");
    }
}

#[test]
fn deleting_the_end_in_the_other_project_deletes_the_link() {
    let mut fixture = fixture();
    fixture.apply(single_patch("delete", "task", "OTH-1"));
    fixture.apply(single_patch("delete", "task", "PAY-2"));
    fixture.apply(single_patch("restore", "task", "PAY-2"));
    assert_eq!(links(&fixture), ["PAY-2 duplicates OTH-2"]);
    fixture.apply(single_patch("restore", "task", "OTH-1"));
    assert_eq!(links(&fixture), BOTH);
}

#[test]
fn a_merge_moves_links_from_other_projects_and_undo_reverts_it() {
    let mut fixture = fixture();
    let patches =
        merge(&fixture.state, fixture.get("PAY-3"), fixture.get("PAY-2"), set_id()).unwrap();
    fixture.patches(patches).unwrap();
    assert_eq!(links(&fixture), ["OTH-1 relates PAY-3", "PAY-3 duplicates OTH-2"]);
    fixture.undo().unwrap();
    assert_eq!(links(&fixture), BOTH);
}

#[test]
fn a_merge_creates_no_duplicate_links_in_either_direction() {
    let mut fixture = fixture();
    fixture.apply(
        json!([{"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-3", "to_id": "OTH-1", "kind": "relates"}}]),
    );
    let patches =
        merge(&fixture.state, fixture.get("PAY-3"), fixture.get("PAY-2"), set_id()).unwrap();
    fixture.patches(patches).unwrap();
    assert_eq!(links(&fixture), ["PAY-3 duplicates OTH-2", "PAY-3 relates OTH-1"]);
}

#[test]
fn a_reversed_duplicate_relation_across_projects_is_refused() {
    let mut fixture = fixture();
    let back = json!([{"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-2", "to_id": "OTH-1", "kind": "relates"}}]);
    assert_eq!(fixture.rules(back), ["duplicate_link"]);
}

#[test]
fn a_link_deleted_before_its_task_moved_is_restored_at_the_new_place() {
    let mut fixture = Fixture::with(&["a", "b", "c"]);
    fixture.apply(json!([
        {"op": "create", "entity": "project", "fields": {"name": "Other", "key": "OTH"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-1", "to_id": "PAY-2", "kind": "relates"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-1", "to_id": "PAY-2"}},
        {"op": "create", "entity": "requirement", "fields": {"project_id": "PAY", "label": "R1", "text": "it works"}},
    ]));
    fixture
        .apply(json!([{"op": "link", "entity": "task_requirement", "fields": {"task_id": "PAY-1", "requirement_id": "PAY/R1"}}]));
    let answer = fixture.project().covers().next().unwrap().id.to_string();
    let ids: Vec<(String, String)> = fixture
        .project()
        .links()
        .map(|link| (link.kind.to_string(), link.id.to_string()))
        .collect();
    let id = |kind: &str| ids.iter().find(|(own, _)| own == kind).unwrap().1.clone();
    fixture.apply(single_patch("delete", "task", "PAY-2"));
    fixture.apply(
        json!([{"op": "move", "entity": "task", "id": "PAY-1", "fields": {"project_id": "OTH"}}]),
    );
    fixture.apply(single_patch("restore", "task", "PAY-2"));
    assert_eq!(links(&fixture), ["OTH-1 relates PAY-2"], "the dependency would cross projects");
    assert_eq!(
        fixture.rules(single_patch("restore", "task_link", &id("depends_on"))),
        ["dependency_across_projects"]
    );
    assert_eq!(
        fixture.rules(single_patch("restore", "task_requirement", &answer)),
        ["dependency_across_projects"]
    );
    let other = fixture.state.project_by_key(&"OTH".parse().unwrap()).unwrap();
    assert_eq!(other.links().count(), 2, "a deleted link must move with the task it starts from");
}
