use lakeplan::domain::id::EntityId;
use lakeplan::domain::patch::{Op, Patch, PatchSet, Source};
use lakeplan::domain::record::Entity;
use lakeplan::domain::value::Name;
use serde_json::{Value, json};

use super::Fixture;
use crate::support::set_id;

#[test]
fn every_violation_is_reported_at_once_with_patch_field_and_rule() {
    let mut fixture = Fixture::with(&["a"]);
    let result: Vec<(usize, String, String)> = fixture
        .refused(json!([
            {"op": "update", "entity": "task", "id": "PAY-1", "fields": {"titel": "x", "status": "done", "key": "PAY-9"}},
            {"op": "create", "entity": "task", "fields": {"project_id": "PAY"}},
            {"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": "t", "estimate_low": 60, "estimate_likely": 30}},
            {"op": "delete", "entity": "task_link", "id": "00000000-0000-0000-0000-000000000001"},
        ]))
        .into_iter()
        .map(|err| (err.patch, err.field.unwrap_or_default(), err.rule.to_string()))
        .collect();
    let expected = [
        (0, "fields.key", "field_not_yours"),
        (0, "fields.status", "value"),
        (0, "fields.titel", "unknown_field"),
        (1, "fields.title", "required"),
        (2, "fields.estimate_likely", "estimate_order"),
        (3, "op", "operation"),
    ];
    let expected: Vec<(usize, String, String)> =
        expected.map(|(patch, field, rule)| (patch, field.to_owned(), rule.to_owned())).to_vec();
    assert_eq!(result, expected);
}

#[test]
fn a_wrong_field_name_gets_the_right_one_as_a_hint() {
    let mut fixture = Fixture::with(&["a"]);
    let violations = fixture.refused(
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"titel": "x"}}]),
    );
    assert_eq!(violations[0].hint, Some("did you mean title?".into()));
}

#[test]
fn only_a_plan_and_its_undo_write_the_values_of_a_plan() {
    let mut fixture = Fixture::with(&["a"]);
    let project = fixture.project().project().unwrap().id.to_string();
    let base = json!({"title": "a"});
    for patch in [
        json!({"op": "update", "entity": "task", "id": "PAY-1", "fields": {"plan_base": base}}),
        json!({"op": "update", "entity": "task", "id": "PAY-1", "fields": {"plan_base": null}}),
        json!({"op": "update", "entity": "project", "id": project, "fields": {"plan_base": base}}),
        json!({"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": "b", "plan_base": base}}),
        json!({"op": "create", "entity": "requirement", "fields": {"project_id": "PAY", "label": "R1", "text": "t", "plan_base": base}}),
    ] {
        let violations = fixture.refused(json!([patch]));
        let [violation] = &violations[..] else { panic!("{violations:?}") };
        assert_eq!(violation.field.as_deref(), Some("fields.plan_base"));
        assert_eq!(violation.rule.to_string(), "field_not_yours");
        assert_eq!(violation.message, "is set by plans only");
    }
    let mut write = |source: Source, value: Value| {
        let task = fixture.get("PAY-1");
        let patch = Patch::new(Op::Update, Entity::Task, task.id.uuid(), Some(task.project_id));
        let patches = vec![patch.with("plan_base", value)];
        let set = PatchSet::new(set_id(), Name::new("ana").unwrap(), source, patches);
        fixture.try_set(&set).is_ok()
    };
    for source in Source::ALL {
        let may = matches!(source, Source::Plan | Source::Undo);
        assert_eq!(write(*source, base.clone()), may, "{source}");
        let may_clear = may || *source == Source::Maintenance;
        assert_eq!(write(*source, Value::Null), may_clear, "{source}");
    }
}

#[test]
fn references_to_a_failed_create_are_not_reported_again() {
    let mut fixture = Fixture::new();
    let violations = fixture.refused(json!([
        {"op": "create", "entity": "task", "id": "$a", "fields": {"project_id": "PAY", "title": ""}},
        {"op": "create", "entity": "task", "id": "$b", "fields": {"project_id": "PAY", "title": "b", "parent_id": "$a"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "$b", "to_id": "$a"}},
    ]));
    assert_eq!(violations.len(), 1, "{violations:?}");
}

#[test]
fn keys_count_up_and_are_never_reused() {
    let mut fixture = Fixture::with(&["a", "b"]);
    fixture.apply(json!([{"op": "delete", "entity": "task", "id": "PAY-2"}]));
    fixture.task("c");
    assert_eq!(fixture.get("PAY-3").title.as_str(), "c");
}

#[test]
fn the_depth_limit_is_six_and_the_lake_can_lower_it() {
    let mut fixture = Fixture::with(&[
        "0",
        "1 below PAY-1",
        "2 below PAY-2",
        "3 below PAY-3",
        "4 below PAY-4",
        "5 below PAY-5",
    ]);
    assert_eq!(fixture.get("PAY-6").depth, 5);
    assert_eq!(fixture.get("PAY-6").path.as_str(), "PAY-1/PAY-2/PAY-3/PAY-4/PAY-5/PAY-6");
    let below = |parent: &str| json!([{"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": "6", "parent_id": parent}}]);
    assert_eq!(fixture.rules(below("PAY-6")), ["depth"]);
}

#[test]
fn the_same_state_and_set_give_the_same_changes() {
    let make = || {
        let mut fixture = Fixture::with(&["a"]);
        let at = fixture.get("PAY-1").updated_at;
        (fixture.apply(json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"status": "review"}}])).len(), at)
    };
    assert_eq!(make(), make());
}

#[test]
fn a_user_merge_that_closes_a_cycle_is_refused() {
    let mut fixture = Fixture::with(&[]);
    fixture.apply(json!([{"op": "create", "entity": "user", "fields": {"handle": "cy"}}]));
    let merge = |from: &str, into: &str| json!([{"op": "update", "entity": "user", "id": from, "fields": {"merged_into": into}}]);
    fixture.apply(merge("@ana", "@cy"));
    fixture.apply(merge("@bo", "@ana"));
    // The chain leads from @bo through @ana to @cy.
    assert_eq!(fixture.rules(merge("@ana", "@bo")), ["unknown_reference"]);
    assert_eq!(fixture.rules(merge("@ana", "@ana")), ["unknown_reference"]);
    fixture.apply(merge("@ana", "@cy"));
}

#[test]
fn a_reference_to_a_merged_user_resolves_to_the_target() {
    let mut fixture = Fixture::with(&["a"]);
    fixture.apply(
        json!([{"op": "update", "entity": "user", "id": "@bo", "fields": {"merged_into": "@ana"}}]),
    );
    fixture.apply(json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"assignee_id": "@bo"}}]));
    let ana = fixture.state.user_by_name("@ana").unwrap().id;
    assert_eq!(fixture.get("PAY-1").assignee_id, Some(ana));
    let rules = fixture.rules(
        json!([{"op": "update", "entity": "user", "id": "@ana", "fields": {"merged_into": "@bo"}}]),
    );
    assert_eq!(rules, ["unknown_reference"], "a cycle of merges");
}

#[test]
fn a_wrong_expected_value_is_a_conflict_with_its_name() {
    let mut fixture = Fixture::with(&["a"]);
    let set = crate::support::patch_set(
        &fixture.state,
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"status": "review"}, "expect": {"status": "blocked"}}]),
    );
    match fixture.try_set(&set.unwrap()) {
        Err(lakeplan::domain::apply::Rejection::Conflicted(conflict)) => {
            assert_eq!((conflict.field.as_str(), conflict.theirs), ("status", json!("pending")));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn handles_keys_and_labels_are_unique_among_live_records() {
    let mut fixture = Fixture::new();
    assert_eq!(
        fixture.rules(json!([{"op": "create", "entity": "user", "fields": {"handle": "ana"}}])),
        ["handle_taken"]
    );
    assert_eq!(
        fixture.rules(
            json!([{"op": "create", "entity": "project", "fields": {"name": "x", "key": "PAY"}}])
        ),
        ["key_taken"]
    );
    let requirement = json!([{"op": "create", "entity": "requirement", "fields": {"project_id": "PAY", "label": "R1", "text": "it works"}}]);
    fixture.apply(requirement.clone());
    assert_eq!(fixture.rules(requirement), ["key_taken"]);
    fixture.apply(json!([{"op": "delete", "entity": "user", "id": "@ana"}]));
    fixture.apply(json!([{"op": "create", "entity": "user", "fields": {"handle": "ana"}}]));
}

#[test]
fn an_expected_value_is_normalized_before_comparison() {
    let mut fixture = Fixture::with(&["a"]);
    let update = |fields: Value, expect: Value| json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": fields, "expect": expect}]);
    fixture.apply(update(
        json!({"sla_due": "2026-11-20T10:00:00Z", "tags": ["x", "x"], "assignee_id": "ana"}),
        json!({"sla_due": null, "tags": [], "assignee_id": null}),
    ));
    let ana = fixture.get("PAY-1").assignee_id.unwrap().to_string();
    for expect in [
        json!({"sla_due": "2026-11-20T10:00:00Z"}),
        json!({"sla_due": "2026-11-20T12:00:00.000+02:00"}),
        json!({"sla_due": "2026-11-20T10:00:00.000000Z"}),
        json!({"tags": ["x", "x"]}),
        json!({"tags": ["x"]}),
        json!({"assignee_id": ana.to_uppercase()}),
        json!({"assignee_id": "@ana"}),
    ] {
        fixture.apply(update(json!({"priority": "high"}), expect));
    }
    let refused = fixture.refused(update(
        json!({"title": "b"}),
        json!({"sla_due": "2026-11-20 10:00:00Z", "due_date": "2026-1-1", "importance": "3", "status": "done"}),
    ));
    let result: Vec<(&str, String)> = refused
        .iter()
        .map(|err| (err.field.as_deref().unwrap_or_default(), err.rule.to_string()))
        .collect();
    let expected = ["expect.due_date", "expect.importance", "expect.sla_due", "expect.status"]
        .map(|field| (field, "value".to_owned()));
    assert_eq!(result, expected);
}

#[test]
fn an_invalid_stored_value_can_be_expected() {
    let mut fixture = Fixture::with(&["a"]);
    let long = "x".repeat(501);
    let mut record =
        fixture.state.records().find(|record| record.get("title") == Some(json!("a"))).unwrap();
    record.restore("title", &json!(long)).unwrap();
    fixture.state.put(record);
    let update = |title: &str, expect: &str| json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": title}, "expect": {"title": expect}}]);
    fixture.apply(update("b", &long));
    let set = crate::support::patch_set(&fixture.state, update("c", &long)).unwrap();
    assert!(matches!(
        fixture.try_set(&set),
        Err(lakeplan::domain::apply::Rejection::Conflicted(_))
    ));
    assert!(
        fixture.refused(
            json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "c"}, "expect": {"title": 7}}])
        )[0]
        .field
        .as_deref()
            == Some("expect.title")
    );
}

#[test]
fn a_handle_that_looks_like_an_id_is_refused_unless_stored() {
    let mut fixture = Fixture::new();
    let id = "0192f0c1-2b3c-7d4e-8f50-617283940516";
    for handle in
        [id.to_owned(), id.replace('-', ""), format!("{{{id}}}"), format!("urn:uuid:{id}")]
    {
        for patch in [
            json!({"op": "create", "entity": "user", "fields": {"handle": handle}}),
            json!({"op": "update", "entity": "user", "id": "@ana", "fields": {"handle": handle}}),
        ] {
            let refused = fixture.refused(json!([patch]));
            assert_eq!(refused[0].field.as_deref(), Some("fields.handle"), "{handle}: {refused:?}");
        }
    }
    let mut record =
        fixture.state.records().find(|record| record.get("handle") == Some(json!("ana"))).unwrap();
    record.restore("handle", &json!(id)).unwrap();
    let key = record.id().to_string();
    fixture.state.put(record);
    fixture
        .apply(json!([{"op": "update", "entity": "user", "id": key, "fields": {"name": "Ana"}}]));
    fixture
        .apply(json!([{"op": "update", "entity": "user", "id": key, "fields": {"handle": "ana"}}]));
}
