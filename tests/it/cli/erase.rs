//! Erasing from the command line: a preview first, then the erase.

use serde_json::json;

use super::inbox::create;
use super::inbox::raw::{self, AT, RawValue};
use super::{fails, json_of, lake, ok};

#[test]
fn erase_previews_by_default_and_runs_with_yes() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["user", "add", "ana", "--name", "Ana Souza", "--email", "ana@example.com"]);
    ok(path, &["task", "create", "Pay Ms Silva", "--project", "PAY", "--assignee", "@ana"]);
    ok(path, &["task", "start", "PAY-1", "--actor", "ana"]);
    let shown = ok(path, &["erase", "user", "@ana"]);
    for part in [
        "user @ana",
        "would erase handle, name, email",
        "1 row of the journal, in 1 file",
        "1 file of users",
        "--yes",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(shown.contains("stays: 1 row of the journal with this person's name"), "{shown}");
    assert!(
        ok(path, &["user", "show", "@ana"]).contains("Ana Souza"),
        "the preview changed something"
    );
    let before = json_of(path, &["doctor"])["head"].as_str().unwrap().to_owned();

    let done = ok(path, &["erase", "user", "@ana", "--yes"]);
    assert!(
        done.contains("2 rows of the journal, in 2 files")
            && done.contains("lakeplan maintain deletes them, on 20"),
        "{done}"
    );
    assert!(fails(path, &["user", "show", "@ana"], 1).contains("no user"));
    assert!(fails(path, &["erase", "user", "@ana", "--yes"], 1).contains("no user"));
    let user = json_of(path, &["user", "list"])["users"][0].clone();
    assert_eq!(
        (&user["name"], &user["email"], &user["open_tasks"]),
        (&json!(null), &json!(null), &json!(1))
    );
    let id = user["id"].as_str().unwrap();
    let again = json_of(path, &["erase", "user", id, "--yes"]);
    assert_eq!((&again["erased"], &again["journal_rows"]), (&json!(false), &json!(0)));
    ok(path, &["doctor", "--anchor", &before]);

    let done = json_of(path, &["erase", "task", "PAY-1", "--yes"]);
    assert_eq!(
        (&done["erased"], &done["journal_rows"], &done["fields"]),
        (&json!(true), &json!(2), &json!(["title"]))
    );
    assert!(done["old_files_until"].as_str().is_some_and(|date| date.len() == 10));
    assert_eq!(json_of(path, &["task", "show", "PAY-1"])["title"], "erased");
    let then = json_of(path, &["task", "show", "PAY-1", "--as-of", "4"]);
    assert_eq!((&then["title"], &then["status"]), (&json!("erased"), &json!("pending")));
    let history = ok(path, &["history", "PAY-1"]);
    assert!(
        history.contains("create PAY-1: erased")
            && history.contains("erase PAY-1: values of 2 earlier changes"),
        "{history}"
    );
    assert!(!history.contains("Silva"), "{history}");
    assert_eq!(
        json_of(path, &["history", "PAY-1"])["changes"].as_array().unwrap().last().unwrap()["changes"]
            [0]["erased"],
        true
    );
    assert!(fails(path, &["undo", "4"], 1).contains("erased since"));
    ok(path, &["doctor", "--anchor", &before]);
    let counted = ok(
        path,
        &[
            "query",
            "SELECT count(*) AS n FROM journal WHERE salt IS NULL AND before IS NULL AND after IS NULL",
            "--json",
        ],
    );
    assert!(counted.contains('4'), "{counted}");
}

/// The remaining occurrences are listed with rows, keys and advice, before and after the erase.
#[test]
fn erase_lists_where_the_person_is_still_named() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["user", "add", "ana", "--name", "Ana Souza", "--email", "ana@example.com"]);
    ok(path, &["task", "create", "Ask ANA for the key", "--project", "PAY"]);
    ok(path, &["task", "create", "Buy a banana", "--project", "PAY"]);
    ok(path, &["task", "create", "Mail Ana@Example.com", "--project", "PAY"]);
    ok(path, &["task", "update", "PAY-3", "--title", "Mail her"]);
    ok(path, &["task", "start", "PAY-2", "--actor", "ana"]);
    std::fs::write(path.join("ana.md"), "# Portal of Ana Souza\n\n- Do it (1 day)\n").unwrap();
    ok(path, &["plan", "ana.md", "--yes"]);
    let row = |id: &str, user: &str, patch_set: String| {
        vec![RawValue::from(id), AT.into(), user.into(), patch_set.as_str().into()]
    };
    raw::add(
        path,
        &[
            row("by", "ana", "{".to_owned()),
            row("of", "bo", create("Call Ana Souza")),
            row("none", "bo", create("Banana")),
        ],
    );
    ok(path, &["inbox", "apply"]);
    raw::add(
        path,
        &[
            row("waits", "Ana", create("x")),
            vec![RawValue::Null, AT.into(), "ana".into(), RawValue::Null],
        ],
    );
    for args in [&["erase", "user", "@ana"][..], &["erase", "user", "@ana", "--yes"]] {
        let rendered = json_of(path, args);
        let of = |table: &str, columns: &str| {
            let found = rendered["remains"]
                .as_array()
                .unwrap()
                .iter()
                .find(|place| place["table"] == table && place["columns"] == columns);
            found.cloned().unwrap_or_else(|| panic!("{table}, {columns}: {rendered:#}"))
        };
        let texts = of("tasks", "texts");
        assert_eq!(
            (&texts["rows"], &texts["keys"]),
            (&json!(3), &json!(["PAY-1", "PAY-4", "POAS-1"])),
            "{texts}"
        );
        assert!(
            texts["remedy"][0].as_str().unwrap().starts_with("lakeplan erase task PAY-1 --yes"),
            "{texts}"
        );
        assert_eq!(of("projects", "texts")["rows"], 1);
        assert_eq!(of("tasks", "created_by, updated_by, deleted_by")["keys"], json!(["PAY-2"]));
        assert_eq!(of("agent_logs", "source")["rows"], 1);
        let answered = of("inbox", "user, patch_set of answered rows");
        assert_eq!((&answered["rows"], &answered["keys"]), (&json!(2), &json!(["by", "of"])));
        let statement = answered["remedy"][0].as_str().unwrap();
        assert!(statement.starts_with("UPDATE inbox SET user = '', patch_set = '' WHERE request_id IN (SELECT request_id FROM inbox_results) AND (user RLIKE"), "{statement}");
        assert_eq!(of("inbox", "user, patch_set of rows that wait")["rows"], 2);
        // Only the journal contains the former title of PAY-3.
        assert!(of("journal", "before, after of other records")["rows"].as_u64().unwrap() >= 5);
        assert_eq!(of("journal", "actor")["rows"], 1);
        assert!(
            !rendered.to_string().to_lowercase().contains("banana")
                && !rendered.to_string().contains("\"none\""),
            "{rendered}"
        );
    }
    let id = json_of(path, &["user", "list"])["users"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        json_of(path, &["erase", "user", &id])["remains"],
        json!([]),
        "no user has the names any more"
    );
    let printed = ok(path, &["erase", "user", &id, "--also", "Ana Souza"]);
    assert!(
        printed.contains("nothing is left to erase")
            && printed.contains("still named afterwards in:")
            && printed.contains("row of inbox"),
        "{printed}"
    );
    // An unreadable inbox does not block an erase, and is not treated as empty.
    ok(path, &["user", "add", "eve"]);
    std::fs::remove_dir_all(path.join("lake/inbox/_delta_log")).unwrap();
    let rendered = json_of(path, &["erase", "user", "@eve", "--yes"]);
    assert_eq!(
        (&rendered["erased"], &rendered["remains"][0]["table"]),
        (&json!(true), &json!("inbox")),
        "{rendered}"
    );
}
