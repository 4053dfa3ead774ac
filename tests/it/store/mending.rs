//! Damage that takes nothing from the journal: what the check-up advises, followed to the letter, leaves a lake of which the
//! check-up finds nothing, and a backup is never asked for.

use lakeplan::analytics::{Session, rows_text};
use lakeplan::store::delta::LakeLocation;
use lakeplan::store::{LakeTables, Retention, Store};
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::check_up::{check_up, files};
use super::foreign_acts::{backup, follow, fork, small, thorough};
use super::{committed, open, task};
use crate::support::{clock, noon};

const APPENDED: [&str; 4] = ["agent_logs", "inbox_results", "runs", "table_state"];

async fn put(lake: &LakeLocation, path: &Path, bytes: &[u8]) {
    lake.store.put(path, bytes.to_vec().into()).await.unwrap();
}

async fn bytes(lake: &LakeLocation, path: &Path) -> Vec<u8> {
    lake.store.get(path).await.unwrap().bytes().await.unwrap().to_vec()
}

/// Follows what the check-up advises until it finds nothing; how often it was followed.
async fn mend(lake: &LakeLocation, name: &str) -> usize {
    for followed in 0..5 {
        let found = thorough(lake).await.unwrap().findings;
        let Some(finding) = found.first() else { return followed };
        let gives_up = found.iter().find(|finding| finding.advice.contains("from a backup"));
        assert!(
            gives_up.is_none(),
            "{name}: nothing is lost, and the check-up gives up: {gives_up:?}"
        );
        follow(
            LakeLocation { url: lake.url.clone(), store: lake.store.clone() },
            finding.advice,
            &finding.place,
            lake,
        )
        .await;
    }
    panic!("{name}: still {:?}", thorough(lake).await.unwrap().findings);
}

async fn count(lake: &LakeLocation, table: &str) -> usize {
    let store = open(lake, clock(), 21).await.unwrap();
    let session = Session::open(&store.tables(), noon()).await.unwrap();
    let rows = rows_text(
        &session
            .query(&format!("SELECT count(*) FROM {table} WHERE {table}.date IS NOT NULL"))
            .await
            .unwrap(),
    );
    store.close().await;
    rows.unwrap().1[0][0].parse().unwrap()
}

/// A lake with checkpoints of every log.
async fn checkpointed() -> LakeLocation {
    let lake = small().await;
    let store = open(&lake, clock(), 20).await.unwrap();
    store.fold().await.unwrap();
    store.maintain(Retention::default()).await.unwrap();
    let _ = committed(&store, task("after the checkpoints")).await;
    store.fold().await.unwrap();
    store.close().await;
    assert_eq!(thorough(&lake).await.unwrap().findings, []);
    lake
}

fn version(path: &Path) -> u64 {
    path.filename().unwrap()[..20].parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn maintenance_goes_on_without_a_lost_file_of_an_appended_table() {
    let before = small().await;
    for table in APPENDED {
        let path = files(&before, table, ".parquet").await.remove(0);
        let sound = bytes(&before, &path).await;
        let mut flipped = sound.clone();
        flipped[sound.len() / 2] ^= 1;
        let rows = count(&before, table).await;
        for (name, damaged) in [
            ("lost", None),
            ("cut", Some(&sound[..sound.len() / 2])),
            ("empty", Some(&[][..])),
            ("flipped", Some(&flipped[..])),
        ] {
            let (lake, name) = (fork(&before).await, format!("{table} {name}"));
            match damaged {
                Some(damaged) => put(&lake, &path, damaged).await,
                None => lake.store.delete(&path).await.unwrap(),
            }
            let found = thorough(&lake).await.unwrap().findings;
            assert_eq!(found.len(), 1, "{name}: {found:?}");
            assert_eq!(found[0].place, path.as_ref(), "{name}");
            assert!(found[0].advice.contains("lakeplan maintain"), "{name}: {found:?}");
            // A copy of the lake is made of what there is.
            let copied = backup(&lake).await.unwrap_or_else(|err| panic!("{name}: {err}"));
            assert_eq!(thorough(&copied).await.unwrap().findings, [], "{name}");
            assert_eq!(mend(&lake, &name).await, 1, "{name}");
            if table != "table_state" {
                assert!(count(&lake, table).await < rows, "{name}");
            }
            assert_eq!(check_up(&lake, None).await.findings, [], "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_the_log_counts_otherwise_are_counted_again() {
    let lake = small().await;
    let entry = files(&lake, "runs/_delta_log", ".json").await.pop().unwrap();
    let text = String::from_utf8(bytes(&lake, &entry).await).unwrap();
    put(&lake, &entry, text.replace("numRecords\\\":1", "numRecords\\\":5").as_bytes()).await;
    assert_eq!(thorough(&lake).await.unwrap().findings.len(), 1);
    assert_eq!(mend(&lake, "runs").await, 1);
    assert_eq!(count(&lake, "runs").await, 3);
}

/// The file is whole and its log states another size, by which other engines look for the footer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_size_that_the_log_states_wrongly_is_corrected_and_no_row_is_lost() {
    for table in APPENDED {
        let lake = small().await;
        let entry = files(&lake, &format!("{table}/_delta_log"), ".json").await.pop().unwrap();
        let text = String::from_utf8(bytes(&lake, &entry).await).unwrap();
        let rows = count(&lake, table).await;
        let other = text.replacen("\"size\":", "\"size\":1", 1);
        assert_ne!(other, text, "{table}");
        put(&lake, &entry, other.as_bytes()).await;
        let found = thorough(&lake).await.unwrap().findings;
        assert!(found.len() == 1 && found[0].what.contains("bytes"), "{table}: {found:?}");
        assert_eq!(mend(&lake, table).await, 1, "{table}");
        if table != "table_state" {
            assert_eq!(count(&lake, table).await, rows, "{table}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_entry_for_which_a_checkpoint_stands_is_not_the_end_of_a_lake() {
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
            assert!(mend(&lake, &name).await <= 1, "{name}");
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_written_again_leaves_nothing_to_find() {
    let before = small().await;
    for table in APPENDED {
        for entry in files(&before, &format!("{table}/_delta_log"), ".json").await {
            let (lake, name) = (fork(&before).await, entry.to_string());
            put(&lake, &entry, b"").await;
            assert_eq!(mend(&lake, &name).await, 1, "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn maintenance_writes_a_broken_checkpoint_again_from_the_entries() {
    let before = checkpointed().await;
    for table in ["journal", "runs", "table_state", "inbox_results"] {
        let log = format!("{table}/_delta_log");
        let checkpoint = files(&before, &log, ".checkpoint.parquet").await.pop().unwrap();
        let sound = bytes(&before, &checkpoint).await;
        for (name, broken) in
            [("empty", &b""[..]), ("halved", &sound[..sound.len() / 2]), ("words", b"no parquet")]
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
            store.close().await;
            assert_eq!(thorough(&lake).await.unwrap().findings, [], "{name}");
        }
    }
}
