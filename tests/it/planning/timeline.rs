//! Where tasks lie in time: what happened, what is held by a day, and what is only laid out.

use std::time::{Duration, Instant};

use chrono::{NaiveDate, TimeDelta};
use lakeplan::domain::time::Instant as Moment;
use lakeplan::planning::timeline::{Basis, timeline};
use serde_json::json;

use crate::domain::World;

/// Wednesday 2026-11-25, ten in the morning.
fn wednesday() -> Moment {
    "2026-11-25T10:00:00Z".parse().unwrap()
}

impl World {
    fn fields(&mut self, key: &str, fields: serde_json::Value) {
        self.apply(json!([{"op": "update", "entity": "task", "id": key, "fields": fields}]));
    }

    fn days(&mut self, key: &str, days: u32) {
        self.fields(key, json!({"estimate_likely": days * 480}));
    }

    fn depends(&mut self, from: &str, to: &str, dependency: &str, lag: i64) {
        let fields =
            json!({"from_id": from, "to_id": to, "dependency": dependency, "lag_minutes": lag});
        self.apply(json!([{"op": "link", "entity": "task_link", "fields": fields}]));
    }

    /// `25 to 27 LaidOut`, with the days of November; later months count on from it.
    fn lies_at(&self, key: &str, now: Moment) -> String {
        let first: NaiveDate = "2026-10-31".parse().unwrap();
        let Some(span) = timeline(self.project(), now).get(&self.get(key).id).copied() else {
            return "nowhere".to_owned();
        };
        let day = |day: NaiveDate| day.signed_duration_since(first).num_days();
        format!("{} to {} {:?}", day(span.start), day(span.end), span.basis)
    }

    fn lies(&self, key: &str) -> String {
        self.lies_at(key, wednesday())
    }
}

#[test]
fn open_tasks_begin_today_and_take_their_likely_effort_over_working_days() {
    let mut world = World::with(&["three days", "four days", "no estimate", "half"]);
    world.days("PAY-1", 3);
    world.days("PAY-2", 4);
    world.fields("PAY-4", json!({"estimate_likely": 240}));
    assert_eq!(world.lies("PAY-1"), "25 to 27 LaidOut");
    assert_eq!(world.lies("PAY-2"), "25 to 30 LaidOut", "the weekend is not worked on");
    assert_eq!(world.lies("PAY-3"), "25 to 25 LaidOut", "what nobody estimated is drawn as a day");
    let saturday = wednesday() + TimeDelta::days(3);
    assert_eq!(world.lies_at("PAY-4", saturday), "30 to 30 LaidOut", "work begins on Monday");
}

#[test]
fn a_dependent_task_lies_after_what_it_depends_on_and_its_lag() {
    let mut world = World::with(&["a", "b", "c", "d", "e"]);
    world.days("PAY-1", 2);
    for key in ["PAY-2", "PAY-3"] {
        world.fields(key, json!({"estimate_likely": 240}));
    }
    world.depends("PAY-2", "PAY-1", "FS", 0);
    world.depends("PAY-3", "PAY-2", "FS", 0);
    world.depends("PAY-4", "PAY-1", "FS", 480);
    world.depends("PAY-5", "PAY-1", "FS", -480);
    assert_eq!(world.lies("PAY-2"), "27 to 27 LaidOut");
    assert_eq!(world.lies("PAY-3"), "27 to 27 LaidOut", "two halves make a day");
    assert_eq!(world.lies("PAY-4"), "30 to 30 LaidOut", "a day of work to wait");
    assert_eq!(world.lies("PAY-5"), "26 to 26 LaidOut", "they may overlap by a day");
}

#[test]
fn each_kind_of_dependency_holds_its_own_ends() {
    let mut world = World::with(&["held by a day", "SS", "FF", "SF", "FF and SS"]);
    world.days("PAY-1", 3);
    world.fields("PAY-1", json!({"not_before": "2026-11-30"}));
    for (key, dependency) in [("PAY-2", "SS"), ("PAY-3", "FF"), ("PAY-4", "SF")] {
        world.depends(key, "PAY-1", dependency, 0);
    }
    assert_eq!(world.lies("PAY-1"), "30 to 32 LaidOut");
    assert_eq!(world.lies("PAY-2"), "30 to 30 LaidOut", "it begins when the other begins");
    assert_eq!(world.lies("PAY-3"), "32 to 32 LaidOut", "it ends when the other ends");
    assert_eq!(world.lies("PAY-4"), "27 to 27 LaidOut", "it ends no sooner than the other begins");
    world.depends("PAY-5", "PAY-3", "SS", 0);
    assert_eq!(
        world.lies("PAY-3"),
        "25 to 32 LaidOut",
        "somebody waits for its beginning, so it begins at once"
    );
    assert_eq!(world.lies("PAY-5"), "25 to 25 LaidOut");
}

#[test]
fn what_happened_lies_where_it_happened() {
    let mut world = World::with(&["done", "underway", "after the done one", "overspent"]);
    world.days("PAY-2", 4);
    world.days("PAY-4", 1);
    world.depends("PAY-3", "PAY-1", "FS", 0);
    world.at = "2026-11-19T08:00:00Z".parse().unwrap();
    for key in ["PAY-1", "PAY-2", "PAY-4"] {
        world.fields(key, json!({"status": "in_progress"}));
    }
    world.fields("PAY-2", json!({"actual_minutes": 2 * 480}));
    world.fields("PAY-4", json!({"actual_minutes": 3 * 480}));
    world.at = "2026-11-22T08:00:00Z".parse().unwrap();
    world.fields("PAY-1", json!({"status": "completed"}));
    assert_eq!(world.lies("PAY-1"), "19 to 22 Done", "even on a Sunday");
    assert_eq!(world.lies("PAY-2"), "19 to 26 Underway", "two of four days are left");
    assert_eq!(world.lies("PAY-3"), "25 to 25 LaidOut");
    assert_eq!(
        world.lies("PAY-4"),
        "19 to 25 Underway",
        "what took longer than likely still goes on"
    );
    world.at = "2026-11-25T09:00:00Z".parse().unwrap();
    world.fields("PAY-1", json!({"status": "in_progress"}));
    world.fields("PAY-1", json!({"status": "completed"}));
    assert_eq!(world.lies("PAY-1"), "19 to 25 Done");
    assert_eq!(
        world.lies("PAY-3"),
        "25 to 25 LaidOut",
        "what waited can begin on the day that ended it"
    );
}

#[test]
fn a_due_day_holds_a_task_unless_it_cannot_be_met() {
    let mut world =
        World::with(&["due", "too long", "overdue", "behind the long one", "after the due one"]);
    world.days("PAY-1", 2);
    world.days("PAY-2", 5);
    for (key, due) in [
        ("PAY-1", "2026-12-04"),
        ("PAY-2", "2026-11-26"),
        ("PAY-3", "2026-11-20"),
        ("PAY-4", "2026-11-27"),
    ] {
        world.fields(key, json!({"due_date": due}));
    }
    world.depends("PAY-4", "PAY-2", "FS", 0);
    world.depends("PAY-5", "PAY-1", "FS", 0);
    assert_eq!(world.lies("PAY-1"), "33 to 34 Due");
    assert_eq!(world.lies("PAY-2"), "25 to 31 LaidOut");
    assert_eq!(world.lies("PAY-3"), "25 to 25 LaidOut");
    assert_eq!(world.lies("PAY-4"), "32 to 32 LaidOut");
    assert_eq!(world.lies("PAY-5"), "37 to 37 LaidOut", "the Monday after that Friday");
}

#[test]
fn a_phase_spans_its_parts_and_holds_them() {
    let mut world = World::with(&[
        "one",
        "a below PAY-1",
        "b below PAY-1",
        "two",
        "c below PAY-4",
        "d below PAY-4",
    ]);
    world.days("PAY-2", 2);
    world.days("PAY-3", 3);
    world.depends("PAY-4", "PAY-1", "FS", 0);
    world.depends("PAY-6", "PAY-5", "FS", 0);
    assert_eq!(world.lies("PAY-1"), "25 to 27 Parts");
    assert_eq!(world.lies("PAY-5"), "30 to 30 LaidOut", "the phase it is part of waits");
    assert_eq!(world.lies("PAY-4"), "30 to 31 Parts");
    world.at = "2026-11-20T08:00:00Z".parse().unwrap();
    world.fields("PAY-5", json!({"status": "completed"}));
    assert_eq!(
        world.lies("PAY-6"),
        "30 to 30 LaidOut",
        "a phase that began still waits with its open parts"
    );
    assert_eq!(world.lies("PAY-4"), "20 to 30 Parts");
}

#[test]
fn what_will_not_be_done_lies_nowhere_and_holds_nothing() {
    let mut world = World::with(&["gone", "part below PAY-1", "after", "archived"]);
    world.days("PAY-2", 5);
    world.depends("PAY-3", "PAY-1", "FS", 0);
    world.fields("PAY-1", json!({"status": "cancelled"}));
    world.fields("PAY-4", json!({"status": "archived"}));
    assert_eq!(["PAY-1", "PAY-2", "PAY-4"].map(|key| world.lies(key)), ["nowhere"; 3]);
    assert_eq!(world.lies("PAY-3"), "25 to 25 LaidOut");
    world.apply(json!([{"op": "delete", "entity": "task", "id": "PAY-3"}]));
    assert_eq!(world.lies("PAY-3"), "nowhere");
}

#[test]
fn efforts_and_lags_of_any_size_end_in_a_year_of_four_digits() {
    // The longest lag there is, often enough for more years than a date has.
    let tasks = 900;
    let titles: Vec<String> = (1..=tasks).map(|number| format!("task {number}")).collect();
    let mut world = World::with(&titles.iter().map(String::as_str).collect::<Vec<_>>());
    for number in 2..=tasks {
        world.depends(&format!("PAY-{number}"), &format!("PAY-{}", number - 1), "FS", 1_248_000);
    }
    let spans = timeline(world.project(), wednesday());
    let last = world.get(&format!("PAY-{tasks}")).id;
    assert_eq!(spans[&last].end.to_string(), "9999-12-31");
    assert_eq!(spans[&last].basis, Basis::LaidOut);
}

#[test]
fn two_thousand_tasks_in_one_chain_are_laid_out_at_once() {
    let titles: Vec<String> = (1..=2000).map(|number| format!("task {number}")).collect();
    let mut world = World::new();
    let create =
        titles.iter().map(|title| json!({"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": title}}));
    world.apply(create.collect());
    let link = |number: usize| {
        let fields =
            json!({"from_id": format!("PAY-{}", number + 1), "to_id": format!("PAY-{number}")});
        json!({"op": "link", "entity": "task_link", "fields": fields})
    };
    world.apply((1..2000).map(link).collect());
    let begun = Instant::now();
    let spans = timeline(world.project(), wednesday());
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    // 1,999 working days after a Wednesday: 399 weeks and 4 days.
    assert_eq!(
        spans[&world.get("PAY-2000").id].end,
        wednesday().date_naive() + TimeDelta::days(399 * 7 + 6)
    );
}
