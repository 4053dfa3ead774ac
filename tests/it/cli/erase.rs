//! Erasing from the command line: first it says what would go, then it goes.

use serde_json::json;

use super::{fails, json_of, lake, ok};

#[test]
fn an_erase_is_shown_first_and_done_with_yes() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["user", "add", "ana", "--name", "Ana Souza", "--email", "ana@example.com"]);
    ok(path, &["task", "create", "Pay Ms Silva", "--project", "PAY", "--assignee", "@ana"]);
    ok(path, &["task", "start", "PAY-1", "--actor", "ana"]);
    let shown = ok(path, &["erase", "user", "@ana"]);
    for part in ["user @ana", "would erase handle, name, email", "1 row of the journal, in 1 file", "1 file of users", "--yes"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(shown.contains("stays: 1 row of the journal with this person's name"), "{shown}");
    assert!(ok(path, &["user", "show", "@ana"]).contains("Ana Souza"), "it was only to be shown");
    let before = json_of(path, &["doctor"])["head"].as_str().unwrap().to_owned();

    let done = ok(path, &["erase", "user", "@ana", "--yes"]);
    assert!(
        done.contains("2 rows of the journal, in 2 files") && done.contains("lakeplan maintain deletes them, on 20"),
        "{done}"
    );
    assert!(fails(path, &["user", "show", "@ana"], 1).contains("no user"));
    assert!(fails(path, &["erase", "user", "@ana", "--yes"], 1).contains("no user"));
    let user = json_of(path, &["user", "list"])["users"][0].clone();
    assert_eq!((&user["name"], &user["email"], &user["open_tasks"]), (&json!(null), &json!(null), &json!(1)));
    let id = user["id"].as_str().unwrap();
    let again = json_of(path, &["erase", "user", id, "--yes"]);
    assert_eq!((&again["erased"], &again["journal_rows"]), (&json!(false), &json!(0)));
    ok(path, &["doctor", "--anchor", &before]);

    let done = json_of(path, &["erase", "task", "PAY-1", "--yes"]);
    assert_eq!((&done["erased"], &done["journal_rows"], &done["fields"]), (&json!(true), &json!(2), &json!(["title"])));
    assert!(done["old_files_until"].as_str().is_some_and(|date| date.len() == 10));
    assert_eq!(json_of(path, &["task", "show", "PAY-1"])["title"], "erased");
    let then = json_of(path, &["task", "show", "PAY-1", "--as-of", "4"]);
    assert_eq!((&then["title"], &then["status"]), (&json!("erased"), &json!("pending")));
    let history = ok(path, &["history", "PAY-1"]);
    assert!(
        history.contains("create PAY-1: erased") && history.contains("erase PAY-1: values of 2 earlier changes"),
        "{history}"
    );
    assert!(!history.contains("Silva"), "{history}");
    assert_eq!(json_of(path, &["history", "PAY-1"])["changes"].as_array().unwrap().last().unwrap()["changes"][0]["erased"], true);
    assert!(fails(path, &["undo", "4"], 1).contains("erased since"));
    ok(path, &["doctor", "--anchor", &before]);
    let counted = ok(
        path,
        &["query", "SELECT count(*) AS n FROM journal WHERE salt IS NULL AND before IS NULL AND after IS NULL", "--json"],
    );
    assert!(counted.contains('4'), "{counted}");
}
