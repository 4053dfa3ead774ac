//! A lake with data that attacks the terminals of its readers.

use std::path::Path;
use std::process::Output;

use lakeplan::text::visible::is_hidden;
use serde_json::{Value, json};

use super::{LakeFolder, apply, command, inbox, json_of, lake, ok, run, text};

/// Clears a screen, sets a clipboard, reverses a line, and imitates another word.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]52;c;cm0K\u{7}\u{7f}\u{9b}31m\u{85}\u{202e}gpj\u{2066}\u{200f}pay\u{200b}pal\u{2028}\u{b}x";

/// The same as far as a name allows it: an actor has no control characters.
const ACTOR: &str = "\u{202e}gpj\u{2066}\u{200f}pay\u{200b}pal\u{feff}x";

/// Asserts that the output contains no hidden characters, except for those of the layout itself.
#[track_caller]
fn assert_escaped(args: &[&str], output: &Output) -> String {
    let rendered = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(!rendered.contains("panicked"), "{args:?}: {rendered}");
    let hidden =
        rendered.chars().find(|letter| is_hidden(*letter) && !matches!(letter, '\n' | '\t'));
    assert_eq!(hidden, None, "{args:?} wrote {:?}", rendered.as_bytes().escape_ascii().to_string());
    rendered
}

fn hostile_lake() -> LakeFolder {
    let folder = lake();
    let path = folder.path();
    let fields = |more: Value| {
        let mut fields =
            json!({"description": HOSTILE, "source": HOSTILE, "metadata": {HOSTILE: HOSTILE}});
        more.as_object().unwrap().iter().for_each(|(name, value)| fields[name] = value.clone());
        fields
    };
    let set = json!({"actor": ACTOR, "reason": HOSTILE, "patches": [
        {"op": "create", "entity": "user", "id": "$ana", "fields": {"handle": "ana", "name": HOSTILE, "email": HOSTILE}},
        {"op": "create", "entity": "project", "id": "$evil", "fields": fields(json!({"name": HOSTILE, "key": "EVIL"}))},
        {"op": "create", "entity": "task", "id": "$a", "fields": fields(json!({"project_id": "PAY", "title": HOSTILE, "tags": [HOSTILE],
            "assignee_id": "$ana", "estimate_likely": 60, "due_date": "2020-01-01"}))},
        {"op": "create", "entity": "task", "id": "$b", "fields": fields(json!({"project_id": "$evil", "title": HOSTILE, "assignee_id": "$ana"}))},
        {"op": "create", "entity": "task", "fields": {"project_id": "PAY", "parent_id": "$a", "title": format!("part {HOSTILE}")}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "$b", "to_id": "$a", "kind": "relates"}},
    ]});
    let applied = apply(path, set.to_string().as_bytes(), &[]);
    assert!(applied.status.success(), "{}", text(&applied.stderr));
    assert_escaped(&["apply"], &applied);
    inbox::insert_requests(
        path,
        &[
            (HOSTILE, "2026-11-20T10:00:00Z", HOSTILE, &inbox::create(HOSTILE)),
            (
                "two",
                "2026-11-20T10:00:01Z",
                HOSTILE,
                &json!({"patches": [{"op": HOSTILE}]}).to_string(),
            ),
            (
                &format!("{HOSTILE}3"),
                "2026-11-20T10:00:02Z",
                "ana",
                &inbox::create(HOSTILE).replace("PAY", HOSTILE),
            ),
        ],
    );
    let description = format!(
        "# Ship {HOSTILE}\n\n## Goals\n\n- {HOSTILE}\n\n## Requirements\n\n- Must {HOSTILE}\n\n## Plan\n\n- Build {HOSTILE} (1 day) @{HOSTILE}\n- Test {HOSTILE}, depends on \"Nothing {HOSTILE}\"\n"
    );
    std::fs::create_dir(path.join("descriptions")).unwrap();
    std::fs::write(path.join("descriptions/evil.md"), description).unwrap();
    folder
}

#[test]
fn commands_escape_control_and_invisible_characters() {
    let folder = hostile_lake();
    let path = folder.path();
    let sql = "SELECT title AS t, description AS d, title FROM tasks";
    let commands: &[&[&str]] = &[
        &["task", "list"],
        &["task", "list", "--sort", "title"],
        &["task", "list", "--tag", HOSTILE],
        &["task", "show", "PAY-1"],
        &["task", "tree", "PAY"],
        &["task", "tree", "EVIL"],
        &["next"],
        &["history"],
        &["history", "PAY-1"],
        &["project", "list"],
        &["project", "show", "EVIL"],
        &["user", "list"],
        &["user", "show", "ana"],
        &["query", sql],
        &["query", sql, "--format", "json"],
        &["query", "SELECT * FROM audit"],
        &["query", "SELECT * FROM inbox"],
        &["query", "--view", "requests"],
        &["inbox", "list"],
        &["inbox", "apply"],
        &["inbox", "list"],
        &["query", "--view", "requests", "--format", "json"],
        &["plan", "descriptions/evil.md", "--full", "--skipped"],
        &["plan", "--text", &format!("# {HOSTILE}\n\n- {HOSTILE}\n")],
        &["plan", "--folder", "descriptions"],
        &["plan", "descriptions/evil.md", "--yes"],
        &["plan", "descriptions/evil.md"],
        &["undo"],
        &["visualize", "EVIL", "--out", "-"],
        &["report", "--out", "-"],
        &["report", "--out", "-", "--json"],
        &["erase", "user", "ana", "--also", HOSTILE],
        &["erase", "task", "PAY-1"],
        &["task", "update", "PAY-1", "--title", &format!("again {HOSTILE}")],
        &["task", "create", HOSTILE, "--project", "PAY", "--actor", ACTOR],
        &["task", "create", HOSTILE, "--project", "PAY", "--actor", HOSTILE],
        &["task", "split", "PAY-2", HOSTILE, "=1h"],
        &["doctor"],
        &["lake", "show"],
        &["config", "show", "--actor", HOSTILE],
        &["backup", HOSTILE],
        &["--lake", HOSTILE, "lake", "show"],
        &["--lake", HOSTILE, "lake", "adopt"],
        &["--lake", "r", "restore-lake", HOSTILE],
        &["report", "--out", &format!("{HOSTILE}.html")],
        &["visualize", "EVIL", "--out", &format!("v{HOSTILE}")],
        &["maintain"],
        // The error repeats the invalid argument.
        &["task", "show", HOSTILE],
        &["task", "list", "--project", HOSTILE],
        &["task", "list", "--assignee", HOSTILE],
        &["task", "list", "--status", HOSTILE],
        &["task", "list", HOSTILE],
        &["task", HOSTILE],
        &[HOSTILE],
        &["--lake", &format!("no{HOSTILE}"), "task", "list"],
        &["query", &format!("SELECT {HOSTILE}")],
        &["query", &format!("SELECT \"{HOSTILE}\" FROM tasks")],
        &["query", &format!("SELECT * FROM \"{HOSTILE}\"")],
        &["query", "--view", HOSTILE],
        &["apply", HOSTILE],
        &["plan", HOSTILE],
        &["plan", "--folder", &format!("no{HOSTILE}")],
        &["--config", HOSTILE, "task", "list"],
        &["--config", "descriptions/evil.md", "task", "list"],
        &["--summary", &format!("{HOSTILE}/no/x"), "task", "list"],
        &["report", "--out", &format!("no{HOSTILE}/x.html")],
        &["report", "--project", HOSTILE, "--out", "-"],
        &["user", "show", HOSTILE],
        &["project", "create", HOSTILE, "--key", HOSTILE],
        &["doctor", "--anchor", HOSTILE],
        &["fold", "--rebuild", HOSTILE],
        &["undo", HOSTILE],
        &["completions", HOSTILE],
    ];
    for args in commands {
        let output = run(path, args);
        assert_escaped(args, &output);
        // Text output is checked for all commands, JSON only for the commands that succeed.
        if args.contains(&"--json") || !output.status.success() {
            continue;
        }
        let args = [args, &["--json"][..]].concat();
        let output = run(path, &args);
        assert_escaped(&args, &output);
        let (rendered, is_raw) = (
            if output.status.success() { &output.stdout } else { &output.stderr },
            args.contains(&"-"),
        );
        assert!(
            is_raw || serde_json::from_slice::<Value>(rendered).is_ok(),
            "{args:?}: {}",
            text(rendered)
        );
    }
}

#[test]
fn text_escapes_hidden_characters_and_json_keeps_them() {
    let folder = hostile_lake();
    let path = folder.path();
    let shown = r"\u{1b}[2J\u{1b}]52;c;cm0K\u{7}\u{7f}\u{9b}31m\u{85}\u{202e}gpj\u{2066}\u{200f}pay\u{200b}pal\u{2028}\u{b}x";
    assert!(ok(path, &["task", "tree", "EVIL"]).contains(shown));
    assert!(ok(path, &["visualize", "EVIL", "--out", "-"]).contains(&shown.replace('\\', r"\\")));
    assert_eq!(json_of(path, &["task", "show", "EVIL-1"])["title"], HOSTILE);
    let query: Value = serde_json::from_str(&ok(
        path,
        &["query", "SELECT title FROM tasks WHERE key = 'EVIL-1'", "--format", "json"],
    ))
    .unwrap();
    assert_eq!(query[0]["title"], HOSTILE);
    // CSV is data for a program.
    assert!(ok(path, &["query", "SELECT title FROM tasks", "--format", "csv"]).contains(HOSTILE));
    ok(path, &["report", "--out", "report.html"]);
    let (page, numbers) = (read(path, "report.html"), read(path, "report.json"));
    for page in [&page, &numbers] {
        assert!(!page.contains(|letter| is_hidden(letter) && !matches!(letter, '\n' | '\t')));
    }
    assert!(page.contains(shown) && numbers.contains(r"\u001b[2J"));
    ok(path, &["task", "create", "می\u{200c}خواهم 👩\u{200d}💻", "--project", "PAY"]);
    assert!(
        ok(path, &["task", "list"]).contains("می\u{200c}خواهم 👩\u{200d}💻"),
        "joiners inside words are kept"
    );
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
#[cfg(unix)]
fn logs_and_summaries_escape_hidden_characters() {
    let folder = lake();
    let path = folder.path();
    std::fs::create_dir(path.join("in")).unwrap();
    std::fs::create_dir(path.join(format!("out{HOSTILE}\n"))).unwrap();
    std::os::unix::fs::symlink(path.join(format!("out{HOSTILE}\n")), path.join("in/link")).unwrap();
    let output = run(path, &["plan", "--folder", "in"]);
    let rendered = assert_escaped(&["plan", "--folder"], &output);
    assert_eq!(
        text(&output.stderr).lines().count(),
        1,
        "a name must not add a line to the log: {rendered}"
    );
    assert!(text(&output.stderr).contains(r"\u{1b}[2J"), "{rendered}");
    run(path, &["task", "show", HOSTILE, "--summary", "summary.json"]);
    let summary = read(path, "summary.json");
    assert!(summary.contains("there is no task") && !summary.contains('\u{9b}'), "{summary}");
    let settings =
        command(path, &["config", "show"]).env("LAKEPLAN_ACTOR", HOSTILE).output().unwrap();
    assert!(assert_escaped(&["config", "show"], &settings).contains(r"\u{202e}gpj"));
}
