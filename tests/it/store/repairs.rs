//! Damage that affects no journal rows: following the advice of `doctor` literally repairs the
//! lake, and a backup is never needed.

use lakeplan::analytics::{Session, rows_text};
use lakeplan::cli::hint::hint_text;
use lakeplan::store::delta::LakeLocation;
use lakeplan::store::{LakeTables, Retention, Store};
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::doctor::{files, run_doctor};
use super::foreign_operations::{backup, follow_advice, fork, run_doctor_full, small_lake};
use super::{committed, open, task};
use crate::support::{clock, noon};

const EVENT_TABLES: [&str; 4] = ["agent_logs", "inbox_results", "runs", "table_state"];

async fn put(lake: &LakeLocation, path: &Path, bytes: &[u8]) {
    lake.store.put(path, bytes.to_vec().into()).await.unwrap();
}

async fn bytes(lake: &LakeLocation, path: &Path) -> Vec<u8> {
    lake.store.get(path).await.unwrap().bytes().await.unwrap().to_vec()
}

/// Follows the advice of `doctor` until it has no findings. Returns the number of steps.
async fn repair(lake: &LakeLocation, name: &str) -> usize {
    for followed in 0..5 {
        let found = run_doctor_full(lake).await.unwrap().findings;
        let Some(finding) = found.first() else { return followed };
        let gives_up =
            found.iter().find(|finding| hint_text(&finding.advice).contains("from a backup"));
        assert!(
            gives_up.is_none(),
            "{name}: nothing is lost, but doctor asks for a backup: {gives_up:?}"
        );
        follow_advice(
            LakeLocation { url: lake.url.clone(), store: lake.store.clone() },
            &hint_text(&finding.advice),
            &finding.place,
            lake,
        )
        .await;
    }
    panic!("{name}: still {:?}", run_doctor_full(lake).await.unwrap().findings);
}

async fn count_rows(lake: &LakeLocation, table: &str) -> usize {
    let store = open(lake, clock(), 21).await.unwrap();
    let session = Session::open(&store.tables(), noon()).await.unwrap();
    let rows = rows_text(
        &session
            .query(&format!("SELECT count(*) FROM {table} WHERE {table}.date IS NOT NULL"))
            .await
            .unwrap(),
    );
    store.shutdown().await;
    rows.unwrap().1[0][0].parse().unwrap()
}

/// Creates a lake with checkpoints of every log.
async fn checkpointed() -> LakeLocation {
    let lake = small_lake().await;
    let store = open(&lake, clock(), 20).await.unwrap();
    store.fold().await.unwrap();
    store.maintain(Retention::default()).await.unwrap();
    let _ = committed(&store, task("after the checkpoints")).await;
    store.fold().await.unwrap();
    store.shutdown().await;
    assert_eq!(run_doctor_full(&lake).await.unwrap().findings, []);
    lake
}

fn version(path: &Path) -> u64 {
    path.filename().unwrap()[..20].parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn maintenance_drops_damaged_files_of_event_tables() {
    let before = small_lake().await;
    for table in EVENT_TABLES {
        let path = files(&before, table, ".parquet").await.remove(0);
        let intact = bytes(&before, &path).await;
        let mut flipped = intact.clone();
        flipped[intact.len() / 2] ^= 1;
        let rows = count_rows(&before, table).await;
        for (name, damaged) in [
            ("lost", None),
            ("cut", Some(&intact[..intact.len() / 2])),
            ("empty", Some(&[][..])),
            ("flipped", Some(&flipped[..])),
        ] {
            let (lake, name) = (fork(&before).await, format!("{table} {name}"));
            match damaged {
                Some(damaged) => put(&lake, &path, damaged).await,
                None => lake.store.delete(&path).await.unwrap(),
            }
            let found = run_doctor_full(&lake).await.unwrap().findings;
            assert_eq!(found.len(), 1, "{name}: {found:?}");
            assert_eq!(found[0].place, path.as_ref(), "{name}");
            assert!(hint_text(&found[0].advice).contains("lakeplan maintain"), "{name}: {found:?}");
            // The lake can be copied without the lost rows.
            let copied = backup(&lake).await.unwrap_or_else(|err| panic!("{name}: {err}"));
            assert_eq!(run_doctor_full(&copied).await.unwrap().findings, [], "{name}");
            assert_eq!(repair(&lake, &name).await, 1, "{name}");
            if table != "table_state" {
                assert!(count_rows(&lake, table).await < rows, "{name}");
            }
            assert_eq!(run_doctor(&lake, None).await.findings, [], "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_row_count_in_the_log_is_corrected() {
    let lake = small_lake().await;
    let entry = files(&lake, "runs/_delta_log", ".json").await.pop().unwrap();
    let text = String::from_utf8(bytes(&lake, &entry).await).unwrap();
    put(&lake, &entry, text.replace("numRecords\\\":1", "numRecords\\\":5").as_bytes()).await;
    assert_eq!(run_doctor_full(&lake).await.unwrap().findings.len(), 1);
    assert_eq!(repair(&lake, "runs").await, 1);
    assert_eq!(count_rows(&lake, "runs").await, 3);
}

/// The file is intact, but its log states another size, by which other engines locate the footer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_size_in_the_log_is_corrected_without_losing_rows() {
    for table in EVENT_TABLES {
        let lake = small_lake().await;
        let entry = files(&lake, &format!("{table}/_delta_log"), ".json").await.pop().unwrap();
        let text = String::from_utf8(bytes(&lake, &entry).await).unwrap();
        let rows = count_rows(&lake, table).await;
        let other = text.replacen("\"size\":", "\"size\":1", 1);
        assert_ne!(other, text, "{table}");
        put(&lake, &entry, other.as_bytes()).await;
        let found = run_doctor_full(&lake).await.unwrap().findings;
        assert!(found.len() == 1 && found[0].what.contains("bytes"), "{table}: {found:?}");
        assert_eq!(repair(&lake, table).await, 1, "{table}");
        if table != "table_state" {
            assert_eq!(count_rows(&lake, table).await, rows, "{table}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_entry_before_a_checkpoint_is_repairable() {
    let before = checkpointed().await;
    let mut tried = 0;
    for table in LakeTables::own() {
        let log = format!("{table}/_delta_log");
        let Some(checkpoint) = files(&before, &log, ".checkpoint.parquet").await.pop() else {
            continue;
        };
        let mut entries = files(&before, &log, ".json").await;
        entries.retain(|path| version(path) <= version(&checkpoint));
        let last = entries.len() - 1;
        for at in [0, 1.min(last), last] {
            let (lake, broken) =
                (fork(&before).await, if (at + table.len()) % 2 == 0 { "x\n" } else { "" });
            put(&lake, &entries[at], broken.as_bytes()).await;
            let name = format!("{} {broken:?}", entries[at]);
            assert!(repair(&lake, &name).await <= 1, "{name}");
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emptied_log_entry_is_repaired() {
    let before = small_lake().await;
    for table in EVENT_TABLES {
        for entry in files(&before, &format!("{table}/_delta_log"), ".json").await {
            let (lake, name) = (fork(&before).await, entry.to_string());
            put(&lake, &entry, b"").await;
            assert_eq!(repair(&lake, &name).await, 1, "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn maintenance_rewrites_a_damaged_checkpoint() {
    let before = checkpointed().await;
    for table in ["journal", "runs", "table_state", "inbox_results"] {
        let log = format!("{table}/_delta_log");
        let checkpoint = files(&before, &log, ".checkpoint.parquet").await.pop().unwrap();
        let intact = bytes(&before, &checkpoint).await;
        for (name, broken) in
            [("empty", &b""[..]), ("halved", &intact[..intact.len() / 2]), ("words", b"no parquet")]
        {
            let (lake, name) = (fork(&before).await, format!("{checkpoint} {name}"));
            put(&lake, &checkpoint, broken).await;
            let store = open(&lake, clock(), 22).await.unwrap();
            store
                .maintain(Retention::default())
                .await
                .unwrap_or_else(|err| panic!("{name}: {err}"));
            let _ = committed(&store, task("later")).await;
            store
                .maintain(Retention::default())
                .await
                .unwrap_or_else(|err| panic!("{name}: {err}"));
            store.shutdown().await;
            assert_eq!(run_doctor_full(&lake).await.unwrap().findings, [], "{name}");
        }
    }
}
