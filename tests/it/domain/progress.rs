//! When the work on a task last progressed, started and ended.

use chrono::TimeDelta;
use lakeplan::planning::merge::merge;
use serde_json::{Value, json};

use super::Fixture;
use crate::support::{noon, set_id};

impl Fixture {
    /// Advances the clock by some minutes, then sets the status of PAY-1.
    fn set_status_after(&mut self, minutes: i64, status: &str) {
        self.at += TimeDelta::minutes(minutes);
        self.apply(json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"status": status}}]));
    }

    /// Returns the minutes after noon at which a task was started and completed, then its lead and
    /// cycle time.
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
fn progress_is_recorded_only_when_status_or_spent_work_changes() {
    let mut fixture = Fixture::with(&["a"]);
    assert_eq!(fixture.get("PAY-1").last_progress_at, None);
    fixture.apply(
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "b"}}]),
    );
    assert_eq!(fixture.get("PAY-1").last_progress_at, None);
    fixture.apply(
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"actual_minutes": 5}}]),
    );
    assert!(fixture.get("PAY-1").last_progress_at.is_some());
}

#[test]
fn a_task_keeps_its_first_start_and_its_last_completion() {
    let mut fixture = Fixture::with(&["a"]);
    assert_eq!(fixture.times("PAY-1"), [None; 4]);
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
        fixture.set_status_after(minutes, status);
        assert_eq!(fixture.times("PAY-1"), times, "step {index}, {status}");
    }
}

#[test]
fn a_task_that_never_started_has_no_cycle_time() {
    let mut fixture = Fixture::with(&["a"]);
    fixture.at += TimeDelta::seconds(59);
    fixture.set_status_after(0, "completed");
    let minute = |at: chrono::DateTime<chrono::Utc>| at.timestamp().div_euclid(60);
    let crossed = minute(fixture.at) - minute(noon());
    assert_eq!(fixture.times("PAY-1"), [None, Some(0), Some(crossed), None]);
}

#[test]
fn a_task_can_be_created_with_any_status() {
    let mut fixture = Fixture::new();
    fixture.at += TimeDelta::minutes(5);
    let task = |status: &str| json!({"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": "t", "status": status}});
    fixture.apply(json!([task("pending"), task("in_progress"), task("completed")]));
    assert_eq!(fixture.get("PAY-1").last_progress_at, None);
    assert_eq!(fixture.times("PAY-1"), [None; 4]);
    assert_eq!(fixture.times("PAY-2"), [Some(5), None, None, None]);
    assert_eq!(fixture.times("PAY-3"), [None, Some(5), Some(0), None]);
}

#[test]
fn an_undo_reverts_the_status_times() {
    let mut fixture = Fixture::with(&["a"]);
    fixture.set_status_after(10, "in_progress");
    fixture.set_status_after(10, "completed");
    fixture.set_status_after(10, "archived");
    fixture.at += TimeDelta::minutes(10);
    fixture.undo().unwrap();
    assert_eq!(
        fixture.times("PAY-1"),
        [Some(10), Some(20), Some(20), Some(10)],
        "after leaving the archive"
    );
    fixture.set_status_after(10, "review");
    fixture.at += TimeDelta::minutes(10);
    fixture.undo().unwrap();
    assert_eq!(fixture.times("PAY-1"), [Some(10), Some(60), Some(60), Some(50)], "completed again");
}

#[test]
fn moves_deletes_and_restores_keep_the_times() {
    let mut fixture = Fixture::with(&["a", "b"]);
    fixture.set_status_after(10, "in_progress");
    fixture.set_status_after(10, "completed");
    let times = fixture.times("PAY-1");
    fixture.at += TimeDelta::minutes(10);
    let patches: [Value; 4] = [
        json!([{"op": "move", "entity": "task", "id": "PAY-1", "fields": {"parent_id": "PAY-2"}}]),
        json!([{"op": "delete", "entity": "task", "id": "PAY-1"}]),
        json!([{"op": "restore", "entity": "task", "id": "PAY-1"}]),
        json!([{"op": "create", "entity": "project", "fields": {"name": "Other", "key": "OTH"}}]),
    ];
    for patches in patches {
        fixture.apply(patches);
        assert_eq!(fixture.times("PAY-1"), times);
    }
    fixture.apply(
        json!([{"op": "move", "entity": "task", "id": "PAY-1", "fields": {"project_id": "OTH"}}]),
    );
    assert_eq!(fixture.times("OTH-1"), times);
}

#[test]
fn a_merge_keeps_the_times_of_the_target() {
    let mut fixture = Fixture::with(&["a", "b"]);
    fixture.set_status_after(10, "in_progress");
    fixture.set_status_after(10, "completed");
    fixture.apply(
        json!([{"op": "update", "entity": "task", "id": "PAY-2", "fields": {"actual_minutes": 5}}]),
    );
    let joined = |fixture: &mut Fixture, kept: &str, gone: &str| {
        let patches =
            merge(&fixture.state, fixture.get(kept), fixture.get(gone), set_id()).unwrap();
        fixture.patches(patches).unwrap();
    };
    joined(&mut fixture, "PAY-2", "PAY-1");
    assert_eq!(fixture.times("PAY-2"), [None; 4]);
    assert_eq!(fixture.get("PAY-2").status.as_str(), "pending");
    fixture.undo().unwrap();
    joined(&mut fixture, "PAY-1", "PAY-2");
    assert_eq!(fixture.times("PAY-1"), [Some(10), Some(20), Some(20), Some(10)]);
}

#[test]
fn authors_cannot_set_the_times() {
    let mut fixture = Fixture::with(&["a"]);
    let fields = json!({"started_at": "2026-09-21T12:00:00Z", "completed_at": null, "lead_minutes": 1, "cycle_minutes": 1});
    let rules =
        fixture.rules(json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": fields}]));
    assert_eq!(rules, ["field_not_yours"; 4]);
}
