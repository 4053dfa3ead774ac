use std::collections::BTreeSet;

use deltalake::DeltaTable;
use deltalake::arrow::json::LineDelimitedWriter;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::Value;

use super::*;
use crate::runtime::{Random, SeededRandom, random_bytes};
use crate::store::delta_log::action::parsed;
use crate::store::delta_log::spec::TableSpec;
use crate::store::tables::TABLES;
use crate::store::tables::definition::columns;

/// A time after which no younger tombstone has expired, whenever the test runs.
const LATE: i64 = 4_102_444_800_000;

fn below(limit: usize, random: &dyn Random) -> usize {
    let [byte] = random_bytes(random);
    usize::from(byte) % limit
}

fn description(name: &str) -> [Value; 2] {
    let table = TableSpec {
        name,
        doc: "Tasks.",
        columns: columns(TABLES[2].entity),
        partitions: &["bucket"],
    };
    let actions = table.create(uuid::Uuid::nil(), chrono::DateTime::UNIX_EPOCH);
    actions.map(|action| serde_json::to_value(action).unwrap())
}

fn add(path: &str, random: &dyn Random) -> Value {
    let stats = (below(4, random) > 0)
        .then(|| json!({"numRecords": 3, "minValues": {"id": "\u{e9}\"\\\n"}}).to_string());
    json!({"add": {
        "path": path, "partitionValues": {"bucket": "7"}, "size": 11, "modificationTime": LATE, "dataChange": true,
        "stats": stats,
    }})
}

fn remove(path: &str, at: i64) -> Value {
    json!({"remove": {
        "path": path, "deletionTimestamp": at, "dataChange": true, "extendedFileMetadata": true,
        "partitionValues": {"bucket": "7"}, "size": 11,
    }})
}

/// Returns the rows of a checkpoint, and the content of the hint.
async fn stated(lake: &Arc<dyn ObjectStore>, version: u64) -> (BTreeSet<String>, Value) {
    let log = TableLog::new(Arc::clone(lake), "tasks");
    let mut writer = LineDelimitedWriter::new(Vec::new());
    for batch in
        rows::read("a checkpoint", log.get_live(&checkpoint_path(version)).await.unwrap()).unwrap()
    {
        writer.write(&batch.unwrap()).unwrap();
    }
    writer.finish().unwrap();
    let mut hint: Value = serde_json::from_slice(&log.get_live(HINT).await.unwrap()).unwrap();
    // Two encoders may produce different sizes.
    assert!(hint["sizeInBytes"].take().as_u64().unwrap() > 0);
    (String::from_utf8(writer.into_inner()).unwrap().lines().map(str::to_owned).collect(), hint)
}

async fn by_delta_rs(lake: &Arc<dyn ObjectStore>, version: u64) {
    let mut table = DeltaTable::new(TableLog::new(Arc::clone(lake), "tasks").delta().unwrap());
    table.load_version(version).await.unwrap();
    deltalake::checkpoints::create_checkpoint(&table, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_says_what_delta_rs_says() {
    for seed in 0..8 {
        let random = SeededRandom::new(seed);
        let memory = Arc::new(InMemory::new());
        let ours: Arc<dyn ObjectStore> = Arc::clone(&memory) as _;
        let log = TableLog::new(Arc::clone(&ours), "tasks");
        let (mut live, mut gone, mut checked) = (Vec::<String>::new(), Vec::new(), 0);
        for version in 0..60_u64 {
            let mut actions = vec![json!({"commitInfo": {"operation": "WRITE"}})];
            if version == 0 || below(20, &random) == 0 {
                actions.extend(description(&format!("tasks{version}")));
            }
            if below(3, &random) > 0 {
                actions.push(json!({"txn": {"appId": format!("app{}", below(3, &random)), "version": version}}));
            }
            let mut added: Vec<String> = (0..below(3, &random))
                .map(|number| format!("{version}-{number}.parquet"))
                .collect();
            // A removed file may come back.
            if below(8, &random) == 0 {
                added.extend(gone.pop());
            }
            if live.len() > 4 {
                let path = live.swap_remove(below(live.len(), &random));
                actions.push(remove(&path, [LATE, 1][below(2, &random)]));
                gone.push(path);
            }
            actions.extend(added.iter().map(|path| add(path, &random)));
            live.extend(added);
            log.put_commit(version, &parsed(&actions)).await.unwrap();
            if below(6, &random) != 0 {
                continue;
            }
            let theirs: Arc<dyn ObjectStore> = Arc::new(memory.fork());
            by_delta_rs(&theirs, version).await;
            if below(4, &random) == 0 {
                // Lakeplan's next checkpoint follows one of delta-rs.
                by_delta_rs(&ours, version).await;
            } else {
                write(&log, version).await.unwrap();
                checked += 1;
            }
            let (ours_say, theirs_say) =
                (stated(&ours, version).await, stated(&theirs, version).await);
            let differ: Vec<&String> = ours_say.0.symmetric_difference(&theirs_say.0).collect();
            assert!(differ.is_empty(), "seed {seed}, version {version}: {differ:?}");
            assert_eq!(ours_say.1, theirs_say.1, "seed {seed}, version {version}");
            for old in 0..version {
                let _ = log.store().delete(&Path::from(format!("_delta_log/{old:020}.json"))).await;
            }
        }
        assert!(checked > 2, "{checked} checkpoints with seed {seed}");
    }
}

#[tokio::test]
async fn a_later_one_is_left_and_what_another_wrote_refused() {
    let log = TableLog::new(Arc::new(InMemory::new()), "tasks");
    let random = SeededRandom::new(1);
    log.put_commit(0, &parsed(&description("tasks"))).await.unwrap();
    log.put_commit(1, &parsed(&[add("a", &random)])).await.unwrap();
    write(&log, 1).await.unwrap();
    write(&log, 0).await.unwrap();
    assert!(log.get(&checkpoint_path(0)).await.unwrap().is_none());

    let mut foreign = add("b", &random);
    foreign["add"]["deletionVector"] = json!({"storageType": "u"});
    log.put_commit(2, &parsed(&[foreign])).await.unwrap();
    let refused = write(&log, 2).await.unwrap_err().to_string();
    assert!(
        refused.contains("tasks/_delta_log") && refused.contains("another writer"),
        "{refused}"
    );
    assert!(write(&log, 4).await.unwrap_err().to_string().contains("00000000000000000004.json"));
    assert!(log.get(&checkpoint_path(2)).await.unwrap().is_none());
}

#[test]
fn checkpoints_keep_coming_while_the_files_change() {
    // Commits that add no file, or two, or every twentieth none; and occasional compactions.
    type Growth = fn(u64) -> usize;
    let growths: [Growth; 4] = [
        |_| 1,
        |at| usize::from(!at.is_multiple_of(20)),
        |at| usize::from(at.is_multiple_of(6)),
        |at| 1 + usize::from(at.is_multiple_of(10)),
    ];
    for growth in growths {
        let (mut files, mut last) = (0, 0);
        for version in 1..60_000 {
            files = if version % 25_000 == 0 { 40 } else { files + growth(version) };
            let every = interval(files);
            if version / every > (version - 1) / every {
                last = version;
            }
            assert!(version - last < every, "none between {last} and {version} with {files} files");
        }
    }
}

#[tokio::test]
async fn a_removed_file_is_noted_for_seven_days() {
    let lake: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let log = TableLog::new(Arc::clone(&lake), "tasks");
    let random = SeededRandom::new(1);
    let day = |day: i64| chrono::DateTime::UNIX_EPOCH + TimeDelta::days(day);
    log.put_commit(0, &parsed(&description("tasks"))).await.unwrap();
    log.put_commit(1, &parsed(&[add("a", &random)])).await.unwrap();
    log.put_commit(2, &parsed(&[remove("a", day(1).timestamp_millis())])).await.unwrap();
    for (version, at, is_noted) in [(3, 2, true), (4, 8, true), (5, 9, false)] {
        log.put_commit(version, &parsed(&[json!({"commitInfo": {"operation": "WRITE"}})]))
            .await
            .unwrap();
        write_at(&log, version, Some(day(at))).await.unwrap();
        let (rows, _) = stated(&lake, version).await;
        assert_eq!(rows.iter().any(|row| row.contains("remove")), is_noted, "on day {at}");
    }
}

/// Another process slept while it wrote a checkpoint, and wakes after a later one and a clean-up
/// behind that.
#[tokio::test]
async fn a_late_writer_of_an_earlier_one_harms_no_one() {
    let log = TableLog::new(Arc::new(InMemory::new()), "tasks");
    let random = SeededRandom::new(1);
    log.put_commit(0, &parsed(&description("tasks"))).await.unwrap();
    for version in 1..6 {
        log.put_commit(version, &parsed(&[add(&format!("{version}"), &random)])).await.unwrap();
    }
    write(&log, 2).await.unwrap();
    let late = log.get_live(&checkpoint_path(2)).await.unwrap();
    let hint = log.get_live(HINT).await.unwrap();
    log.store().delete(&Path::from(checkpoint_path(2))).await.unwrap();
    write(&log, 4).await.unwrap();
    for version in 0..4 {
        log.store().delete(&Path::from(format!("_delta_log/{version:020}.json"))).await.unwrap();
    }
    assert!(log.put_if_absent(&checkpoint_path(2), late).await.unwrap());
    assert_eq!(log.load().await.unwrap().unwrap().files.len(), 5);
    log.replace(HINT, hint).await.unwrap();
    assert_eq!(log.load().await.unwrap().unwrap().files.len(), 5);
    write(&log, 5).await.unwrap();
    let hint = String::from_utf8(log.get_live(HINT).await.unwrap().to_vec()).unwrap();
    assert!(hint.contains("\"version\":5"), "{hint}");
}

#[tokio::test]
async fn features_that_others_switched_on_are_refused() {
    for (reader, writer) in [(3, 7), (1, 7), (2, 5)] {
        let log = TableLog::new(Arc::new(InMemory::new()), "tasks");
        log.put_commit(0, &parsed(&description("tasks"))).await.unwrap();
        write(&log, 0).await.unwrap();
        let protocol = json!({"protocol": {"minReaderVersion": reader, "minWriterVersion": writer, "writerFeatures": ["rowTracking"]}});
        log.put_commit(1, &parsed(&[protocol])).await.unwrap();
        assert!(
            write(&log, 1).await.unwrap_err().to_string().contains("another writer"),
            "{reader}, {writer}"
        );
        let loaded = log.load().await.unwrap().unwrap();
        assert!(
            loaded.others.may_write().unwrap_err().to_string().contains("another writer"),
            "{reader}, {writer}"
        );
    }
}
