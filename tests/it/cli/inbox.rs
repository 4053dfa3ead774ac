//! Requests that another engine (delta-rs) inserted, applied by the real binary.

mod answered;
mod columns;
mod limits;
pub mod raw;

use std::path::Path;
use std::sync::Arc;

use chrono::DateTime;
use deltalake::DeltaTable;
use deltalake::arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use deltalake::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use serde_json::{Value, json};
use url::Url;

use super::{fails, json_of, lake, ok};

/// Inserts requests as (request_id, time, user, patch set) into the inbox of the lake in the
/// folder.
pub fn insert_requests(folder: &Path, requests: &[(&str, &str, &str, &str)]) {
    let field = |name: &str, kind| Field::new(name, kind, false);
    let schema = Schema::new(vec![
        field("request_id", DataType::Utf8),
        field("at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        field("user", DataType::Utf8),
        field("patch_set", DataType::Utf8),
    ]);
    let text = |nth: fn(&(&str, &str, &str, &str)) -> String| {
        Arc::new(StringArray::from_iter_values(requests.iter().map(nth))) as ArrayRef
    };
    let at = requests
        .iter()
        .map(|request| DateTime::parse_from_rfc3339(request.1).unwrap().timestamp_micros());
    let columns = vec![
        text(|request| request.0.to_owned()),
        Arc::new(TimestampMicrosecondArray::from_iter_values(at).with_timezone("UTC")) as ArrayRef,
        text(|request| request.2.to_owned()),
        text(|request| request.3.to_owned()),
    ];
    let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
    let url = Url::from_directory_path(folder.join("lake/inbox").canonicalize().unwrap()).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let table: DeltaTable = deltalake::open_table(url).await.unwrap();
        table.write([batch]).await.unwrap();
    });
}

pub fn create(title: &str) -> String {
    json!({"patches": [{"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": title}}]}).to_string()
}

fn rows(folder: &Path, sql: &str) -> Value {
    json_of(folder, &["query", sql])
}

#[test]
fn requests_are_applied_once_in_order_and_get_a_result() {
    let lake = lake();
    let folder = lake.path();
    assert!(ok(folder, &["inbox", "apply"]).contains("no request waits"));
    let review = json!({"actor": "mallory", "patches": [{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"status": "review"}}]});
    let blocked = json!({"patches": [{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"status": "blocked"}, "expect": {"status": "pending"}}]});
    insert_requests(
        folder,
        &[
            ("second", "2026-11-20T10:00:01Z", "ana", &review.to_string()),
            ("first", "2026-11-20T10:00:00Z", "ana", &create("Read the ledger")),
            ("broken", "2026-11-20T10:00:02Z", "bo", "{\"patches\": [,]}"),
            ("nowhere", "2026-11-20T10:00:03Z", "bo", &create("x").replace("PAY", "NOPE")),
            ("stale", "2026-11-20T10:00:04Z", "bo", &blocked.to_string()),
            (
                "first",
                "2026-11-20T10:00:05Z",
                "bo",
                &create("a request that is there twice counts once"),
            ),
            ("nobody", "2026-11-20T10:00:06Z", "", &create("x")),
        ],
    );
    let answered = json_of(folder, &["inbox", "apply"]);
    let rendered = |answer: &Value| {
        format!(
            "{} {}",
            answer["request_id"].as_str().unwrap(),
            answer["outcome"].as_str().unwrap()
        )
    };
    let answers: Vec<String> =
        answered["answers"].as_array().unwrap().iter().map(rendered).collect();
    assert_eq!(
        answers,
        [
            "first applied",
            "second applied",
            "broken refused",
            "nowhere refused",
            "stale conflict",
            "nobody refused"
        ]
    );
    assert_eq!(answered["answers"][0]["created_keys"], json!(["PAY-1"]));
    assert!(answered["answers"][2]["message"].as_str().unwrap().contains("line 1"), "{answered}");
    let found = rows(folder, "SELECT key, title, status FROM tasks");
    assert_eq!(found, json!([{"key": "PAY-1", "title": "Read the ledger", "status": "review"}]));
    // The actor is the requesting user, whatever the JSON says.
    let found = rows(folder, "SELECT actor, source FROM audit WHERE seq > 2 ORDER BY seq");
    assert_eq!(
        found,
        json!([{"actor": "ana", "source": "inbox"}, {"actor": "ana", "source": "inbox"}])
    );
    let states = rows(
        folder,
        "SELECT state, count(*) AS requests FROM requests GROUP BY state ORDER BY state",
    );
    assert_eq!(
        states,
        json!([{"state": "applied", "requests": 2}, {"state": "conflict", "requests": 1}, {"state": "refused", "requests": 3}])
    );
    // A second run has nothing to do and records nothing twice.
    assert!(ok(folder, &["inbox", "apply"]).contains("no request waits"));
    assert_eq!(rows(folder, "SELECT count(*) AS n FROM inbox_results"), json!([{"n": 6}]));
    assert!(ok(folder, &["inbox", "list"]).contains("nowhere"));
}

#[test]
fn a_lost_result_is_rebuilt_from_the_journal() {
    let lake = lake();
    let folder = lake.path();
    let by_name = json!({"patches": [{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"status": "review"}}]});
    insert_requests(
        folder,
        &[
            ("a", "2020-01-01T00:00:00Z", "ana", &create("One")),
            ("b", "2020-01-01T00:00:01Z", "ana", &by_name.to_string()),
        ],
    );
    ok(folder, &["inbox", "apply"]);
    // A process was killed between the commit and the results, and the task was deleted since.
    std::fs::remove_dir_all(folder.join("lake/inbox_results")).unwrap();
    ok(folder, &["task", "delete", "PAY-1"]);
    ok(folder, &["maintain"]);
    let answered = json_of(folder, &["inbox", "apply"]);
    let rendered = |answer: &Value| (answer["outcome"].clone(), answer["seq"].clone());
    let answers: Vec<_> = answered["answers"].as_array().unwrap().iter().map(rendered).collect();
    assert_eq!(answers, [(json!("applied"), json!(3)), (json!("applied"), json!(4))]);
    assert_eq!(
        rows(folder, "SELECT count(*) AS n FROM journal WHERE source = 'inbox'"),
        json!([{"n": 2}])
    );
}

#[test]
fn an_inbox_with_unsupported_features_is_reported() {
    let lake = lake();
    let folder = lake.path();
    let entry = folder.join("lake/inbox/_delta_log/00000000000000000001.json");
    let protocol = json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}});
    std::fs::write(entry, format!("{protocol}\n")).unwrap();
    let printed = fails(folder, &["inbox", "apply"], 3);
    assert!(
        printed.contains("inbox")
            && printed.contains("deletion vectors")
            && printed.contains("DROP FEATURE"),
        "{printed}"
    );
}

#[test]
fn the_result_of_a_request_with_many_errors_is_truncated() {
    let lake = lake();
    let folder = lake.path();
    let bad = json!({"op": "create", "entity": "task", "fields": {"project_id": "PAY"}});
    insert_requests(
        folder,
        &[(
            "flood",
            "2026-11-20T10:00:00Z",
            "ana",
            &json!({"patches": vec![bad; 3000]}).to_string(),
        )],
    );
    let answered = json_of(folder, &["inbox", "apply"]);
    let message = answered["answers"][0]["message"].as_str().unwrap();
    assert!(message.contains("and 2980 more") && message.chars().count() <= 2001, "{message}");
}

/// Returns the JSON result of a command and its peak memory in MiB.
pub fn json_with_peak_memory(folder: &Path, args: &str) -> (Value, usize) {
    let script = format!("ulimit -v 4000000; exec {} {args} --json", super::BINARY);
    let mut child = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(folder)
        .env_clear()
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| {
            line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<usize>().ok()
        });
        most = peak.unwrap_or(most);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    (serde_json::from_reader(child.stdout.take().unwrap()).unwrap(), most >> 10)
}

#[test]
fn a_backup_reports_the_requests_that_it_omits() {
    let lake = lake();
    let folder = lake.path();
    let printed = ok(folder, &["backup", "none"]);
    assert!(!printed.contains("inbox"), "{printed}");
    insert_requests(folder, &[("done", "2026-11-20T10:00:00Z", "ana", &create("answered"))]);
    ok(folder, &["inbox", "apply"]);
    let waits = ("waits", "2026-11-20T10:00:02Z", "ana", &*create("waiting"));
    insert_requests(folder, &[waits]);
    let printed = ok(folder, &["backup", "one"]);
    assert!(
        printed.contains("not copied: 1 request that waits in the inbox and stays there"),
        "{printed}"
    );
    // Two rows with the same request_id are one request.
    insert_requests(
        folder,
        &[waits, ("also", "2026-11-20T10:00:03Z", "bea", &create("waiting too"))],
    );
    assert_eq!(json_of(folder, &["backup", "two"])["waiting"], 2);
    assert_eq!(json_of(folder, &["--lake", "restored", "restore-lake", "two"])["waiting"], 0);
}
