//! A patch set is applied completely and once, or refused with its location.

use serde_json::{Value, json};

use super::{apply, fails, json_of, lake, ok, text};

#[test]
fn a_patch_set_is_applied_once_under_its_id() {
    let folder = lake();
    let document = json!({"reason": "first tasks", "patches": [
        {"op": "create", "entity": "task", "id": "$design", "fields": {"project_id": "PAY", "title": "Design"}},
        {"op": "create", "entity": "task", "id": "$build", "fields": {"project_id": "PAY", "title": "Build"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "$build", "to_id": "$design"}},
    ]})
    .to_string();
    let id = lakeplan::runtime::fresh_set_id(
        &lakeplan::runtime::SystemClock,
        &lakeplan::runtime::SystemRandom::default(),
    )
    .to_string();
    let dry = apply(folder.path(), document.as_bytes(), &["--dry-run"]);
    assert!(text(&dry.stdout).contains("3 changes; nothing was written"), "{}", text(&dry.stderr));
    for repeated in [false, true] {
        let output = apply(folder.path(), document.as_bytes(), &["--id", &id, "--json"]);
        let answer: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        assert_eq!(answer["repeated"], repeated);
    }
    assert_eq!(json_of(folder.path(), &["task", "list"])["total"], 2);
    let other =
        apply(folder.path(), document.replace("Build", "Destroy").as_bytes(), &["--id", &id]);
    assert_eq!(other.status.code(), Some(1));
    assert!(text(&other.stderr).contains("different content"), "{}", text(&other.stderr));
    let stated = document.replacen('{', &format!("{{\"id\":\"{id}\","), 1);
    assert_eq!(apply(folder.path(), stated.as_bytes(), &["--id", &id]).status.code(), Some(0));
    let given = "01990000-0000-7000-8000-000000000002";
    let torn = apply(folder.path(), stated.as_bytes(), &["--id", given]);
    assert_eq!(torn.status.code(), Some(1));
    assert!(
        text(&torn.stderr).contains(&id) && text(&torn.stderr).contains(given),
        "{}",
        text(&torn.stderr)
    );
}

#[test]
fn invalid_documents_are_refused_with_their_location_and_change_nothing() {
    let folder = lake();
    let before = json_of(folder.path(), &["lake", "show"])["chain"].clone();
    let nul = r#"{"patches":[{"op":"create","entity":"task","fields":{"project_id":"PAY","title":"a\u0000b"}}]}"#;
    let cases: [(&[u8], &str); 8] = [
        (b"{\"patches\": [", "line 1"),
        (b"\"\xff\"", "UTF-8"),
        (b"{\"patches\": [], \"colour\": 1}", "colour"),
        (b"{\"patches\": []}", "no patches"),
        (nul.as_bytes(), "NUL"),
        (
            b"{\"patches\":[{\"op\":\"create\",\"entity\":\"task\",\"fields\":{\"project_id\":\"PAY\",\"title\":7}}]}",
            "fields.title",
        ),
        (b"{\"patches\":[{\"op\":\"update\",\"entity\":\"task\",\"id\":\"PAY-1\",\"fields\":{\"status\":\"review\"}}]}", "PAY-1"),
        (b"{\"a\":1,\"a\":2}", "twice"),
    ];
    for (document, says) in cases {
        let output = apply(folder.path(), document, &[]);
        let printed = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{printed}");
        assert!(printed.contains(says), "{}: {printed}", text(document));
    }
    assert_eq!(json_of(folder.path(), &["lake", "show"])["chain"], before);
}

#[test]
fn unreadable_input_files_are_refused_by_name() {
    let folder = lake();
    let huge = folder.path().join("huge.json");
    std::fs::File::create(&huge).unwrap().set_len(2 << 30).unwrap();
    assert!(
        fails(folder.path(), &["apply", "huge.json"], 1)
            .contains("huge.json: is larger than the limit of 128 MiB")
    );
    assert!(fails(folder.path(), &["apply", "missing.json"], 1).contains("missing.json"));
    assert!(fails(folder.path(), &["apply", "lake"], 1).contains("lake"));
}

/// Two processes at a time change the same lake. Every acknowledged change is in the lake.
#[test]
fn racing_processes_lose_no_change() {
    let folder = lake();
    let path = folder.path();
    let each = crate::support::counts(6, 60);
    std::thread::scope(|scope| {
        for process in 0..4 {
            scope.spawn(move || {
                for n in 0..each {
                    ok(path, &["task", "create", &format!("{process}-{n}")]);
                }
            });
        }
    });
    let list = json_of(path, &["task", "list", "--limit", "1000", "--sort", "key"]);
    let tasks = list["tasks"].as_array().unwrap();
    let mut titles: Vec<&str> = tasks.iter().map(|task| task["title"].as_str().unwrap()).collect();
    titles.sort_unstable();
    titles.dedup();
    assert_eq!((titles.len(), tasks.len()), (4 * each, 4 * each));
    let numbers: Vec<u64> =
        tasks.iter().map(|task| task["key"].as_str().unwrap()[4..].parse().unwrap()).collect();
    assert_eq!(numbers, (1..=4 * each as u64).collect::<Vec<_>>());
}

/// Several processes log work at once and the minutes add up, because a change that depends on an
/// outdated value is retried.
#[test]
fn concurrently_logged_minutes_add_up() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "a"]);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(move || ok(path, &["task", "log", "PAY-1", "10m"]));
        }
    });
    assert_eq!(json_of(path, &["task", "show", "PAY-1"])["actual_minutes"], 30);
}
