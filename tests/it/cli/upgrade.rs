//! `lakeplan upgrade` of a lake with values that an earlier version accepted and that no field
//! accepts any more.

use std::path::{Path, PathBuf};

use futures::TryStreamExt;
use lakeplan::domain::time::Instant;
use lakeplan::runtime::ManualClock;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::row::{Row, Stream, hex, next_chain};
use lakeplan::store::{Format, Scope, Store};
use serde_json::{Value, json};

use super::{command, fails, json_of, lake, ok, run, text};
use crate::store::forge::keep_checksum_and_size;
use crate::support::random;

/// A stored date, and an out-of-range date of an earlier version with the same length.
const DAY: &str = "2031-07-19";
const OLD: &str = "-001-01-01";
/// Days from 1970 to each date, as the tables store them.
const DAYS: [i32; 2] = [22_479, -719_893];

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Replaces bytes by others of the same length in all files of a folder. Returns the number of
/// replacements.
fn replace(folder: &Path, from: &[u8], to: &[u8]) -> usize {
    assert_eq!(from.len(), to.len());
    let mut count = 0;
    for file in files(folder) {
        let mut bytes = std::fs::read(&file).unwrap();
        let places: Vec<usize> = (0..bytes.len().saturating_sub(from.len()))
            .filter(|at| bytes[*at..].starts_with(from))
            .collect();
        for at in &places {
            bytes[*at..*at + to.len()].copy_from_slice(to);
        }
        if !places.is_empty() {
            std::fs::write(
                &file,
                keep_checksum_and_size(file.file_name().unwrap().to_str().unwrap(), bytes),
            )
            .unwrap();
        }
        count += places.len();
    }
    count
}

async fn rows(lake: &Path) -> Vec<Row> {
    let root = LakeLocation::open(lake.to_str().unwrap(), false).unwrap();
    let clock = ManualClock::new(Instant::default(), chrono::TimeDelta::zero());
    let store = DeltaStore::open(&root, Format::default(), std::sync::Arc::new(clock), random(1))
        .await
        .unwrap();
    store.changes(0, Stream::Work, &Scope::All).await.unwrap().try_collect().await.unwrap()
}

/// Rewrites the last set of the journal, which has one row, as if it had always contained the old
/// date, with digest and chain.
async fn rewrite_journal(path: &Path) {
    let lake = path.join("lake");
    let rows = rows(&lake).await;
    let [.., before, last] = rows.as_slice() else { panic!("{rows:?}") };
    let mut old = last.clone();
    for payload in [&mut old.before, &mut old.after].into_iter().flatten() {
        *payload = payload.replace(DAY, OLD);
    }
    old.digest = old.compute_digest();
    let chain = next_chain(before.chain.unwrap(), [old.digest]);
    let journal = lake.join("journal");
    assert!(
        replace(&journal, format!("\"{DAY}\"").as_bytes(), format!("\"{OLD}\"").as_bytes()) > 0
    );
    for (from, to) in [(last.digest, old.digest), (last.chain.unwrap(), chain)] {
        assert!(replace(&journal, hex(&from).as_bytes(), hex(&to).as_bytes()) > 0);
    }
    replace(&lake.join("field_changes"), DAY.as_bytes(), OLD.as_bytes());
    // The log states the former chain. The versions that accepted such dates wrote no marks, so
    // they are removed.
    for entry in files(&journal)
        .into_iter()
        .filter(|file| file.extension().is_some_and(|kind| kind == "json"))
    {
        let text = std::fs::read_to_string(&entry).unwrap();
        let kept: String = text
            .lines()
            .filter(|line| !line.contains("lakeplan-chain"))
            .flat_map(|line| [line, "\n"])
            .collect();
        std::fs::write(&entry, kept).unwrap();
    }
}

/// Counts the occurrences of the old date in a table.
fn count_old_dates(path: &Path, table: &str) -> usize {
    let newest = files(&path.join("lake").join(table))
        .into_iter()
        .filter(|file| file.extension().is_some_and(|kind| kind == "parquet"));
    let newest = newest.max_by_key(|file| file.metadata().unwrap().modified().unwrap()).unwrap();
    let bytes = std::fs::read(newest).unwrap();
    bytes.windows(4).filter(|window| *window == DAYS[1].to_le_bytes()).count()
}

#[tokio::test]
async fn an_out_of_range_date_is_listed_and_cleared_once() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "Ship"]);
    ok(path, &["task", "create", "Rest", "--due", "2031-01-01"]);
    ok(path, &["task", "update", "PAY-1", "--due", DAY]);
    rewrite_journal(path).await;
    assert!(replace(&path.join("lake/tasks"), &DAYS[0].to_le_bytes(), &DAYS[1].to_le_bytes()) > 0);

    let doctor = run(path, &["doctor"]);
    let printed = text(&doctor.stdout) + &text(&doctor.stderr);
    assert_eq!(doctor.status.code(), Some(1), "{printed}");
    assert!(
        printed.contains("due_date")
            && printed.contains("read as absent")
            && printed.contains("run lakeplan upgrade to clear it"),
        "{printed}"
    );
    assert!(!printed.contains("digest"), "the forged row is not valid: {printed}");
    assert!(count_old_dates(path, "tasks") > 0);
    let before = json_with_warning(path, &["lake", "show"])["seq"].clone();

    let plan = json_with_warning(path, &["upgrade", "--dry-run"]);
    let value = &plan["values"][0];
    assert_eq!(plan["values"].as_array().unwrap().len(), 1, "{plan}");
    assert_eq!(
        (&value["name"], &value["field"], &value["value"]),
        (&json!("PAY-1"), &json!("due_date"), &json!(OLD))
    );
    assert_eq!(
        (&plan["dry_run"], &plan["changed"], &value["obstacle"]),
        (&json!(true), &json!(false), &json!(null))
    );
    assert_eq!(plan["tables"], json!([{"table": "tasks", "values": 1}]));
    let printed = text(&run(path, &["upgrade", "--dry-run"]).stdout);
    assert!(
        printed.contains("would clear: 1 value")
            && printed.contains(OLD)
            && printed.contains("nothing was written"),
        "{printed}"
    );
    assert_eq!(json_with_warning(path, &["lake", "show"])["seq"], before);

    let done = json_with_warning(path, &["upgrade"]);
    assert_eq!(done["changed"], true);
    assert_eq!(count_old_dates(path, "tasks"), 0, "the table still holds the old day");
    let doctor = run(path, &["doctor"]);
    assert!(doctor.status.success(), "{}{}", text(&doctor.stdout), text(&doctor.stderr));
    let tasks = json_of(path, &["query", "SELECT key, due_date FROM tasks ORDER BY key"]);
    assert_eq!(
        tasks,
        json!([{"key": "PAY-1", "due_date": null}, {"key": "PAY-2", "due_date": "2031-01-01"}])
    );
    let history = json_with_warning(path, &["history"]);
    let set = &history["changes"][0];
    assert_eq!((&set["seq"], &set["source"]), (&done["seq"], &json!("maintenance")), "{set}");
    assert!(
        text(&run(path, &["upgrade"]).stdout).contains("has format 2 already"),
        "a second upgrade did something"
    );
    // The field accepts new values, and the clearing can be undone as far as there is a valid
    // value.
    ok(path, &["task", "update", "PAY-1", "--due", "2032-01-01"]);
    ok(path, &["undo"]);
    assert!(run(path, &["doctor"]).status.success());
}

#[test]
fn a_table_with_an_out_of_range_date_is_rebuilt() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "Ship", "--due", DAY]);
    assert!(replace(&path.join("lake/tasks"), &DAYS[0].to_le_bytes(), &DAYS[1].to_le_bytes()) > 0);
    assert_eq!(run(path, &["doctor"]).status.code(), Some(1));
    let done = json_with_warning(path, &["upgrade"]);
    assert_eq!(
        (&done["values"], &done["tables"]),
        (&json!([]), &json!([{"table": "tasks", "values": 1}]))
    );
    assert_eq!(count_old_dates(path, "tasks"), 0);
    ok(path, &["doctor"]);
    assert_eq!(json_of(path, &["query", "SELECT due_date FROM tasks"]), json!([{"due_date": DAY}]));
}

/// Like `json_of`, for a command that warns about the old value.
fn json_with_warning(path: &Path, args: &[&str]) -> Value {
    let output = command(path, &[args, &["--json"]].concat()).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_lake_without_old_values_has_nothing_to_upgrade() {
    let folder = lake();
    let path = folder.path();
    let rendered = json_of(path, &["upgrade"]);
    assert_eq!(
        (&rendered["changed"], &rendered["values"], &rendered["tables"]),
        (&json!(false), &json!([]), &json!([]))
    );
    assert!(ok(path, &["upgrade", "--dry-run"]).contains("has format 2 already"));
    assert!(fails(path, &["--lake", "nowhere", "upgrade"], 3).contains("nowhere"));
}
