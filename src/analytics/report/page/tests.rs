//! The templates escape what comes from the lake.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Report, page};
use crate::analytics::report::trend::Day;
use crate::analytics::report::{Accuracy, BurnUp, Operations, RecentActivity, Week};

/// Text that would become an element, end an attribute and reorder the text after it.
fn hostile(place: &str) -> String {
    format!("<b id='x' title=\"x\">{place} & \u{202e}</b>")
}

fn rows<T: DeserializeOwned>(row: Value) -> Vec<T> {
    serde_json::from_value(json!([row])).unwrap()
}

/// Returns a report with such a text in each field that holds text.
fn report() -> Report {
    let (at, day) = ("2026-11-21T12:00:00Z", "2026-11-21");
    let project = |name: &str| {
        json!({
            "project": hostile("project key"), "name": hostile(name), "status": hostile("project status"), "tasks": 1,
            "completed": 0, "in_progress": 0, "blocked": 0, "overdue": 0, "without_estimate": 0, "likely_minutes": 0,
            "completed_minutes": 0, "remaining_minutes": 0, "last_activity": at,
        })
    };
    let today = day.parse().unwrap();
    let burn_up = |project: String| BurnUp {
        project,
        days: vec![Day { day: today, scope: 1, completed: 0 }],
    };
    let requirement = json!({
        "project": hostile("requirement project"), "requirement": hostile("requirement number"), "text": hostile("requirement text"),
        "source": hostile("requirement source"), "source_line": 7, "tasks": 0, "completed": 0, "coverage": "uncovered",
    });
    Report {
        lake: hostile("lake"),
        as_of: at.parse().unwrap(),
        seq: 1,
        today,
        since: today,
        asked: vec![hostile("asked")],
        recent_activity: RecentActivity {
            since: today,
            scope: 0,
            completed: 0,
            status_changes: rows(json!({
                "project": "P", "task": hostile("changed key"), "title": hostile("changed title"), "from_value": hostile("status before"),
                "to_value": hostile("status after"), "at": at, "actor": hostile("changed by"), "seq": 1,
            })),
        },
        projects: [rows(project("project name")), rows(project("another project"))].concat(),
        burn_up: vec![burn_up(hostile("project key")), burn_up("P".to_owned())],
        workload: rows(json!({
            "assignee": hostile("person"), "tasks": 1, "in_progress": 0, "likely_minutes": 1, "remaining_minutes": 1, "without_estimate": 0,
        })),
        accuracy: Accuracy::of(
            &rows(
                json!({"estimate_likely": 60, "actual_minutes": 60, "actual_source": "logged", "ratio": 1.0, "within_range": 1}),
            ),
            1,
        ),
        velocity: vec![Week {
            week: today,
            tasks: 1,
            likely_minutes: 60,
            logged_minutes: 0,
            complete: true,
        }],
        at_risk: rows(json!({
            "project": "P", "task": hostile("task key"), "title": hostile("task title"), "status": hostile("task status"),
            "assignee": hostile("assignee"), "due_date": day, "reason": hostile("reason"),
        })),
        requirements: rows(requirement),
        operations: Operations {
            fold: None,
            tables: rows(
                json!({"table_name": hostile("table"), "at": at, "files": 1, "version": 1}),
            ),
            runs: rows(json!({
                "run_id": "r", "started_at": at, "duration_ms": 1, "command": hostile("run command"), "actor": hostile("run actor"),
                "seq": 1, "version": "1",
            })),
            commands: rows(
                json!({"command": hostile("command"), "runs": 1, "median_ms": 1, "longest_ms": 1}),
            ),
            changes: rows(json!({
                "seq": 1, "at": at, "actor": hostile("change actor"), "source": "cli", "reason": hostile("change reason"),
                "op": hostile("op"), "entity": hostile("entity"), "project": hostile("change project"), "changes": 1,
            })),
        },
    }
}

#[test]
fn each_template_shows_hostile_text_as_text() {
    let page = page(&report()).unwrap();
    assert!(!page.contains("<b id") && !page.contains('\u{202e}'), "{page}");
    // A template, and a text that no other template shows.
    let shown = [
        ("page", "asked"),
        ("page", "lake"),
        ("progress", "project key"),
        ("progress", "project status"),
        ("at_risk", "task key"),
        ("at_risk", "task title"),
        ("at_risk", "task status"),
        ("at_risk", "assignee"),
        ("at_risk", "reason"),
        ("recent_activity", "changed key"),
        ("recent_activity", "changed title"),
        ("recent_activity", "status before"),
        ("recent_activity", "status after"),
        ("recent_activity", "changed by"),
        ("workload", "person"),
        ("requirements", "requirement project"),
        ("requirements", "requirement number"),
        ("requirements", "requirement text"),
        ("requirements", "requirement source"),
        ("operations", "table"),
        ("operations", "run command"),
        ("operations", "run actor"),
        ("operations", "command"),
        ("operations", "change actor"),
        ("operations", "change reason"),
        ("operations", "change project"),
    ];
    let escaped = |place: &str| {
        format!("&#60;b id=&#39;x&#39; title=&#34;x&#34;&#62;{place} &#38; \\u{{202e}}&#60;/b&#62;")
    };
    let mut expected: Vec<(&str, String)> =
        shown.map(|(template, place)| (template, escaped(place))).to_vec();
    let name = escaped("project name");
    expected.extend([
        ("progress", format!("<td class=\"t\">{name} <span")),
        ("figure", format!("<h3>{name}</h3>")),
        ("figure", format!("<title>{name}</title>")),
        ("accuracy", "<td>&#60; 0.5</td>".to_owned()),
    ]);
    expected.retain(|(_, escaped)| !page.contains(escaped));
    assert!(expected.is_empty(), "these templates do not escape: {expected:#?}");
}
