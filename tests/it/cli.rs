//! The real binary: its output, its exit codes, and several processes at once.

mod erase;
mod extreme_values;
mod hints;
mod hostile;
pub mod inbox;
mod inbox_damage;
mod inbox_races;
mod lakes;
mod limits;
mod links;
mod milestones;
mod nested_lakes;
mod next;
mod non_utf8;
mod overwrites;
mod patch_sets;
mod plan;
mod query;
mod quickstart;
mod rebuilds;
mod report;
mod secrets;
mod stdout_errors;
mod summary;
mod upgrade;
mod validation;
mod visualize;
mod wide_values;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::checked::LakeFolder;

pub const BINARY: &str = env!("CARGO_BIN_EXE_lakeplan");

pub fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(args).current_dir(folder).env_clear().env("USER", "tester").stdin(Stdio::null());
    command
}

fn run(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a command that must succeed, and returns its standard output.
pub fn ok(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, args);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    assert!(output.stderr.is_empty(), "{args:?} wrote to standard error: {}", text(&output.stderr));
    text(&output.stdout)
}

fn json_of(folder: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&ok(folder, &[args, &["--json"]].concat())).unwrap()
}

/// Runs a command that must fail with this exit code, and returns its standard error.
fn fails(folder: &Path, args: &[&str], code: i32) -> String {
    let output = run(folder, args);
    assert_eq!(
        output.status.code(),
        Some(code),
        "{args:?}: {}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    assert!(output.stdout.is_empty(), "{args:?} wrote to standard output");
    text(&output.stderr)
}

fn lake() -> LakeFolder {
    let folder = LakeFolder::new(tempfile::tempdir().unwrap());
    ok(folder.path(), &["init"]);
    ok(folder.path(), &["project", "create", "Payments", "--key", "PAY"]);
    folder
}

fn apply(folder: &Path, document: &[u8], args: &[&str]) -> Output {
    let mut child = command(folder, &[&["apply", "-"], args].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The command may fail before it reads all of its input.
    let _ = child.stdin.take().unwrap().write_all(document);
    child.wait_with_output().unwrap()
}

#[test]
fn exit_codes_are_distinguished() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert!(
        fails(path, &["task", "list"], 3)
            .contains("there is no lake at ./lake\nhint: create one with lakeplan init")
    );
    ok(path, &["init"]);
    assert!(fails(path, &["init"], 1).contains("already"));
    assert!(fails(path, &["task", "frobnicate"], 2).contains("unrecognized subcommand"));
    assert!(fails(path, &["task", "show", "PAY-9"], 1).contains("there is no task \"PAY-9\""));
    assert!(fails(path, &["-o", "xml", "task", "list"], 2).contains("xml"));
    std::fs::write(path.join("lakeplan.toml"), "lakee = 'x'").unwrap();
    assert!(fails(path, &["task", "list"], 3).contains("lakee"));
}

#[test]
fn errors_as_json_have_a_code_a_message_and_a_hint() {
    let folder = lake();
    let printed: Value = serde_json::from_str(&fails(
        folder.path(),
        &["--json", "task", "create", "", "--project", "PAY"],
        1,
    ))
    .unwrap();
    assert_eq!(printed["error"]["code"], "refused");
    assert_eq!(printed["error"]["violations"][0]["field"], "fields.title");
    assert_eq!(printed["error"]["violations"][0]["rule"], "value");
    let printed: Value =
        serde_json::from_str(&fails(folder.path(), &["--json", "task", "show", "PAY-7"], 1))
            .unwrap();
    assert!(printed["error"]["hint"].as_str().unwrap().contains("lakeplan task list"));
}

#[test]
fn tasks_can_be_created_changed_and_listed() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["user", "add", "ana"]);
    ok(
        path,
        &[
            "task",
            "create",
            "Move the ledger",
            "--estimate",
            "1d-3d",
            "--assignee",
            "@ana",
            "--due",
            "2026-12-01",
        ],
    );
    ok(path, &["task", "create", "Write the reader", "--parent", "PAY-1"]);
    ok(path, &["task", "create", "Check totals", "--parent", "pay-1", "--depends-on", "PAY-2"]);
    let tree = ok(path, &["task", "tree"]);
    assert_eq!(
        tree,
        "PAY  Payments  1d to 3d of open work\nPAY-1  Move the ledger  1d to 3d  @ana  due 2026-12-01\n├─ PAY-2  Write the reader\n└─ PAY-3  Check totals  waits for PAY-2\n"
    );
    assert_eq!(json_of(path, &["next"])["tasks"][0]["key"], "PAY-2");
    ok(path, &["task", "log", "PAY-2", "1.5h"]);
    ok(path, &["task", "done", "PAY-2", "--spent", "30m"]);
    let task = json_of(path, &["task", "show", "PAY-2"]);
    assert_eq!(
        (&task["actual_minutes"], &task["status"], &task["parent"]),
        (&json!(120), &json!("completed"), &json!("PAY-1"))
    );
    assert_eq!(json_of(path, &["next"])["tasks"][0]["key"], "PAY-3");
    ok(path, &["undo"]);
    let task = json_of(path, &["task", "show", "PAY-2"]);
    assert_eq!((&task["actual_minutes"], &task["status"]), (&json!(90), &json!("pending")));
    ok(path, &["task", "split", "PAY-3", "Sums=1h", "Counts"]);
    ok(path, &["task", "merge", "PAY-2", "PAY-4"]);
    ok(path, &["task", "delete", "PAY-1"]);
    assert_eq!(json_of(path, &["task", "list"])["total"], 0);
    ok(path, &["undo"]);
    assert_eq!(json_of(path, &["task", "list"])["total"], 4);
    assert_eq!(json_of(path, &["task", "list", "--as-of", "4"])["total"], 1);
    let history = json_of(path, &["history", "PAY-2"]);
    let ops: Vec<&str> = history["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|set| set["changes"][0]["op"].as_str().unwrap())
        .collect();
    assert_eq!(ops, ["restore", "delete", "update", "update", "update", "update", "create"]);
}

#[test]
fn archived_records_are_hidden_unless_requested() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "a"]);
    ok(path, &["project", "create", "Old", "--key", "OLD"]);
    ok(path, &["task", "create", "b", "--project", "OLD"]);
    let listed =
        |args: &[&str]| json_of(path, &[&["task", "list"], args].concat())["total"].clone();
    assert_eq!(
        (listed(&[]), json_of(path, &["next"])["tasks"].as_array().unwrap().len()),
        (json!(2), 2)
    );
    ok(path, &["project", "update", "OLD", "--status", "archived"]);
    assert_eq!(
        (listed(&[]), json_of(path, &["next"])["tasks"].as_array().unwrap().len()),
        (json!(1), 1)
    );
    assert_eq!((listed(&["--project", "OLD"]), listed(&["--as-of", "5"])), (json!(1), json!(2)));
    ok(path, &["project", "delete", "OLD"]);
    assert_eq!((listed(&[]), listed(&["--deleted"])), (json!(1), json!(1)));
}

#[test]
fn a_cursor_reads_the_snapshot_of_its_first_page() {
    let folder = lake();
    for n in 0..5 {
        ok(folder.path(), &["task", "create", &format!("t{n}")]);
    }
    let first = json_of(folder.path(), &["task", "list", "--limit", "2"]);
    ok(folder.path(), &["task", "delete", "PAY-1"]);
    let cursor = first["next"].as_str().unwrap();
    let second = json_of(folder.path(), &["task", "list", "--limit", "9", "--cursor", cursor]);
    let titles: Vec<&str> = second["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["title"].as_str().unwrap())
        .collect();
    assert_eq!(titles, ["t2", "t3", "t4"]);
}

#[test]
fn sql_is_read_only() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["user", "add", "ana"]);
    ok(path, &["task", "create", "a", "--assignee", "ana", "--estimate", "2h"]);
    ok(path, &["task", "done", "PAY-1", "--spent", "3h"]);
    let rows = json_of(path, &["query", "SELECT key, status, actual_minutes FROM tasks"]);
    assert_eq!(rows, json!([{"key": "PAY-1", "status": "completed", "actual_minutes": 180}]));
    let accuracy = json_of(path, &["query", "--view", "planning_accuracy"]);
    assert_eq!(
        (&accuracy[0]["ratio"], &accuracy[0]["actual_source"]),
        (&json!(1.5), &json!("logged"))
    );
    assert_eq!(ok(path, &["query", "SELECT key FROM tasks", "--format", "csv"]), "key\nPAY-1\n");
    let parquet = run(path, &["query", "SELECT key FROM tasks", "--format", "parquet"]);
    assert!(parquet.stdout.starts_with(b"PAR1") && parquet.stdout.ends_with(b"PAR1"));
    for view in json_of(path, &["query", "--views"])["views"].as_array().unwrap() {
        ok(path, &["query", "--view", view["name"].as_str().unwrap()]);
    }
    let outside = path.join("outside.csv");
    let copy = format!("COPY (SELECT 1) TO '{}'", outside.display());
    let external = "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'";
    let writes = [
        "DELETE FROM tasks",
        "INSERT INTO tasks SELECT * FROM tasks",
        "DROP TABLE tasks",
        "SET x = 1",
        "CREATE VIEW x AS SELECT 1",
        external,
        &copy,
    ];
    for sql in writes {
        assert!(
            fails(path, &["query", sql], 1).contains("a query must be one SELECT that only reads"),
            "{sql}"
        );
    }
    assert!(!outside.exists());
    assert!(fails(path, &["query", "SELECT * FROM '/etc/passwd'"], 2).contains("no table or view"));
    assert!(fails(path, &["query", "--view", "nope"], 2).contains("workload"));
}

#[test]
fn plans_and_changes_are_recorded_in_the_event_tables() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    ok(path, &["init"]);
    std::fs::write(
        path.join("a.md"),
        "# Portal\n\n## Goals\n\nJoy.\n\n## Tasks\n\n- Build the page (1 day)\n- Test the page (2 hours)\n",
    )
    .unwrap();
    ok(path, &["plan", "a.md", "--yes"]);
    ok(path, &["task", "list"]);
    let log = json_of(
        path,
        &["query", "SELECT model, source, seq, tasks + subtasks AS found, skipped FROM agent_logs"],
    );
    assert_eq!(
        (&log[0]["model"], &log[0]["source"], &log[0]["seq"], &log[0]["found"]),
        (&json!("outline"), &json!("a.md"), &json!(2), &json!(2))
    );
    assert!(log[0]["skipped"].as_u64().unwrap() > 0);
    let runs = json_of(path, &["query", "SELECT command, actor, seq FROM runs"]);
    assert_eq!(
        runs,
        json!([{"command": "plan", "actor": "tester", "seq": 2}]),
        "read-only commands are not recorded as runs"
    );
}

#[test]
fn common_mistakes_get_helpful_answers() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "a", "--tag", "x"]);
    ok(path, &["task", "create", "b"]);
    assert!(
        ok(path, &["query", "SELECT avg(estimate_likely) FROM tasks"]).contains("1 row"),
        "a heading is longer than its column"
    );
    assert!(
        ok(path, &["query", "SELECT tags FROM tasks ORDER BY key", "--format", "csv"])
            .contains("\"[\"\"x\"\"]\"")
    );
    assert!(fails(path, &["task", "list", "--as-of", "99"], 1).contains("the last is 4"));
    assert!(fails(path, &["backup", "lake/inside"], 1).contains("is inside the lake at"));
    let usage: Value = serde_json::from_str(&fails(path, &["nonsense", "--json"], 2)).unwrap();
    assert_eq!(usage["error"]["code"], "usage");
    ok(path, &["task", "delete", "PAY-1"]);
    assert!(fails(path, &["task", "start", "PAY-1"], 1).contains("lakeplan task restore PAY-1"));
}
