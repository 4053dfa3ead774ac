use lakeplan::domain::apply::Rejection;
use serde_json::{Value, json};

use super::World;

/// What the state says, without who changed it when, which an undo does not take back.
fn content(world: &World) -> Vec<String> {
    let quiet = [
        "updated_at",
        "updated_by",
        "last_progress_at",
        "deleted_at",
        "deleted_by",
        "deleted_in",
        "left_number",
    ];
    let living = world.state.records().filter(|record| record.is_live());
    living
        .map(|record| {
            let mut fields = record.to_fields();
            fields.retain(|field, _| !quiet.contains(&field.as_str()));
            format!("{:?} {}", record.record_key(), Value::Object(fields))
        })
        .collect()
}

#[test]
fn what_any_set_did_can_be_taken_back() {
    let sets = [
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "x", "due_date": "2026-12-01"}}]),
        json!([{"op": "create", "entity": "task", "id": "$a", "fields": {"project_id": "PAY", "title": "n"}},
               {"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": "m", "parent_id": "$a"}},
               {"op": "update", "entity": "task", "id": "$a", "fields": {"status": "review"}}]),
        json!([{"op": "delete", "entity": "task", "id": "PAY-1"}]),
        json!([{"op": "delete", "entity": "task", "id": "PAY-2"}, {"op": "delete", "entity": "task", "id": "PAY-4"}]),
        json!([{"op": "move", "entity": "task", "id": "PAY-3", "fields": {"parent_id": "PAY-4"}}]),
        json!([{"op": "move", "entity": "task", "id": "PAY-3", "place": "first"}]),
        json!([{"op": "move", "entity": "task", "id": "PAY-4", "place": "first"}]),
        json!([{"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-3", "to_id": "PAY-4"}}]),
        json!([{"op": "unlink", "entity": "task_link", "fields": {"from_id": "PAY-2", "to_id": "PAY-4"}}]),
        json!([{"op": "move", "entity": "task", "id": "PAY-5", "fields": {"project_id": "OTH"}}]),
        json!([{"op": "delete", "entity": "project", "id": "PAY"}]),
        json!([{"op": "restore", "entity": "task", "id": "PAY-7"}]),
        // As user merge does it, and with the parts of it in other orders.
        json!([{"op": "update", "entity": "user", "id": "ana", "fields": {"merged_into": "bo"}},
               {"op": "update", "entity": "task", "id": "PAY-1", "fields": {"assignee_id": "bo"}},
               {"op": "update", "entity": "project", "id": "PAY", "fields": {"owner": "bo"}},
               {"op": "delete", "entity": "user", "id": "ana"}]),
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"assignee_id": "bo"}},
               {"op": "update", "entity": "user", "id": "ana", "fields": {"merged_into": "bo"}},
               {"op": "delete", "entity": "user", "id": "ana"},
               {"op": "create", "entity": "user", "id": "$c", "fields": {"handle": "ana"}},
               {"op": "update", "entity": "task", "id": "PAY-4", "fields": {"assignee_id": "$c"}}]),
    ];
    for set in sets {
        let mut world =
            World::with(&["a", "b below PAY-1", "c below PAY-1", "d", "e", "f below PAY-5", "g"]);
        world.apply(json!([
            {"op": "create", "entity": "project", "fields": {"name": "Other", "key": "OTH"}},
            {"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-2", "to_id": "PAY-4"}},
            {"op": "delete", "entity": "task", "id": "PAY-7"},
            {"op": "update", "entity": "task", "id": "PAY-1", "fields": {"assignee_id": "ana"}},
            {"op": "update", "entity": "project", "id": "PAY", "fields": {"owner": "ana"}},
        ]));
        let before = content(&world);
        world.apply(set.clone());
        let after = content(&world);
        assert_ne!(before, after, "{set} changed nothing");
        world.undo().unwrap_or_else(|rejection| panic!("{set}: {rejection:?}"));
        let mut undone = content(&world);
        // Positions may differ where siblings were spread; order is what counts and the outline compares it.
        let strip = |lines: &mut Vec<String>| {
            lines.iter_mut().for_each(|line| *line = without_position(line))
        };
        let mut wanted = before.clone();
        strip(&mut undone);
        strip(&mut wanted);
        let former = |line: &String| {
            line.replace(r#""former_keys":["OTH-1"],"#, "")
                .replace(r#""former_keys":["OTH-2"],"#, "")
        };
        assert_eq!(undone.iter().map(former).collect::<Vec<_>>(), wanted, "undo of {set}");
    }
}

fn without_position(line: &str) -> String {
    match line.find("\"position\":") {
        None => line.to_owned(),
        Some(at) => {
            let end = line[at..].find(',').map_or(line.len(), |comma| at + comma + 1);
            format!("{}{}", &line[..at], &line[end..])
        }
    }
}

#[test]
fn an_undo_can_be_undone() {
    let mut world = World::with(&["a"]);
    world.apply(
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "b"}}]),
    );
    world.undo().unwrap();
    assert_eq!(world.get("PAY-1").title.as_str(), "a");
    world.undo().unwrap();
    assert_eq!(world.get("PAY-1").title.as_str(), "b");
}

#[test]
fn a_field_changed_since_refuses_the_undo() {
    let mut world = World::with(&["a"]);
    let first = world.apply(
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "b"}}]),
    );
    world.apply(
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "c"}}]),
    );
    let patches = lakeplan::domain::invert::invert(&first, &world.state);
    match world.patches(patches) {
        Err(Rejection::Conflicted(conflict)) => {
            assert_eq!((conflict.field.as_str(), conflict.theirs), ("title", json!("c")))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn another_field_changed_since_stays() {
    let mut world = World::with(&["a"]);
    let first = world.apply(
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "b"}}]),
    );
    world.apply(
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"status": "review"}}]),
    );
    let patches = lakeplan::domain::invert::invert(&first, &world.state);
    world.patches(patches).unwrap();
    assert_eq!(
        (world.get("PAY-1").title.as_str(), world.get("PAY-1").status.as_str()),
        ("a", "review")
    );
}

#[test]
fn later_work_on_what_a_set_made_is_found() {
    use lakeplan::domain::later::{Later, find};
    let made = |world: &mut World| {
        world.apply(json!([
            {"op": "create", "entity": "project", "id": "$p", "fields": {"name": "Other", "key": "OTH"}},
            {"op": "create", "entity": "task", "id": "$a", "fields": {"project_id": "$p", "title": "a"}},
            {"op": "create", "entity": "task", "fields": {"project_id": "$p", "title": "b", "parent_id": "$a"}},
            {"op": "update", "entity": "task", "id": "$a", "fields": {"title": "c", "due_date": "2026-12-01"}},
        ]))
    };
    let cases = [
        (json!([]), None),
        (
            json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "x"}}]),
            None,
        ),
        (json!([{"op": "move", "entity": "task", "id": "OTH-2", "place": "first"}]), None),
        (json!([{"op": "delete", "entity": "task", "id": "OTH-1"}]), None),
        (
            json!([{"op": "update", "entity": "task", "id": "OTH-2", "fields": {"status": "review"}}]),
            Some("status"),
        ),
        (
            json!([{"op": "update", "entity": "task", "id": "OTH-1", "fields": {"due_date": null}}]),
            Some("due_date"),
        ),
        (
            json!([{"op": "move", "entity": "task", "id": "OTH-2", "fields": {"parent_id": null}}]),
            Some("parent_id"),
        ),
        (
            json!([{"op": "create", "entity": "task", "fields": {"project_id": "OTH", "title": "d"}}]),
            Some(""),
        ),
        (
            json!([{"op": "create", "entity": "task", "fields": {"project_id": "OTH", "title": "d", "parent_id": "OTH-2"}}]),
            Some(""),
        ),
    ];
    for (later, wanted) in cases {
        let mut world = World::with(&["a"]);
        let changes = made(&mut world);
        if later != json!([]) {
            world.apply(later.clone());
        }
        let found = find(&changes, &world.state).map(|found| match found {
            Later::Changed { field, .. } => field,
            Later::Added { .. } => "",
        });
        assert_eq!(found, wanted, "{later}");
    }
}
