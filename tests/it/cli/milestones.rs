//! Milestones on the command line.

use serde_json::json;

use super::{json_of, lake, ok};

#[test]
fn a_milestone_is_created_listed_and_shown_with_its_mark() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "Build", "--estimate", "2d"]);
    ok(path, &["task", "create", "Beta", "--kind", "milestone", "--due", "2030-03-01"]);
    ok(path, &["task", "link", "PAY-2", "PAY-1"]);
    let listed = ok(path, &["task", "list", "--kind", "milestone"]);
    assert!(listed.contains("◆ Beta") && !listed.contains("Build"), "{listed}");
    for args in [&["task", "show", "PAY-2"][..], &["task", "tree", "PAY"]] {
        assert!(ok(path, args).contains("PAY-2  ◆ Beta"), "{args:?}");
    }
    assert_eq!(json_of(path, &["task", "show", "PAY-2"])["kind"], json!("milestone"));
    assert_eq!(json_of(path, &["task", "show", "PAY-1"])["kind"], json!("task"));
    ok(path, &["task", "done", "PAY-1"]);
    let next = ok(path, &["next"]);
    assert!(!next.contains("Beta"), "{next}");
}
