//! The result of a command, in a file for the process that started it.

use std::path::Path;

use serde_json::{Value, json};

use super::{command, fails, lake, ok};

fn summary(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("summary.json")).unwrap()).unwrap()
}

#[test]
fn a_summary_is_written_for_every_result() {
    let lake = lake();
    let folder = lake.path();
    std::fs::write(
        folder.join("portal.md"),
        "# Portal\n\n- Design the page (1 day)\n- Build it (2 days)\n",
    )
    .unwrap();
    ok(folder, &["plan", "portal.md", "--yes", "--summary", "summary.json"]);
    let rendered = summary(folder);
    assert_eq!(
        (&rendered["command"], &rendered["exit"], &rendered["seq"], &rendered["sets_behind"]),
        (&json!("plan"), &json!(0), &json!(3), &json!(0))
    );
    assert_eq!(rendered["counts"]["created"], json!(2));
    assert!(
        rendered["code"].is_null()
            && rendered["duration_ms"].is_u64()
            && rendered["started_at"].is_string(),
        "{rendered}"
    );

    fails(folder, &["plan", "nowhere.md", "--yes", "--summary", "summary.json"], 1);
    let rendered = summary(folder);
    assert_eq!((&rendered["exit"], &rendered["code"]), (&json!(1), &json!("input")));
    assert!(
        rendered["message"].as_str().unwrap().contains("nowhere.md") && rendered["seq"].is_null(),
        "{rendered}"
    );

    fails(folder, &["task", "list", "--lake", "elsewhere", "--summary", "summary.json"], 3);
    assert_eq!(summary(folder)["code"], json!("not_a_lake"));
    // If the summary cannot be written, the command does nothing, instead of a change that is
    // reported as a failure.
    let printed = fails(
        folder,
        &["task", "create", "Late", "--project", "PAY", "--summary", "no/such/summary.json"],
        2,
    );
    assert!(printed.contains("no/such/summary.json"), "{printed}");
    assert!(!ok(folder, &["task", "list"]).contains("Late"));
    let mut wrong = command(folder, &["task", "lits"]);
    assert_eq!(
        wrong.env("LAKEPLAN_SUMMARY", "summary.json").output().unwrap().status.code(),
        Some(2)
    );
    assert_eq!((&summary(folder)["code"], &summary(folder)["exit"]), (&json!("usage"), &json!(2)));
    assert!(summary(folder)["message"].as_str().unwrap().contains("lits"));
}
