//! An inbox that is lost, damaged or flooded, lost results, and a clock that is behind. Requests
//! are still processed, and `doctor` reports the damage with a hint.

use std::fs;
use std::path::{Path, PathBuf};

use lakeplan::runtime::{Clock, SystemClock};
use rstest::rstest;
use serde_json::{Value, json};

use super::inbox::raw::{self, AT, RawValue};
use super::inbox::{create, json_with_peak_memory};
use super::{fails, json_of, lake, ok, run, text};

fn row(
    id: impl Into<RawValue>,
    at: impl Into<RawValue>,
    user: impl Into<RawValue>,
    patch_set: impl Into<RawValue>,
) -> Vec<RawValue> {
    vec![id.into(), at.into(), user.into(), patch_set.into()]
}

/// Returns the findings of `doctor` as pairs of place and advice.
fn findings(folder: &Path, args: &[&str]) -> Vec<(String, String)> {
    let output = run(folder, &[&["doctor", "--json"], args].concat());
    let found: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    let found =
        if found.is_null() { serde_json::from_slice(&output.stderr).unwrap() } else { found };
    let list = found["findings"]
        .as_array()
        .or(found["error"]["checkup"]["findings"].as_array())
        .unwrap_or_else(|| panic!("{found}"));
    list.iter()
        .map(|one| {
            (one["place"].as_str().unwrap().to_owned(), one["way_out"].as_str().unwrap().to_owned())
        })
        .collect()
}

fn files(folder: &Path, place: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder.join(place)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
        match path.is_dir() {
            true if !name.ends_with("_delta_log") => found.extend(files(folder, &name)),
            _ if name.ends_with(".parquet") => found.push(path),
            _ => {}
        }
    }
    found.sort();
    found
}

fn outcomes(answered: &Value) -> Vec<String> {
    let rendered = |answer: &Value| {
        format!(
            "{} {}",
            answer["request_id"].as_str().unwrap(),
            answer["outcome"].as_str().unwrap()
        )
    };
    answered["answers"].as_array().unwrap().iter().map(rendered).collect()
}

/// Returns the JSON of a command that also prints a warning.
fn json_with_warning(folder: &Path, args: &[&str]) -> (Value, String) {
    let output = run(folder, &[args, &["--json"]].concat());
    let printed = text(&output.stderr);
    assert!(output.status.success(), "{args:?}: {printed}");
    (serde_json::from_slice(&output.stdout).unwrap(), printed)
}

#[test]
fn requests_are_answered_after_the_results_are_lost() {
    for is_cut in [false, true] {
        let lake = lake();
        let folder = lake.path();
        raw::add(
            folder,
            &[row("a", AT, "ana", create("One").as_str()), row("b", AT + 1, "ana", "{")],
        );
        ok(folder, &["inbox", "apply"]);
        let lost = files(folder, "lake/inbox_results").remove(0);
        match is_cut {
            true => fs::write(&lost, &fs::read(&lost).unwrap()[..100]).unwrap(),
            false => fs::remove_file(&lost).unwrap(),
        }
        let name = lost.file_name().unwrap().to_str().unwrap().to_owned();
        raw::add(folder, &[row("c", AT, "bo", create("Two").as_str())]);
        let (answered, printed) = json_with_warning(folder, &["inbox", "apply"]);
        assert_eq!(outcomes(&answered), ["a applied", "c applied", "b refused"]);
        assert!(printed.contains(&name), "{printed}");
        // A request that was already applied is found and not applied again.
        assert_eq!(
            json_of(folder, &["query", "SELECT title FROM tasks ORDER BY title"]),
            json!([{"title": "One"}, {"title": "Two"}])
        );
        let (_, printed) = json_with_warning(folder, &["backup", "copy"]);
        assert!(printed.contains(&name), "{printed}");
        let found = findings(folder, &[]);
        assert!(
            found.len() == 1
                && found[0].0.contains(&name)
                && found[0].1.contains("lakeplan maintain"),
            "{found:?}"
        );
        let (_, printed) = json_with_warning(folder, &["maintain"]);
        assert!(printed.contains(&name) && printed.contains("2 rows are lost"), "{printed}");
        assert_eq!(findings(folder, &["--full"]), []);
        assert_eq!(json_of(folder, &["inbox", "list"])["total"], 3);
    }
}

const FIRST: &str = "lake/inbox/_delta_log/00000000000000000000.json";
const NEXT: &str = "lake/inbox/_delta_log/00000000000000000001.json";

fn without_its_first_entry(folder: &Path) {
    fs::rename(folder.join(FIRST), folder.join(NEXT)).unwrap();
}

fn with_a_lost_file(folder: &Path) {
    raw::add(folder, &[row("a", AT, "ana", "{")]);
    fs::remove_file(folder.join("lake/inbox/part-1.parquet")).unwrap();
}

fn with_an_emptied_file(folder: &Path) {
    raw::add(folder, &[row("a", AT, "ana", "{")]);
    fs::write(folder.join("lake/inbox/part-1.parquet"), "").unwrap();
}

fn with_another_protocol(folder: &Path) {
    let protocol = json!({"protocol": {"minReaderVersion": 9, "minWriterVersion": 9}});
    fs::write(folder.join(NEXT), format!("{protocol}\n")).unwrap();
}

#[rstest]
#[case::gone("inbox", |folder: &Path| fs::remove_dir_all(folder.join("lake/inbox")).unwrap())]
#[case::a_broken_entry("inbox/_delta_log/00000000000000000001.json", |folder: &Path| fs::write(folder.join(NEXT), "x\n").unwrap())]
#[case::no_first_entry("inbox", without_its_first_entry)]
#[case::a_lost_file("inbox/part-1.parquet", with_a_lost_file)]
#[case::an_emptied_file("inbox/part-1.parquet", with_an_emptied_file)]
#[case::a_file_of_no_bytes("inbox/part-1.parquet", |folder: &Path| drop(raw::put(folder, b"", json!({}), &[])))]
#[case::another_protocol("inbox", with_another_protocol)]
fn doctor_reports_inbox_damage_with_a_hint(#[case] place: &str, #[case] damage: fn(&Path)) {
    let lake = lake();
    let folder = lake.path();
    assert!(folder.join(FIRST).exists() && !folder.join(NEXT).exists());
    damage(folder);
    let found = findings(folder, &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].0.contains(place), "{found:?}");
    assert_eq!(findings(folder, &["--full"]), found);
    let advice = &found[0].1;
    assert!(advice.contains("lakeplan maintain") || advice.contains("DROP FEATURE"), "{found:?}");
    // The advice is followed literally if it needs no other engine.
    if folder.join("lake/inbox").exists() {
        assert!(advice.contains("move the folder inbox away"), "{found:?}");
        fs::rename(folder.join("lake/inbox"), folder.join("away")).unwrap();
    }
    ok(folder, &["maintain"]);
    assert_eq!(findings(folder, &["--full"]), []);
    assert!(ok(folder, &["inbox", "apply"]).contains("no request waits"));
}

#[test]
fn doctor_full_reports_inbox_files_that_are_not_parquet() {
    let lake = lake();
    let folder = lake.path();
    raw::add(folder, &[row("a", AT, "ana", create("One").as_str())]);
    let other = raw::put(
        folder,
        b"PAR1 and nothing that a reader can make anything of PAR1",
        json!({}),
        &[],
    );
    assert_eq!(findings(folder, &[]), []);
    let found = findings(folder, &["--full"]);
    assert!(found.len() == 1 && found[0].0.ends_with(&other), "{found:?}");
}

#[test]
fn an_empty_inbox_file_does_not_block_other_requests() {
    for is_added_so in [false, true] {
        let lake = lake();
        let folder = lake.path();
        raw::add(folder, &[row("a", AT, "ana", create("One").as_str())]);
        let empty = match is_added_so {
            true => raw::put(folder, b"", json!({}), &[]),
            false => raw::add(folder, &[row("lost", AT, "ana", "{")]),
        };
        fs::write(folder.join("lake/inbox").join(&empty), "").unwrap();
        let answered = json_of(folder, &["inbox", "apply"]);
        assert_eq!(outcomes(&answered), ["a applied"]);
        assert!(answered["unreadable_files"][0].as_str().unwrap().contains(&empty), "{answered}");
        let (listed, printed) = json_with_warning(folder, &["inbox", "list"]);
        assert_eq!(listed["total"], 1);
        assert!(printed.contains(&empty), "{printed}");
        let (rows, _) =
            json_with_warning(folder, &["query", "SELECT request_id, state FROM requests"]);
        assert_eq!(rows, json!([{"request_id": "a", "state": "applied"}]));
    }
}

#[test]
fn the_requests_view_works_with_very_large_rows() {
    let lake = lake();
    let folder = lake.path();
    let fat = " ".repeat(24 << 20);
    let fat = fat.as_str();
    raw::add(folder, &[row("good", AT, "ana", create("One").as_str())]);
    for n in 0..8i64 {
        raw::add(folder, &[row(format!("fat {n}").as_str(), AT + n, "ana", fat)]);
    }
    raw::add(
        folder,
        &(0..8)
            .map(|n| row(format!("also fat {n}").as_str(), AT + 9 + n, "ana", fat))
            .collect::<Vec<_>>(),
    );
    raw::add(
        folder,
        &[
            row("fat user", AT, fat, create("x").as_str()),
            row(fat, AT, "ana", create("x").as_str()),
        ],
    );
    // The list contains waiting and answered requests.
    for is_answered in [false, true] {
        let (listed, most) = json_with_peak_memory(folder, "inbox list");
        assert!(most < 600, "{most} MiB");
        assert_eq!(listed["total"], 19);
        let (rows, printed) = json_with_warning(
            folder,
            &[
                "query",
                "SELECT request_id, octet_length(patch_set) < 5000000 AS fits FROM requests WHERE request_id = 'fat 1'",
            ],
        );
        assert!(rows.as_array().unwrap().len() == 1 && rows[0]["fits"] != json!(false), "{rows}");
        assert!(printed.contains("only the start is read"), "{printed}");
        if !is_answered {
            let answered = json_of(folder, &["inbox", "apply"]);
            assert_eq!(answered["answers"].as_array().unwrap().len(), 19);
            assert_eq!(
                outcomes(&answered).iter().filter(|rendered| rendered.ends_with("applied")).count(),
                1
            );
        }
    }
    let shown = json_with_warning(
        folder,
        &[
            "query",
            "SELECT request_id, user, state, patch_set FROM requests WHERE request_id = 'good'",
        ],
    )
    .0;
    assert_eq!(
        shown,
        json!([{"request_id": "good", "user": "ana", "state": "applied", "patch_set": create("One")}])
    );
}

#[test]
fn a_request_from_the_future_waits() {
    let lake = lake();
    let folder = lake.path();
    let soon = (SystemClock.now() + chrono::TimeDelta::days(10)).timestamp_micros();
    raw::add(
        folder,
        &[
            row("later", soon, "ana", create("Later").as_str()),
            row("later too", soon + 1, "bo", create("Later").as_str()),
            row("now", AT, "ana", create("Now").as_str()),
            // The row with a time in the past is the request, regardless of later rows.
            row("both", AT, "ana", create("Both").as_str()),
            row("both", soon, "ana", create("x").as_str()),
        ],
    );
    for limit in ["1", "5"] {
        let (answered, printed) = json_with_warning(folder, &["inbox", "apply", "--limit", limit]);
        assert!(printed.contains("3 rows of the inbox are dated after"), "{printed}");
        assert!(
            outcomes(&answered)
                .iter()
                .all(|rendered| ["now applied", "both applied"].contains(&rendered.as_str())),
            "{answered}"
        );
        assert_eq!(answered["waiting"], if limit == "1" { 4 } else { 3 });
    }
    let states = json_of(
        folder,
        &[
            "query",
            "SELECT request_id, state FROM requests WHERE state = 'waiting' ORDER BY request_id",
        ],
    );
    assert_eq!(
        states,
        json!([{"request_id": "later", "state": "waiting"}, {"request_id": "later too", "state": "waiting"}])
    );
    assert!(fails(folder, &["task", "show", "PAY-3"], 1).contains("there is no task"));
}
