use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deltalake::DeltaTable;
use object_store::memory::InMemory;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::domain::record::Fields;
use crate::runtime::{ManualClock, SeededRandom};
use crate::store::delta_log::entry::LogEntry;
use crate::store::delta_log::table_log::TableLog;
use crate::store::event_tables::RUNS;

/// Returns an action as JSON without the fields that are null: null means absent.
fn stated(action: &Value) -> Value {
    let mut action = action.clone();
    for fields in action.as_object_mut().into_iter().flat_map(|action| action.values_mut()) {
        if let Some(fields) = fields.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
    }
    action
}

/// Checks that every line of an entry is written as it was read. Returns the number of lines.
fn check_round_trip(entry: &[u8]) -> usize {
    let actions = decode(entry).unwrap();
    let encoded = encode(&actions).unwrap();
    assert_eq!(decode(&encoded).unwrap(), actions);
    let lines = |bytes: &[u8]| -> Vec<Value> {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let lines = text.lines().filter(|line| !line.is_empty());
        lines.map(|line| stated(&serde_json::from_str(line).unwrap())).collect()
    };
    assert_eq!(lines(&encoded), lines(entry));
    actions.len()
}

/// An entry of Databricks with deletion vectors, row tracking, clustering and in-commit timestamps.
const DATABRICKS: &str = r#"{"commitInfo":{"inCommitTimestamp":1711000000123,"timestamp":1711000000000,"userId":"42","userName":"ana@example.com","operation":"DELETE","operationParameters":{"predicate":"[\"(id = 4)\"]"},"notebook":{"notebookId":"7"},"clusterId":"0301-1","readVersion":11,"isolationLevel":"WriteSerializable","isBlindAppend":false,"operationMetrics":{"numDeletedRows":"1"},"tags":{"restoresDeletedRows":"false"},"engineInfo":"Databricks-Runtime/15.4.x-scala2.12","txnId":"a"}}
{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],"writerFeatures":["deletionVectors","domainMetadata","rowTracking"]}}
{"domainMetadata":{"domain":"delta.rowTracking","configuration":"{\"rowIdHighWaterMark\":9}","removed":false}}
{"remove":{"path":"part-00000.snappy.parquet","deletionTimestamp":1711000000000,"dataChange":true,"extendedFileMetadata":true,"partitionValues":{},"size":812,"tags":{"INSERTION_TIME":"1710000000000000"},"baseRowId":0,"defaultRowCommitVersion":3,"stats":"{\"numRecords\":10}"}}
{"add":{"path":"part-00000.snappy.parquet","partitionValues":{"day":null,"city":"S\u00e3o Paulo"},"size":812,"modificationTime":1710000000000,"dataChange":true,"stats":"{\"numRecords\":10,\"tightBounds\":false}","tags":{"INSERTION_TIME":"1710000000000000","OPTIMIZE_TARGET_SIZE":null},"deletionVector":{"storageType":"u","pathOrInlineDv":"vBn[lx{q8@P<9BNH/isA","offset":1,"sizeInBytes":36,"cardinality":2},"baseRowId":0,"defaultRowCommitVersion":3,"clusteringProvider":"liquid"}}
{"cdc":{"path":"_change_data/cdc-0.parquet","partitionValues":{},"size":90,"dataChange":false}}
{"txn":{"appId":"stream-1","version":9223372036854775807,"lastUpdated":1711000000000}}
"#;

#[test]
fn an_entry_of_databricks_keeps_every_field() {
    assert_eq!(check_round_trip(DATABRICKS.as_bytes()), 7);
    let entry = LogEntry::read(DATABRICKS.as_bytes()).unwrap();
    assert!(!entry.is_own);
    assert_eq!(entry.added[0].deletion_vector.as_ref().unwrap()["cardinality"], 2);
    assert!(!entry.protocol.unwrap().is_known());
}

fn entries_in(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            entries_in(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "json")
            && path.parent().is_some_and(|folder| folder.ends_with("_delta_log"))
        {
            found.push(path);
        }
    }
}

#[test]
fn entries_of_spark_keep_every_field() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/reliability");
    if !folder.exists() {
        let reason = "no shared data (data/reliability)";
        let _ = writeln!(std::io::stderr(), "skipped: entries_of_spark_keep_every_field: {reason}");
        return;
    }
    let mut paths = Vec::new();
    entries_in(&folder, &mut paths);
    let mut checked = 0;
    for path in paths {
        let bytes = fs::read(&path).unwrap();
        // Some of these logs are damaged on purpose.
        if decode(&bytes).is_ok() {
            checked += check_round_trip(&bytes);
        }
    }
    assert!(checked > 300, "only {checked} actions were found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_lakeplan_and_of_delta_rs_keep_every_field() {
    let root: Arc<dyn object_store::ObjectStore> = Arc::new(InMemory::new());
    let clock = ManualClock::new(
        chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap(),
        chrono::TimeDelta::milliseconds(1),
    );
    let random = SeededRandom::new(1);
    for number in 0..3 {
        let row = json!({
            "run_id": format!("run {number}"), "started_at": "2026-09-21T12:00:00Z", "duration_ms": 1,
            "command": "task", "actor": "ana", "seq": number, "version": "0.1.0",
        });
        let rows: [Fields; 1] = [row.as_object().cloned().unwrap()];
        RUNS.append(&root, &rows, &clock, &random).await.unwrap();
    }
    let log = TableLog::new(Arc::clone(&root), RUNS.name);
    let mut table = DeltaTable::new(log.delta().unwrap());
    table.load().await.unwrap();
    let (table, _) = table.optimize().await.unwrap();
    let (_, deleted) = table.delete().with_predicate("run_id = 'run 1'").await.unwrap();
    assert_eq!(deleted.num_deleted_rows, Some(1));
    let last = log.head().await.unwrap().unwrap();
    let mut engines = Vec::new();
    for version in 0..=last {
        let bytes = log.get_entry(version).await.unwrap().unwrap();
        assert!(check_round_trip(&bytes) > 1);
        engines.push(LogEntry::read(&bytes).unwrap().is_own);
    }
    assert_eq!(engines, [true, true, true, false, false]);
}

#[rstest]
#[case::no_action("{}")]
#[case::two_actions(r#"{"txn":{"appId":"a","version":1},"cdc":{}}"#)]
#[case::an_unknown_action(r#"{"rowLevelLocks":{}}"#)]
#[case::no_path(r#"{"add":{"size":1,"partitionValues":{}}}"#)]
#[case::a_size_as_text(r#"{"add":{"path":"a","size":"1","partitionValues":{}}}"#)]
#[case::a_torn_line(r#"{"add":{"path":"#)]
#[case::nothing("\n\n")]
fn anything_else_is_not_an_entry(#[case] text: &str) {
    assert!(decode(text.as_bytes()).is_err(), "{text}");
}

#[test]
fn absent_fields_get_the_values_of_the_protocol() {
    let add = decode(br#"{"add":{"path":"a","size":1,"partitionValues":{}}}"#).unwrap();
    assert!(add[0].as_add().unwrap().data_change);
    let remove = decode(br#"{"remove":{"path":"a"}}"#).unwrap();
    assert!(remove[0].as_remove().unwrap().data_change);
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{0,12}", any::<String>()]
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has no such number", |f| f.is_finite())
            .prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(option::of(inner.clone()), 0..3).prop_map(|values| json!(values)),
            btree_map(text(), option::of(inner), 0..3).prop_map(|fields| json!(fields)),
        ]
    })
}

/// Generates fields that no type declares.
fn other() -> impl Strategy<Value = Map<String, Value>> {
    btree_map("x[a-zA-Z ]{0,8}", json_value(), 0..3).prop_map(|map| map.into_iter().collect())
}

fn partitions() -> impl Strategy<Value = PartitionValues> {
    btree_map(text(), option::of(text()), 0..3)
}

fn add() -> impl Strategy<Value = Add> {
    let vector = option::of(json_value());
    let values = (any::<bool>(), vector, option::of(any::<i64>()), partitions());
    (values, text(), any::<i64>(), option::of(text()), other()).prop_map(
        |(
            (data_change, deletion_vector, modification_time, partition_values),
            path,
            size,
            stats,
            other,
        )| Add {
            data_change,
            deletion_vector,
            modification_time,
            partition_values,
            path,
            size,
            stats,
            other,
        },
    )
}

fn remove() -> impl Strategy<Value = Remove> {
    let flags = (any::<bool>(), option::of(any::<bool>()));
    let vector = option::of(json_value());
    let numbers = (option::of(any::<i64>()), option::of(any::<i64>()));
    (flags, vector, numbers, option::of(partitions()), text(), other()).prop_map(
        |((data_change, extended), deletion_vector, (at, size), partition_values, path, other)| {
            Remove {
                data_change,
                deletion_timestamp: at,
                deletion_vector,
                extended_file_metadata: extended,
                partition_values,
                path,
                size,
                other,
            }
        },
    )
}

fn metadata() -> impl Strategy<Value = MetaData> {
    let object = || btree_map(text(), json_value(), 0..3);
    let names = (option::of(text()), option::of(text()), text(), vec(text(), 0..3));
    (object(), option::of(any::<i64>()), object(), names, text(), other()).prop_map(
        |(configuration, created_time, format, (name, description, id, columns), schema, other)| {
            MetaData {
                configuration,
                created_time,
                description,
                format: format.into_iter().collect(),
                id,
                name,
                partition_columns: columns,
                schema_string: schema,
                other,
            }
        },
    )
}

fn protocol() -> impl Strategy<Value = Protocol> {
    let features = || option::of(vec(text(), 0..3));
    (any::<i32>(), any::<i32>(), features(), features(), other()).prop_map(
        |(min_reader_version, min_writer_version, reader_features, writer_features, other)| {
            Protocol {
                min_reader_version,
                min_writer_version,
                reader_features,
                writer_features,
                other,
            }
        },
    )
}

fn action() -> impl Strategy<Value = Action> {
    let info = btree_map(text(), option::of(json_value()), 0..4);
    let info = info.prop_map(|fields| {
        let fields = fields.into_iter().map(|(key, value)| (key, value.unwrap_or_default()));
        CommitInfo(fields.collect()).into()
    });
    let txn = (text(), any::<i64>(), other())
        .prop_map(|(app_id, version, other)| Action::Txn(Txn { app_id, version, other }));
    prop_oneof![
        add().prop_map(Action::Add),
        remove().prop_map(Action::Remove),
        metadata().prop_map(Action::MetaData),
        protocol().prop_map(Action::Protocol),
        txn,
        info,
        json_value().prop_map(Action::DomainMetadata),
        json_value().prop_map(Action::Sidecar),
    ]
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 256,
        rng_seed: RngSeed::Fixed(20_261_130),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn generated_actions_are_read_as_they_were_written(actions in vec(action(), 1..4)) {
        let encoded = encode(&actions).unwrap();
        prop_assert_eq!(encoded.iter().filter(|byte| **byte == b'\n').count(), actions.len());
        let decoded = decode(&encoded).unwrap();
        prop_assert_eq!(&decoded, &actions);
        prop_assert_eq!(encode(&decoded).unwrap(), encoded);
    }
}
