//! Totals of tasks with subtasks, and the open work of a project.

use lakeplan::domain::time::Estimate;
use lakeplan::planning::effort::Efforts;
use serde_json::json;

use crate::domain::Fixture;

fn minutes(estimate: Option<Estimate>) -> Option<[u32; 3]> {
    estimate
        .map(|estimate| [estimate.low, estimate.likely, estimate.high].map(|minutes| minutes.get()))
}

impl Fixture {
    fn estimate(&mut self, key: &str, [low, likely, high]: [u32; 3]) {
        let fields = json!({"estimate_low": low, "estimate_likely": likely, "estimate_high": high});
        self.apply(json!([{"op": "update", "entity": "task", "id": key, "fields": fields}]));
    }

    fn status(&mut self, key: &str, status: &str) {
        self.apply(
            json!([{"op": "update", "entity": "task", "id": key, "fields": {"status": status}}]),
        );
    }

    fn parts_of(&self, key: &str) -> Option<[u32; 3]> {
        minutes(Efforts::of(self.project()).of_parts(self.get(key).id))
    }

    fn open_work(&self) -> Option<[u32; 3]> {
        minutes(Efforts::of(self.project()).open())
    }
}

/// Creates PAY-1 with the subtasks PAY-2 and PAY-3, and PAY-4 and PAY-5 below PAY-3.
fn branch() -> Fixture {
    let mut fixture = Fixture::with(&[
        "all",
        "a below PAY-1",
        "b below PAY-1",
        "b1 below PAY-3",
        "b2 below PAY-3",
    ]);
    fixture.estimate("PAY-2", [10, 20, 30]);
    fixture.estimate("PAY-4", [1, 2, 3]);
    fixture.estimate("PAY-5", [100, 200, 300]);
    fixture
}

#[test]
fn estimates_are_summed_from_the_leaves_up() {
    let fixture = branch();
    assert_eq!(fixture.parts_of("PAY-3"), Some([101, 202, 303]));
    assert_eq!(fixture.parts_of("PAY-1"), Some([111, 222, 333]));
    assert_eq!(fixture.parts_of("PAY-2"), None, "it has no subtasks");
    assert_eq!(
        Fixture::with(&["all", "part below PAY-1"]).parts_of("PAY-1"),
        None,
        "its subtask has no estimate"
    );
}

#[test]
fn an_own_estimate_replaces_the_sum_of_the_subtasks() {
    let mut fixture = branch();
    fixture.estimate("PAY-3", [5, 6, 7]);
    assert_eq!(fixture.parts_of("PAY-3"), Some([101, 202, 303]));
    assert_eq!(fixture.parts_of("PAY-1"), Some([15, 26, 37]));
}

#[test]
fn cancelled_and_deleted_subtrees_do_not_count() {
    let mut fixture = branch();
    fixture.status("PAY-3", "cancelled");
    assert_eq!(
        (fixture.parts_of("PAY-1"), fixture.open_work()),
        (Some([10, 20, 30]), Some([10, 20, 30]))
    );
    fixture.apply(json!([{"op": "delete", "entity": "task", "id": "PAY-2"}]));
    assert_eq!((fixture.parts_of("PAY-1"), fixture.open_work()), (None, None));
}

#[test]
fn open_work_excludes_completed_work() {
    let mut fixture = branch();
    assert_eq!(fixture.open_work(), Some([111, 222, 333]));
    fixture.status("PAY-5", "completed");
    assert_eq!(
        fixture.parts_of("PAY-1"),
        Some([111, 222, 333]),
        "completed work is part of the total"
    );
    assert_eq!(fixture.open_work(), Some([11, 22, 33]));
    // The estimate exceeds that of the subtasks, and completed subtasks are subtracted.
    fixture.estimate("PAY-3", [200, 300, 400]);
    assert_eq!(fixture.open_work(), Some([110, 120, 130]));
    // The estimate is below that of the open subtasks.
    fixture.estimate("PAY-3", [1, 1, 1]);
    assert_eq!(fixture.open_work(), Some([11, 22, 33]));
    for key in ["PAY-1", "PAY-2", "PAY-3", "PAY-4"] {
        fixture.status(key, "completed");
    }
    assert_eq!(fixture.open_work(), None);
}
