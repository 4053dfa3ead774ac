use serde_json::{Value, json};

use super::Fixture;

fn link(from: &str, to: &str) -> Value {
    json!({"op": "link", "entity": "task_link", "fields": {"from_id": from, "to_id": to}})
}

fn typed(from: &str, to: &str, dependency: &str) -> Value {
    json!({"op": "link", "entity": "task_link", "fields": {"from_id": from, "to_id": to, "dependency": dependency}})
}

#[test]
fn a_dependency_cycle_is_refused_and_listed() {
    let mut fixture = Fixture::with(&["a", "b", "c"]);
    fixture.apply(json!([link("PAY-1", "PAY-2"), link("PAY-2", "PAY-3")]));
    let violations = fixture.refused(json!([link("PAY-3", "PAY-1")]));
    assert_eq!(violations.len(), 1);
    assert!(
        violations[0].message.contains("PAY-1 waits for PAY-2 waits for PAY-3 waits for PAY-1"),
        "{}",
        violations[0].message
    );
}

#[test]
fn a_set_may_contain_a_temporary_cycle() {
    let mut fixture = Fixture::with(&["a", "b"]);
    fixture.apply(json!([link("PAY-1", "PAY-2")]));
    fixture.apply(json!([
        link("PAY-2", "PAY-1"),
        {"op": "unlink", "entity": "task_link", "fields": {"from_id": "PAY-1", "to_id": "PAY-2"}},
    ]));
    assert_eq!(fixture.project().dependencies().count(), 1);
}

#[test]
fn a_dependency_on_an_ancestor_or_descendant_is_refused() {
    let mut fixture = Fixture::with(&["a", "b below PAY-1", "c below PAY-2"]);
    assert_eq!(fixture.rules(json!([link("PAY-3", "PAY-1")])), ["dependency_on_relative"]);
    assert_eq!(fixture.rules(json!([link("PAY-1", "PAY-3")])), ["dependency_on_relative"]);
}

#[test]
fn a_deadlock_through_parents_is_refused() {
    // A's subtask waits for B, and B's subtask waits for A: neither can ever finish.
    let mut fixture = Fixture::with(&["A", "a below PAY-1", "B", "b below PAY-3"]);
    fixture.apply(json!([link("PAY-2", "PAY-3")]));
    assert_eq!(fixture.rules(json!([link("PAY-4", "PAY-1")])), ["dependency_cycle"]);
}

#[test]
fn a_move_that_would_make_a_deadlock_is_refused() {
    let mut fixture = Fixture::with(&["A", "B", "c", "d"]);
    fixture.apply(json!([link("PAY-3", "PAY-2"), link("PAY-4", "PAY-1")]));
    fixture.apply(
        json!([{"op": "move", "entity": "task", "id": "PAY-3", "fields": {"parent_id": "PAY-1"}}]),
    );
    let rules = fixture.rules(
        json!([{"op": "move", "entity": "task", "id": "PAY-4", "fields": {"parent_id": "PAY-2"}}]),
    );
    assert_eq!(rules, ["dependency_cycle"]);
    let rules = fixture.rules(
        json!([{"op": "move", "entity": "task", "id": "PAY-4", "fields": {"parent_id": "PAY-1"}}]),
    );
    assert_eq!(rules, ["dependency_on_relative"]);
}

#[test]
fn only_dependencies_have_types_and_lags() {
    let mut fixture = Fixture::with(&["a", "b", "c"]);
    fixture.apply(json!([typed("PAY-1", "PAY-2", "SS"), typed("PAY-3", "PAY-2", "FF")]));
    let relates = json!([{"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-1", "to_id": "PAY-3", "kind": "relates", "lag_minutes": 5}}]);
    assert_eq!(fixture.rules(relates), ["operation"]);
}

#[test]
fn duplicate_self_and_dangling_links_are_refused() {
    let mut fixture = Fixture::with(&["a", "b", "c"]);
    fixture
        .apply(json!([link("PAY-1", "PAY-2"), {"op": "delete", "entity": "task", "id": "PAY-3"}]));
    assert_eq!(fixture.rules(json!([link("PAY-1", "PAY-2")])), ["duplicate_link"]);
    assert_eq!(fixture.rules(json!([link("PAY-1", "PAY-1")])), ["self_link"]);
    assert_eq!(fixture.rules(json!([link("PAY-1", "PAY-3")])), ["deleted"]);
    let relates = |from: &str, to: &str| json!([{"op": "link", "entity": "task_link", "fields": {"from_id": from, "to_id": to, "kind": "relates"}}]);
    fixture.apply(relates("PAY-1", "PAY-2"));
    assert_eq!(
        fixture.rules(relates("PAY-2", "PAY-1")),
        ["duplicate_link"],
        "a relation is symmetric"
    );
}

#[test]
fn dependencies_stay_in_a_project_and_relations_may_cross() {
    let mut fixture = Fixture::with(&["a"]);
    fixture.apply(json!([
        {"op": "create", "entity": "project", "id": "$p", "fields": {"name": "Other", "key": "OTH"}},
        {"op": "create", "entity": "task", "fields": {"project_id": "$p", "title": "x"}},
    ]));
    assert_eq!(fixture.rules(json!([link("PAY-1", "OTH-1")])), ["dependency_across_projects"]);
    fixture.apply(
        json!([{"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-1", "to_id": "OTH-1", "kind": "relates"}}]),
    );
}

#[test]
fn a_task_covers_a_requirement_once() {
    let mut fixture = Fixture::with(&["a"]);
    fixture.apply(
        json!([{"op": "create", "entity": "requirement", "fields": {"project_id": "PAY", "label": "R1", "text": "it works"}}]),
    );
    let answers = json!([{"op": "link", "entity": "task_requirement", "fields": {"task_id": "PAY-1", "requirement_id": "PAY/R1"}}]);
    fixture.apply(answers.clone());
    assert_eq!(fixture.rules(answers), ["duplicate_link"]);
}
