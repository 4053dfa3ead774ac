//! The report over a team's lake: its numbers match the views, and its page is well-formed for any
//! lake.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use lakeplan::analytics::Session;
use lakeplan::analytics::report::{Report, ReportOptions};
use lakeplan::domain::time::Instant;
use lakeplan::runtime::{Clock, SystemClock};
use lakeplan::store::Store;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use object_store::memory::InMemory;
use serde_json::{Value, json};

use crate::store::{committed, delta_in_memory, root};
use crate::support::noon;
use crate::team;

/// A Saturday.
const NOW: i64 = 1_795_255_200;

async fn report(store: &DeltaStore, now: Instant, projects: &[&str]) -> Report {
    let session = Session::open(&store.tables(), now).await.unwrap();
    let projects = projects.iter().map(|key| key.parse().unwrap()).collect();
    Report::gather(
        &session,
        &ReportOptions { projects, days: 84, lake: "memory:///lake/".to_owned() },
    )
    .await
    .unwrap()
}

/// Asserts that tags open and close in order, no attribute runs a script, and nothing is fetched.
fn assert_well_formed(page: &str) {
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    for wrong in ["NaN", "inf%", "src=", "href=", "http-equiv=\"refresh", "@import", "url("] {
        let outside = page.replace("&#60;img src=x", "");
        assert!(!outside.contains(wrong), "the page contains {wrong}");
    }
    let mut open = Vec::new();
    let mut rest = page;
    while let Some((_, tail)) = rest.split_once('<') {
        let (tag, tail) = tail.split_once('>').expect("the tag is closed");
        rest = tail;
        let name: String =
            tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name.as_str()), "</{name}> closes another tag");
        } else if !tag.ends_with('/') && !["meta", "!doctype", ""].contains(&name.as_str()) {
            assert_ne!(name, "script");
            assert!(!tag.contains(" on"), "<{tag}> would run a script");
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?} are not closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_report_shows_the_numbers_of_the_views() {
    let place = root(Arc::new(InMemory::new()));
    let now = DateTime::from_timestamp(NOW, 0).unwrap();
    let store = team::at_work(&place, now).await;
    let all = report(&store, now, &[]).await;
    let page = all.page().unwrap();
    assert_well_formed(&page);
    for text in [
        "Customer portal",
        "Burn-up",
        "Velocity",
        "Planning accuracy",
        "R4",
        "&#60;b&#62;bold&#60;/b&#62; &#38; &#34;quoted&#34;",
        "@bea",
    ] {
        assert!(page.contains(text), "{text} is missing");
    }
    assert!(!page.contains("Shown to nobody") && !page.contains("<b>bold</b>"));

    // Computes each number again from the records themselves.
    let state = store.snapshot(&lakeplan::store::Scope::All).await.unwrap().state;
    let rendered: Value = serde_json::to_value(&all).unwrap();
    for project in rendered["projects"].as_array().unwrap() {
        let key = project["project"].as_str().unwrap();
        let records = state.project_by_key(&key.parse().unwrap()).unwrap();
        let live: Vec<Value> = records
            .tasks()
            .filter(|task| task.deleted_at.is_none())
            .map(|task| {
                json!({
                    "id": task.id.to_string(), "parent": task.parent_id.map(|id| id.to_string()), "status": task.status,
                    "likely": task.estimate_likely.map(|minutes| minutes.get()), "was_completed": task.completed_at.is_some(),
                })
            })
            .collect();
        let counted: Vec<&Value> = live
            .iter()
            .filter(|task| !live.iter().any(|part| part["parent"] == task["id"]))
            .filter(|task| {
                task["status"] != "cancelled"
                    && (task["status"] != "archived" || task["was_completed"] == true)
            })
            .collect();
        let done = counted
            .iter()
            .filter(|task| task["status"] == "completed" || task["status"] == "archived")
            .count();
        assert_eq!(
            (&project["tasks"], &project["completed"]),
            (&json!(counted.len()), &json!(done)),
            "{key}"
        );
        let going = counted
            .iter()
            .filter(|task| task["status"] == "in_progress" || task["status"] == "review")
            .count();
        assert_eq!(project["in_progress"], going, "{key}");
        let likely: u64 = counted.iter().filter_map(|task| task["likely"].as_u64()).sum();
        assert_eq!(project["likely_minutes"], likely, "{key}");
        let curve =
            rendered["burn_up"].as_array().unwrap().iter().find(|curve| curve["project"] == key);
        let end = curve
            .and_then(|curve| curve["days"].as_array()?.last().cloned())
            .unwrap_or(json!({"scope": 0, "completed": 0}));
        assert_eq!(
            (&end["scope"], &end["completed"]),
            (&project["tasks"], &project["completed"]),
            "the curve of {key} has another end"
        );
    }
    assert!(
        all.accuracy.tasks > 15
            && all.accuracy.ranges > 5
            && all.accuracy.logged < all.accuracy.tasks,
        "{:?}",
        all.accuracy
    );
    assert_eq!(
        all.accuracy.distribution.iter().map(|bin| bin.tasks).sum::<usize>(),
        all.accuracy.tasks
    );
    assert_eq!(all.velocity.len(), 10);
    // All completed tasks were completed in these weeks, archived since or not.
    let completed: i64 = all.projects.iter().map(|project| project.completed).sum();
    assert_eq!(all.velocity.iter().map(|week| week.tasks).sum::<i64>(), completed);
    assert_eq!(all.accuracy.tasks as i64 + all.accuracy.unknown, completed);
    // The tile of overdue tasks and the rows below it count the same tasks, including those with
    // subtasks.
    let overdue: Vec<_> = all.at_risk.iter().filter(|task| task.reason == "overdue").collect();
    assert!(overdue.iter().any(|task| task.title == "Sign-in"));
    assert_eq!(
        all.projects.iter().map(|project| project.overdue).sum::<i64>(),
        overdue.len() as i64
    );
    let going: i64 = all.projects.iter().map(|project| project.in_progress).sum();
    assert_eq!(all.workload.iter().map(|person| person.in_progress).sum::<i64>(), going);
    for reason in ["overdue", "blocked", "over_estimate", "due_soon"] {
        assert!(all.at_risk.iter().any(|task| task.reason == reason), "{reason}");
    }
    assert!(all.recent_activity.status_changes.len() == 12);

    let one = report(&store, now, &["LED"]).await;
    assert_eq!(one.projects.len(), 1);
    assert!(one.page().unwrap().contains("<title>Ledger migration · plan report</title>"));
    assert!(
        one.requirements.is_empty()
            && one.burn_up.len() == 1
            && one.at_risk.iter().all(|task| task.project == "LED")
    );
    assert!(
        one.workload.iter().map(|person| person.tasks).sum::<i64>()
            < all.workload.iter().map(|person| person.tasks).sum::<i64>()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_report_of_an_empty_lake_says_what_to_do() {
    let (store, _) = delta_in_memory().await;
    store.fold().await.unwrap();
    let page = report(&store, noon(), &[]).await.page().unwrap();
    assert_well_formed(&page);
    assert!(
        page.contains("There is no project yet") && page.contains("lakeplan plan FILE --yes"),
        "{page}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_report_handles_empty_and_many_projects() {
    let (store, _) = delta_in_memory().await;
    let project = |n: usize| json!({"op": "create", "entity": "project", "id": format!("$p{n}"), "fields": {"name": format!("Project {n}"), "key": format!("P{n}")}});
    let _ = committed(store.as_ref(), json!([project(1)])).await;
    store.fold().await.unwrap();
    let page = report(&store, noon(), &[]).await.page().unwrap();
    assert_well_formed(&page);
    assert!(page.contains("No project has a task yet"), "{page}");

    let task = json!({"op": "create", "entity": "task", "fields": {"project_id": "P1", "title": "Only this"}});
    let _ = committed(store.as_ref(), json!([task])).await;
    store.fold().await.unwrap();
    let rendered = report(&store, noon(), &[]).await;
    assert_well_formed(&rendered.page().unwrap());
    assert_eq!(rendered.burn_up[0].days.len(), 1);
    assert!(rendered.page().unwrap().contains("No task has an estimate"));

    let mut patches = Vec::new();
    for n in 2..=200 {
        patches.push(project(n));
        patches.push(json!({"op": "create", "entity": "task", "fields": {"project_id": format!("$p{n}"), "title": "Only this", "due_date": "2020-01-01"}}));
    }
    let _ = committed(store.as_ref(), Value::Array(patches)).await;
    store.fold().await.unwrap();
    let rendered = report(&store, noon() + TimeDelta::days(1), &[]).await;
    let page = rendered.page().unwrap();
    assert_well_formed(&page);
    assert_eq!((rendered.projects.len(), rendered.at_risk.len()), (200, 199));
    assert!(
        page.contains("180 more projects")
            && page.contains("<summary>179 more tasks</summary>")
            && page.matches("<svg").count() == 14,
        "{}",
        page.matches("<svg").count()
    );
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
}

/// Writes the team's lake to a location where other engines and browsers can read it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lake_of_a_team_is_written_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let asked = lakeplan::config::variable("LAKEPLAN_TEAM_LAKE");
    let place = asked.unwrap_or_else(|| folder.path().join("lake").display().to_string());
    // It ends at the current time of the binary that continues with it.
    let store = team::at_work(&LakeLocation::open(&place, true).unwrap(), SystemClock.now()).await;
    assert!(store.head().await.unwrap().seq > 40);
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_works_in_a_later_century() {
    let now = DateTime::from_timestamp(NOW, 0).unwrap();
    // The calendar is the same 400 years later, and nanoseconds end in 2262.
    let mut rendered = Vec::new();
    for now in [now, now + TimeDelta::days(146_097)] {
        let place = root(Arc::new(InMemory::new()));
        let store = team::at_work(&place, now).await;
        let report = report(&store, now, &[]).await;
        assert_well_formed(&report.page().unwrap());
        rendered.push(serde_json::to_value(&report).unwrap());
    }
    let (today, later) = (&rendered[0], &rendered[1]);
    assert_eq!(later["accuracy"], today["accuracy"]);
    assert!(later["velocity"].to_string().contains("2426-"), "{}", later["velocity"]);
    assert_eq!(
        later["velocity"].to_string().replace("2426-", "2026-"),
        today["velocity"].to_string()
    );
}
