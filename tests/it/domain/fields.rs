use serde_json::json;

use super::World;

#[test]
fn every_violation_is_reported_at_once_with_patch_field_and_rule() {
    let mut world = World::with(&["a"]);
    let result: Vec<(usize, String, String)> = world
        .refused(json!([
            {"op": "update", "entity": "task", "id": "PAY-1", "fields": {"titel": "x", "status": "done", "key": "PAY-9"}},
            {"op": "create", "entity": "task", "fields": {"project_id": "PAY"}},
            {"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": "t", "estimate_low": 60, "estimate_likely": 30}},
            {"op": "delete", "entity": "task_link", "id": "00000000-0000-0000-0000-000000000001"},
        ]))
        .into_iter()
        .map(|err| (err.patch, err.field.unwrap_or_default(), err.rule.to_string()))
        .collect();
    let wanted = [
        (0, "fields.key", "field_not_yours"),
        (0, "fields.status", "value"),
        (0, "fields.titel", "unknown_field"),
        (1, "fields.title", "required"),
        (2, "fields.estimate_likely", "estimate_order"),
        (3, "op", "operation"),
    ];
    let wanted: Vec<(usize, String, String)> =
        wanted.map(|(patch, field, rule)| (patch, field.to_owned(), rule.to_owned())).to_vec();
    assert_eq!(result, wanted);
}

#[test]
fn a_wrong_field_name_gets_the_right_one_as_a_hint() {
    let mut world = World::with(&["a"]);
    let faults = world.refused(
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"titel": "x"}}]),
    );
    assert_eq!(faults[0].hint.as_deref(), Some("did you mean title?"));
}

#[test]
fn a_failed_create_is_not_reported_again_by_what_refers_to_it() {
    let mut world = World::new();
    let faults = world.refused(json!([
        {"op": "create", "entity": "task", "id": "$a", "fields": {"project_id": "PAY", "title": ""}},
        {"op": "create", "entity": "task", "id": "$b", "fields": {"project_id": "PAY", "title": "b", "parent_id": "$a"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "$b", "to_id": "$a"}},
    ]));
    assert_eq!(faults.len(), 1, "{faults:?}");
}

#[test]
fn keys_count_up_and_are_never_given_twice() {
    let mut world = World::with(&["a", "b"]);
    world.apply(json!([{"op": "delete", "entity": "task", "id": "PAY-2"}]));
    world.task("c");
    assert_eq!(world.get("PAY-3").title.as_str(), "c");
}

#[test]
fn depth_has_a_limit_of_six_levels_that_the_lake_can_lower() {
    let mut world = World::with(&[
        "0",
        "1 below PAY-1",
        "2 below PAY-2",
        "3 below PAY-3",
        "4 below PAY-4",
        "5 below PAY-5",
    ]);
    assert_eq!(world.get("PAY-6").depth, 5);
    assert_eq!(world.get("PAY-6").path.as_str(), "PAY-1/PAY-2/PAY-3/PAY-4/PAY-5/PAY-6");
    let below = |parent: &str| json!([{"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": "6", "parent_id": parent}}]);
    assert_eq!(world.rules(below("PAY-6")), ["depth"]);
}

#[test]
fn the_same_state_and_set_give_the_same_changes() {
    let make = || {
        let mut world = World::with(&["a"]);
        let at = world.get("PAY-1").updated_at;
        (world.apply(json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"status": "review"}}])).len(), at)
    };
    assert_eq!(make(), make());
}

#[test]
fn a_merge_that_would_close_a_circle_is_refused_wherever_the_circle_closes() {
    let mut world = World::with(&[]);
    world.apply(json!([{"op": "create", "entity": "user", "fields": {"handle": "cy"}}]));
    let merge = |from: &str, into: &str| json!([{"op": "update", "entity": "user", "id": from, "fields": {"merged_into": into}}]);
    world.apply(merge("@ana", "@cy"));
    world.apply(merge("@bo", "@ana"));
    // From @bo the chain goes through @ana and ends at @cy.
    assert_eq!(world.rules(merge("@ana", "@bo")), ["unknown_reference"]);
    assert_eq!(world.rules(merge("@ana", "@ana")), ["unknown_reference"]);
    world.apply(merge("@ana", "@cy"));
}

#[test]
fn a_reference_to_a_merged_user_means_the_one_that_stayed() {
    let mut world = World::with(&["a"]);
    world.apply(
        json!([{"op": "update", "entity": "user", "id": "@bo", "fields": {"merged_into": "@ana"}}]),
    );
    world.apply(json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"assignee_id": "@bo"}}]));
    let ana = world.state.user_by_name("@ana").unwrap().id;
    assert_eq!(world.get("PAY-1").assignee_id, Some(ana));
    let rules = world.rules(
        json!([{"op": "update", "entity": "user", "id": "@ana", "fields": {"merged_into": "@bo"}}]),
    );
    assert_eq!(rules, ["unknown_reference"], "a circle of merges");
}

#[test]
fn an_expected_value_that_does_not_stand_is_a_conflict_that_names_it() {
    let mut world = World::with(&["a"]);
    let set = crate::support::patch_set(
        &world.state,
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"status": "review"}, "expect": {"status": "blocked"}}]),
    );
    match world.try_set(&set.unwrap()) {
        Err(lakeplan::domain::apply::Rejection::Conflicted(conflict)) => {
            assert_eq!((conflict.field.as_str(), conflict.theirs), ("status", json!("pending")));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn handles_project_keys_and_requirement_labels_are_unique_among_the_living() {
    let mut world = World::new();
    assert_eq!(
        world.rules(json!([{"op": "create", "entity": "user", "fields": {"handle": "ana"}}])),
        ["handle_taken"]
    );
    assert_eq!(
        world.rules(
            json!([{"op": "create", "entity": "project", "fields": {"name": "x", "key": "PAY"}}])
        ),
        ["key_taken"]
    );
    let requirement = json!([{"op": "create", "entity": "requirement", "fields": {"project_id": "PAY", "label": "R1", "text": "it works"}}]);
    world.apply(requirement.clone());
    assert_eq!(world.rules(requirement), ["key_taken"]);
    world.apply(json!([{"op": "delete", "entity": "user", "id": "@ana"}]));
    world.apply(json!([{"op": "create", "entity": "user", "fields": {"handle": "ana"}}]));
}

#[test]
fn an_expected_value_is_compared_as_its_field_holds_it() {
    let mut world = World::with(&["a"]);
    let update = |fields: serde_json::Value, expect: serde_json::Value| json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": fields, "expect": expect}]);
    world.apply(update(
        json!({"sla_due": "2026-11-20T10:00:00Z", "tags": ["x", "x"], "assignee_id": "ana"}),
        json!({"sla_due": null, "tags": [], "assignee_id": null}),
    ));
    let ana = world.get("PAY-1").assignee_id.unwrap().to_string();
    for expect in [
        json!({"sla_due": "2026-11-20T10:00:00Z"}),
        json!({"sla_due": "2026-11-20T12:00:00.000+02:00"}),
        json!({"sla_due": "2026-11-20T10:00:00.000000Z"}),
        json!({"tags": ["x", "x"]}),
        json!({"tags": ["x"]}),
        json!({"assignee_id": ana.to_uppercase()}),
        json!({"assignee_id": "@ana"}),
    ] {
        world.apply(update(json!({"priority": "high"}), expect));
    }
    let refused = world.refused(update(
        json!({"title": "b"}),
        json!({"sla_due": "2026-11-20 10:00:00Z", "due_date": "2026-1-1", "importance": "3", "status": "done"}),
    ));
    let result: Vec<(&str, String)> = refused
        .iter()
        .map(|err| (err.field.as_deref().unwrap_or_default(), err.rule.to_string()))
        .collect();
    let wanted = ["expect.due_date", "expect.importance", "expect.sla_due", "expect.status"]
        .map(|field| (field, "value".to_owned()));
    assert_eq!(result, wanted);
}

#[test]
fn a_stored_value_that_no_author_may_give_can_be_expected() {
    let mut world = World::with(&["a"]);
    let long = "x".repeat(501);
    let mut record =
        world.state.records().find(|record| record.get("title") == Some(json!("a"))).unwrap();
    record.restore("title", &json!(long)).unwrap();
    world.state.put(record);
    let update = |title: &str, expect: &str| json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": title}, "expect": {"title": expect}}]);
    world.apply(update("b", &long));
    let set = crate::support::patch_set(&world.state, update("c", &long)).unwrap();
    assert!(matches!(world.try_set(&set), Err(lakeplan::domain::apply::Rejection::Conflicted(_))));
    assert!(
        world.refused(
            json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "c"}, "expect": {"title": 7}}])
        )[0]
        .field
        .as_deref()
            == Some("expect.title")
    );
}

#[test]
fn a_handle_that_reads_as_an_id_is_refused_and_a_stored_one_stays() {
    let mut world = World::new();
    let id = "0192f0c1-2b3c-7d4e-8f50-617283940516";
    for handle in
        [id.to_owned(), id.replace('-', ""), format!("{{{id}}}"), format!("urn:uuid:{id}")]
    {
        for patch in [
            json!({"op": "create", "entity": "user", "fields": {"handle": handle}}),
            json!({"op": "update", "entity": "user", "id": "@ana", "fields": {"handle": handle}}),
        ] {
            let refused = world.refused(json!([patch]));
            assert_eq!(refused[0].field.as_deref(), Some("fields.handle"), "{handle}: {refused:?}");
        }
    }
    let mut record =
        world.state.records().find(|record| record.get("handle") == Some(json!("ana"))).unwrap();
    record.restore("handle", &json!(id)).unwrap();
    let key = record.id().to_string();
    world.state.put(record);
    world.apply(json!([{"op": "update", "entity": "user", "id": key, "fields": {"name": "Ana"}}]));
    world
        .apply(json!([{"op": "update", "entity": "user", "id": key, "fields": {"handle": "ana"}}]));
}
