//! `lakeplan next` and `lakeplan task done`: the next task, and the remaining work after it.

use serde_json::{Value, json};

use super::{json_of, lake, ok};

fn keys(answer: &Value) -> Vec<&str> {
    answer["tasks"].as_array().unwrap().iter().map(|task| task["key"].as_str().unwrap()).collect()
}

#[test]
fn next_ranks_all_projects_and_own_tasks_before_unassigned_ones() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["user", "add", "ana"]);
    ok(path, &["project", "create", "Archive", "--key", "ARC"]);
    ok(path, &["task", "create", "Some day", "--project", "PAY"]);
    ok(path, &["task", "create", "Soon", "--project", "ARC", "--due", "2031-01-01"]);
    ok(path, &["task", "create", "Sooner", "--project", "PAY", "--due", "2030-01-01"]);
    ok(path, &["task", "create", "Hers", "--project", "ARC", "--assignee", "@ana"]);
    assert_eq!(keys(&json_of(path, &["next"])), ["PAY-2", "ARC-1", "PAY-1", "ARC-2"]);
    assert_eq!(
        keys(&json_of(path, &["next", "--assignee", "@ana"])),
        ["ARC-2", "PAY-2", "ARC-1", "PAY-1"]
    );
    ok(path, &["task", "start", "PAY-1"]);
    assert!(ok(path, &["next"]).ends_with("\nnext: lakeplan task done PAY-1\n"));
}

#[test]
fn a_subtask_inherits_the_dates_of_its_parent() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "Later", "--due", "2031-06-01"]);
    ok(path, &["task", "create", "Whole", "--due", "2031-01-01"]);
    ok(path, &["task", "create", "Part", "--parent", "PAY-2"]);
    ok(path, &["task", "create", "Not yet", "--not-before", "2099-01-01"]);
    ok(path, &["task", "create", "Nor its part", "--parent", "PAY-4"]);
    let next = json_of(path, &["next"]);
    assert_eq!(keys(&next), ["PAY-3", "PAY-1"]);
    assert_eq!(
        (&next["tasks"][0]["due_date"], &next["tasks"][0]["due_with_whole"]),
        (&Value::Null, &json!("2031-01-01"))
    );
    assert!(ok(path, &["next"]).starts_with("PAY-3  Part  due 2031-01-01 with the whole\n"));
}

#[test]
fn task_done_lists_open_subtasks_and_completes_them_on_request() {
    let folder = lake();
    let path = folder.path();
    for (title, parent) in
        [("Phase", None), ("Whole", Some("PAY-1")), ("One", Some("PAY-2")), ("Two", Some("PAY-2"))]
    {
        let below: Vec<&str> = parent.map(|parent| vec!["--parent", parent]).unwrap_or_default();
        ok(path, &[&["task", "create", title][..], &below].concat());
    }
    let printed = ok(path, &["task", "done", "PAY-2"]);
    assert!(
        printed.contains(
            "\nstill open below it: PAY-3, PAY-4; lakeplan task done PAY-2 --parts completes them\n"
        ),
        "{printed}"
    );
    assert!(!printed.contains("PAY-1,"), "PAY-3 and PAY-4 are subtasks too: {printed}");
    assert_eq!(keys(&json_of(path, &["next"])), ["PAY-3", "PAY-4"]);
    ok(path, &["undo"]);
    let done = json_of(path, &["task", "done", "PAY-2", "--parts", "--spent", "2h"]);
    assert_eq!(done["completed_parts"], json!(["PAY-3", "PAY-4"]));
    assert_eq!((&done["open_parts"], &done["last_part_of"]), (&json!([]), &json!("PAY-1")));
    let [whole, part] = ["PAY-2", "PAY-4"].map(|key| json_of(path, &["task", "show", key]));
    assert_eq!((&whole["status"], &whole["actual_minutes"]), (&json!("completed"), &json!(120)));
    assert_eq!((&part["status"], &part["actual_minutes"]), (&json!("completed"), &Value::Null));
    assert_eq!(
        ok(path, &["next"]),
        "PAY-1  Phase  all its parts are closed\nnext: lakeplan task done PAY-1\n"
    );
    ok(path, &["undo"]);
    assert_eq!(json_of(path, &["task", "show", "PAY-4"])["status"], "pending");
}
