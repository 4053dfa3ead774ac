//! The limits of `lakeplan query`: no SQL kills the process, exhausts the memory, or runs longer
//! than the timeout.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{command, fails, json_of, lake, ok, text};

/// Runs a query that must fail with this exit code within some seconds. Returns the error's code
/// and message.
fn refused(path: &Path, args: &[&str], code: i32) -> (String, String) {
    let started = Instant::now();
    let printed = fails(path, &[&["--json", "query"], args].concat(), code);
    assert!(started.elapsed() < Duration::from_secs(60), "it took {:?}", started.elapsed());
    assert!(
        printed.len() < 2_000,
        "{} characters were printed: {}",
        printed.len(),
        &printed[..2_000]
    );
    let printed: Value = serde_json::from_str(&printed).unwrap();
    let part = |name: &str| printed["error"][name].as_str().unwrap_or_default().to_owned();
    assert!(!part("hint").is_empty(), "{printed}");
    (part("code"), format!("{} {}", part("message"), part("hint")))
}

fn repeat_joined(text: &str, count: usize, by: &str) -> String {
    vec![text; count].join(by)
}

#[test]
fn sql_that_is_too_deep_or_too_long_is_refused() {
    let folder = lake();
    let path = folder.path();
    let select = |text: String| format!("SELECT {text}");
    for sql in [
        select(repeat_joined("1", 2_000, "+")),
        repeat_joined("SELECT 1", 2_000, " UNION ALL "),
        select("(".repeat(50_000)),
        select(format!("{}1{}", "(".repeat(20_000), ")".repeat(20_000))),
        select(format!("{}1{}", "CASE WHEN 1 = 1 THEN ".repeat(2_000), " END".repeat(2_000))),
        select(format!(
            "1 FROM {}SELECT 1{}",
            "(SELECT * FROM (".repeat(2_000),
            "))".repeat(2_000)
        )),
        select(repeat_joined("NOT", 5_000, " ")),
        select(repeat_joined("INTERVAL", 12_000, " ")),
        select(format!("1{}", "::int".repeat(10_000))),
        select(format!("1 AS \"{}\"", "a".repeat(70_000))),
        select(format!("1 FROM tasks {}", "CROSS JOIN tasks ".repeat(500))),
    ] {
        let (code, printed) = refused(path, &[&sql], 2);
        assert_eq!(code, "too_complex", "{printed}");
    }
    for name in [format!("\"{}\"", "n".repeat(60_000)), "n".repeat(60_000)] {
        let (code, _) = refused(path, &[&format!("SELECT {name} FROM tasks")], 2);
        assert_eq!(code, "unknown_column");
        let (code, _) = refused(path, &[&format!("SELECT 1 FROM {name}")], 2);
        assert_eq!(code, "unknown_table");
    }
}

#[test]
fn long_generated_sql_is_answered() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "a"]);
    let ids = repeat_joined("'019a0000-0000-7000-8000-000000000000'", 3_000, ", ");
    let expected = json!([{"n": 1}]);
    for sql in [
        format!("SELECT count(*) AS n FROM tasks WHERE id NOT IN ({ids})"),
        format!(
            "SELECT count(*) AS n FROM tasks WHERE {}",
            repeat_joined("key <> 'X-1'", 500, " AND ")
        ),
        format!(
            "SELECT count(*) AS n FROM tasks WHERE key = 'PAY-1' OR {}",
            repeat_joined("key = 'X-1'", 500, " OR ")
        ),
        format!(
            "SELECT count(*) - 199 AS n FROM ({}) t",
            repeat_joined("SELECT 1 AS x", 200, " UNION ALL ")
        ),
        format!("SELECT {}1{} AS n", "(".repeat(90), ")".repeat(90)),
        format!("SELECT {}1{} AS n", "CASE WHEN 1 = 1 THEN ".repeat(40), " END".repeat(40)),
        format!(
            "SELECT n FROM {}SELECT 1 AS n{}",
            "(SELECT * FROM ".repeat(40).replace("FROM ", "FROM ("),
            "))".repeat(40)
        ),
        format!("SELECT {} - 499 AS n", repeat_joined("1", 500, "+")),
        format!(
            "SELECT count(*) - 1999 AS n FROM (VALUES {}) v",
            repeat_joined("(1, 'a')", 2_000, ", ")
        ),
    ] {
        assert_eq!(json_of(path, &["query", &sql]), expected, "{}", &sql[..80]);
    }
}

#[test]
fn a_value_or_result_beyond_the_memory_limit_is_refused() {
    let folder = lake();
    let path = folder.path();
    for sql in [
        "SELECT repeat('x', 2000000000)",
        "SELECT length(repeat('x', 2000000000)) AS n",
        "SELECT repeat(repeat(repeat('x', 60000), 60000), 60000)",
        "SELECT lpad('x', 2000000000)",
        "SELECT rpad('x', 2000000000, 'yz')",
        "SELECT replace(repeat('x', 60000), 'x', repeat('y', 60000))",
        "SELECT regexp_replace(repeat('x', 60000), 'x', repeat('y', 60000), 'g')",
        "SELECT range(0, 2000000000)",
        "SELECT generate_series(0, 9000000000000000000)",
        "SELECT generate_series(TIMESTAMP '1900-01-01', TIMESTAMP '2200-01-01', INTERVAL '1 millisecond')",
        "SELECT array_repeat('x', 2000000000)",
        "SELECT array_repeat(array_repeat(array_repeat(1, 10000), 10000), 10000)",
        "SELECT array_resize([1], 2000000000)",
        "SELECT repeat('x', 600000 + 0 * value) FROM generate_series(1, 100000)",
        "SELECT range(0, 100000) FROM generate_series(1, 100000)",
    ] {
        let (code, printed) = refused(path, &[sql, "--timeout", "50s"], 1);
        assert_eq!(code, "memory", "{sql}: {printed}");
    }
    // Doubles the length at each step.
    for grow in ["s || s", "concat(s, s)", "array_to_string([s, s], '')"] {
        let steps = (0..16)
            .map(|n| format!(", t{} AS (SELECT {grow} AS s FROM t{n})", n + 1))
            .collect::<String>();
        let sql = format!("WITH t0 AS (SELECT repeat('x', 50000) AS s){steps} SELECT s FROM t16");
        assert_eq!(refused(path, &[&sql, "--timeout", "50s"], 1).0, "memory", "{grow}");
    }
    for sql in [
        "SELECT array_agg(value) FROM generate_series(1, 100000000)",
        "SELECT string_agg(CAST(value AS VARCHAR), ',') FROM generate_series(1, 100000000)",
        "SELECT count(*) FROM (SELECT DISTINCT a.value FROM generate_series(1, 3000000) a JOIN generate_series(1, 3000000) b ON a.value = b.value) t",
        "SELECT value FROM generate_series(1, 100000000)",
    ] {
        let (code, printed) =
            refused(path, &[sql, "--memory", "32MiB", "--timeout", "50s", "--format", "table"], 1);
        assert!(
            code == "memory" && printed.contains("32 MiB") && printed.contains("--memory"),
            "{sql}: {printed}"
        );
    }
    // Neither the pool nor a function accounts for the values that a join repeats.
    if cfg!(target_os = "linux") {
        let sql = "SELECT s FROM (SELECT repeat('x', 2000000 + value) AS s FROM generate_series(1, 2)) a CROSS JOIN generate_series(1, 1000000) b";
        let output = command(path, &["query", sql, "--memory", "32MiB", "--format", "csv"])
            .stdout(Stdio::null())
            .output()
            .unwrap();
        let printed = text(&output.stderr);
        assert!(
            output.status.code() == Some(1)
                && printed.contains("more memory than its limit of 32 MiB"),
            "{:?} {printed}",
            output.status
        );
    }
    let sql = "SELECT s FROM (SELECT repeat('x', 4000000 + value) AS s FROM generate_series(1, 2)) a CROSS JOIN generate_series(1, 1000000) b";
    assert_eq!(refused(path, &[sql], 1).0, "memory", "a column of 32 GiB");
    // Useful queries still work, with the same syntax.
    let answers = [
        ("SELECT repeat('ab', 3) AS x", json!("ababab")),
        ("SELECT lpad('7', 3, '0') AS x", json!("007")),
        ("SELECT replace('a-b', '-', '+') AS x", json!("a+b")),
        ("SELECT 'a' || 'b' || 1 AS x", json!("ab1")),
        ("SELECT concat('a', NULL, 'b') AS x", json!("ab")),
        ("SELECT 'a' || NULL AS x", json!(null)),
        ("SELECT array_length(range(0, 100000)) AS x", json!(100_000)),
        ("SELECT array_to_string(array_repeat('x', 3), ',') AS x", json!("x,x,x")),
        ("SELECT array_to_string([1, 2] || [3], '') AS x", json!("123")),
        ("SELECT sum(value) AS x FROM generate_series(1, 3000000)", json!(4_500_001_500_000_u64)),
        ("SELECT count(*) AS x FROM (SELECT unnest(range(0, 30000)) AS n) t", json!(30_000)),
    ];
    for (sql, expected) in answers {
        assert_eq!(json_of(path, &["query", sql]), json!([{"x": expected}]), "{sql}");
    }
    assert!(
        ok(path, &["query", "SELECT 'a' || 'b', repeat('x', 2)", "--format", "csv"])
            .starts_with("\"Utf8(\"\"a\"\") || Utf8(\"\"b\"\")\"")
    );
}

#[test]
fn buffers_that_rows_share_count_once() {
    let folder = lake();
    // An aggregation emits its groups as slices of one buffer.
    let sql = "SELECT value, count(*) AS n FROM generate_series(1, 200000) GROUP BY value";
    let args = ["query", sql, "--memory", "64MiB", "--format", "table"];
    assert!(ok(folder.path(), &args).ends_with("200000 rows\n"));
}

#[test]
fn the_memory_limit_is_configurable_and_spill_files_are_removed() {
    let folder = lake();
    let path = folder.path();
    let spill = path.join("spill");
    std::fs::create_dir(&spill).unwrap();
    let sort = "SELECT max(n) AS n FROM (SELECT row_number() OVER (ORDER BY value DESC) AS n, value FROM generate_series(1, 4000000)) t";
    let run = |timeout: &str| -> Output {
        let args = ["query", sort, "--memory", "48MiB", "--timeout", timeout, "--json"];
        command(path, &args).env("TMPDIR", &spill).output().unwrap()
    };
    let done = run("10m");
    assert_eq!(text(&done.stderr), "");
    assert_eq!(serde_json::from_slice::<Value>(&done.stdout).unwrap(), json!([{"n": 4_000_000}]));
    assert_eq!(run("1s").status.code(), Some(4));
    assert_eq!(std::fs::read_dir(&spill).unwrap().count(), 0, "spill files are left behind");
    let printed = text(
        &command(path, &["query", "SELECT 1"])
            .env("LAKEPLAN_QUERY_MEMORY", "lots")
            .output()
            .unwrap()
            .stderr,
    );
    assert!(printed.contains("LAKEPLAN_QUERY_MEMORY") && printed.contains("512MiB"), "{printed}");
    assert!(fails(path, &["query", "SELECT 1", "--memory", "1KiB"], 3).contains("--memory"));
    let shown = json_of(path, &["config", "show"]);
    assert_eq!(shown["query_memory"], json!({"value": "1GiB", "origin": "default"}));
}

const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 3000000) a CROSS JOIN generate_series(1, 3000000) b WHERE a.value + b.value < 0";

#[test]
fn a_query_stops_at_its_timeout_and_on_interrupt() {
    let folder = lake();
    let path = folder.path();
    let started = Instant::now();
    for format in ["table", "csv", "json", "parquet"] {
        let (code, printed) = refused(path, &[ENDLESS, "--timeout", "1", "--format", format], 4);
        assert!(
            code == "deadline" && printed.contains("within 1 s") && printed.contains("--timeout"),
            "{printed}"
        );
    }
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    assert!(fails(path, &["query", "SELECT 1", "--timeout", "soon"], 2).contains("5m"));

    let child = command(path, &["query", ENDLESS])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let killed = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let started = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(
        (output.status.code(), text(&output.stderr).as_str()),
        (Some(4), "error: interrupted\n")
    );
}

#[test]
fn rows_are_streamed_and_the_reader_may_stop_early() {
    let folder = lake();
    let path = folder.path();
    let endless = "SELECT value FROM generate_series(1, 1000000000000)";
    for format in ["csv", "json", "parquet"] {
        let args = ["query", endless, "--format", format, "--memory", "32MiB"];
        let mut child =
            command(path, &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        let mut start = vec![0; 1 << 16];
        // A Parquet file begins with its magic bytes, and the rows follow in groups.
        out.read_exact(&mut start[..if format == "parquet" { 4 } else { 1 << 16 }]).unwrap();
        drop(out);
        let started = Instant::now();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{format}: {}", text(&output.stderr));
        assert!(started.elapsed() < Duration::from_secs(50), "{format}: {:?}", started.elapsed());
    }
    let some = "SELECT value, 'a\nb' AS t, NULL AS n FROM generate_series(1, 20000) ORDER BY value";
    let (pretty, compact) =
        (ok(path, &["query", some, "--json"]), ok(path, &["query", some, "--format", "json"]));
    let rows: Value = serde_json::from_str(&pretty).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 20_000);
    assert_eq!(pretty, format!("{rows:#}\n"));
    assert_eq!(compact, format!("{rows}\n"));
    for (format, empty) in [("csv", "a\n"), ("json", "[]\n")] {
        assert_eq!(ok(path, &["query", "SELECT 1 AS a WHERE false", "--format", format]), empty);
    }
    assert_eq!(
        ok(path, &["query", some, "--format", "csv"])
            .lines()
            .filter(|line| line.starts_with("value"))
            .count(),
        1
    );
}

/// Returns the largest live file of a table.
fn file_of(path: &Path, table: &str) -> PathBuf {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut folders = vec![path.join("lake").join(table)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() && entry.file_name().unwrap() != "_delta_log" {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "parquet") {
                files.push(entry);
            }
        }
    }
    files.into_iter().max_by_key(|file| file.metadata().unwrap().modified().unwrap()).unwrap()
}

#[test]
fn a_damaged_or_missing_file_is_reported_with_its_table_and_rebuilt() {
    let folder = lake();
    let path = folder.path();
    for n in 0..5 {
        ok(path, &["task", "create", &format!("task {n}")]);
    }
    let expected = json_of(path, &["query", "SELECT * FROM tasks ORDER BY key"]);
    let file = file_of(path, "tasks");
    let whole = std::fs::read(&file).unwrap();
    let query = ["query", "SELECT t.*, p.name FROM tasks t JOIN projects p ON p.id = t.project_id"];
    let broken = |bytes: Option<Vec<u8>>, what: &str| {
        match bytes {
            Some(bytes) => std::fs::write(&file, bytes).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        for args in [query.as_slice(), &["query", "--view", "portfolio"]] {
            let output = command(path, args).output().unwrap();
            let printed = text(&output.stderr);
            assert!(
                !printed.contains("panicked") && !printed.contains("RUST_BACKTRACE"),
                "{what}: {printed}"
            );
            // Changed bytes that still decode to some value are left to `doctor`.
            if output.status.success() && bytes_may_pass(what) {
                continue;
            }
            assert_eq!(output.status.code(), Some(3), "{what}: {printed}");
            assert!(printed.contains("the table tasks cannot be read"), "{what}: {printed}");
            assert!(printed.contains("lakeplan fold --rebuild tasks"), "{what}: {printed}");
        }
    };
    broken(None, "gone");
    for at in [0, 1, 4, whole.len() / 2, whole.len() - 1] {
        broken(Some(whole[..at].to_vec()), "cut");
    }
    let steps = if crate::support::full() { 97 } else { 997 };
    for at in (4..whole.len() - 8).step_by(steps) {
        let mut bytes = whole.clone();
        bytes[at..(at + 8).min(whole.len())].fill(0xff);
        broken(Some(bytes), "flipped");
    }
    std::fs::write(&file, vec![0xff; whole.len()]).unwrap();
    assert!(fails(path, &query, 3).contains("lakeplan fold --rebuild tasks"));
    ok(path, &["fold", "--rebuild", "tasks"]);
    assert_eq!(json_of(path, &["query", "SELECT * FROM tasks ORDER BY key"]), expected);
}

fn bytes_may_pass(what: &str) -> bool {
    what == "flipped"
}

#[test]
fn fixed_size_types_are_limited() {
    let folder = lake();
    let path = folder.path();
    for sql in [
        "SELECT arrow_cast([1], 'FixedSizeList(2000000000, Int64)')",
        "SELECT arrow_try_cast(NULL, 'FixedSizeList(2000000000, Int64)')",
        "SELECT arrow_cast([[1]], 'List(FixedSizeList(40000, FixedSizeList(40000, Int64)))')",
        "SELECT arrow_cast('a', 'FixedSizeBinary(2000000000)')",
        "SELECT CAST([1] AS BIGINT[2000000000])",
        "SELECT n FROM (SELECT 1 AS n) WHERE arrow_cast([n], 'FixedSizeList(2000000000, Int64)') IS NOT NULL",
    ] {
        let (code, printed) = refused(path, &[sql], 1);
        assert!(code == "memory" && printed.contains("the limit is 32768"), "{sql}: {printed}");
    }
    let small = "SELECT arrow_cast([1, 2], 'FixedSizeList(2, Int64)') AS a";
    assert_eq!(json_of(path, &["query", small]), json!([{"a": [1, 2]}]));
}
