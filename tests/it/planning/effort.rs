//! What tasks with parts come to, and what of a project is still open.

use lakeplan::domain::time::Estimate;
use lakeplan::planning::effort::Efforts;
use serde_json::json;

use crate::domain::World;

fn minutes(estimate: Option<Estimate>) -> Option<[u32; 3]> {
    estimate
        .map(|estimate| [estimate.low, estimate.likely, estimate.high].map(|minutes| minutes.get()))
}

impl World {
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

/// PAY-1 with the parts PAY-2 and PAY-3, and PAY-4 and PAY-5 below PAY-3.
fn branch() -> World {
    let mut world =
        World::with(&["all", "a below PAY-1", "b below PAY-1", "b1 below PAY-3", "b2 below PAY-3"]);
    world.estimate("PAY-2", [10, 20, 30]);
    world.estimate("PAY-4", [1, 2, 3]);
    world.estimate("PAY-5", [100, 200, 300]);
    world
}

#[test]
fn parts_are_summed_from_the_leaves_up() {
    let world = branch();
    assert_eq!(world.parts_of("PAY-3"), Some([101, 202, 303]));
    assert_eq!(world.parts_of("PAY-1"), Some([111, 222, 333]));
    assert_eq!(world.parts_of("PAY-2"), None, "it has no parts");
    assert_eq!(
        World::with(&["all", "part below PAY-1"]).parts_of("PAY-1"),
        None,
        "nobody estimated its part"
    );
}

#[test]
fn an_own_estimate_stands_for_all_below_it() {
    let mut world = branch();
    world.estimate("PAY-3", [5, 6, 7]);
    assert_eq!(world.parts_of("PAY-3"), Some([101, 202, 303]));
    assert_eq!(world.parts_of("PAY-1"), Some([15, 26, 37]));
}

#[test]
fn what_is_cancelled_or_deleted_counts_for_nothing_with_all_below_it() {
    let mut world = branch();
    world.status("PAY-3", "cancelled");
    assert_eq!(
        (world.parts_of("PAY-1"), world.open_work()),
        (Some([10, 20, 30]), Some([10, 20, 30]))
    );
    world.apply(json!([{"op": "delete", "entity": "task", "id": "PAY-2"}]));
    assert_eq!((world.parts_of("PAY-1"), world.open_work()), (None, None));
}

#[test]
fn open_work_is_what_is_not_done_yet() {
    let mut world = branch();
    assert_eq!(world.open_work(), Some([111, 222, 333]));
    world.status("PAY-5", "completed");
    assert_eq!(world.parts_of("PAY-1"), Some([111, 222, 333]), "what is done is part of the whole");
    assert_eq!(world.open_work(), Some([11, 22, 33]));
    // Its own estimate says that there is more to it than its parts, and what is done of them is done.
    world.estimate("PAY-3", [200, 300, 400]);
    assert_eq!(world.open_work(), Some([110, 120, 130]));
    // It says less than its open parts.
    world.estimate("PAY-3", [1, 1, 1]);
    assert_eq!(world.open_work(), Some([11, 22, 33]));
    for key in ["PAY-1", "PAY-2", "PAY-3", "PAY-4"] {
        world.status(key, "completed");
    }
    assert_eq!(world.open_work(), None);
}
