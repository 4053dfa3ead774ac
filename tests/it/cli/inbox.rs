//! Requests that another engine (delta-rs) inserted, applied by the real binary.

use std::path::Path;
use std::sync::Arc;

use chrono::DateTime;
use deltalake::DeltaTable;
use deltalake::arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use deltalake::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use serde_json::{Value, json};
use url::Url;

use super::{command, fails, json_of, lake, ok, run, text as text_of};

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

/// Writes an inbox file as any engine might, with the low-level Parquet API: a declaration for each
/// column, and bytes, a number or null for each cell.
pub mod raw {
    use std::path::Path;
    use std::sync::Arc;

    use deltalake::parquet::column::writer::ColumnWriter;
    use deltalake::parquet::data_type::{ByteArray, Int96};
    use deltalake::parquet::file::properties::WriterProperties;
    use deltalake::parquet::file::writer::SerializedFileWriter;
    use deltalake::parquet::schema::parser::parse_message_type;
    use serde_json::{Value, json};

    #[derive(Clone, Debug)]
    pub enum RawValue {
        Null,
        Text(String),
        Bytes(Vec<u8>),
        Number(i64),
    }

    impl From<&str> for RawValue {
        fn from(text: &str) -> Self {
            Self::Text(text.to_owned())
        }
    }

    impl From<i64> for RawValue {
        fn from(number: i64) -> Self {
            Self::Number(number)
        }
    }

    /// The columns that a new inbox has, except that each may be null.
    pub const USUAL: [&str; 4] = [
        "optional binary request_id (UTF8)",
        "optional int64 at (TIMESTAMP(MICROS,true))",
        "optional binary user (UTF8)",
        "optional binary patch_set (UTF8)",
    ];

    /// The microseconds of a recent time in the past.
    pub const AT: i64 = 1_790_000_000_000_000;

    pub fn file(columns: &[&str], rows: &[Vec<RawValue>]) -> Vec<u8> {
        let declared = |column: &&str| {
            if column.ends_with('}') { (*column).to_owned() } else { format!("{column};") }
        };
        let schema = format!(
            "message rows {{ {} }}",
            columns.iter().map(declared).collect::<Vec<_>>().join(" ")
        );
        let schema = Arc::new(parse_message_type(&schema).unwrap());
        let properties = Arc::new(WriterProperties::builder().build());
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
        let mut group = writer.next_row_group().unwrap();
        for at in 0..columns.len() {
            let mut column = group.next_column().unwrap().unwrap();
            let cells: Vec<&RawValue> = rows.iter().map(|row| &row[at]).collect();
            let levels: Vec<i16> =
                cells.iter().map(|cell| i16::from(!matches!(cell, RawValue::Null))).collect();
            let numbers = || {
                cells.iter().filter_map(|cell| {
                    if let RawValue::Number(number) = cell { Some(*number) } else { None }
                })
            };
            match column.untyped() {
                ColumnWriter::ByteArrayColumnWriter(writer) => {
                    let bytes = |cell: &&RawValue| match cell {
                        RawValue::Text(text) => Some(ByteArray::from(text.as_bytes().to_vec())),
                        RawValue::Bytes(bytes) => Some(ByteArray::from(bytes.clone())),
                        _ => None,
                    };
                    let values: Vec<ByteArray> = cells.iter().filter_map(bytes).collect();
                    writer.write_batch(&values, Some(&levels), None).unwrap();
                }
                ColumnWriter::Int64ColumnWriter(writer) => {
                    writer
                        .write_batch(&numbers().collect::<Vec<_>>(), Some(&levels), None)
                        .unwrap();
                }
                ColumnWriter::Int32ColumnWriter(writer) => {
                    writer
                        .write_batch(
                            &numbers().map(|number| number as i32).collect::<Vec<_>>(),
                            Some(&levels),
                            None,
                        )
                        .unwrap();
                }
                ColumnWriter::Int96ColumnWriter(writer) => {
                    let int96 = |micros: i64| {
                        let (day, rest) = (
                            micros.div_euclid(86_400_000_000),
                            micros.rem_euclid(86_400_000_000) * 1000,
                        );
                        let mut value = Int96::new();
                        value.set_data(rest as u32, (rest >> 32) as u32, (day + 2_440_588) as u32);
                        value
                    };
                    writer
                        .write_batch(&numbers().map(int96).collect::<Vec<_>>(), Some(&levels), None)
                        .unwrap();
                }
                _ => panic!("unknown column"),
            }
            column.close().unwrap();
        }
        group.close().unwrap();
        writer.into_inner().unwrap()
    }

    /// Commits a file to the inbox of the lake in the folder and removes other files from it.
    /// Returns the file's name.
    pub fn put(folder: &Path, bytes: &[u8], partitions: Value, removed: &[String]) -> String {
        let log = folder.join("lake/inbox/_delta_log");
        let version = std::fs::read_dir(&log)
            .unwrap()
            .filter(|entry| {
                entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "json")
            })
            .count();
        let name = format!("part-{version}.parquet");
        std::fs::write(folder.join("lake/inbox").join(&name), bytes).unwrap();
        let mut entry = json!({"add": {"path": name, "partitionValues": partitions, "size": bytes.len(), "modificationTime": 0, "dataChange": true}}).to_string();
        for path in removed {
            entry.push_str(&format!("\n{}", json!({"remove": {"path": path, "dataChange": true}})));
        }
        std::fs::write(log.join(format!("{version:020}.json")), entry).unwrap();
        name
    }

    /// Adds rows with the usual columns.
    pub fn add(folder: &Path, rows: &[Vec<RawValue>]) -> String {
        put(folder, &file(&USUAL, rows), json!({}), &[])
    }
}

use raw::{AT, RawValue};

fn row(
    id: impl Into<RawValue>,
    at: impl Into<RawValue>,
    user: impl Into<RawValue>,
    patch_set: impl Into<RawValue>,
) -> Vec<RawValue> {
    vec![id.into(), at.into(), user.into(), patch_set.into()]
}

/// Returns the message of each result by request.
fn rendered(folder: &Path) -> std::collections::BTreeMap<String, String> {
    let found =
        rows(folder, "SELECT request_id, state, coalesce(message, '') AS message FROM requests");
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let found = found.as_array().unwrap();
    let rendered: std::collections::BTreeMap<_, _> = found
        .iter()
        .map(|row| {
            (text(row, "request_id"), format!("{}: {}", text(row, "state"), text(row, "message")))
        })
        .collect();
    assert_eq!(rendered.len(), found.len(), "a request is there twice");
    rendered
}

#[test]
fn an_invalid_row_is_refused_and_the_others_are_applied() {
    let lake = lake();
    let folder = lake.path();
    let long = "x".repeat(201);
    let endless = "y".repeat(100_000);
    let huge = format!("{{\"patches\":[],\"reason\":\"{}\"}}", "z".repeat(5 << 20));
    let mut expected = Vec::new();
    let mut rows_put = Vec::new();
    let mut bad = |id: &str, row: Vec<RawValue>, reason: &'static str| {
        expected.push((id.to_owned(), reason));
        rows_put.push(row);
    };
    for (id, at, reason) in [
        ("late", 9 * 10i64.pow(18), "outside the years 1 to 9999"),
        ("last", i64::MAX, "outside the years 1 to 9999"),
        ("early", -9 * 10i64.pow(18), "outside the years 1 to 9999"),
        ("first", i64::MIN, "outside the years 1 to 9999"),
        ("rome", -60_000_000_000_000_000, "before the year 2000"),
        ("seconds", AT / 1_000_000, "before the year 2000"),
    ] {
        bad(id, row(id, at, "ana", create(id).as_str()), reason);
    }
    bad("no time", row("no time", RawValue::Null, "ana", create("x").as_str()), "at is NULL");
    bad("no user", row("no user", AT, RawValue::Null, create("x").as_str()), "user is NULL");
    bad("no patches", row("no patches", AT, "ana", RawValue::Null), "patch_set is NULL");
    bad(
        "bytes",
        row("bytes", AT, "ana", RawValue::Bytes(b"{\"patches\": \"\xff\"}".to_vec())),
        "patch_set is not UTF-8",
    );
    bad(
        "whose",
        row("whose", AT, RawValue::Bytes(b"a\xff".to_vec()), create("x").as_str()),
        "user is not UTF-8",
    );
    bad(
        "long name",
        row("long name", AT, long.as_str(), create("x").as_str()),
        "at most 200 characters",
    );
    bad(
        "bell",
        row("bell", AT, "a\u{7}b", create("x").as_str()),
        "the user must not contain a control character",
    );
    bad(
        "line",
        row("line", AT, "a\u{2028}b", create("x").as_str()),
        "the user must not contain a control character",
    );
    bad("huge", row("huge", AT, "ana", huge.as_str()), "patch_set has 5.0 MiB, at most 4");
    bad("json", row("json", AT, "ana", "{"), "patch_set: line 1");
    bad(
        "what",
        row("what", AT, "ana", &*create("x").replace("PAY", "\\u001b[31mNO")),
        "there is no project",
    );
    bad("", row("", AT, "ana", create("x").as_str()), "the request_id is empty");
    bad(
        "a\u{1b}[31m",
        row("a\u{1b}[31m", AT, "ana", create("x").as_str()),
        "the request_id holds a control character",
    );
    bad(&long, row(long.as_str(), AT, "ana", create("x").as_str()), "more than 200 characters");
    bad(&endless, row(endless.as_str(), AT, "ana", create("x").as_str()), "is too long");
    bad(
        "b\u{fffd}",
        row(RawValue::Bytes(b"b\xff".to_vec()), AT, "ana", create("x").as_str()),
        "request_id is not UTF-8",
    );
    rows_put.push(row(RawValue::Null, AT, "ana", create("nobody can be answered").as_str()));
    rows_put.push(row("good", AT, "ana", create("The good one").as_str()));
    let number = expected.len();
    raw::add(folder, &rows_put);
    let printed = ok(folder, &["inbox", "apply"]);
    assert!(
        printed.contains(&format!("{} requests: 1 applied, {number} refused", number + 1)),
        "{printed}"
    );
    assert!(
        printed.contains("1 row has no request_id") && printed.contains("a row of ana, 2026-09-21"),
        "{printed}"
    );
    assert!(!printed.contains(|char: char| char.is_control() && char != '\n'), "{printed:?}");
    let rendered = rendered(folder);
    for (id, reason) in &expected {
        // The view shows the beginning of an id that is too long.
        let rendered = rendered
            .get(id)
            .unwrap_or_else(|| panic!("{}: {:?}", &id[..id.len().min(20)], rendered.keys()));
        assert!(
            rendered.starts_with("refused: ") && rendered.contains(reason),
            "{reason}: {rendered}"
        );
    }
    assert_eq!(rendered["good"], "applied: ");
    assert_eq!(rows(folder, "SELECT title FROM tasks"), json!([{"title": "The good one"}]));
    // The next run finds none of them, and reports the unidentifiable rows again.
    let again = json_of(folder, &["inbox", "apply"]);
    assert_eq!(
        (&again["answers"], &again["waiting"], &again["rows_without_id"]["count"]),
        (&json!([]), &json!(0), &json!(1))
    );
    let listed = json_of(folder, &["inbox", "list"]);
    assert_eq!((&listed["total"], &listed["rows_without_id"]), (&json!(number + 1), &json!(1)));
    assert!(!ok(folder, &["inbox", "list"]).contains('\u{1b}'));
    for format in ["json", "csv", "table"] {
        ok(folder, &["query", "SELECT * FROM inbox", "--format", format]);
        ok(folder, &["query", "SELECT * FROM requests", "--format", format]);
    }
}

#[test]
fn an_inbox_with_changed_columns_is_read() {
    let lake = lake();
    let folder = lake.path();
    let patch = |title: &str| RawValue::from(create(title).as_str());
    let put = |columns: &[&str], row: Vec<RawValue>, partitions: Value| {
        raw::put(folder, &raw::file(columns, &[row]), partitions, &[])
    };
    let text = |name: &str| format!("optional binary {name} (UTF8)");
    let (id, user, patches) = (text("request_id"), text("user"), text("patch_set"));
    let usual = |id: &str, at: RawValue, title: &str| {
        vec![RawValue::from(id), at, "ana".into(), patch(title)]
    };
    for (number, (at, value)) in [
        ("int64 at (TIMESTAMP(MICROS,false))", AT),
        ("int64 at (TIMESTAMP(NANOS,true))", AT * 1000),
        ("int64 at (TIMESTAMP(MILLIS,true))", AT / 1000),
        ("int96 at", AT),
        ("int32 at (DATE)", AT / 86_400_000_000),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("time {number}");
        put(
            &[&id, &format!("optional {at}"), &user, &patches],
            usual(&name, RawValue::Number(value), &name),
            json!({}),
        );
    }
    put(
        &[&id, &text("at"), &user, &patches],
        usual("written", "2026-09-21 14:13:20".into(), "a time as text"),
        json!({}),
    );
    put(
        &[&id, &text("at"), &user, &patches],
        usual("word", "yesterday".into(), "no time"),
        json!({}),
    );
    put(
        &[&id, "optional int64 at", &user, &patches],
        usual("number", RawValue::Number(AT), "a number"),
        json!({}),
    );
    put(
        &[
            "optional int64 request_id",
            raw::USUAL[1],
            "optional int32 USER",
            &patches,
            "optional int64 more",
        ],
        vec![
            RawValue::Number(17),
            RawValue::Number(AT),
            RawValue::Number(4),
            patch("numbers for texts"),
            RawValue::Number(1),
        ],
        json!({}),
    );
    put(
        &[&patches, &id, raw::USUAL[1]],
        vec![patch("parted"), "parted".into(), RawValue::Number(AT)],
        json!({"user": "bo"}),
    );
    put(
        &[&id, raw::USUAL[1], &user],
        vec!["nothing".into(), RawValue::Number(AT), "ana".into()],
        json!({}),
    );
    let structure = "optional group patch_set { optional binary patches (UTF8); }";
    put(
        &[&id, raw::USUAL[1], &user, structure],
        vec!["structure".into(), RawValue::Number(AT), "ana".into(), RawValue::Null],
        json!({}),
    );
    put(
        &[raw::USUAL[1], &user, &patches],
        vec![RawValue::Number(AT), "ana".into(), patch("x")],
        json!({}),
    );
    // A file that is not Parquet is reported and does not block other requests.
    raw::put(folder, b"PAR1 this is none PAR1", json!({}), &[]);
    let missing = raw::put(folder, b"gone", json!({}), &[]);
    std::fs::remove_file(folder.join("lake/inbox").join(&missing)).unwrap();
    let answered = json_of(folder, &["inbox", "apply"]);
    assert_eq!(answered["unreadable_files"].as_array().unwrap().len(), 2, "{answered}");
    assert_eq!(answered["rows_without_id"]["count"], 1);
    let rendered: std::collections::BTreeMap<&str, String> = answered["answers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| {
            let message = answer["message"].as_str().unwrap_or_default();
            (
                answer["request_id"].as_str().unwrap(),
                format!("{} {message}", answer["outcome"].as_str().unwrap()),
            )
        })
        .collect();
    for id in ["time 0", "time 1", "time 2", "time 3", "time 4", "written", "17", "parted"] {
        assert_eq!(rendered[id], "applied ", "{id}");
    }
    for (id, reason) in [
        ("word", "at is not a time"),
        ("number", "at is not a time"),
        ("nothing", "patch_set is NULL"),
        ("structure", "patch_set is a list or a structure and not a text"),
    ] {
        assert!(
            rendered[id].starts_with("refused ") && rendered[id].contains(reason),
            "{id}: {}",
            rendered[id]
        );
    }
    let actors =
        rows(folder, "SELECT DISTINCT actor FROM audit WHERE source = 'inbox' ORDER BY actor");
    assert_eq!(actors, json!([{"actor": "4"}, {"actor": "ana"}, {"actor": "bo"}]));
    // A query reports skipped rows as a warning.
    let output = run(
        folder,
        &[
            "query",
            "SELECT DISTINCT CAST(at AS DATE) AS day FROM inbox WHERE request_id LIKE 'time%'",
            "--json",
        ],
    );
    assert_eq!(
        serde_json::from_slice::<Value>(&output.stdout).unwrap(),
        json!([{"day": "2026-09-21"}])
    );
    assert!(text_of(&output.stderr).contains("a file of the inbox is skipped"));
}

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

#[test]
fn later_rows_do_not_change_an_answered_request() {
    let lake = lake();
    let folder = lake.path();
    raw::add(folder, &[row("a", AT, "ana", create("One").as_str()), row("b", AT, "ana", "{")]);
    ok(folder, &["inbox", "apply"]);
    let shown = || {
        rows(
            folder,
            "SELECT request_id, at, user, state, seq, created_keys, patch_set FROM requests ORDER BY request_id",
        )
    };
    let before = shown();
    assert_eq!(before[0]["state"], "applied");
    // Rows that are earlier, of the same time, without a time, and by other users, also with a
    // smaller patch set.
    for (at, user) in [(AT - 9, "mallory"), (AT, "aaa"), (AT, "ana"), (AT + 9, "ana")] {
        raw::add(
            folder,
            &[
                row("a", at, user, create("A second time").as_str()),
                row("b", at, user, create("B").as_str()),
            ],
        );
    }
    raw::add(
        folder,
        &[row("a", RawValue::Null, RawValue::Null, RawValue::Null), row("a", AT, "ana", "")],
    );
    assert_eq!(json_of(folder, &["inbox", "apply"])["answers"], json!([]));
    assert_eq!(shown(), before);
    assert_eq!(rows(folder, "SELECT title FROM tasks"), json!([{"title": "One"}]));
}

#[test]
fn an_applied_request_without_a_result_is_not_applied_again() {
    let lake = lake();
    let folder = lake.path();
    raw::add(folder, &[row("a", AT, "ana", create("One").as_str())]);
    ok(folder, &["inbox", "apply"]);
    std::fs::remove_dir_all(folder.join("lake/inbox_results")).unwrap();
    raw::add(
        folder,
        &[
            row("a", AT - 5, "bo", create("Two").as_str()),
            row("a", AT, "ana", create("Three").as_str()),
        ],
    );
    ok(folder, &["maintain"]);
    let answered = json_of(folder, &["inbox", "apply"]);
    let answer = &answered["answers"][0];
    assert_eq!(
        (&answer["outcome"], &answer["seq"], &answer["rows_without_effect"]),
        (&json!("applied"), &json!(3), &json!(2))
    );
    assert_eq!(rows(folder, "SELECT title FROM tasks"), json!([{"title": "One"}]));
    let shown = rows(folder, "SELECT user, state FROM requests");
    assert_eq!(shown, json!([{"user": "ana", "state": "applied"}]));
}

#[test]
fn answered_rows_may_be_blanked_or_deleted() {
    let lake = lake();
    let folder = lake.path();
    let first = raw::add(
        folder,
        &[
            row("a", AT, "ana", create("One").as_str()),
            row("b", AT, "ana", create("Two").as_str()),
            row("c", AT, "ana", "{"),
        ],
    );
    ok(folder, &["inbox", "apply"]);
    // UPDATE … SET user = '', patch_set = '', or NULL; and DELETE.
    let blanked = raw::file(
        &raw::USUAL,
        &[row("a", AT, "", ""), row("b", AT, RawValue::Null, RawValue::Null)],
    );
    raw::put(folder, &blanked, json!({}), &[first]);
    assert_eq!(json_of(folder, &["inbox", "apply"])["answers"], json!([]));
    let shown = rows(
        folder,
        "SELECT request_id, at, user, state, created_keys FROM requests ORDER BY request_id",
    );
    let row = |id: &str, state: &str, keys: Option<&str>| json!({"request_id": id, "at": "2026-09-21T14:13:20Z", "user": null, "state": state, "created_keys": keys});
    assert_eq!(
        shown,
        json!([
            row("a", "applied", Some("PAY-1")),
            row("b", "applied", Some("PAY-2")),
            row("c", "refused", None)
        ])
    );
    assert_eq!(json_of(folder, &["inbox", "list"])["total"], 3);
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
