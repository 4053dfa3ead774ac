//! An answered request stays answered.

use serde_json::json;

use super::super::{json_of, lake, ok};
use super::raw::{self, AT, RawValue, row};
use super::{create, rows};

#[test]
fn later_rows_do_not_change_an_answered_request() {
    let lake = lake();
    let folder = lake.path();
    raw::add(folder, &[row("a", AT, "ana", create("One").as_str()), row("b", AT, "ana", "{")]);
    ok(folder, &["inbox", "apply"]);
    let shown = || {
        rows(
            folder,
            "SELECT request_id, at, user, state, seq, created_keys, patch_set FROM requests ORDER BY request_id",
        )
    };
    let before = shown();
    assert_eq!(before[0]["state"], "applied");
    // Rows that are earlier, of the same time, without a time, and by other users, also with a
    // smaller patch set.
    for (at, user) in [(AT - 9, "mallory"), (AT, "aaa"), (AT, "ana"), (AT + 9, "ana")] {
        raw::add(
            folder,
            &[
                row("a", at, user, create("A second time").as_str()),
                row("b", at, user, create("B").as_str()),
            ],
        );
    }
    raw::add(
        folder,
        &[row("a", RawValue::Null, RawValue::Null, RawValue::Null), row("a", AT, "ana", "")],
    );
    assert_eq!(json_of(folder, &["inbox", "apply"])["answers"], json!([]));
    assert_eq!(shown(), before);
    assert_eq!(rows(folder, "SELECT title FROM tasks"), json!([{"title": "One"}]));
}

#[test]
fn an_applied_request_without_a_result_is_not_applied_again() {
    let lake = lake();
    let folder = lake.path();
    raw::add(folder, &[row("a", AT, "ana", create("One").as_str())]);
    ok(folder, &["inbox", "apply"]);
    std::fs::remove_dir_all(folder.join("lake/inbox_results")).unwrap();
    raw::add(
        folder,
        &[
            row("a", AT - 5, "bo", create("Two").as_str()),
            row("a", AT, "ana", create("Three").as_str()),
        ],
    );
    ok(folder, &["maintain"]);
    let answered = json_of(folder, &["inbox", "apply"]);
    let answer = &answered["answers"][0];
    assert_eq!(
        (&answer["outcome"], &answer["seq"], &answer["rows_without_effect"]),
        (&json!("applied"), &json!(3), &json!(2))
    );
    assert_eq!(rows(folder, "SELECT title FROM tasks"), json!([{"title": "One"}]));
    let shown = rows(folder, "SELECT user, state FROM requests");
    assert_eq!(shown, json!([{"user": "ana", "state": "applied"}]));
}

#[test]
fn answered_rows_may_be_blanked_or_deleted() {
    let lake = lake();
    let folder = lake.path();
    let first = raw::add(
        folder,
        &[
            row("a", AT, "ana", create("One").as_str()),
            row("b", AT, "ana", create("Two").as_str()),
            row("c", AT, "ana", "{"),
        ],
    );
    ok(folder, &["inbox", "apply"]);
    // UPDATE … SET user = '', patch_set = '', or NULL; and DELETE.
    let blanked = raw::file(
        &raw::USUAL,
        &[row("a", AT, "", ""), row("b", AT, RawValue::Null, RawValue::Null)],
    );
    raw::put(folder, &blanked, json!({}), &[first]);
    assert_eq!(json_of(folder, &["inbox", "apply"])["answers"], json!([]));
    let shown = rows(
        folder,
        "SELECT request_id, at, user, state, created_keys FROM requests ORDER BY request_id",
    );
    let row = |id: &str, state: &str, keys: Option<&str>| json!({"request_id": id, "at": "2026-09-21T14:13:20Z", "user": null, "state": state, "created_keys": keys});
    assert_eq!(
        shown,
        json!([
            row("a", "applied", Some("PAY-1")),
            row("b", "applied", Some("PAY-2")),
            row("c", "refused", None)
        ])
    );
    assert_eq!(json_of(folder, &["inbox", "list"])["total"], 3);
}
