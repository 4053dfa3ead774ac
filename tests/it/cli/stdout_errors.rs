//! Standard output that is full or closed.

#![cfg(target_os = "linux")]

use std::fs::OpenOptions;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use super::{command, inbox, json_of, lake, ok, text};

/// Runs a command with a full disk as standard output. Returns the exit code and standard error.
fn run_with_full_stdout(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command(folder, args).stdout(full).stderr(Stdio::piped()).output().unwrap();
    (output.status.code(), text(&output.stderr))
}

#[test]
fn a_committed_change_is_reported_despite_full_stdout() {
    let folder = lake();
    let path = folder.path();
    std::fs::write(path.join("p.md"), "# Shed\n\n- Level the ground (1 day)\n").unwrap();
    std::fs::write(
        path.join("set.json"),
        r#"{"patches":[{"op":"update","entity":"task","id":"PAY-1","fields":{"status":"review"}}]}"#,
    )
    .unwrap();
    let seq = || json_of(path, &["lake", "show"])["seq"].as_u64().unwrap();
    for args in [
        &["task", "create", "one", "--project", "PAY"][..],
        &["apply", "set.json"],
        &["task", "done", "PAY-1"],
        &["user", "add", "ana"],
        &["plan", "p.md", "--yes"],
        &["plan", "--folder", ".", "--yes", "--json"],
        &["undo"],
        &["task", "create", "two", "--project", "PAY", "--json"],
    ] {
        let before = seq();
        let (code, printed) = run_with_full_stdout(path, args);
        if args.contains(&"--folder") {
            assert_eq!(
                code,
                Some(1),
                "the file was planned already, so nothing changes: {printed}"
            );
            continue;
        }
        assert_eq!((code, seq()), (Some(0), before + 1), "{args:?}: {printed}");
        let expected = format!(
            "seq {} is committed; the result could not be written to standard output",
            before + 1
        );
        assert!(
            printed.contains(&expected) && printed.contains("No space left"),
            "{args:?}: {printed}"
        );
        assert!(printed.contains("do not retry"), "{printed}");
        if args.contains(&"--json") {
            let printed: Value = serde_json::from_str(&printed).unwrap();
            assert_eq!(
                (&printed["warning"]["code"], &printed["warning"]["exit"]),
                (&"output".into(), &0.into())
            );
        } else {
            assert!(printed.starts_with("warning: "), "{printed}");
        }
    }
    inbox::insert_requests(path, &[("a", "2026-11-20T10:00:00Z", "ana", "{\"patches\":[]}")]);
    for args in [
        &["inbox", "apply"][..],
        &["fold"],
        &["maintain"],
        &["backup", "copy"],
        &["--lake", "back", "restore-lake", "copy"],
        &["init", "new"],
        &["quickstart"],
        &["report", "--out", "r.html"],
        &["visualize", "PAY", "--out", "v.html"],
    ] {
        let (code, printed) = run_with_full_stdout(path, args);
        assert_eq!(code, Some(0), "{args:?}: {printed}");
        assert!(
            printed.contains("warning: ")
                && printed.contains("could not be written to standard output"),
            "{args:?}: {printed}"
        );
    }
    for made in [
        "copy/journal",
        "back/journal",
        "new/journal",
        "lakeplan-quickstart/lake/journal",
        "r.html",
        "r.json",
        "v.html",
    ] {
        assert!(path.join(made).exists(), "{made}");
    }
}

#[test]
fn a_read_fails_if_its_output_cannot_be_written() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "one"]);
    for args in [
        &["task", "list"][..],
        &["task", "list", "--json"],
        &["query", "SELECT title FROM tasks", "--format", "csv"],
        &["query", "SELECT title FROM tasks", "--format", "parquet"],
        &["history"],
        &["report", "--out", "-"],
        &["plan", "--text", "# P\n\n- Build it\n"],
        &["inbox", "apply"],
        &["completions", "bash"],
        &["config", "defaults"],
        &["--help"],
        &["task", "--help"],
        &["--version"],
    ] {
        let (code, printed) = run_with_full_stdout(path, args);
        assert_eq!(code, Some(1), "{args:?}: {printed}");
        assert!(printed.contains("could not be written to standard output"), "{args:?}: {printed}");
    }
}

#[test]
fn a_summary_records_whether_stdout_was_written() {
    let folder = lake();
    let path = folder.path();
    let summary = |args: &[&str]| -> Value {
        run_with_full_stdout(path, &[args, &["--summary", "s.json"]].concat());
        serde_json::from_slice(&std::fs::read(path.join("s.json")).unwrap()).unwrap()
    };
    let read = summary(&["task", "list"]);
    assert_eq!((&read["exit"], &read["code"]), (&1.into(), &"output".into()), "{read}");
    let changed = summary(&["task", "create", "one", "--project", "PAY"]);
    assert_eq!((&changed["exit"], &changed["code"]), (&0.into(), &Value::Null), "{changed}");
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let folder = lake();
    let path = folder.path();
    let many: Vec<Value> = (0..2000)
        .map(|n| serde_json::json!({"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": format!("task {n}")}}))
        .collect();
    let applied =
        super::apply(path, serde_json::json!({ "patches": many }).to_string().as_bytes(), &[]);
    assert!(applied.status.success());
    for args in [
        &["task", "list", "--limit", "2000"][..],
        &["task", "list", "--limit", "2000", "--json"],
        &["--help"],
        &["task", "create", "x"],
    ] {
        let mut child =
            command(path, args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), text(&output.stderr).as_str()),
            (Some(0), ""),
            "{args:?}"
        );
    }
}
