//! Milestones: no estimate, no subtasks, and the format that knows them.

use serde_json::{Value, json};

use super::Fixture;

impl Fixture {
    fn kind(&mut self, key: &str, kind: &str) {
        self.apply(update(key, json!({"kind": kind})));
    }

    /// Returns the only violation of the patches: field, rule and message.
    fn violation(&mut self, patches: Value) -> (String, String, String) {
        let violations = self.refused(patches);
        let [violation] = &violations[..] else { panic!("{violations:?}") };
        let field = violation.field.clone().unwrap_or_default();
        (field, violation.rule.to_string(), violation.message.clone())
    }
}

fn update(key: &str, fields: Value) -> Value {
    json!([{"op": "update", "entity": "task", "id": key, "fields": fields}])
}

fn found(field: &str, message: &str) -> (String, String, String) {
    (field.to_owned(), "milestone".to_owned(), message.to_owned())
}

const NO_ESTIMATE: &str = "a milestone is a point in time and has no estimate";

#[test]
fn a_task_is_a_task_unless_it_says_otherwise() {
    let mut fixture = Fixture::with(&["a"]);
    assert!(!fixture.get("PAY-1").is_milestone());
    fixture.kind("PAY-1", "milestone");
    assert!(fixture.get("PAY-1").is_milestone());
    fixture.apply(update("PAY-1", json!({"kind": null})));
    assert!(!fixture.get("PAY-1").is_milestone());
}

#[test]
fn a_milestone_refuses_an_estimate() {
    let mut fixture = Fixture::with(&["a"]);
    let fields =
        json!({"project_id": "PAY", "title": "b", "kind": "milestone", "estimate_likely": 60});
    let create = json!([{"op": "create", "entity": "task", "fields": fields}]);
    assert_eq!(fixture.violation(create), found("fields.estimate_likely", NO_ESTIMATE));

    fixture.apply(update("PAY-1", json!({"estimate_likely": 60})));
    let become_one = update("PAY-1", json!({"kind": "milestone"}));
    assert_eq!(fixture.violation(become_one), found("fields.kind", NO_ESTIMATE));
    fixture.apply(update("PAY-1", json!({"kind": "milestone", "estimate_likely": null})));
    let estimate = update("PAY-1", json!({"estimate_likely": 30}));
    assert_eq!(fixture.violation(estimate), found("fields.estimate_likely", NO_ESTIMATE));
    fixture.apply(update("PAY-1", json!({"kind": "task", "estimate_likely": 30})));
}

#[test]
fn a_milestone_refuses_subtasks() {
    let mut fixture = Fixture::with(&["a", "b", "c below PAY-2"]);
    let become_one = update("PAY-2", json!({"kind": "milestone"}));
    let message = "a milestone has no subtasks, but PAY-3 is below it";
    assert_eq!(fixture.violation(become_one.clone()), found("fields.kind", message));

    fixture.kind("PAY-1", "milestone");
    let below = found("fields.parent_id", "PAY-1 is a milestone, which has no subtasks");
    let fields = json!({"project_id": "PAY", "title": "d", "parent_id": "PAY-1"});
    let create = json!([{"op": "create", "entity": "task", "fields": fields}]);
    assert_eq!(fixture.violation(create), below);
    let relocate =
        json!([{"op": "move", "entity": "task", "id": "PAY-3", "fields": {"parent_id": "PAY-1"}}]);
    assert_eq!(fixture.violation(relocate), below);

    fixture.apply(json!([{"op": "delete", "entity": "task", "id": "PAY-3"}]));
    fixture.apply(become_one);
    let restore = json!([{"op": "restore", "entity": "task", "id": "PAY-3"}]);
    assert_eq!(
        fixture.violation(restore),
        found("id", "PAY-2 is a milestone, which has no subtasks")
    );
}
