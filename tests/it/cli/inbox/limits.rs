//! A run of the inbox is limited in requests and in memory.

use serde_json::{Value, json};

use super::super::{command, json_of, lake, ok, text as text_of};
use super::raw::{self, AT, RawValue, row};
use super::{create, json_with_peak_memory, rows};

#[test]
fn a_limited_run_takes_requests_of_all_users_in_turn() {
    let lake = lake();
    let folder = lake.path();
    let rows_of = |user: &str, number: i64, from: i64| -> Vec<Vec<RawValue>> {
        (0..number).map(|n| row(format!("{user} {n}").as_str(), AT + from + n, user, "{")).collect()
    };
    raw::add(folder, &rows_of("many", 3000, 0));
    raw::add(folder, &[rows_of("bo", 3, 10_000), rows_of("cy", 1, 20_000)].concat());
    let mut waiting = 3004;
    let first = json_of(folder, &["inbox", "apply", "--limit", "9"]);
    waiting -= 9;
    let ids = |answered: &Value| -> Vec<String> {
        answered["answers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|answer| answer["request_id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        ids(&first),
        ["many 0", "many 1", "many 2", "many 3", "many 4", "bo 0", "bo 1", "bo 2", "cy 0"]
    );
    assert_eq!(first["waiting"], waiting);
    assert!(
        ok(folder, &["inbox", "apply", "--limit", "1000"])
            .contains("1995 rows wait for the next run")
    );
    assert_eq!(json_of(folder, &["inbox", "apply"])["waiting"], 0);
    let found =
        rows(folder, "SELECT count(*) AS n, count(DISTINCT request_id) AS ids FROM inbox_results");
    assert_eq!(found, json!([{"n": 3004, "ids": 3004}]));
}

#[test]
fn a_run_limits_the_patch_sets_in_memory() {
    let lake = lake();
    let folder = lake.path();
    let large = "x".repeat(3 << 20);
    let large: Vec<Vec<RawValue>> = (0..30)
        .map(|n| row(format!("large {n:02}").as_str(), AT + n, "ana", large.as_str()))
        .collect();
    raw::add(folder, &large);
    raw::add(folder, &[row("small", AT + 99, "bo", "{"), row("smaller", AT + 100, "ana", "{")]);
    let listed = command(folder, &["inbox", "list", "--json"])
        .env("LAKEPLAN_QUERY_MEMORY", "64MiB")
        .output()
        .unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&listed.stdout).unwrap()["total"],
        32,
        "{}",
        text_of(&listed.stderr)
    );
    let first = json_of(folder, &["inbox", "apply"]);
    let answers = first["answers"].as_array().unwrap();
    // The other user's request gets a result. The own request that comes after the waiting ones
    // does not.
    let ids: Vec<&str> =
        answers.iter().map(|answer| answer["request_id"].as_str().unwrap()).collect();
    assert!(
        ids.contains(&"small") && !ids.contains(&"smaller") && (15..25).contains(&ids.len()),
        "{ids:?}"
    );
    assert_eq!(first["waiting"], 32 - ids.len());
    let second = json_of(folder, &["inbox", "apply"]);
    assert_eq!(
        (second["waiting"].clone(), second["answers"].as_array().unwrap().len()),
        (json!(0), 32 - ids.len())
    );
}

/// Inserts many rows by one user. With `LAKEPLAN_TEST_FULL`, the test measures a run over a million
/// rows.
#[test]
fn a_run_over_many_rows_uses_little_memory() {
    let lake = lake();
    let folder = lake.path();
    let number = crate::support::counts(20_000, 1_000_000) as i64;
    let patch_set = create("One of very many tasks that somebody asks for");
    let rows_of = |from: i64, to: i64| -> Vec<Vec<RawValue>> {
        (from..to)
            .map(|n| row(format!("many {n}").as_str(), AT + n, "many", patch_set.as_str()))
            .collect()
    };
    for from in (0..number).step_by(100_000) {
        raw::add(folder, &rows_of(from, (from + 100_000).min(number)));
    }
    raw::add(folder, &[row("one", AT + 99_000_000, "bo", "{")]);
    let started = std::time::Instant::now();
    let (answered, most) = json_with_peak_memory(folder, "inbox apply --limit 50");
    eprintln!("{number} rows in {:.1} s and at most {most} MiB", started.elapsed().as_secs_f64());
    assert_eq!(answered["answers"].as_array().unwrap().len(), 50);
    assert_eq!(answered["answers"][49]["request_id"], "one");
    assert_eq!(answered["waiting"], number + 1 - 50);
    assert!(most < 400, "{most} MiB");
}
