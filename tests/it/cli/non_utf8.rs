//! Arguments and variables that are not UTF-8.

#![cfg(unix)]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::{BINARY, lake, ok, run, text};

fn raw_path(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}

fn command(folder: &Path, args: &[&[u8]]) -> Command {
    let mut command = Command::new(BINARY);
    command
        .args(args.iter().map(|word| raw_path(word)))
        .current_dir(folder)
        .env_clear()
        .env("USER", "tester")
        .stdin(Stdio::null());
    command
}

#[track_caller]
fn rendered(output: &Output, code: i32) -> String {
    let rendered = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{rendered}");
    rendered
}

#[test]
fn file_names_may_be_non_utf8() {
    let folder = lake();
    let path = folder.path();
    let set = r#"{"patches":[{"op":"create","entity":"task","fields":{"project_id":"PAY","title":"one"}}]}"#;
    std::fs::write(path.join(raw_path(b"caf\xe9.json")), set).unwrap();
    rendered(&command(path, &[b"apply", b"caf\xe9.json"]).output().unwrap(), 0);
    let no = rendered(&command(path, &[b"apply", b"no\xe9.json"]).output().unwrap(), 1);
    assert!(no.contains(r"no\xe9.json: there is no such file"), "{no}");
    let report =
        rendered(&command(path, &[b"report", b"--out", b"r\xe9.html"]).output().unwrap(), 0);
    assert!(report.contains(r"r\xe9.html written, its numbers in r\xe9.json"), "{report}");
    let page =
        rendered(&command(path, &[b"visualize", b"--out", b"v\xe9.html"]).output().unwrap(), 0);
    assert!(page.contains(r"wrote v\xe9.html"), "{page}");
    rendered(&command(path, &[b"next", b"--summary", b"s\xe9.json"]).output().unwrap(), 0);
    rendered(
        &command(path, &[b"next"])
            .env("LAKEPLAN_SUMMARY", raw_path(b"t\xe9.json"))
            .output()
            .unwrap(),
        0,
    );
    for name in [&b"r\xe9.html"[..], b"r\xe9.json", b"v\xe9.html", b"s\xe9.json", b"t\xe9.json"] {
        assert!(path.join(raw_path(name)).is_file(), "{name:?}");
    }
    let within = path.join(raw_path(b"dossier\xe9"));
    std::fs::create_dir(&within).unwrap();
    ok(&within, &["init"]);
    ok(&within, &["project", "create", "P"]);
    assert!(ok(&within, &["doctor"]).contains("verify"));
}

#[test]
fn non_utf8_arguments_are_refused_by_name() {
    let folder = lake();
    let path = folder.path();
    for args in [
        &[&b"plan"[..], b"caf\xe9.md"][..],
        &[b"--lake", b"caf\xe9", b"task", b"list"],
        &[b"task", b"create", b"caf\xe9"],
        &[b"caf\xe9"],
        &[b"--actor", b"caf\xe9", b"next"],
    ] {
        let printed = rendered(&command(path, args).output().unwrap(), 2);
        assert!(printed.contains(r"caf\xe9"), "{printed}");
        let json = command(path, &[args, &[b"--json"]].concat()).output().unwrap();
        let printed: Value = serde_json::from_slice(&json.stderr).unwrap();
        assert!(printed["error"]["message"].as_str().unwrap().contains(r"caf\xe9"), "{printed}");
    }
}

#[test]
fn non_utf8_variables_are_never_ignored() {
    let folder = lake();
    let path = folder.path();
    let before = ok(path, &["lake", "show"]);
    for name in [
        "LAKEPLAN_LAKE",
        "LAKEPLAN_ACTOR",
        "LAKEPLAN_OUTPUT",
        "LAKEPLAN_TARGET",
        "LAKEPLAN_LOG",
        "USER",
    ] {
        let args: [&[u8]; 5] = [b"task", b"create", b"lands elsewhere", b"--project", b"PAY"];
        let printed =
            rendered(&command(path, &args).env(name, raw_path(b"caf\xe9")).output().unwrap(), 3);
        assert!(printed.contains(&format!(r#"{name} is not UTF-8: "caf\xE9""#)), "{printed}");
    }
    for (name, lake) in [
        ("AWS_SECRET_ACCESS_KEY", &b"s3://bucket/lake"[..]),
        ("DATABRICKS_TOKEN", b"main.plan"),
        ("azure_storage_account_key", b"abfss://c@a.dfs.core.windows.net/l"),
    ] {
        let printed = rendered(
            &command(path, &[b"--lake", lake, b"next"])
                .env(name, raw_path(b"hunter\xe9"))
                .output()
                .unwrap(),
            3,
        );
        assert!(
            printed.contains(&format!("{name} is not UTF-8")) && !printed.contains("hunter"),
            "{printed}"
        );
    }
    assert_eq!(ok(path, &["lake", "show"]), before, "something was changed");
    // An unused variable is harmless.
    let named = command(path, &[b"next", b"--actor", b"ana"])
        .env("USER", raw_path(b"caf\xe9"))
        .env("LS_COLORS", raw_path(b"\xff"))
        .output();
    rendered(&named.unwrap(), 0);
    let columns = command(path, &[b"task", b"list"])
        .env("COLUMNS", raw_path(b"\xff"))
        .env("AWS_PROFILE", raw_path(b"\xff"))
        .output();
    rendered(&columns.unwrap(), 0);
    assert!(run(path, &["config", "show"]).status.success());
}
