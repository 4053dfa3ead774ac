//! `lakeplan query` of the past and of missing objects, and `lakeplan history` of the past.

use serde_json::{Value, json};

use super::{command, fails, json_of, lake, ok};

#[test]
fn a_query_can_read_the_past() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "Write the reader", "--due", "2020-01-01"]);
    ok(path, &["task", "create", "Check totals"]);
    ok(path, &["task", "done", "PAY-1"]);
    ok(path, &["task", "delete", "PAY-2"]);
    let insert_requests = |sql: &str, as_of: &str| json_of(path, &["query", sql, "--as-of", as_of]);
    let tasks = "SELECT key, status, deleted_at IS NULL AS lives FROM tasks ORDER BY key";
    assert_eq!(
        insert_requests(tasks, "4"),
        json!([{"key": "PAY-1", "status": "pending", "lives": true}, {"key": "PAY-2", "status": "pending", "lives": true}])
    );
    assert_eq!(insert_requests(tasks, "6")[0]["status"], "completed");
    assert_eq!(insert_requests(tasks, "6")[1]["lives"], false);
    assert_eq!(insert_requests("SELECT max(seq) AS last FROM journal", "3"), json!([{"last": 3}]));
    assert_eq!(
        insert_requests(
            "SELECT count(*) AS n FROM field_changes WHERE to_value = 'completed'",
            "4"
        ),
        json!([{"n": 0}])
    );
    let sets = json_of(path, &["history"]);
    let at = sets["changes"].as_array().unwrap().iter().find(|set| set["seq"] == 4).unwrap()["at"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(insert_requests(tasks, &at), insert_requests(tasks, "4"));
    assert_eq!(
        insert_requests("SELECT CAST(now AS VARCHAR) AS now FROM clock", &at)[0]["now"]
            .as_str()
            .unwrap()[..19],
        at[..19]
    );
    let overdue = json_of(path, &["query", "--view", "overdue", "--as-of", "4"]);
    assert_eq!(overdue[0]["task"], "PAY-1");
    assert_eq!(json_of(path, &["query", "--view", "overdue"]), json!([]));
    assert!(fails(path, &["query", tasks, "--as-of", "99"], 1).contains("the last is 6"));
    assert!(
        fails(path, &["query", tasks, "--as-of", "2020-01-01"], 1)
            .contains("did not exist at that time")
    );
}

#[test]
fn erased_values_are_erased_in_the_past_too() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "Pay Ms Silva"]);
    ok(path, &["erase", "task", "PAY-1", "--yes"]);
    let titles = json_of(path, &["query", "SELECT title FROM tasks", "--as-of", "3"]);
    assert_eq!(titles, json!([{"title": "erased"}]));
    assert!(ok(path, &["history", "--as-of", "3"]).contains("create PAY-1: erased"));
}

#[test]
fn history_as_of_ends_at_the_given_seq() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["project", "create", "Other", "--key", "OTH"]);
    ok(path, &["task", "create", "Move me", "--project", "PAY"]);
    ok(path, &["task", "start", "PAY-1"]);
    ok(path, &["task", "move", "PAY-1", "--project", "OTH"]);
    let seqs = |args: &[&str]| -> Vec<u64> {
        let printed = json_of(path, args);
        printed["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|set| set["seq"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(seqs(&["history"]), [6, 5, 4, 3, 2, 1]);
    assert_eq!(seqs(&["history", "--as-of", "4"]), [4, 3, 2, 1]);
    assert_eq!(seqs(&["history", "--as-of", "4", "--limit", "2"]), [4, 3]);
    assert_eq!(seqs(&["history", "PAY-1", "--as-of", "5"]), [5, 4]);
    let printed = ok(path, &["history", "PAY-1", "--as-of", "5"]);
    assert!(
        printed.contains("update PAY-1: status pending -> in_progress"),
        "the key of that time is shown: {printed}"
    );
    assert!(fails(path, &["history", "OTH-1", "--as-of", "5"], 1).contains("no task"));
    assert!(fails(path, &["history", "--as-of", "7"], 1).contains("the last is 6"));
}

#[test]
fn an_invalid_query_gets_a_suggestion() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "a"]);
    let printed = |sql: &str| -> (String, String, String) {
        let printed: Value =
            serde_json::from_str(&fails(path, &["--json", "query", sql], 2)).unwrap();
        let text = |name: &str| printed["error"][name].as_str().unwrap_or_default().to_owned();
        (text("code"), text("message"), text("hint"))
    };
    let (code, message, hint) = printed("SELECT key FROM taks");
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("unknown_table", "there is no table or view taks")
    );
    assert!(
        hint.starts_with("did you mean tasks? ") && hint.contains("lakeplan query --views"),
        "{hint}"
    );
    assert!(printed("SELECT * FROM open_wrok").2.starts_with("did you mean open_work? "));
    assert!(printed("SELECT * FROM zzzzzzzzz").2.starts_with("lakeplan query --views"));

    let (code, message, hint) = printed("SELECT stauts FROM tasks");
    assert_eq!((code.as_str(), message.as_str()), ("unknown_column", "there is no column stauts"));
    assert!(
        hint.starts_with("did you mean status? ") && hint.contains("schemas/README.md"),
        "{hint}"
    );
    let (code, message, hint) =
        printed("SELECT t.key FROM tasks t JOIN projects p ON p.id = t.project WHERE p.nam = 'x'");
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("unknown_column", "there is no column t.project"),
        "{hint}"
    );
    assert!(hint.starts_with("did you mean project_id? "), "{hint}");

    let (code, message, hint) = printed("SELECT key\nFORM tasks t");
    assert_eq!(code, "syntax");
    assert!(
        message.starts_with("the SQL cannot be read: ") && message.contains("Line: 2, Column: 6"),
        "{message}"
    );
    assert!(hint.contains("one SELECT"), "{hint}");
    assert_eq!(printed("SELECT 'open FROM tasks").0, "syntax");
    let (code, message, _) = printed("SELECT nosuch(key) FROM tasks");
    assert!(code == "query" && message.contains("nosuch"), "{code} {message}");
    assert!(
        fails(path, &["query", "SELECT key FROM taks"], 2).contains("hint: did you mean tasks?")
    );
}

#[test]
fn work_done_before_planning_does_not_count_as_velocity() {
    let folder = lake();
    let path = folder.path();
    std::fs::write(
        path.join("plan.md"),
        "# Shed\n\n## Tasks\n\n- [x] Level the ground (1 day)\n- [ ] Lay the slabs (1 day)\n",
    )
    .unwrap();
    ok(path, &["plan", "plan.md", "--yes"]);
    let rows = |sql: &str| ok(path, &["query", sql, "--format", "csv"]);
    assert_eq!(rows("SELECT project, tasks FROM velocity"), "project,tasks\n");
    assert_eq!(rows("SELECT task, lead_minutes FROM cycle_time"), "task,lead_minutes\nSHED-1,\n");
    assert_eq!(
        rows("SELECT completed, tasks FROM portfolio WHERE project = 'SHED'"),
        "completed,tasks\n1,2\n"
    );
    ok(path, &["task", "done", "SHED-2"]);
    assert_eq!(rows("SELECT project, tasks FROM velocity"), "project,tasks\nSHED,1\n");
}

#[test]
fn csv_for_spreadsheets_escapes_formulas() {
    let folder = lake();
    let path = folder.path();
    for title in ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "-5", "plain"] {
        ok(path, &["task", "create", "--", title]);
    }
    let sql = "SELECT title, -7 AS \"=n\", title AS t FROM tasks ORDER BY key";
    let safe = ok(path, &["query", sql, "--format", "csv", "--safe-for-spreadsheets"]);
    let first: Vec<&str> = safe.lines().map(|line| line.split(",-7,").next().unwrap()).collect();
    assert_eq!(
        first[1..],
        ["'=1+1", "'+cmd|' /C calc'!A0", "'-2+3", "'@SUM(A1)", "'\t=1", "-5", "plain"]
    );
    assert!(safe.starts_with("title,'=n,t\n") && safe.contains(",-7,"), "{safe}");
    assert!(
        ok(path, &["query", sql, "--format", "csv"]).contains("\n=1+1,-7,=1+1\n"),
        "without the flag, the output is unchanged"
    );
    assert!(
        fails(path, &["query", sql, "--format", "json", "--safe-for-spreadsheets"], 2)
            .contains("--format csv")
    );
    assert!(fails(path, &["query", sql, "--safe-for-spreadsheets"], 2).contains("--format"));
}

#[test]
fn bytes_have_one_format_in_all_csv_output() {
    let folder = lake();
    let path = folder.path();
    let sql = "SELECT x'ff' AS a, x'3d31' AS b, '=1' AS c";
    assert_eq!(ok(path, &["query", sql, "--format", "csv"]), "a,b,c\nff,3d31,=1\n");
    assert_eq!(
        ok(path, &["query", sql, "--format", "csv", "--safe-for-spreadsheets"]),
        "a,b,c\nff,3d31,'=1\n"
    );
    let sql = "SELECT [x'ff'] AS a";
    assert_eq!(ok(path, &["query", sql, "--format", "csv"]), "a\n\"[\"\"ff\"\"]\"\n");
    assert_eq!(json_of(path, &["query", sql]), json!([{"a": ["ff"]}]));
}

#[test]
fn a_value_without_text_form_is_refused_by_every_format() {
    let folder = lake();
    let path = folder.path();
    let day = "arrow_cast(2147483647, 'Date32')";
    for value in [
        day.to_owned(),
        format!("[{day}]"),
        format!("named_struct('day', {day})"),
        "arrow_cast(9223372036854775807, 'Timestamp(Second, None)')".to_owned(),
    ] {
        let mut rendered = Vec::new();
        for format in ["table", "json", "csv"] {
            if format == "csv" && value.starts_with("named_struct") {
                continue;
            }
            let printed =
                fails(path, &["query", &format!("SELECT {value} AS a"), "--format", format], 2);
            assert!(
                printed.contains("the column a has a value") && printed.contains("hint: "),
                "{format}: {printed}"
            );
            rendered.push(printed);
        }
        rendered.dedup();
        assert_eq!(rendered.len(), 1, "{rendered:?}");
    }
    let parquet = command(path, &["query", &format!("SELECT {day} AS a"), "--format", "parquet"])
        .output()
        .unwrap();
    assert!(parquet.status.success() && parquet.stdout.starts_with(b"PAR1"));
    assert_eq!(
        json_of(path, &["query", "SELECT arrow_cast(0, 'Date32') AS a"]),
        json!([{"a": "1970-01-01"}])
    );
}

#[test]
fn an_object_with_duplicate_field_names_is_refused() {
    let folder = lake();
    let path = folder.path();
    for value in
        ["named_struct('a', 1, 'a', 2)", "[named_struct('b', named_struct('a', 1, 'a', 2))]"]
    {
        let sql = format!("SELECT {value} AS s");
        let printed = fails(path, &["query", &sql, "--format", "json"], 2);
        assert!(
            printed.contains("the column s is") && printed.contains("--format table"),
            "{printed}"
        );
        assert!(ok(path, &["query", &sql]).contains("a: 1, a: 2"));
    }
    assert_eq!(
        json_of(path, &["query", "SELECT named_struct('a', 1, 'b', 2) AS s"]),
        json!([{"s": {"a": 1, "b": 2}}])
    );
}

#[test]
fn an_unsupported_query_plan_gets_a_readable_error() {
    let folder = lake();
    let path = folder.path();
    let nested = |name: &str| {
        (0..40).fold("(SELECT 1 AS x)".to_owned(), |from, _| {
            format!("(SELECT [x, x] AS x FROM {from}{name})")
        })
    };
    let printed = fails(path, &["query", &format!("SELECT x FROM {}", nested(""))], 2);
    assert!(printed.contains("cannot run the query") && printed.contains("hint: "), "{printed}");
    assert!(!printed.contains("Internal error") && !printed.contains("DFSchema"), "{printed}");
    let twice = "SELECT x FROM (SELECT [x] AS x FROM (SELECT [x] AS x FROM (SELECT 1 AS x) AS a) AS b) AS c";
    assert_eq!(json_of(path, &["query", twice]), json!([{"x": [[1]]}]), "following the hint helps");
}
