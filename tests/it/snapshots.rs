//! Pictures of what people see. Each test runs commands and compares them and their output with
//! `snapshots/TEST.snap`.
//!
//! After an intended change, run `INSTA_UPDATE=always cargo test snapshots` and look at the
//! difference. Ids, times and paths differ in every run; placeholders replace them.

use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::path::PathBuf;

use insta::Settings;
use regex::Regex;

use crate::cli::{command, ok, text};

/// Commands with their output, as in a terminal of 80 columns.
struct Session {
    folder: tempfile::TempDir,
    transcript: String,
}

impl Session {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), transcript: String::new() }
    }

    /// Begins with a lake of one project: three tasks, one of them done, and two users.
    fn with_tasks() -> Self {
        let session = Self::new();
        for line in [
            "init",
            "project create Payments --key PAY",
            "user add ana",
            "user add bo",
            "task create 'Move the ledger' --estimate 1d-3d --assignee @ana --due 2099-12-01",
            "task create 'Write the reader' --parent PAY-1 --estimate 4h --assignee @bo",
            "task create 'Check totals' --parent PAY-1 --depends-on PAY-2",
            "task done PAY-2 --spent 5h",
        ] {
            session.prepare(line);
        }
        session
    }

    /// Runs a command that does not appear in the picture.
    fn prepare(&self, line: &str) {
        let words = words(line);
        ok(self.folder.path(), &words.iter().map(String::as_str).collect::<Vec<_>>());
    }

    fn file(&self, name: &str, content: &str) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    /// Adds a command and its output to the picture.
    fn run(&mut self, line: &str) {
        let words = words(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = command(self.folder.path(), &words).env("COLUMNS", "80").output().unwrap();
        let command = format!("$ lakeplan {line}");
        self.transcript.push_str(&format!("{}\n{}", command.trim_end(), text(&output.stdout)));
        if !output.stderr.is_empty() {
            self.transcript.push_str(&format!("-- standard error\n{}", text(&output.stderr)));
        }
        match output.status.code() {
            Some(0) => {}
            code => self.transcript.push_str(&format!("-- exit code {}\n", code.unwrap())),
        }
        self.transcript.push('\n');
    }
}

/// Splits a command line into words; quotes hold a word together.
fn words(line: &str) -> Vec<String> {
    let word = Regex::new(r#"'([^']*)'|"([^"]*)"|(\S+)"#).unwrap();
    let part = |found: regex::Captures<'_>| {
        found.iter().skip(1).flatten().next().unwrap().as_str().to_owned()
    };
    word.captures_iter(line).map(part).collect()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots")
}

fn settings() -> Settings {
    let mut settings = Settings::clone_current();
    settings.set_snapshot_path(folder());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.add_filter(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "[id]");
    settings.add_filter(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "[time]");
    settings.add_filter(r"[0-9a-f]{64}", "[hash]");
    settings
}

/// Compares a session with the snapshot of the test that calls this.
macro_rules! assert_picture {
    ($session:expr) => {{
        let session: Session = $session;
        let mut settings = settings();
        let folder = session.folder.path().canonicalize().unwrap();
        settings.add_filter(&regex::escape(folder.to_str().unwrap()), "[folder]");
        settings.bind(|| insta::assert_snapshot!(session.transcript.trim_end()));
    }};
}

/// A description with phases, requirements, a person and a dependency.
pub const SHED: &str = "\
# Garden shed

## Requirements

- The shed must have a lock.

## Plan

### Phase 1: Ground

- Level the ground (2 hours) @ana
- Lay the slabs (1 day), depends on \"Level the ground\"

### Phase 2: House

- Raise the walls (1-2 days)
- Hang the door (2 hours)

## Risks

- It may rain
";

/// Returns the commands below a command, from its help.
fn subcommands(help: &str) -> Vec<String> {
    let listed = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    let entries = listed.lines().take_while(|line| !line.is_empty());
    let names = entries.filter(|line| !line.starts_with("   "));
    names
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn help_of_every_command() {
    let mut top = Session::new();
    top.run("--help");
    let commands = subcommands(&top.transcript);
    assert_eq!(commands.len(), lakeplan::cli::COMMANDS.len(), "{commands:?}");
    // Every page ends with the same global options; the first shows them.
    let mut shown = vec![("lakeplan".to_owned(), top.transcript)];
    let options = Regex::new(r"(?s)\nGlobal options:\n.*?(\n\n\S|\n\n\n|\n\n$)").unwrap();
    for command in &commands {
        let mut session = Session::new();
        session.run(&format!("{command} --help"));
        for below in subcommands(&session.transcript) {
            session.run(&format!("{command} {below} --help"));
        }
        let page = options.replace_all(&session.transcript, "\n[global options]$1");
        shown.push((command.clone(), page.into_owned()));
    }
    let mut settings = settings();
    let mut differ = Vec::new();
    for (command, page) in &shown {
        settings.set_snapshot_suffix(command);
        let compare = || settings.bind(|| insta::assert_snapshot!(page.trim_end()));
        if catch_unwind(std::panic::AssertUnwindSafe(compare)).is_err() {
            differ.push(command);
        }
    }
    assert!(differ.is_empty(), "the help of these commands differs from its snapshot: {differ:?}");
    let expected = shown.iter().map(|(command, _)| format!("help_of_every_command@{command}"));
    let is_help = |name: &String| name.starts_with("help_of_every_command@");
    let stored: BTreeSet<String> = stored().into_iter().filter(is_help).collect();
    assert_eq!(stored, expected.collect(), "snapshots of commands that do not exist");
}

#[test]
fn plan_previews_a_tree_and_writes_it_with_yes() {
    let mut session = Session::new();
    session.prepare("init");
    session.file("shed.md", SHED);
    session.run("plan shed.md");
    session.run("plan shed.md --skipped");
    session.run("plan shed.md --yes");
    session.run("task tree GS");
    assert_picture!(session);
}

#[test]
fn plan_shows_what_an_edited_description_changes() {
    let mut session = Session::new();
    session.prepare("init");
    session.file("shed.md", SHED);
    session.prepare("plan shed.md --yes");
    session.prepare("task done GS-2");
    session.prepare("task update GS-6 --estimate 5h");
    let edited = SHED
        .replace("Raise the walls (1-2 days)", "Raise the brick walls (2 days)")
        .replace("Hang the door (2 hours)", "Hang the door (3 hours)")
        .replace(", depends on \"Level the ground\"", "\n- Wait for the rain (1 hour)");
    session.file("shed.md", &edited);
    session.run("plan shed.md");
    session.run("plan shed.md --yes");
    session.run("task tree GS");
    session.run("plan shed.md");
    assert_picture!(session);
}

#[test]
fn plan_reports_contradictions_in_the_description() {
    let mut session = Session::new();
    session.prepare("init");
    session.file(
        "loop.md",
        "# Loop\n\n## Plan\n\n- First (1 day), depends on \"Second\"\n- Second (1 day), depends on \"First\"\n- Third, depends on \"Nothing like it\"\n",
    );
    session.run("plan loop.md");
    assert_picture!(session);
}

#[test]
fn task_list_and_show() {
    let mut session = Session::with_tasks();
    session.run("task list");
    session.run("task list --open --assignee @ana");
    session.run("task list --project PAY --limit 1 --json");
    session.run("task show PAY-1");
    session.run("task show PAY-2");
    session.run("task show PAY-3");
    session.run("task show PAY-3 --json");
    session.run("task tree PAY");
    session.run("next");
    assert_picture!(session);
}

#[test]
fn history_and_undo() {
    let mut session = Session::with_tasks();
    session.run("history");
    session.run("history PAY-2");
    session.run("history PAY-2 --json");
    session.run("undo");
    session.run("history PAY-2");
    assert_picture!(session);
}

#[test]
fn doctor_of_a_sound_lake() {
    let mut session = Session::with_tasks();
    session.run("doctor");
    session.run("doctor --full");
    session.run("doctor --json");
    session.run("lake show");
    assert_picture!(session);
}

#[test]
fn errors_of_names_and_values() {
    let mut session = Session::with_tasks();
    for line in [
        "task show PAY-9",
        "--json task show PAY-9",
        "project show PAYMENT",
        "user show anna",
        "task create '' --project PAY",
        "--json task create '' --project PAY",
        "task update PAY-1 --estimate long",
        "task update PAY-1 --due 2026-02-30",
        "task update PAY-3 --status paused",
        "task link PAY-1 PAY-2",
        "query 'SELECT titel FROM tasks'",
        "--json query 'SELECT titel FROM tasks'",
        "query 'DELETE FROM tasks'",
        "plan missing.md",
    ] {
        session.run(line);
    }
    assert_picture!(session);
}

#[test]
fn errors_of_usage() {
    let mut session = Session::new();
    for line in
        ["", "tasks", "task frobnicate", "--json task frobnicate", "task show", "-o xml next"]
    {
        session.run(line);
    }
    assert_picture!(session);
}

#[test]
fn errors_of_a_missing_or_existing_lake() {
    let mut session = Session::new();
    session.run("task list");
    session.run("--json task list");
    session.run("--lake moon://x/y task list");
    session.prepare("init");
    session.run("init");
    session.run("task create first");
    session.file("lakeplan.toml", "lakee = 'x'\n");
    session.run("task list");
    assert_picture!(session);
}

#[test]
fn a_conflict_and_a_refused_patch_set() {
    let mut session = Session::with_tasks();
    session.file(
        "conflict.json",
        r#"{"patches": [{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"title": "New"}, "expect": {"title": "Old"}}]}"#,
    );
    session.file(
        "wrong.json",
        r#"{"patches": [{"op": "update", "entity": "task", "id": "PAY-7", "fields": {"titel": "x"}}, {"op": "paint", "entity": "task"}]}"#,
    );
    session.run("apply conflict.json");
    session.run("--json apply conflict.json");
    session.run("apply wrong.json");
    session.run("--json apply wrong.json");
    assert_picture!(session);
}

#[test]
fn quickstart() {
    let mut session = Session::new();
    session.run("quickstart");
    assert_picture!(session);
}

/// Returns the names of the stored snapshots, and of other files in their folder.
fn stored() -> BTreeSet<String> {
    let names = std::fs::read_dir(folder()).unwrap().map(|file| file.unwrap().file_name());
    names
        .map(|name| name.into_string().unwrap())
        // A test that fails writes its new picture beside the old one.
        .filter(|name| !name.ends_with(".snap.new"))
        .map(|name| name.trim_end_matches(".snap").to_owned())
        .collect()
}

#[test]
fn every_snapshot_belongs_to_a_test() {
    let test = Regex::new(r"#\[test\]\nfn (\w+)\(").unwrap();
    let tests: BTreeSet<&str> = test
        .captures_iter(include_str!("snapshots.rs"))
        .map(|found| found.get(1).unwrap().as_str())
        .collect();
    let is_stale = |name: &String| !tests.contains(name.split('@').next().unwrap());
    let stale: Vec<String> = stored().into_iter().filter(is_stale).collect();
    assert!(stale.is_empty(), "no test compares these files of tests/it/snapshots: {stale:?}");
}
