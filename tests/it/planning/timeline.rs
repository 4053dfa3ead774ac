//! The timeline of tasks: actual dates, fixed dates, and planned dates.

use std::time::{Duration, Instant};

use chrono::{NaiveDate, TimeDelta};
use lakeplan::domain::time::Instant as Moment;
use lakeplan::planning::timeline::{Basis, timeline};
use serde_json::json;

use crate::domain::Fixture;

/// Wednesday 2026-11-25, ten in the morning.
fn wednesday() -> Moment {
    "2026-11-25T10:00:00Z".parse().unwrap()
}

impl Fixture {
    fn fields(&mut self, key: &str, fields: serde_json::Value) {
        self.apply(json!([{"op": "update", "entity": "task", "id": key, "fields": fields}]));
    }

    fn days(&mut self, key: &str, days: u32) {
        self.fields(key, json!({"estimate_likely": days * 480}));
    }

    fn add_dependency(&mut self, from: &str, to: &str, dependency: &str, lag: i64) {
        let fields =
            json!({"from_id": from, "to_id": to, "dependency": dependency, "lag_minutes": lag});
        self.apply(json!([{"op": "link", "entity": "task_link", "fields": fields}]));
    }

    /// Returns a span like `25 to 27 LaidOut`, in days of November; later months continue the
    /// count.
    fn span_at(&self, key: &str, now: Moment) -> String {
        let first: NaiveDate = "2026-10-31".parse().unwrap();
        let Some(span) = timeline(self.project(), now).get(&self.get(key).id).copied() else {
            return "nowhere".to_owned();
        };
        let day = |day: NaiveDate| day.signed_duration_since(first).num_days();
        format!("{} to {} {:?}", day(span.start), day(span.end), span.basis)
    }

    fn span(&self, key: &str) -> String {
        self.span_at(key, wednesday())
    }
}

#[test]
fn open_tasks_start_today_and_last_their_likely_effort_in_working_days() {
    let mut fixture = Fixture::with(&["three days", "four days", "no estimate", "half"]);
    fixture.days("PAY-1", 3);
    fixture.days("PAY-2", 4);
    fixture.fields("PAY-4", json!({"estimate_likely": 240}));
    assert_eq!(fixture.span("PAY-1"), "25 to 27 LaidOut");
    assert_eq!(fixture.span("PAY-2"), "25 to 30 LaidOut", "the weekend is not a working time");
    assert_eq!(fixture.span("PAY-3"), "25 to 25 LaidOut", "a task without an estimate takes a day");
    let saturday = wednesday() + TimeDelta::days(3);
    assert_eq!(fixture.span_at("PAY-4", saturday), "30 to 30 LaidOut", "work begins on Monday");
}

#[test]
fn a_dependent_task_starts_after_its_predecessor_and_lag() {
    let mut fixture = Fixture::with(&["a", "b", "c", "d", "e"]);
    fixture.days("PAY-1", 2);
    for key in ["PAY-2", "PAY-3"] {
        fixture.fields(key, json!({"estimate_likely": 240}));
    }
    fixture.add_dependency("PAY-2", "PAY-1", "FS", 0);
    fixture.add_dependency("PAY-3", "PAY-2", "FS", 0);
    fixture.add_dependency("PAY-4", "PAY-1", "FS", 480);
    fixture.add_dependency("PAY-5", "PAY-1", "FS", -480);
    assert_eq!(fixture.span("PAY-2"), "27 to 27 LaidOut");
    assert_eq!(fixture.span("PAY-3"), "27 to 27 LaidOut", "two half days make a day");
    assert_eq!(fixture.span("PAY-4"), "30 to 30 LaidOut", "a lag of one working day");
    assert_eq!(fixture.span("PAY-5"), "26 to 26 LaidOut", "they may overlap by a day");
}

#[test]
fn each_dependency_type_constrains_its_own_ends() {
    let mut fixture = Fixture::with(&["held by a day", "SS", "FF", "SF", "FF and SS"]);
    fixture.days("PAY-1", 3);
    fixture.fields("PAY-1", json!({"not_before": "2026-11-30"}));
    for (key, dependency) in [("PAY-2", "SS"), ("PAY-3", "FF"), ("PAY-4", "SF")] {
        fixture.add_dependency(key, "PAY-1", dependency, 0);
    }
    assert_eq!(fixture.span("PAY-1"), "30 to 32 LaidOut");
    assert_eq!(fixture.span("PAY-2"), "30 to 30 LaidOut", "it starts when the other starts");
    assert_eq!(fixture.span("PAY-3"), "32 to 32 LaidOut", "it ends when the other ends");
    assert_eq!(
        fixture.span("PAY-4"),
        "27 to 27 LaidOut",
        "it ends no earlier than the other starts"
    );
    fixture.add_dependency("PAY-5", "PAY-3", "SS", 0);
    assert_eq!(
        fixture.span("PAY-3"),
        "25 to 32 LaidOut",
        "another task waits for its start, so it starts immediately"
    );
    assert_eq!(fixture.span("PAY-5"), "25 to 25 LaidOut");
}

#[test]
fn started_and_completed_tasks_use_their_actual_dates() {
    let mut fixture = Fixture::with(&["done", "underway", "after the done one", "overspent"]);
    fixture.days("PAY-2", 4);
    fixture.days("PAY-4", 1);
    fixture.add_dependency("PAY-3", "PAY-1", "FS", 0);
    fixture.at = "2026-11-19T08:00:00Z".parse().unwrap();
    for key in ["PAY-1", "PAY-2", "PAY-4"] {
        fixture.fields(key, json!({"status": "in_progress"}));
    }
    fixture.fields("PAY-2", json!({"actual_minutes": 2 * 480}));
    fixture.fields("PAY-4", json!({"actual_minutes": 3 * 480}));
    fixture.at = "2026-11-22T08:00:00Z".parse().unwrap();
    fixture.fields("PAY-1", json!({"status": "completed"}));
    assert_eq!(fixture.span("PAY-1"), "19 to 22 Done", "even on a Sunday");
    assert_eq!(fixture.span("PAY-2"), "19 to 26 Underway", "two of four days are left");
    assert_eq!(fixture.span("PAY-3"), "25 to 25 LaidOut");
    assert_eq!(fixture.span("PAY-4"), "19 to 25 Underway", "an overdue task continues until today");
    fixture.at = "2026-11-25T09:00:00Z".parse().unwrap();
    fixture.fields("PAY-1", json!({"status": "in_progress"}));
    fixture.fields("PAY-1", json!({"status": "completed"}));
    assert_eq!(fixture.span("PAY-1"), "19 to 25 Done");
    assert_eq!(
        fixture.span("PAY-3"),
        "25 to 25 LaidOut",
        "a dependent task can start on the day the other ended"
    );
}

#[test]
fn a_due_date_fixes_a_task_if_it_can_be_met() {
    let mut fixture =
        Fixture::with(&["due", "too long", "overdue", "behind the long one", "after the due one"]);
    fixture.days("PAY-1", 2);
    fixture.days("PAY-2", 5);
    for (key, due) in [
        ("PAY-1", "2026-12-04"),
        ("PAY-2", "2026-11-26"),
        ("PAY-3", "2026-11-20"),
        ("PAY-4", "2026-11-27"),
    ] {
        fixture.fields(key, json!({"due_date": due}));
    }
    fixture.add_dependency("PAY-4", "PAY-2", "FS", 0);
    fixture.add_dependency("PAY-5", "PAY-1", "FS", 0);
    assert_eq!(fixture.span("PAY-1"), "33 to 34 Due");
    assert_eq!(fixture.span("PAY-2"), "25 to 31 LaidOut");
    assert_eq!(fixture.span("PAY-3"), "25 to 25 LaidOut");
    assert_eq!(fixture.span("PAY-4"), "32 to 32 LaidOut");
    assert_eq!(fixture.span("PAY-5"), "37 to 37 LaidOut", "the Monday after that Friday");
}

#[test]
fn a_phase_spans_its_subtasks_and_constrains_them() {
    let mut fixture = Fixture::with(&[
        "one",
        "a below PAY-1",
        "b below PAY-1",
        "two",
        "c below PAY-4",
        "d below PAY-4",
    ]);
    fixture.days("PAY-2", 2);
    fixture.days("PAY-3", 3);
    fixture.add_dependency("PAY-4", "PAY-1", "FS", 0);
    fixture.add_dependency("PAY-6", "PAY-5", "FS", 0);
    assert_eq!(fixture.span("PAY-1"), "25 to 27 Parts");
    assert_eq!(fixture.span("PAY-5"), "30 to 30 LaidOut", "its phase waits for another phase");
    assert_eq!(fixture.span("PAY-4"), "30 to 31 Parts");
    fixture.at = "2026-11-20T08:00:00Z".parse().unwrap();
    fixture.fields("PAY-5", json!({"status": "completed"}));
    assert_eq!(
        fixture.span("PAY-6"),
        "30 to 30 LaidOut",
        "the open subtasks of a started phase still wait"
    );
    assert_eq!(fixture.span("PAY-4"), "20 to 30 Parts");
}

#[test]
fn cancelled_and_archived_tasks_have_no_span() {
    let mut fixture = Fixture::with(&["gone", "part below PAY-1", "after", "archived"]);
    fixture.days("PAY-2", 5);
    fixture.add_dependency("PAY-3", "PAY-1", "FS", 0);
    fixture.fields("PAY-1", json!({"status": "cancelled"}));
    fixture.fields("PAY-4", json!({"status": "archived"}));
    assert_eq!(["PAY-1", "PAY-2", "PAY-4"].map(|key| fixture.span(key)), ["nowhere"; 3]);
    assert_eq!(fixture.span("PAY-3"), "25 to 25 LaidOut");
    fixture.apply(json!([{"op": "delete", "entity": "task", "id": "PAY-3"}]));
    assert_eq!(fixture.span("PAY-3"), "nowhere");
}

#[test]
fn extreme_efforts_and_lags_end_by_the_year_9999() {
    // The longest allowed lag, often enough to exceed the years of a date.
    let tasks = 900;
    let titles: Vec<String> = (1..=tasks).map(|number| format!("task {number}")).collect();
    let mut fixture = Fixture::with(&titles.iter().map(String::as_str).collect::<Vec<_>>());
    for number in 2..=tasks {
        fixture.add_dependency(
            &format!("PAY-{number}"),
            &format!("PAY-{}", number - 1),
            "FS",
            1_248_000,
        );
    }
    let spans = timeline(fixture.project(), wednesday());
    let last = fixture.get(&format!("PAY-{tasks}")).id;
    assert_eq!(spans[&last].end.to_string(), "9999-12-31");
    assert_eq!(spans[&last].basis, Basis::LaidOut);
}

#[test]
fn a_chain_of_two_thousand_tasks_is_laid_out_quickly() {
    let titles: Vec<String> = (1..=2000).map(|number| format!("task {number}")).collect();
    let mut fixture = Fixture::new();
    let create =
        titles.iter().map(|title| json!({"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": title}}));
    fixture.apply(create.collect());
    let link = |number: usize| {
        let fields =
            json!({"from_id": format!("PAY-{}", number + 1), "to_id": format!("PAY-{number}")});
        json!({"op": "link", "entity": "task_link", "fields": fields})
    };
    fixture.apply((1..2000).map(link).collect());
    let started = Instant::now();
    let spans = timeline(fixture.project(), wednesday());
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    // 1,999 working days after a Wednesday: 399 weeks and 4 days.
    assert_eq!(
        spans[&fixture.get("PAY-2000").id].end,
        wednesday().date_naive() + TimeDelta::days(399 * 7 + 6)
    );
}

#[test]
fn a_milestone_takes_no_time() {
    let mut fixture = Fixture::with(&["two days", "after it", "on a Sunday", "next"]);
    fixture.days("PAY-1", 2);
    for key in ["PAY-2", "PAY-3"] {
        fixture.fields(key, json!({"kind": "milestone"}));
    }
    fixture.add_dependency("PAY-2", "PAY-1", "FS", 0);
    fixture.add_dependency("PAY-4", "PAY-2", "FS", 0);
    fixture.fields("PAY-3", json!({"due_date": "2026-11-29"}));
    assert_eq!(fixture.span("PAY-1"), "25 to 26 LaidOut");
    assert_eq!(fixture.span("PAY-2"), "26 to 26 LaidOut", "on the last day of its prerequisite");
    assert_eq!(fixture.span("PAY-4"), "27 to 27 LaidOut", "a milestone delays nothing");
    assert_eq!(fixture.span("PAY-3"), "29 to 29 Due", "its date may be a weekend");
    fixture.fields("PAY-3", json!({"due_date": "2026-11-20"}));
    assert_eq!(fixture.span("PAY-3"), "25 to 25 LaidOut", "an open milestone is not in the past");
}
