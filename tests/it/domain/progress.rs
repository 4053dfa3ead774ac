//! When work on a task last moved, when it began and when it ended.

use chrono::TimeDelta;
use lakeplan::planning::merge::merge;
use serde_json::{Value, json};

use super::World;
use crate::support::{noon, set_id};

impl World {
    /// Lets minutes pass, then gives PAY-1 a status.
    fn later(&mut self, minutes: i64, status: &str) {
        self.at += TimeDelta::minutes(minutes);
        self.apply(json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"status": status}}]));
    }

    /// Minutes after noon at which a task was started and completed, then its lead and cycle.
    fn times(&self, key: &str) -> [Option<i64>; 4] {
        let task = self.get(key);
        let after_noon = |at: Option<_>| {
            at.map(|at: lakeplan::domain::time::Instant| (at - noon()).num_minutes())
        };
        [
            after_noon(task.started_at),
            after_noon(task.completed_at),
            task.lead_minutes,
            task.cycle_minutes,
        ]
    }
}

#[test]
fn progress_is_noted_when_status_or_spent_work_moves_and_only_then() {
    let mut world = World::with(&["a"]);
    assert_eq!(world.get("PAY-1").last_progress_at, None);
    world.apply(
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "b"}}]),
    );
    assert_eq!(world.get("PAY-1").last_progress_at, None);
    world.apply(
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"actual_minutes": 5}}]),
    );
    assert!(world.get("PAY-1").last_progress_at.is_some());
}

#[test]
fn a_task_is_started_once_and_completed_at_its_last_completion() {
    let mut world = World::with(&["a"]);
    assert_eq!(world.times("PAY-1"), [None; 4]);
    let story = [
        (10, "in_progress", [Some(10), None, None, None]),
        (10, "blocked", [Some(10), None, None, None]),
        (10, "in_progress", [Some(10), None, None, None]),
        (10, "completed", [Some(10), Some(40), Some(40), Some(30)]),
        (10, "completed", [Some(10), Some(40), Some(40), Some(30)]),
        (10, "review", [Some(10), None, None, None]),
        (10, "completed", [Some(10), Some(70), Some(70), Some(60)]),
        (10, "archived", [Some(10), Some(70), Some(70), Some(60)]),
        (10, "completed", [Some(10), Some(70), Some(70), Some(60)]),
        (10, "archived", [Some(10), Some(70), Some(70), Some(60)]),
        (10, "pending", [Some(10), None, None, None]),
        (10, "archived", [Some(10), None, None, None]),
        (10, "completed", [Some(10), Some(130), Some(130), Some(120)]),
        (10, "cancelled", [Some(10), None, None, None]),
    ];
    for (index, (minutes, status, times)) in story.into_iter().enumerate() {
        world.later(minutes, status);
        assert_eq!(world.times("PAY-1"), times, "step {index}, {status}");
    }
}

#[test]
fn what_never_began_has_no_cycle_and_minutes_are_counted_whole() {
    let mut world = World::with(&["a"]);
    world.at += TimeDelta::seconds(59);
    world.later(0, "completed");
    let minute = |at: chrono::DateTime<chrono::Utc>| at.timestamp().div_euclid(60);
    let crossed = minute(world.at) - minute(noon());
    assert_eq!(world.times("PAY-1"), [None, Some(0), Some(crossed), None]);
}

#[test]
fn a_task_can_be_created_as_it_stands() {
    let mut world = World::new();
    world.at += TimeDelta::minutes(5);
    let task = |status: &str| json!({"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": "t", "status": status}});
    world.apply(json!([task("pending"), task("in_progress"), task("completed")]));
    assert_eq!(world.get("PAY-1").last_progress_at, None);
    assert_eq!(world.times("PAY-1"), [None; 4]);
    assert_eq!(world.times("PAY-2"), [Some(5), None, None, None]);
    assert_eq!(world.times("PAY-3"), [None, Some(5), Some(0), None]);
}

#[test]
fn an_undo_goes_back_through_the_status() {
    let mut world = World::with(&["a"]);
    world.later(10, "in_progress");
    world.later(10, "completed");
    world.later(10, "archived");
    world.at += TimeDelta::minutes(10);
    world.undo().unwrap();
    assert_eq!(
        world.times("PAY-1"),
        [Some(10), Some(20), Some(20), Some(10)],
        "out of the archive"
    );
    world.later(10, "review");
    world.at += TimeDelta::minutes(10);
    world.undo().unwrap();
    assert_eq!(world.times("PAY-1"), [Some(10), Some(60), Some(60), Some(50)], "completed again");
}

#[test]
fn moves_deletes_and_restores_keep_the_times() {
    let mut world = World::with(&["a", "b"]);
    world.later(10, "in_progress");
    world.later(10, "completed");
    let times = world.times("PAY-1");
    world.at += TimeDelta::minutes(10);
    let patches: [Value; 4] = [
        json!([{"op": "move", "entity": "task", "id": "PAY-1", "fields": {"parent_id": "PAY-2"}}]),
        json!([{"op": "delete", "entity": "task", "id": "PAY-1"}]),
        json!([{"op": "restore", "entity": "task", "id": "PAY-1"}]),
        json!([{"op": "create", "entity": "project", "fields": {"name": "Other", "key": "OTH"}}]),
    ];
    for patches in patches {
        world.apply(patches);
        assert_eq!(world.times("PAY-1"), times);
    }
    world.apply(
        json!([{"op": "move", "entity": "task", "id": "PAY-1", "fields": {"project_id": "OTH"}}]),
    );
    assert_eq!(world.times("OTH-1"), times);
}

#[test]
fn the_task_that_stays_keeps_its_own_times() {
    let mut world = World::with(&["a", "b"]);
    world.later(10, "in_progress");
    world.later(10, "completed");
    world.apply(
        json!([{"op": "update", "entity": "task", "id": "PAY-2", "fields": {"actual_minutes": 5}}]),
    );
    let joined = |world: &mut World, kept: &str, gone: &str| {
        let patches = merge(&world.state, world.get(kept), world.get(gone), set_id()).unwrap();
        world.patches(patches).unwrap();
    };
    joined(&mut world, "PAY-2", "PAY-1");
    assert_eq!(world.times("PAY-2"), [None; 4]);
    assert_eq!(world.get("PAY-2").status.as_str(), "pending");
    world.undo().unwrap();
    joined(&mut world, "PAY-1", "PAY-2");
    assert_eq!(world.times("PAY-1"), [Some(10), Some(20), Some(20), Some(10)]);
}

#[test]
fn no_author_writes_them() {
    let mut world = World::with(&["a"]);
    let fields = json!({"started_at": "2026-09-21T12:00:00Z", "completed_at": null, "lead_minutes": 1, "cycle_minutes": 1});
    let rules =
        world.rules(json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": fields}]));
    assert_eq!(rules, ["field_not_yours"; 4]);
}
