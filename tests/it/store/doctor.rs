//! `doctor` finds planted damage, and has no findings in a healthy lake.

use futures::TryStreamExt;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::doctor::{Anchor, Checkup, examine};
use lakeplan::store::{Format, Store};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;

use super::forge::keep_checksum;
use super::{committed, delta_in_memory, make_project, state, task};
use crate::checked::MemoryLake;
use crate::support::{patch_set, random_patches};

pub async fn lake() -> (std::sync::Arc<DeltaStore>, MemoryLake) {
    let (store, root) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    let mut random = StdRng::seed_from_u64(3);
    for n in 0..20 {
        let _ = committed(store.as_ref(), task(&format!("task number {n}"))).await;
        let state = state(store.as_ref()).await;
        if let Ok(set) = patch_set(&state, random_patches(&state, &mut random)) {
            let _ = store.commit(vec![set]).await;
        }
    }
    store.fold().await.unwrap();
    (store, root)
}

pub async fn run_doctor(root: &LakeLocation, anchor: Option<Anchor>) -> Checkup {
    examine(&root.store, "lake", &Format::default(), anchor).await.unwrap()
}

pub async fn files(root: &LakeLocation, folder: &str, ending: &str) -> Vec<Path> {
    let listed: Vec<_> = root.store.list(Some(&Path::from(folder))).try_collect().await.unwrap();
    let mut paths: Vec<Path> = listed
        .into_iter()
        .map(|meta| meta.location)
        .filter(|path| path.as_ref().ends_with(ending))
        .collect();
    paths.sort();
    paths
}

/// Replaces the first occurrence of `from` in a file by bytes of the same length.
async fn forge(root: &LakeLocation, path: &Path, from: &[u8], to: &[u8]) -> bool {
    let mut bytes = root.store.get(path).await.unwrap().bytes().await.unwrap().to_vec();
    let Some(at) = bytes.windows(from.len()).position(|window| window == from) else {
        return false;
    };
    bytes[at..at + to.len()].copy_from_slice(to);
    root.store.put(path, keep_checksum(path, &bytes).into()).await.unwrap();
    true
}

pub fn has_finding(checkup: &Checkup, place: &str, what: &str) -> bool {
    checkup
        .findings
        .iter()
        .any(|finding| finding.place.contains(place) && finding.what.contains(what))
}

#[tokio::test]
async fn a_healthy_lake_has_no_findings_and_its_head_is_an_anchor() {
    let (store, root) = lake().await;
    let checkup = run_doctor(&root, None).await;
    assert_eq!(checkup.findings, []);
    let head = store.head().await.unwrap();
    assert_eq!((checkup.sets, checkup.chain), (head.seq, head.chain));
    let _ = committed(store.as_ref(), task("later")).await;
    let anchor = Anchor { seq: head.seq, chain: head.chain };
    assert_eq!(run_doctor(&root, Some(anchor)).await.findings, []);
    let forged = run_doctor(&root, Some(Anchor { chain: [7; 32], ..anchor })).await;
    assert!(
        has_finding(&forged, &format!("seq {}", head.seq), "rewritten"),
        "{:?}",
        forged.findings
    );
    let ahead = run_doctor(&root, Some(Anchor { seq: 10_000, ..anchor })).await;
    assert!(has_finding(&ahead, "seq 10000", "does not exist"), "{:?}", ahead.findings);
}

#[tokio::test]
async fn a_changed_byte_of_the_journal_is_found() {
    let (_, root) = lake().await;
    root.skip_check("a byte is changed");
    let mut forged = false;
    for path in files(&root, "journal", ".parquet").await {
        forged = forge(&root, &path, b"task number 7", b"task number 8").await || forged;
    }
    assert!(forged, "nothing was replaced");
    let checkup = run_doctor(&root, None).await;
    assert!(has_finding(&checkup, "journal, row", "digest"), "{:?}", checkup.findings);
}

#[tokio::test]
async fn damaged_and_missing_files_are_found() {
    let (_, root) = lake().await;
    root.skip_check("files are replaced and removed");
    let paths = files(&root, "journal", ".parquet").await;
    root.store.put(&paths[3], "no parquet".into()).await.unwrap();
    root.store.delete(&paths[5]).await.unwrap();
    let checkup = run_doctor(&root, None).await;
    assert!(has_finding(&checkup, paths[3].as_ref(), ""), "{:?}", checkup.findings);
    assert!(has_finding(&checkup, paths[5].as_ref(), "missing"), "{:?}", checkup.findings);
    assert!(has_finding(&checkup, "journal, seq", "missing"), "{:?}", checkup.findings);
}

#[tokio::test]
async fn a_missing_commit_is_found() {
    let (_, root) = lake().await;
    root.skip_check("an entry is removed");
    // An entry behind a checkpoint is not needed, because the log cleanup deletes such entries.
    let entry = files(&root, "journal/_delta_log", ".json").await.into_iter().nth_back(1).unwrap();
    root.store.delete(&entry).await.unwrap();
    let checkup = run_doctor(&root, None).await;
    assert!(has_finding(&checkup, entry.as_ref(), "missing"), "{:?}", checkup.findings);
}

#[tokio::test]
async fn a_wrong_row_of_a_folded_table_is_found_and_fixed_by_a_fold() {
    let (store, root) = lake().await;
    // The titles are compressed in the file, so the row is changed through its columns.
    let table = lakeplan::store::tables::TABLES.iter().find(|table| table.name == "tasks").unwrap();
    let path = files(&root, "tasks", ".parquet").await.pop().unwrap();
    let bytes = root.store.get(&path).await.unwrap().bytes().await.unwrap();
    let batch =
        lakeplan::store::tables::read::batches("tasks", bytes).unwrap().next().unwrap().unwrap();
    let mut records =
        lakeplan::store::tables::columns::decode(table.entity, &batch, "tasks").unwrap();
    records[0].set("title", &json!("forged")).unwrap();
    let batch = lakeplan::store::tables::columns::encode(table.entity, &records).unwrap();
    let mut forged = Vec::new();
    let mut writer =
        deltalake::parquet::arrow::ArrowWriter::try_new(&mut forged, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    root.store.put(&path, keep_checksum(&path, &forged).into()).await.unwrap();
    let checkup = run_doctor(&root, None).await;
    assert!(has_finding(&checkup, "tasks", "forged"), "{:?}", checkup.findings);
    assert_eq!(checkup.findings.len(), 1);

    for path in files(&root, "tasks", "").await {
        root.store.delete(&path).await.unwrap();
    }
    assert!(has_finding(&run_doctor(&root, None).await, "tasks", "missing"));
    drop(store);
    let fresh = super::open(&root, crate::support::clock(), 9).await.unwrap();
    fresh.fold().await.unwrap();
    assert_eq!(run_doctor(&root, None).await.findings, []);
}

#[tokio::test]
async fn a_changed_byte_is_found_by_the_checksum() {
    for table in ["journal/stream=work", "tasks", "field_changes"] {
        let (_, root) = lake().await;
        root.skip_check("a byte is changed");
        let path = files(&root, table, ".parquet").await.remove(0);
        let mut bytes = root.store.get(&path).await.unwrap().bytes().await.unwrap().to_vec();
        bytes[20] ^= 1;
        root.store.put(&path, bytes.into()).await.unwrap();
        let checkup = run_doctor(&root, None).await;
        assert!(
            has_finding(
                &checkup,
                table.split('/').next().unwrap(),
                "differs from what was written"
            ),
            "{:?}",
            checkup.findings
        );
    }
}
