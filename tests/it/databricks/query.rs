//! Queries on a warehouse: types, chunks, links, polling, cancellation, errors.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::server::Server;
use super::statements::Answer;
use super::{command, fails, guarded, json_of, ok, rendered, run, text};

const SQL: &str = "SELECT key, effort FROM tasks";

fn answered(answer: Answer) -> (Server, tempfile::TempDir) {
    let server = Server::start();
    server.workspace().answers.insert(SQL.to_owned(), answer);
    (server, tempfile::tempdir().unwrap())
}

fn two_columns() -> Answer {
    let rows = vec![
        vec![Some("PAY-1"), Some("90")],
        vec![Some("PAY-2"), None],
        vec![Some("PAY-3"), Some("30")],
    ];
    Answer {
        columns: vec![("key", "STRING"), ("effort", "LONG")],
        rows,
        piece: 2,
        ..Answer::default()
    }
}

fn query<'w>(args: &[&'w str]) -> Vec<&'w str> {
    [&["--lake", "main.plan", "query", "--warehouse", "w1"], args].concat()
}

#[test]
fn a_small_result_is_inline_chunked_and_typed() {
    let (server, folder) = answered(two_columns());
    let rows = json!([{"key": "PAY-1", "effort": 90}, {"key": "PAY-2", "effort": null}, {"key": "PAY-3", "effort": 30}]);
    assert_eq!(json_of(&server, folder.path(), &query(&[SQL])), rows);
    assert!(ok(&server, folder.path(), &query(&[SQL])).ends_with("3 rows\n"));
    let sent = server.workspace().statements[0].clone();
    assert_eq!(
        (&sent["catalog"], &sent["schema"], &sent["disposition"]),
        (&json!("main"), &json!("plan"), &json!("INLINE"))
    );
}

#[test]
fn every_type_is_read_correctly() {
    let columns = vec![
        ("flag", "BOOLEAN"),
        ("n", "INT"),
        ("share", "DOUBLE"),
        ("day", "DATE"),
        ("at", "TIMESTAMP"),
        ("tags", "ARRAY"),
    ];
    let row = vec![
        Some("true"),
        Some("-7"),
        Some("0.25"),
        Some("2026-11-21"),
        Some("2026-11-21T10:00:00.123Z"),
        Some("[\"a\"]"),
    ];
    let (server, folder) =
        answered(Answer { columns, rows: vec![row], piece: 1, ..Answer::default() });
    assert_eq!(
        json_of(&server, folder.path(), &query(&[SQL])),
        json!([{"flag": true, "n": -7, "share": 0.25, "day": "2026-11-21", "at": "2026-11-21T10:00:00.123Z", "tags": "[\"a\"]"}])
    );
    let wrong = Answer {
        columns: vec![("n", "INT")],
        rows: vec![vec![Some("seven")]],
        piece: 1,
        ..Answer::default()
    };
    server.workspace().answers.insert(SQL.to_owned(), wrong);
    assert!(fails(&server, folder.path(), &query(&[SQL]), 3).contains("cannot be read"));
}

#[test]
fn a_large_result_uses_links_without_token_and_renews_expired_links() {
    let (server, folder) = answered(Answer { ended_links: 1, ..two_columns() });
    let csv = ok(&server, folder.path(), &query(&[SQL, "--format", "csv"]));
    assert_eq!(csv, "key,effort\nPAY-1,90\nPAY-2,\nPAY-3,30\n");
    {
        let workspace = server.workspace();
        assert_eq!(workspace.statements[0]["disposition"], "EXTERNAL_LINKS");
        assert_eq!(
            workspace.count("GET", "/result/chunks/0"),
            1,
            "the first link must be requested again"
        );
        assert_eq!(workspace.count("GET", "/result/chunks/1"), 1);
    }
    let local = run(&server, folder.path(), &query(&[SQL, "--format", "parquet"]));
    assert!(local.status.success() && local.stdout.starts_with(b"PAR1"));
    server.workspace().answers.insert(SQL.to_owned(), Answer { ended_links: 9, ..two_columns() });
    assert!(
        fails(&server, folder.path(), &query(&[SQL, "--format", "csv"]), 3)
            .contains("refuses its links")
    );
}

#[test]
fn a_result_too_large_for_inline_is_requested_with_links() {
    let (server, folder) = answered(Answer { too_large_inline: true, ..two_columns() });
    assert_eq!(json_of(&server, folder.path(), &query(&[SQL])).as_array().unwrap().len(), 3);
    let workspace = server.workspace();
    let ways: Vec<&str> = workspace
        .statements
        .iter()
        .map(|statement| statement["disposition"].as_str().unwrap())
        .collect();
    assert_eq!(ways, ["INLINE", "EXTERNAL_LINKS"]);
}

#[test]
fn a_truncated_result_is_reported() {
    let (server, folder) = answered(Answer { truncated: true, ..two_columns() });
    let output = run(&server, folder.path(), &query(&[SQL]));
    assert!(text(&output.stderr).contains("the warehouse did not return all rows"));
    assert!(text(&output.stdout).contains("3 rows, cut off by the warehouse's limit"));
}

#[test]
fn parameters_are_sent_separately_from_the_statement() {
    let sql = "SELECT key FROM tasks WHERE key = :key AND due < :day";
    let server = Server::start();
    let answer = Answer { columns: vec![("key", "STRING")], piece: 1, ..Answer::default() };
    server.workspace().answers.insert(sql.to_owned(), answer);
    let folder = tempfile::tempdir().unwrap();
    let args =
        query(&[sql, "--param", "key=PAY-1'; DROP TABLE tasks", "--param", "day=2026-11-21:DATE"]);
    assert_eq!(json_of(&server, folder.path(), &args), json!([]));
    assert_eq!(
        server.workspace().statements[0]["parameters"],
        json!([{"name": "key", "value": "PAY-1'; DROP TABLE tasks"}, {"name": "day", "value": "2026-11-21", "type": "DATE"}])
    );
    assert!(
        fails(&server, folder.path(), &["query", "SELECT 1", "--param", "a=1"], 2)
            .contains("--warehouse")
    );
}

#[test]
fn a_statement_is_polled_and_a_starting_warehouse_is_reported() {
    let (server, folder) = answered(Answer { polls: 2, state: "PENDING", ..two_columns() });
    server.workspace().warehouse_state = "STOPPED";
    let output = run(&server, folder.path(), &query(&[SQL, "--json"]));
    assert!(output.status.success());
    assert!(
        text(&output.stderr)
            .contains("the warehouse Starter is stopped; it starts now, which may take minutes")
    );
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 3);
}

#[test]
fn a_failed_statement_reports_its_sql_state() {
    let (server, folder) = answered(Answer {
        failure: Some(("42703", "[UNRESOLVED_COLUMN] no column effort")),
        ..Answer::default()
    });
    let printed = fails(&server, folder.path(), &query(&[SQL]), 2);
    assert!(
        printed.contains(
            "the warehouse reported: [UNRESOLVED_COLUMN] no column effort (SQLSTATE 42703)"
        ),
        "{printed}"
    );
}

#[test]
fn a_result_with_too_few_rows_is_an_error() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let answer = json!({
        "statement_id": "x", "status": {"state": "SUCCEEDED"},
        "manifest": {"schema": {"columns": [{"name": "key", "type_name": "STRING"}]}, "total_row_count": 2, "total_chunk_count": 1},
        "result": {"data_array": [["PAY-1"]]},
    });
    server.script("POST", "sql/statements", 1, 200, answer);
    let printed = fails(&server, folder.path(), &query(&["SELECT key FROM tasks"]), 3);
    assert!(printed.contains("it announced 2 rows but returned 1"), "{printed}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_cancels_the_statement_at_the_warehouse() {
    let (server, folder) =
        answered(Answer { polls: usize::MAX, state: "RUNNING", ..two_columns() });
    let mut asking = command(&server, folder.path(), &query(&[SQL]));
    let child = asking.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while server.workspace().count("GET", "sql/statements/") == 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success()
    );
    let printed = rendered(child.wait_with_output().unwrap(), 4);
    assert!(printed.contains("interrupted; the statement was cancelled"), "{printed}");
    assert!(server.workspace().running["st-1"].cancelled);
}

#[test]
fn a_deadline_cancels_the_statement_too() {
    let (server, folder) =
        answered(Answer { polls: usize::MAX, state: "RUNNING", ..two_columns() });
    let printed = fails(&server, folder.path(), &query(&[SQL, "--timeout", "1"]), 4);
    assert!(
        printed.contains("did not answer in time; the statement was cancelled")
            && printed.contains("--timeout"),
        "{printed}"
    );
    assert!(server.workspace().running["st-1"].cancelled);
}

#[test]
fn the_deadline_applies_while_the_result_is_fetched() {
    let (server, folder) =
        answered(Answer { links_after: Duration::from_secs(40), ..two_columns() });
    server.hang("GET", "/result/chunks/1");
    let began = Instant::now();
    for args in
        [[SQL, "--timeout", "1", "--json"].as_slice(), &[SQL, "--timeout", "1", "--format", "csv"]]
    {
        let printed = fails(&server, folder.path(), &query(args), 4);
        assert!(
            printed.contains(
                "did not answer in time; the statement had ended, and not all of its answer"
            ),
            "{printed}"
        );
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(
        server.workspace().count("POST", "/cancel"),
        0,
        "a finished statement must not be cancelled"
    );
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_fetching_the_result() {
    let (server, folder) = answered(two_columns());
    server.hang("GET", "/result/chunks/1");
    let mut asking = command(&server, folder.path(), &query(&[SQL]));
    let child = asking.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while server.workspace().count("GET", "/result/chunks/1") == 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let began = Instant::now();
    assert!(
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success()
    );
    let printed = rendered(child.wait_with_output().unwrap(), 4);
    assert!(printed.contains("interrupted; the statement had ended"), "{printed}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn the_deadline_applies_while_the_warehouse_is_polled() {
    let (server, folder) =
        answered(Answer { polls: usize::MAX, state: "RUNNING", ..two_columns() });
    server.hang("GET", "sql/statements/");
    let began = Instant::now();
    let printed = fails(&server, folder.path(), &query(&[SQL, "--timeout", "1"]), 4);
    assert!(printed.contains("did not answer in time; the statement was cancelled"), "{printed}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(server.workspace().running["st-1"].cancelled);
}

#[test]
fn a_statement_with_unknown_state_is_cancelled() {
    let (server, folder) =
        answered(Answer { polls: usize::MAX, state: "RUNNING", ..two_columns() });
    let answer = json!({"error_code": "TEMPORARILY_UNAVAILABLE", "message": "later"});
    server.script("GET", "sql/statements/", usize::MAX, 503, answer);
    let printed = fails(&server, folder.path(), &query(&[SQL]), 4);
    assert!(printed.contains("responded with status 503: later"), "{printed}");
    assert!(server.workspace().running["st-1"].cancelled);
}

#[test]
fn an_unconfirmed_cancellation_is_not_reported_as_done() {
    let (server, folder) =
        answered(Answer { polls: usize::MAX, state: "RUNNING", ..two_columns() });
    server.script(
        "POST",
        "/cancel",
        usize::MAX,
        403,
        json!({"error_code": "PERMISSION_DENIED", "message": "not yours"}),
    );
    let printed = fails(&server, folder.path(), &query(&[SQL, "--timeout", "1"]), 4);
    assert!(printed.contains("did not answer in time; the statement may still run"), "{printed}");
}

#[test]
fn a_link_error_is_reported_without_the_signed_url() {
    for (status, exit, expected) in [
        (400, 3, "the storage at localhost refuses its links with 400"),
        (404, 3, "the storage at localhost refuses its links with 404"),
        (503, 4, "localhost responded with status 503\n"),
    ] {
        let (server, folder) = answered(Answer { refused_links: Some(status), ..two_columns() });
        let elsewhere = server.url().replace("127.0.0.1", "localhost");
        server.workspace().address = elsewhere;
        let mut asking = command(&server, folder.path(), &query(&[SQL, "--format", "csv"]));
        let printed = rendered(guarded(asking.env("LAKEPLAN_LOG", "debug")), exit);
        let (log, error) = printed.split_once("error: ").unwrap();
        assert!(
            error.contains(expected)
                && !error.contains("127.0.0.1")
                && !printed.contains("AuthenticationFailed"),
            "{printed}"
        );
        assert_eq!(log.contains("sent again after a pause"), status == 503, "{printed}");
    }
}

#[test]
fn writing_statements_are_refused_before_anything_is_sent() {
    let (server, folder) = answered(two_columns());
    for sql in [
        "DROP TABLE tasks",
        "SELECT 1; DELETE FROM tasks",
        "INSERT INTO inbox VALUES (1)",
        "SELECT secret('a', 'b')",
    ] {
        let printed = fails(&server, folder.path(), &query(&[sql]), 1);
        assert!(printed.contains("a query must be one SELECT that only reads"), "{printed}");
    }
    assert!(fails(&server, folder.path(), &query(&["SELEC 1"]), 2).contains("cannot be read"));
    assert!(server.workspace().seen.is_empty());
}

#[test]
fn a_view_is_queried_by_name_only_in_a_schema() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let answer = Answer { columns: vec![("task", "STRING")], piece: 1, ..Answer::default() };
    server.workspace().answers.insert("SELECT * FROM `overdue`".to_owned(), answer);
    ok(&server, folder.path(), &query(&["--view", "overdue"]));
    let output = guarded(&mut command(
        &server,
        folder.path(),
        &["query", "--warehouse", "w1", "--view", "overdue"],
    ));
    assert!(output.status.success(), "{}", text(&output.stderr));
    let workspace = server.workspace();
    assert_eq!(workspace.statements[0]["schema"], "plan");
    assert!(workspace.statements[1].get("schema").is_none());
}
