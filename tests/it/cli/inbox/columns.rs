//! Rows and columns that other engines wrote, valid or not.

use std::path::Path;

use serde_json::{Value, json};

use super::super::{json_of, lake, ok, run, text as text_of};
use super::raw::{self, AT, RawValue, row};
use super::{create, rows};

/// Returns the message of each result by request.
fn rendered(folder: &Path) -> std::collections::BTreeMap<String, String> {
    let found =
        rows(folder, "SELECT request_id, state, coalesce(message, '') AS message FROM requests");
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let found = found.as_array().unwrap();
    let rendered: std::collections::BTreeMap<_, _> = found
        .iter()
        .map(|row| {
            (text(row, "request_id"), format!("{}: {}", text(row, "state"), text(row, "message")))
        })
        .collect();
    assert_eq!(rendered.len(), found.len(), "a request is there twice");
    rendered
}

#[test]
fn an_invalid_row_is_refused_and_the_others_are_applied() {
    let lake = lake();
    let folder = lake.path();
    let long = "x".repeat(201);
    let endless = "y".repeat(100_000);
    let huge = format!("{{\"patches\":[],\"reason\":\"{}\"}}", "z".repeat(5 << 20));
    let mut expected = Vec::new();
    let mut rows_put = Vec::new();
    let mut bad = |id: &str, row: Vec<RawValue>, reason: &'static str| {
        expected.push((id.to_owned(), reason));
        rows_put.push(row);
    };
    for (id, at, reason) in [
        ("late", 9 * 10i64.pow(18), "outside the years 1 to 9999"),
        ("last", i64::MAX, "outside the years 1 to 9999"),
        ("early", -9 * 10i64.pow(18), "outside the years 1 to 9999"),
        ("first", i64::MIN, "outside the years 1 to 9999"),
        ("rome", -60_000_000_000_000_000, "before the year 2000"),
        ("seconds", AT / 1_000_000, "before the year 2000"),
    ] {
        bad(id, row(id, at, "ana", create(id).as_str()), reason);
    }
    bad("no time", row("no time", RawValue::Null, "ana", create("x").as_str()), "at is NULL");
    bad("no user", row("no user", AT, RawValue::Null, create("x").as_str()), "user is NULL");
    bad("no patches", row("no patches", AT, "ana", RawValue::Null), "patch_set is NULL");
    bad(
        "bytes",
        row("bytes", AT, "ana", RawValue::Bytes(b"{\"patches\": \"\xff\"}".to_vec())),
        "patch_set is not UTF-8",
    );
    bad(
        "whose",
        row("whose", AT, RawValue::Bytes(b"a\xff".to_vec()), create("x").as_str()),
        "user is not UTF-8",
    );
    bad(
        "long name",
        row("long name", AT, long.as_str(), create("x").as_str()),
        "at most 200 characters",
    );
    bad(
        "bell",
        row("bell", AT, "a\u{7}b", create("x").as_str()),
        "the user must not contain a control character",
    );
    bad(
        "line",
        row("line", AT, "a\u{2028}b", create("x").as_str()),
        "the user must not contain a control character",
    );
    bad("huge", row("huge", AT, "ana", huge.as_str()), "patch_set has 5.0 MiB, at most 4");
    bad("json", row("json", AT, "ana", "{"), "patch_set: line 1");
    bad(
        "what",
        row("what", AT, "ana", &*create("x").replace("PAY", "\\u001b[31mNO")),
        "there is no project",
    );
    bad("", row("", AT, "ana", create("x").as_str()), "the request_id is empty");
    bad(
        "a\u{1b}[31m",
        row("a\u{1b}[31m", AT, "ana", create("x").as_str()),
        "the request_id holds a control character",
    );
    bad(&long, row(long.as_str(), AT, "ana", create("x").as_str()), "more than 200 characters");
    bad(&endless, row(endless.as_str(), AT, "ana", create("x").as_str()), "is too long");
    bad(
        "b\u{fffd}",
        row(RawValue::Bytes(b"b\xff".to_vec()), AT, "ana", create("x").as_str()),
        "request_id is not UTF-8",
    );
    rows_put.push(row(RawValue::Null, AT, "ana", create("nobody can be answered").as_str()));
    rows_put.push(row("good", AT, "ana", create("The good one").as_str()));
    let number = expected.len();
    raw::add(folder, &rows_put);
    let printed = ok(folder, &["inbox", "apply"]);
    assert!(
        printed.contains(&format!("{} requests: 1 applied, {number} refused", number + 1)),
        "{printed}"
    );
    assert!(
        printed.contains("1 row has no request_id") && printed.contains("a row of ana, 2026-09-21"),
        "{printed}"
    );
    assert!(!printed.contains(|char: char| char.is_control() && char != '\n'), "{printed:?}");
    let rendered = rendered(folder);
    for (id, reason) in &expected {
        // The view shows the beginning of an id that is too long.
        let rendered = rendered
            .get(id)
            .unwrap_or_else(|| panic!("{}: {:?}", &id[..id.len().min(20)], rendered.keys()));
        assert!(
            rendered.starts_with("refused: ") && rendered.contains(reason),
            "{reason}: {rendered}"
        );
    }
    assert_eq!(rendered["good"], "applied: ");
    assert_eq!(rows(folder, "SELECT title FROM tasks"), json!([{"title": "The good one"}]));
    // The next run finds none of them, and reports the unidentifiable rows again.
    let again = json_of(folder, &["inbox", "apply"]);
    assert_eq!(
        (&again["answers"], &again["waiting"], &again["rows_without_id"]["count"]),
        (&json!([]), &json!(0), &json!(1))
    );
    let listed = json_of(folder, &["inbox", "list"]);
    assert_eq!((&listed["total"], &listed["rows_without_id"]), (&json!(number + 1), &json!(1)));
    assert!(!ok(folder, &["inbox", "list"]).contains('\u{1b}'));
    for format in ["json", "csv", "table"] {
        ok(folder, &["query", "SELECT * FROM inbox", "--format", format]);
        ok(folder, &["query", "SELECT * FROM requests", "--format", format]);
    }
}

#[test]
fn an_inbox_with_changed_columns_is_read() {
    let lake = lake();
    let folder = lake.path();
    let patch = |title: &str| RawValue::from(create(title).as_str());
    let put = |columns: &[&str], row: Vec<RawValue>, partitions: Value| {
        raw::put(folder, &raw::file(columns, &[row]), partitions, &[])
    };
    let text = |name: &str| format!("optional binary {name} (UTF8)");
    let (id, user, patches) = (text("request_id"), text("user"), text("patch_set"));
    let usual = |id: &str, at: RawValue, title: &str| {
        vec![RawValue::from(id), at, "ana".into(), patch(title)]
    };
    for (number, (at, value)) in [
        ("int64 at (TIMESTAMP(MICROS,false))", AT),
        ("int64 at (TIMESTAMP(NANOS,true))", AT * 1000),
        ("int64 at (TIMESTAMP(MILLIS,true))", AT / 1000),
        ("int96 at", AT),
        ("int32 at (DATE)", AT / 86_400_000_000),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("time {number}");
        put(
            &[&id, &format!("optional {at}"), &user, &patches],
            usual(&name, RawValue::Number(value), &name),
            json!({}),
        );
    }
    put(
        &[&id, &text("at"), &user, &patches],
        usual("written", "2026-09-21 14:13:20".into(), "a time as text"),
        json!({}),
    );
    put(
        &[&id, &text("at"), &user, &patches],
        usual("word", "yesterday".into(), "no time"),
        json!({}),
    );
    put(
        &[&id, "optional int64 at", &user, &patches],
        usual("number", RawValue::Number(AT), "a number"),
        json!({}),
    );
    put(
        &[
            "optional int64 request_id",
            raw::USUAL[1],
            "optional int32 USER",
            &patches,
            "optional int64 more",
        ],
        vec![
            RawValue::Number(17),
            RawValue::Number(AT),
            RawValue::Number(4),
            patch("numbers for texts"),
            RawValue::Number(1),
        ],
        json!({}),
    );
    put(
        &[&patches, &id, raw::USUAL[1]],
        vec![patch("parted"), "parted".into(), RawValue::Number(AT)],
        json!({"user": "bo"}),
    );
    put(
        &[&id, raw::USUAL[1], &user],
        vec!["nothing".into(), RawValue::Number(AT), "ana".into()],
        json!({}),
    );
    let structure = "optional group patch_set { optional binary patches (UTF8); }";
    put(
        &[&id, raw::USUAL[1], &user, structure],
        vec!["structure".into(), RawValue::Number(AT), "ana".into(), RawValue::Null],
        json!({}),
    );
    put(
        &[raw::USUAL[1], &user, &patches],
        vec![RawValue::Number(AT), "ana".into(), patch("x")],
        json!({}),
    );
    // A file that is not Parquet is reported and does not block other requests.
    raw::put(folder, b"PAR1 this is none PAR1", json!({}), &[]);
    let missing = raw::put(folder, b"gone", json!({}), &[]);
    std::fs::remove_file(folder.join("lake/inbox").join(&missing)).unwrap();
    let answered = json_of(folder, &["inbox", "apply"]);
    assert_eq!(answered["unreadable_files"].as_array().unwrap().len(), 2, "{answered}");
    assert_eq!(answered["rows_without_id"]["count"], 1);
    let rendered: std::collections::BTreeMap<&str, String> = answered["answers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| {
            let message = answer["message"].as_str().unwrap_or_default();
            (
                answer["request_id"].as_str().unwrap(),
                format!("{} {message}", answer["outcome"].as_str().unwrap()),
            )
        })
        .collect();
    for id in ["time 0", "time 1", "time 2", "time 3", "time 4", "written", "17", "parted"] {
        assert_eq!(rendered[id], "applied ", "{id}");
    }
    for (id, reason) in [
        ("word", "at is not a time"),
        ("number", "at is not a time"),
        ("nothing", "patch_set is NULL"),
        ("structure", "patch_set is a list or a structure and not a text"),
    ] {
        assert!(
            rendered[id].starts_with("refused ") && rendered[id].contains(reason),
            "{id}: {}",
            rendered[id]
        );
    }
    let actors =
        rows(folder, "SELECT DISTINCT actor FROM audit WHERE source = 'inbox' ORDER BY actor");
    assert_eq!(actors, json!([{"actor": "4"}, {"actor": "ana"}, {"actor": "bo"}]));
    // A query reports skipped rows as a warning.
    let output = run(
        folder,
        &[
            "query",
            "SELECT DISTINCT CAST(at AS DATE) AS day FROM inbox WHERE request_id LIKE 'time%'",
            "--json",
        ],
    );
    assert_eq!(
        serde_json::from_slice::<Value>(&output.stdout).unwrap(),
        json!([{"day": "2026-09-21"}])
    );
    assert!(text_of(&output.stderr).contains("a file of the inbox is skipped"));
}
