//! No patch and no part of a patch is silently ignored: for all ops, entities and fields, each
//! patch takes effect, is an intended no-op, or is refused.

use lakeplan::domain::any_record::{AnyRecord, RecordKey};
use lakeplan::domain::apply::{Rejection, apply};
use lakeplan::domain::change::Change;
use lakeplan::domain::id::{EntityId, TaskId};
use lakeplan::domain::patch::{Op, Patch, Placement};
use lakeplan::domain::record::Entity;
use lakeplan::domain::state::State;
use serde_json::{Map, Value, json};

use super::Fixture;
use crate::support::patch_set;

fn fixture() -> Fixture {
    let mut fixture = Fixture::with(&["a", "b below PAY-1", "c", "d", "gone"]);
    fixture.apply(json!([
        {"op": "create", "entity": "project", "fields": {"name": "Other", "key": "OTH"}},
        {"op": "create", "entity": "requirement", "fields": {"project_id": "PAY", "label": "R1", "text": "it works"}},
        {"op": "create", "entity": "requirement", "fields": {"project_id": "PAY", "label": "R2", "text": "it stays"}},
        {"op": "create", "entity": "user", "fields": {"handle": "left"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-1", "to_id": "PAY-3"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-3", "to_id": "PAY-4"}},
    ]));
    fixture.apply(json!([
        {"op": "create", "entity": "task", "fields": {"project_id": "OTH", "title": "x"}},
        {"op": "link", "entity": "task_requirement", "fields": {"task_id": "PAY-1", "requirement_id": "PAY/R1"}},
        {"op": "link", "entity": "task_requirement", "fields": {"task_id": "PAY-1", "requirement_id": "PAY/R2"}},
    ]));
    fixture.apply(json!([
        {"op": "delete", "entity": "task", "id": "PAY-5"},
        {"op": "delete", "entity": "user", "id": "@left"},
        {"op": "delete", "entity": "requirement", "id": "PAY/R2"},
        {"op": "unlink", "entity": "task_link", "fields": {"from_id": "PAY-3", "to_id": "PAY-4"}},
    ]));
    fixture
}

/// Returns the ids of an entity's records in the project PAY or in no project, including deleted
/// ones.
fn ids(state: &State, entity: Entity) -> Vec<String> {
    let own = state
        .project_by_key(&"PAY".parse().unwrap())
        .and_then(|project| project.project())
        .map(|project| project.id);
    let is_own = |record: &AnyRecord| {
        record.entity() == entity && record.project().is_none_or(|project| Some(project) == own)
    };
    state.records().filter(is_own).map(|record| record.id().to_string()).collect()
}

fn fields(entity: Entity) -> Vec<Value> {
    let mut fields = vec![
        json!({}),
        json!({"nonsense": 1}),
        json!({"project_id": "OTH"}),
        json!({"project_id": null}),
    ];
    fields.extend(match entity {
        Entity::Task => vec![
            json!({"title": "new"}),
            json!({"title": "a"}),
            json!({"project_id": "PAY", "title": "new"}),
            json!({"project_id": "PAY", "title": "new", "parent_id": "PAY-1"}),
            json!({"parent_id": "PAY-3"}),
            json!({"parent_id": null}),
            json!({"parent_id": 7}),
            json!({"project_id": 7}),
            json!({"project_id": "OTH", "parent_id": "OTH-1"}),
            json!({"parent_id": null, "title": "new"}),
            json!({"deleted_at": null}),
        ],
        Entity::Project => vec![
            json!({"name": "New"}),
            json!({"name": "Payments"}),
            json!({"name": "New", "key": "NEW"}),
        ],
        Entity::User => vec![json!({"handle": "neu"}), json!({"name": "Ana"})],
        Entity::Requirement => {
            vec![
                json!({"text": "new"}),
                json!({"project_id": "PAY", "label": "R9", "text": "new"}),
                json!({"label": "R1"}),
            ]
        }
        Entity::Lake => vec![json!({"max_depth": 3})],
        Entity::TaskLink => vec![
            json!({"from_id": "PAY-1", "to_id": "PAY-3"}),
            json!({"from_id": "PAY-1", "to_id": "PAY-4"}),
            json!({"from_id": "PAY-1", "to_id": "OTH-1", "kind": "relates"}),
            json!({"from_id": "PAY-1", "to_id": "PAY-3", "kind": "depends_on"}),
            json!({"from_id": "PAY-1", "to_id": "PAY-3", "kind": "relates"}),
            json!({"from_id": "PAY-1", "to_id": "PAY-3", "kind": "blocks"}),
            json!({"from_id": "PAY-1", "to_id": "PAY-3", "kind": 7}),
            json!({"from_id": "PAY-1", "to_id": "PAY-3", "lag_minutes": 5}),
            json!({"from_id": "PAY-1", "to_id": "PAY-3", "project_id": "PAY"}),
            json!({"from_id": "PAY-1"}),
            json!({"to_id": "PAY-3"}),
            json!({"from_id": 7, "to_id": "PAY-3"}),
            json!({"from_id": "PAY-1", "to_id": null}),
            json!({"kind": "depends_on"}),
            json!({"lag_minutes": 5}),
        ],
        Entity::TaskRequirement => vec![
            json!({"task_id": "PAY-1", "requirement_id": "PAY/R1"}),
            json!({"task_id": "PAY-3", "requirement_id": "PAY/R1"}),
            json!({"task_id": "PAY-1", "requirement_id": "PAY/R1", "kind": "relates"}),
            json!({"task_id": "PAY-1"}),
            json!({"requirement_id": "PAY/R1"}),
            json!({"task_id": "PAY-1", "requirement_id": 7}),
        ],
    });
    fields
}

fn patches(state: &State) -> Vec<Value> {
    let mut all = Vec::new();
    for (op, entity) in
        Op::ALL.iter().flat_map(|op| Entity::ALL.iter().map(move |entity| (*op, *entity)))
    {
        let mut ids: Vec<Value> = ids(state, entity).into_iter().map(Value::from).collect();
        ids.extend([Value::Null, json!("00000000-0000-4000-8000-000000000001"), json!("$new")]);
        for (id, fields) in
            ids.iter().flat_map(|id| fields(entity).into_iter().map(move |fields| (id, fields)))
        {
            for place in [Value::Null, json!("first"), json!({"after": "PAY-3"})] {
                for expect in [
                    json!({}),
                    json!({"updated_by": "tester"}),
                    json!({"updated_by": "no one"}),
                    json!({"nonsense": 1}),
                ] {
                    let mut patch = Map::new();
                    for (part, value) in [
                        ("op", json!(op.as_str())),
                        ("entity", json!(entity.as_str())),
                        ("id", id.clone()),
                        ("fields", fields.clone()),
                        ("place", place.clone()),
                        ("expect", expect),
                    ] {
                        if !value.is_null() {
                            patch.insert(part.to_owned(), value);
                        }
                    }
                    all.push(Value::Object(patch));
                }
            }
        }
    }
    all
}

/// Asserts that every part of an accepted patch took effect.
fn check_applied(raw: &Value, patch: &Patch, changes: &[Change], state: &State) {
    let own = changes
        .iter()
        .find(|change| change.id == patch.id)
        .unwrap_or_else(|| panic!("{raw} did not change its record"));
    let record =
        state.get(RecordKey { entity: own.entity, id: own.id, project: own.project }).unwrap();
    for (field, value) in &patch.fields {
        assert_eq!(record.get(field).as_ref(), Some(value), "{field} of {raw} was ignored");
    }
    if changes.iter().all(|change| change.before.is_empty() && change.after.is_empty()) {
        assert!(matches!(patch.op, Op::Update | Op::Move), "{raw} changed nothing");
    }
    match patch.op {
        Op::Delete | Op::Unlink => assert!(!record.is_live(), "{raw}"),
        Op::Restore | Op::Create | Op::Link => assert!(record.is_live(), "{raw}"),
        Op::Update | Op::Move | Op::Erase => {}
    }
    assert!(
        patch.expect.is_empty() || !matches!(patch.op, Op::Create | Op::Link),
        "the expectation of {raw} was ignored"
    );
    let Some(place) = patch.place else { return };
    assert_eq!(patch.entity, Entity::Task, "the place of {raw} was ignored");
    let task = state.task(TaskId::of(patch.id)).unwrap();
    let siblings: Vec<TaskId> = state
        .project(task.project_id)
        .unwrap()
        .children(task.parent_id)
        .map(|task| task.id)
        .collect();
    let at = siblings.iter().position(|id| *id == task.id).unwrap();
    match place {
        Placement::First => assert_eq!(at, 0, "{raw}"),
        Placement::After(other) => {
            assert_eq!(at.checked_sub(1).map(|at| siblings[at]), Some(other), "{raw}")
        }
        Placement::Last | Placement::Before(_) => unreachable!(),
    }
}

#[test]
fn every_patch_takes_effect_or_is_refused() {
    let fixture = fixture();
    let (mut accepted, mut refused, mut conflicts) = (0, 0, 0);
    for raw in patches(&fixture.state) {
        // Resolution finds invalid forms, so `apply` is not tested with them.
        let set = match patch_set(&fixture.state, json!([raw])) {
            Ok(set) => set,
            Err(violations) => {
                assert!(
                    !violations.is_empty() && violations.iter().all(|err| err.patch == 0),
                    "{raw}: {violations:?}"
                );
                refused += 1;
                continue;
            }
        };
        assert_eq!(set.patches.len(), 1, "{raw} was lost during resolution");
        let mut state = fixture.state.clone();
        match apply(&mut state, &set, fixture.at) {
            Ok(applied) => {
                check_applied(&raw, &set.patches[0], &applied.changes, &state);
                accepted += 1;
            }
            Err(Rejection::Refused(violations)) => {
                assert!(
                    !violations.is_empty() && violations.iter().all(|err| err.patch == 0),
                    "{raw}: {violations:?}"
                );
                refused += 1;
            }
            Err(Rejection::Conflicted(_)) => conflicts += 1,
        }
    }
    eprintln!("patches: {accepted} accepted, {refused} refused, {conflicts} conflicts");
    assert!(accepted > 100 && refused > 1000 && conflicts > 10, "{accepted} {refused} {conflicts}");
}

#[test]
fn an_unlink_must_identify_one_link() {
    let mut fixture = fixture();
    let unlink = |fields: Value| json!([{"op": "unlink", "entity": "task_link", "fields": fields}]);
    let result = |fixture: &mut Fixture, fields: Value| -> Vec<String> {
        fixture
            .refused(unlink(fields))
            .into_iter()
            .map(|err| err.field.unwrap_or_default())
            .collect()
    };
    assert_eq!(result(&mut fixture, json!({"from_id": "PAY-1"})), ["fields.to_id"]);
    assert_eq!(result(&mut fixture, json!({})), ["fields.from_id", "fields.to_id"]);
    assert_eq!(
        result(&mut fixture, json!({"from_id": "PAY-1", "to_id": "PAY-3", "kind": "blocks"})),
        ["fields.kind"]
    );
    assert_eq!(
        result(&mut fixture, json!({"from_id": "PAY-1", "to_id": "PAY-3", "lag_minutes": 1})),
        ["fields.lag_minutes"]
    );
    assert_eq!(
        result(&mut fixture, json!({"from_id": "PAY-1", "to_id": "PAY-3", "kind": "relates"})),
        ["fields"]
    );
    fixture.apply(
        json!([{"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-1", "to_id": "PAY-3", "kind": "duplicates"}}]),
    );
    assert_eq!(
        result(&mut fixture, json!({"from_id": "PAY-1", "to_id": "PAY-3"})),
        ["fields.kind"],
        "both kinds would match"
    );
    fixture.apply(unlink(json!({"from_id": "PAY-1", "to_id": "PAY-3", "kind": "depends_on"})));
    fixture.apply(unlink(json!({"from_id": "PAY-1", "to_id": "PAY-3"})));
}
