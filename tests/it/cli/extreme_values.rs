//! Every command with extreme values: it returns a result or an error in time, and never panics.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use super::{LakeFolder, command, lake, ok, text};

/// Time limit of a command; some commands wait for the other end of a pipe.
const TIME_LIMIT: Duration = Duration::from_secs(60);

fn finish(folder: &Path, args: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = command(folder, args);
    command.envs(environment.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = Instant::now();
    let mut child = command.spawn().unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let readers =
        [std::thread::spawn(move || read(&mut out)), std::thread::spawn(move || read(&mut err))];
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > TIME_LIMIT {
            child.kill().unwrap();
            panic!("{args:.100?} hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let [stdout, stderr] = readers.map(|reader| reader.join().unwrap());
    Output { status, stdout, stderr }
}

fn read(from: &mut dyn std::io::Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Runs a command that must exit with a documented code and print something.
#[track_caller]
fn run_documented(folder: &Path, args: &[&str], environment: &[(&str, &str)]) -> Output {
    let output = finish(folder, args, environment);
    let printed: String =
        format!("{}{}", text(&output.stdout), text(&output.stderr)).chars().take(2000).collect();
    let code = output.status.code();
    assert!(matches!(code, Some(0..=4)), "{args:.100?} ended with {:?}: {printed}", output.status);
    assert!(
        !printed.contains("panicked") && !printed.trim().is_empty(),
        "{args:.100?} ({code:?}) printed: {printed:?}"
    );
    output
}

fn edge_lake() -> LakeFolder {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "a", "--due", "9999-12-31"]);
    ok(path, &["task", "create", "b", "--estimate", "2000d"]);
    ok(path, &["task", "create", "c", "--depends-on", "PAY-2", "--estimate", "100d"]);
    folder
}

#[test]
fn extreme_numbers_and_times_never_panic() {
    let folder = edge_lake();
    let path = folder.path();
    for value in ["0", "-1", "18446744073709551615", "99999999999999999999", "1e9", ""] {
        let with = |flag: &str| format!("--{flag}={value}");
        let hours = format!("{value}h");
        let commands: &[&[&str]] = &[
            &["task", "list", &with("limit")],
            &["task", "list", &format!("--cursor={value}.{value}")],
            &["history", &with("limit")],
            &["next", &with("limit")],
            &["inbox", "list", &with("limit")],
            &["inbox", "apply", &with("limit")],
            &["task", "tree", &with("depth")],
            &["report", "--out=-", &with("days")],
            &["query", "SELECT 1", &with("as-of")],
            &["backup", "copy", &with("at")],
            &["doctor", &with("anchor")],
            &["undo", "--", value],
            &["task", "log", "PAY-1", "--", &hours],
            &["task", "create", "z", &format!("--estimate={hours}")],
            &["task", "link", "PAY-1", "PAY-3", &format!("--lag={hours}")],
            &["task", "update", "PAY-1", &with("importance")],
            &["fold", &with("rebuild")],
        ];
        commands.iter().for_each(|args| drop(run_documented(path, args, &[])));
    }
    for value in [
        "9999-12-31",
        "+262142-12-31T23:59:59Z",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+23:59",
        "2026-13-45",
    ] {
        let as_of = format!("--as-of={value}");
        for args in [
            &["next"][..],
            &["history"],
            &["query", "SELECT * FROM overdue"],
            &["visualize", "--out=-"],
        ] {
            run_documented(path, &[args, &[as_of.as_str()][..]].concat(), &[]);
        }
        run_documented(
            path,
            &["task", "create", "d", &format!("--due={value}"), &format!("--not-before={value}")],
            &[],
        );
    }
    run_documented(path, &["visualize", "--out=-"], &[]);
    assert_eq!(
        run_documented(path, &["inbox", "list", "--limit=18446744073709551615"], &[]).status.code(),
        Some(0)
    );
    for columns in ["0", "1", "65535", "-1", "x"] {
        for args in
            [&["task", "list"][..], &["query", "SELECT * FROM tasks"], &["plan", "--text", "# a"]]
        {
            run_documented(path, args, &[("COLUMNS", columns)]);
        }
    }
}

#[test]
fn invalid_names_never_panic() {
    let folder = edge_lake();
    let path = folder.path();
    let long = "x".repeat(100_000);
    for value in [
        "",
        " ",
        "=",
        "@",
        "--",
        "%s%n",
        "../../x",
        "PAY-99999999999999999999",
        "PAY-",
        "💥",
        &long,
    ] {
        let with = |flag: &str| format!("--{flag}={value}");
        let commands: &[&[&str]] = &[
            &["task", "show", "--", value],
            &["task", "create", "--", value],
            &["task", "list", &with("project")],
            &["task", "list", &with("assignee"), &with("text"), &with("tag")],
            &["task", "update", "PAY-1", &with("clear")],
            &["task", "split", "PAY-3", "--", value, value],
            &["task", "link", "--", value, value],
            &["task", "move", "PAY-1", &with("parent")],
            &["project", "create", "x", &with("key")],
            &["user", "add", "--", value],
            &["user", "merge", "--", value, value],
            &["query", "--", value],
            &["query", &with("view")],
            &["query", "SELECT 1", &with("warehouse"), &with("param")],
            &["history", "--", value],
            &["erase", "user", "--", value],
            &["plan", "--text", value],
            &["plan", "--text", "# a", &with("name"), &with("id")],
            &["next", &with("actor"), &with("target")],
            &["fold", &with("rebuild")],
        ];
        commands.iter().for_each(|args| drop(run_documented(path, args, &[])));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn invalid_files_never_panic() {
    let folder = edge_lake();
    let path = folder.path();
    std::fs::create_dir(path.join("folder")).unwrap();
    std::fs::write(path.join("file"), "x").unwrap();
    std::fs::File::create(path.join("huge")).unwrap().set_len(20 << 30).unwrap();
    std::os::unix::fs::symlink("loop", path.join("loop")).unwrap();
    assert!(
        std::process::Command::new("mkfifo").arg(path.join("pipe")).status().unwrap().success()
    );
    let long = "x".repeat(100_000);
    for value in [
        "",
        " ",
        "folder",
        "file",
        "file/x",
        "huge",
        "loop",
        "/dev/null",
        "/dev/zero",
        "/dev/full",
        "/proc/self/mem",
        "file://host/x",
        "s3://",
        "http://x/y",
        &long,
    ] {
        let with = |flag: &str| format!("--{flag}={value}");
        // Commands that create something get only paths inside the test folder.
        let commands: &[&[&str]] = &[
            &[&with("lake"), "next"],
            &[&with("config"), "next"],
            &["apply", "--", value],
            &["plan", "--", value],
            &["plan", &with("folder")],
            &["--lake=new", "restore-lake", "--", value],
            &["task", "list", &with("lake"), "--json"],
        ];
        commands.iter().for_each(|args| drop(run_documented(path, args, &[])));
    }
    for value in ["", "folder", "file", "file/x", "loop", "huge", &long] {
        for args in [
            ["visualize", "--out"],
            ["report", "--out"],
            ["backup", "--"],
            ["init", "--"],
            ["quickstart", "--within"],
            ["next", "--summary"],
        ] {
            run_documented(path, &[args[0], args[1], value], &[]);
        }
    }
    for args in [
        &["apply", "pipe"][..],
        &["plan", "pipe"],
        &["--config", "pipe", "next"],
        &["visualize", "--out", "pipe"],
    ] {
        let output = run_documented(path, args, &[]);
        assert!(
            text(&output.stderr).contains("a pipe with nothing at its other end"),
            "{args:?}: {}",
            text(&output.stderr)
        );
    }
    // A pipe with a writer works like a file.
    let pipe = path.join("pipe");
    let writer =
        std::thread::spawn(move || std::fs::write(pipe, "# Piped\n\n- Do it (1 day)\n").unwrap());
    assert!(ok(path, &["plan", "pipe"]).contains("Piped"));
    writer.join().unwrap();
}
