use lakeplan::domain::time::Minutes;
use lakeplan::domain::value::Title;
use lakeplan::planning::merge::merge;
use lakeplan::planning::split::{Part, split};
use serde_json::json;

use super::Fixture;
use crate::support::set_id;

fn merge_in(fixture: &mut Fixture, kept: &str, gone: &str) -> Result<(), String> {
    let patches = merge(&fixture.state, fixture.get(kept), fixture.get(gone), set_id())
        .map_err(|err| err.message)?;
    fixture.patches(patches).map(drop).map_err(|rejection| format!("{rejection:?}"))
}

#[test]
fn a_merge_keeps_the_targets_values_and_fills_its_gaps() {
    let mut fixture = Fixture::with(&["a", "b", "child below PAY-2"]);
    fixture.apply(json!([
        {"op": "update", "entity": "task", "id": "PAY-1", "fields": {"description": "own", "actual_minutes": 10, "priority": "low", "due_date": "2026-12-02", "tags": ["x"]}},
        {"op": "update", "entity": "task", "id": "PAY-2", "fields": {"description": "other", "actual_minutes": 5, "priority": "high", "due_date": "2026-12-01",
            "tags": ["x", "y"], "assignee_id": "@bo", "estimate_likely": 60, "status": "review"}},
    ]));
    merge_in(&mut fixture, "PAY-1", "PAY-2").unwrap();
    let kept = fixture.get("PAY-1");
    assert_eq!(kept.title.as_str(), "a");
    assert_eq!(kept.status.to_string(), "pending");
    assert_eq!(kept.description.as_ref().unwrap().as_str(), "own\n\nother");
    assert_eq!(kept.actual_minutes, Some(Minutes::new(15)));
    assert_eq!(kept.priority.unwrap().to_string(), "high");
    assert_eq!(kept.due_date.unwrap().to_string(), "2026-12-01");
    assert_eq!(kept.tags.0, ["x", "y"]);
    assert_eq!(kept.estimate_likely, Some(Minutes::new(60)));
    assert_eq!(kept.assignee_id, Some(fixture.state.user_by_name("@bo").unwrap().id));
    assert_eq!(fixture.outline(), "1 .3");
}

#[test]
fn merged_links_have_no_duplicates_and_no_self_links() {
    let mut fixture = Fixture::with(&["a", "b", "c", "d"]);
    let link = |from: &str, to: &str| json!({"op": "link", "entity": "task_link", "fields": {"from_id": from, "to_id": to}});
    fixture.apply(json!([
        link("PAY-1", "PAY-3"),
        link("PAY-2", "PAY-3"),
        link("PAY-4", "PAY-2"),
        link("PAY-2", "PAY-1")
    ]));
    merge_in(&mut fixture, "PAY-1", "PAY-2").unwrap();
    let number = |id| fixture.project().task(id).unwrap().key.number();
    let mut left: Vec<(u32, u32)> = fixture
        .project()
        .dependencies()
        .map(|link| (number(link.from_id), number(link.to_id)))
        .collect();
    left.sort_unstable();
    assert_eq!(left, [(1, 3), (4, 1)]);
}

#[test]
fn a_merge_that_closes_a_cycle_is_refused() {
    let mut fixture = Fixture::with(&["a", "b", "c"]);
    let link = |from: &str, to: &str| json!({"op": "link", "entity": "task_link", "fields": {"from_id": from, "to_id": to}});
    fixture.apply(json!([link("PAY-1", "PAY-3"), link("PAY-3", "PAY-2")]));
    let err = merge_in(&mut fixture, "PAY-1", "PAY-2").unwrap_err();
    assert!(err.contains("DependencyCycle"), "{err}");
    assert_eq!(fixture.outline(), "1 2 3");
}

#[test]
fn a_merge_into_itself_or_a_descendant_is_refused() {
    let mut fixture = Fixture::with(&["a", "b below PAY-1"]);
    assert!(merge_in(&mut fixture, "PAY-2", "PAY-1").unwrap_err().contains("the other way round"));
    assert!(merge_in(&mut fixture, "PAY-1", "PAY-1").is_err());
    merge_in(&mut fixture, "PAY-1", "PAY-2").unwrap();
}

#[test]
fn a_merge_can_be_undone() {
    let mut fixture = Fixture::with(&["a", "b", "child below PAY-2", "c"]);
    fixture.apply(json!([{"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-2", "to_id": "PAY-4"}}]));
    fixture.apply(
        json!([{"op": "update", "entity": "task", "id": "PAY-2", "fields": {"priority": "high"}}]),
    );
    merge_in(&mut fixture, "PAY-1", "PAY-2").unwrap();
    fixture.undo().unwrap();
    assert_eq!(fixture.outline(), "1 2 .3 4");
    assert_eq!(fixture.get("PAY-1").priority, None);
    let number = |id| fixture.project().task(id).unwrap().key.number();
    let left: Vec<(u32, u32)> = fixture
        .project()
        .dependencies()
        .map(|link| (number(link.from_id), number(link.to_id)))
        .collect();
    assert_eq!(left, [(2, 4)]);
}

#[test]
fn split_parts_share_the_remaining_estimate() {
    let mut fixture = Fixture::with(&["a"]);
    fixture.apply(
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"estimate_likely": 480, "assignee_id": "@ana"}}]),
    );
    let part = |title: &str, minutes: Option<u32>| Part {
        title: Title::new(title).unwrap(),
        estimate: minutes.map(Minutes::new),
    };
    let parts = [part("x", Some(180)), part("y", None), part("z", None)];
    let patches = split(fixture.get("PAY-1"), &parts, set_id()).unwrap();
    fixture.patches(patches).unwrap();
    let minutes: Vec<u32> =
        (2..5).map(|n| fixture.get(&format!("PAY-{n}")).estimate_likely.unwrap().get()).collect();
    assert_eq!((fixture.outline().as_str(), minutes), ("1 .2 .3 .4", vec![180, 150, 150]));
    assert_eq!(fixture.get("PAY-3").assignee_id, fixture.get("PAY-1").assignee_id);
    assert!(split(fixture.get("PAY-1"), &parts[..1], set_id()).is_err());
}
