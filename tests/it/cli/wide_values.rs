//! Large values that a query repeats, and output that is slow to write: they end with an error, in
//! time.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{BINARY, fails, json_of, lake, ok, text};

/// Runs a query in an address space of 12 GB, so that a larger allocation ends the process.
fn run_with_address_space_limit(folder: &Path, args: &[&str]) -> Output {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -v 12000000 && exec \"$0\" \"$@\"", BINARY]).args(args);
    shell
        .current_dir(folder)
        .env_clear()
        .env("USER", "tester")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    shell.output().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_large_value_repeated_for_many_rows_is_refused() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "a title"]);
    let wide = "(SELECT array_agg(value) FROM generate_series(1, 1000000))";
    let text_of = "(SELECT string_agg(repeat('a', 60000), '') AS x FROM generate_series(1, 300))";
    for sql in [
        "SELECT array_agg(value) OVER () FROM generate_series(1, 100000)".to_owned(),
        "SELECT max(length(x)) FROM (SELECT string_agg(v, '') OVER (ORDER BY value) AS x FROM (SELECT repeat('x', 2000 + value) AS v, value FROM generate_series(1, 2000)) v) t".to_owned(),
        "SELECT max(length(s)) FROM (SELECT first_value(arrow_cast(repeat('x', 20000 + value % 7), 'LargeUtf8')) OVER () AS s FROM generate_series(1, 40000)) t".to_owned(),
        "SELECT string_agg(d, '') OVER () FROM (SELECT repeat(title, 10000) AS d FROM tasks CROSS JOIN generate_series(1, 1000)) t".to_owned(),
        format!("SELECT {wide} AS x, value FROM generate_series(1, 8000)"),
        format!("SELECT CASE WHEN value > 7 THEN {wide} END AS x, value FROM generate_series(1, 8000)"),
        format!("SELECT max(cardinality(s.x)) FROM (SELECT {wide} AS x) s CROSS JOIN generate_series(1, 8000) b"),
        "SELECT max(cardinality(s.x)) FROM (SELECT array_agg(value) AS x, 1 AS k FROM generate_series(1, 1000000)) s JOIN generate_series(1, 8000) b ON b.value > s.k".to_owned(),
        format!("SELECT max(length(s.x || b.value)) FROM {text_of} s CROSS JOIN generate_series(1, 10000) b"),
        format!("SELECT max(length(x)) FROM (SELECT x, unnest(range(0, 10000)) FROM {text_of} s) t"),
        "SELECT max(cardinality(s.x)) FROM (SELECT range(1, 2000000 + value) AS x FROM generate_series(1, 1)) s CROSS JOIN generate_series(1, 8000) b".to_owned(),
    ] {
        for format in ["csv", "json"] {
            let output = run_with_address_space_limit(path, &["query", &sql, "--format", format, "--timeout", "50s"]);
            let printed = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{sql}: {printed}");
            assert!(printed.contains("the limit is") || printed.contains("more memory than"), "{sql}: {printed}");
        }
    }
    // Useful queries succeed, even if a join or a window has a large value.
    for (sql, expected) in [
        (
            "SELECT sum(cardinality(s.x)) AS n FROM (SELECT array_agg(value) AS x FROM generate_series(1, 100000)) s CROSS JOIN generate_series(1, 500) b",
            50_000_000,
        ),
        (
            "SELECT max(cardinality(x)) AS n FROM (SELECT array_agg(value) OVER (ORDER BY value) AS x FROM generate_series(1, 500)) t",
            500,
        ),
        (
            "SELECT max(length(x)) AS n FROM (SELECT max(v) OVER (ORDER BY v ROWS 2 PRECEDING) AS x FROM (SELECT lpad(CAST(value AS VARCHAR), 7, '0') AS v FROM generate_series(1, 20000)) v) t",
            7,
        ),
        (
            "SELECT count(first_value) AS n FROM (SELECT first_value(v) OVER (ORDER BY v) AS first_value FROM (SELECT repeat('x', 20) || value AS v FROM generate_series(1, 20000)) v) t",
            20_000,
        ),
        (
            "SELECT count(*) AS n FROM (SELECT unnest(range(0, 30000)) AS n, t.* FROM tasks t) t",
            30_000,
        ),
        (
            "SELECT max(length((SELECT string_agg(key, ',') FROM tasks) || t.key)) AS n FROM tasks t JOIN projects p ON p.id = t.project_id",
            10,
        ),
    ] {
        let found = json_of(path, &["query", sql]);
        assert_eq!(found, json!([{"n": expected}]), "{sql}");
    }
}

#[test]
fn a_slow_output_stops_at_the_timeout() {
    let folder = lake();
    let path = folder.path();
    let wide = "SELECT range(1, 20000000) AS x";
    let many = "SELECT range(1, 3000 + value % 2) AS x, value FROM generate_series(1, 200000)";
    for sql in [wide, many] {
        for format in ["table", "json", "csv"] {
            let started = Instant::now();
            let mut query =
                super::command(path, &["query", sql, "--timeout", "2s", "--format", format]);
            let output = query.stdout(Stdio::null()).output().unwrap();
            let printed = text(&output.stderr);
            // A table with many rows exceeds the memory limit.
            let is_memory =
                format == "table" && output.status.code() == Some(1) && printed.contains("memory");
            assert!(
                output.status.code() == Some(4) && printed.contains("within 2 s") || is_memory,
                "{sql}, {format}: {printed}"
            );
            assert!(
                started.elapsed() < Duration::from_secs(8),
                "{sql}, {format}: {:?}",
                started.elapsed()
            );
        }
    }
}

#[test]
fn an_unsupported_column_type_is_reported_with_a_hint() {
    let folder = lake();
    let path = folder.path();
    for (sql, format, column, other) in [
        ("SELECT 1 AS a, struct(1, 2) AS s", "csv", "s", "json"),
        ("SELECT map(['a'], [2]) AS m", "csv", "m", "json"),
        ("SELECT map([1], [2]) AS m", "json", "m", "table"),
        ("SELECT map([1], [2]) AS m", "csv", "m", "table"),
        ("SELECT 1 AS a, interval '1 day' AS i", "parquet", "i", "json"),
        ("SELECT [struct(1, 2)] AS l", "csv", "l", "json"),
    ] {
        let printed: Value =
            serde_json::from_str(&fails(path, &["query", sql, "--format", format, "--json"], 2))
                .unwrap();
        let message = printed["error"]["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("the column {column} is ")), "{sql}: {printed}");
        assert!(message.ends_with(&format!("which {format} cannot hold")), "{sql}: {printed}");
        let hint = printed["error"]["hint"].as_str().unwrap();
        assert!(
            hint.contains("cast it") && hint.contains(&format!("--format {other}")),
            "{sql}: {printed}"
        );
        ok(path, &["query", sql, "--format", other]);
    }
    // The table format shows any type.
    ok(path, &["query", "SELECT map([1], [2]) AS m, interval '1 day' AS i, struct(1, 2) AS s"]);
    assert_eq!(
        ok(path, &["query", "SELECT [1, 2] AS l, ['a'] AS t", "--format", "csv"]),
        "l,t\n\"[\"\"1\"\",\"\"2\"\"]\",\"[\"\"a\"\"]\"\n"
    );
}
