//! What became of a command, in a file for who started it.

use std::path::Path;

use serde_json::{Value, json};

use super::{command, fails, lake, ok};

fn summary(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("summary.json")).unwrap()).unwrap()
}

#[test]
fn a_summary_tells_what_became_of_a_command_whatever_that_was() {
    let lake = lake();
    let folder = lake.path();
    std::fs::write(
        folder.join("portal.md"),
        "# Portal\n\n- Design the page (1 day)\n- Build it (2 days)\n",
    )
    .unwrap();
    ok(folder, &["plan", "portal.md", "--yes", "--summary", "summary.json"]);
    let told = summary(folder);
    assert_eq!(
        (&told["command"], &told["exit"], &told["seq"], &told["sets_behind"]),
        (&json!("plan"), &json!(0), &json!(3), &json!(0))
    );
    assert_eq!(told["counts"]["created"], json!(2));
    assert!(
        told["code"].is_null() && told["duration_ms"].is_u64() && told["started_at"].is_string(),
        "{told}"
    );

    fails(folder, &["plan", "nowhere.md", "--yes", "--summary", "summary.json"], 1);
    let told = summary(folder);
    assert_eq!((&told["exit"], &told["code"]), (&json!(1), &json!("input")));
    assert!(
        told["message"].as_str().unwrap().contains("nowhere.md") && told["seq"].is_null(),
        "{told}"
    );

    fails(folder, &["task", "list", "--lake", "elsewhere", "--summary", "summary.json"], 3);
    assert_eq!(summary(folder)["code"], json!("not_a_lake"));
    // Where it cannot be written nothing is done, rather than done and called a failure.
    let said = fails(
        folder,
        &["task", "create", "Late", "--project", "PAY", "--summary", "no/such/summary.json"],
        2,
    );
    assert!(said.contains("no/such/summary.json"), "{said}");
    assert!(!ok(folder, &["task", "list"]).contains("Late"));
    let mut wrong = command(folder, &["task", "lits"]);
    assert_eq!(
        wrong.env("LAKEPLAN_SUMMARY", "summary.json").output().unwrap().status.code(),
        Some(2)
    );
    assert_eq!((&summary(folder)["code"], &summary(folder)["exit"]), (&json!("usage"), &json!(2)));
    assert!(summary(folder)["message"].as_str().unwrap().contains("lits"));
}
