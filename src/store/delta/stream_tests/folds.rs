//! Folds of each stream.

use object_store::ObjectStoreExt;
use serde_json::json;

use super::*;
use crate::store::StreamSeqs;
use crate::store::tables::FoldedTable;

/// Returns the transactions of an entry, by app.
async fn folded_by_entry(lake: &Lake, version: u64) -> Vec<(String, u64)> {
    let entry = lake.entry(version).await;
    let txns = entry.iter().filter_map(|action| action.get("txn"));
    let mut folded: Vec<(String, u64)> = txns
        .map(|txn| (txn["appId"].as_str().unwrap().to_owned(), txn["version"].as_u64().unwrap()))
        .filter(|(app, _)| app == "fold-work" || app == "fold-sync")
        .collect();
    folded.sort();
    folded
}

#[tokio::test]
async fn each_stream_has_its_own_position() {
    let (lake, store) = Lake::create().await;
    store.fold().await.unwrap();
    assert_eq!(store.head().await.unwrap().folded, StreamSeqs { work: 1, sync: 1 });
    commit(&store, lake.set(1, page())).await;
    store.fold_stream(Stream::Work).await.unwrap();
    assert_eq!(store.head().await.unwrap().folded, StreamSeqs { work: 2, sync: 1 });
    commit(&store, lake.set(2, vec![set_cursor("page 2")])).await;
    store.fold_stream(Stream::Sync).await.unwrap();
    assert_eq!(store.head().await.unwrap().folded, StreamSeqs { work: 2, sync: 3 });

    // Each position is recorded by the next commit, and a process that opens the lake finds both.
    commit(&store, lake.set(3, vec![set_title("Move it")])).await;
    let version = store.head().await.unwrap().version;
    let recorded = folded_by_entry(&lake, version - 1).await;
    assert_eq!(recorded, [("fold-work".to_owned(), 2)]);
    assert_eq!(folded_by_entry(&lake, version).await, [("fold-sync".to_owned(), 3)]);
    drop(store);
    let store = lake.open(2).await;
    // It also sees which sets have no rows of a stream, so that they need no fold.
    assert_eq!(store.head().await.unwrap().folded, StreamSeqs { work: 3, sync: 4 });
    assert_eq!(titles(&store).await, ["Move it"]);
    assert_eq!(notes(&store).await[0], (json!("page 2"), json!(0)));

    // A position that skips no row is not recorded again.
    store.fold().await.unwrap();
    commit(&store, lake.set(4, vec![set_title("Move it all")])).await;
    let head = store.head().await.unwrap();
    assert_eq!(folded_by_entry(&lake, head.version).await, [("fold-work".to_owned(), 4)]);
    lake.assert_sound().await;
}

#[tokio::test]
async fn a_fold_of_one_stream_needs_no_file_of_the_other() {
    let (lake, store) = Lake::create().await;
    store.fold().await.unwrap();
    commit(&store, lake.set(1, page())).await;
    commit(&store, lake.set(2, vec![set_cursor("page 2"), set_title("Move it")])).await;
    drop(store);
    for (stream, other) in [(Stream::Work, Stream::Sync), (Stream::Sync, Stream::Work)] {
        let damaged = lake.fork();
        let store = damaged.open(2).await;
        let partition = format!("journal/stream={other}/");
        for name in damaged.names().await {
            if name.starts_with(&partition) {
                damaged.memory.delete(&Path::from(name)).await.unwrap();
            }
        }
        let report = store.fold_stream(stream).await.unwrap();
        assert_eq!(report.seq, 3);
        assert_eq!(store.head().await.unwrap().folded.of(stream), 3);
        assert!(store.fold_stream(other).await.is_err());
        // A fold of both folds what it can.
        assert!(store.fold().await.is_err());
        assert_eq!(store.head().await.unwrap().folded.of(other), 1);
    }
}

#[tokio::test]
async fn a_fold_writes_only_the_tables_of_its_stream() {
    let (lake, store) = Lake::create().await;
    store.fold().await.unwrap();
    commit(&store, lake.set(1, page())).await;
    let tables = |report: crate::store::FoldReport| -> Vec<&str> {
        report.tables.iter().map(|(name, _)| *name).collect()
    };
    let work = tables(store.fold_stream(Stream::Work).await.unwrap());
    assert_eq!(work, ["field_changes", "projects", "tasks"]);
    assert_eq!(tables(store.fold_stream(Stream::Sync).await.unwrap()), ["sync_notes"]);
    // A rebuild of the table gives the same records.
    let before = notes(&lake.open(2).await).await;
    store.rebuild(FoldedTable::at("sync_notes")).await.unwrap();
    lake.assert_sound().await;
    store.rebuild(None).await.unwrap();
    lake.assert_sound().await;
    assert_eq!(notes(&lake.open(3).await).await, before);
    assert_eq!(before.len(), 2);
}

#[tokio::test]
async fn changes_of_sync_alone_leave_nothing_of_work_to_fold() {
    let (lake, store) = Lake::create().await;
    commit(&store, lake.set(1, page())).await;
    store.fold().await.unwrap();
    for number in 2..20 {
        commit(&store, lake.set(number, vec![set_cursor(&format!("page {number}"))])).await;
    }
    let report = store.fold_stream(Stream::Work).await.unwrap();
    assert_eq!((report.seq, report.tables), (20, Vec::new()));
    assert_eq!(store.head().await.unwrap().folded.sync, 2);
    drop(store);
    assert_eq!(notes(&lake.open(2).await).await[0].0, json!("page 19"));
}
