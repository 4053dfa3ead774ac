//! `lakeplan report`: the page and its numbers, where they are written, and the errors if they
//! cannot be written.

use serde_json::Value;

use super::{fails, json_of, lake, ok};

#[test]
fn the_report_writes_page_and_numbers_that_match_the_json() {
    let folder = lake();
    let path = folder.path();
    ok(
        path,
        &[
            "task",
            "create",
            "Tell <b>everyone</b> & \"all\"",
            "--estimate",
            "1d",
            "--due",
            "2020-01-01",
        ],
    );
    let reply_text = ok(path, &["report", "--out", "plan.html"]);
    assert_eq!(reply_text, "plan.html written, its numbers in plan.json\n");
    let page = std::fs::read_to_string(path.join("plan.html")).unwrap();
    assert!(
        page.contains("Tell &#60;b&#62;everyone&#60;/b&#62; &#38; &#34;all&#34;")
            && page.contains("Payments"),
        "{page}"
    );
    let mut files: Vec<String> = path
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    assert_eq!(files, ["lake", "plan.html", "plan.json"], "a temporary file is left behind");

    let numbers: Value =
        serde_json::from_slice(&std::fs::read(path.join("plan.json")).unwrap()).unwrap();
    let printed = json_of(path, &["report"]);
    for name in
        ["projects", "burn_up", "workload", "accuracy", "velocity", "at_risk", "requirements"]
    {
        assert_eq!(numbers[name], printed[name], "{name}");
    }
    assert_eq!(
        (&printed["projects"][0]["tasks"], &printed["at_risk"][0]["reason"]),
        (&1.into(), &"overdue".into())
    );
    let again = json_of(path, &["report", "--out", "plan.html", "--project", "pay", "--days", "7"]);
    assert_eq!(again["written"]["numbers"], "plan.json");
    assert_eq!(again["asked"], serde_json::json!(["PAY"]));
    assert!(ok(path, &["report", "--out", "-"]).starts_with("<!doctype html>"));
    assert_eq!(json_of(path, &["report", "--out", "-"])["projects"], printed["projects"]);
}

#[test]
fn an_unwritable_report_names_the_path_and_a_fix() {
    let folder = lake();
    let path = folder.path();
    assert!(fails(path, &["report"], 2).contains("--out FILE.html"));
    let reply_text = fails(path, &["report", "--out", "no/where/r.html"], 2);
    assert!(
        reply_text
            .contains("there is no folder no/where\nhint: create it first (mkdir -p no/where)"),
        "{reply_text}"
    );
    assert!(
        fails(path, &["report", "--out", "lake"], 2)
            .contains("lake is a folder\nhint: name the page: --out lake/report.html")
    );
    assert!(
        fails(path, &["report", "--out", "r.json"], 2).contains("both the page and its numbers")
    );
    assert!(
        fails(path, &["report", "--out", "r.html", "--project", "XX"], 1)
            .contains("there is no project \"XX\"\nhint: there are PAY")
    );
    assert!(fails(path, &["report", "--out", "r.html", "--days", "0"], 2).contains("--days"));
    ok(path, &["project", "update", "PAY", "--status", "archived"]);
    assert!(
        fails(path, &["report", "--out", "r.html", "--project", "PAY"], 1)
            .contains("PAY is deleted or archived")
    );
    assert!(!path.join("r.html").exists() && !path.join("r.json").exists());
}

#[test]
fn a_failed_report_keeps_the_old_page_and_no_temporary_file() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["report", "--out", "r.html", "--summary", "s.json"]);
    let summary: Value =
        serde_json::from_slice(&std::fs::read(path.join("s.json")).unwrap()).unwrap();
    assert_eq!(summary["counts"], serde_json::json!({"projects": 1}));
    let before = std::fs::read(path.join("r.html")).unwrap();
    // A file does not replace a folder.
    std::fs::remove_file(path.join("r.json")).unwrap();
    std::fs::create_dir(path.join("r.json")).unwrap();
    let reply_text = fails(path, &["report", "--out", "r.html"], 1);
    assert!(
        reply_text.contains("r.json: already exists") && reply_text.contains("hint: "),
        "{reply_text}"
    );
    assert_eq!(std::fs::read(path.join("r.html")).unwrap(), before);
    let left: Vec<String> = path
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".tmp"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
