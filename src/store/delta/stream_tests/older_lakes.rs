//! Lakes of versions without records of the stream `sync`.

use serde_json::json;

use super::*;
use crate::store::StreamSeqs;
use crate::store::journal::entry;
use crate::store::tables::FoldedTable;

/// An entry of a lake without the stream: the third, which completed a task after a fold.
const OLDER_ENTRY: &[u8] = include_bytes!("older_entry.json");

#[test]
fn an_older_entry_states_the_position_of_work() {
    let entry = entry::read(2, &bytes::Bytes::from_static(OLDER_ENTRY)).unwrap();
    assert!(!entry.is_unclear);
    assert_eq!(entry.folded, StreamSeqs { work: 2, sync: 0 });
    let mut written = entry.written;
    written.sort();
    let tables: Vec<&str> = FoldedTable::of(Stream::Work).map(FoldedTable::name).collect();
    let mut expected: Vec<(String, u64)> =
        tables.into_iter().map(|name| (name.to_owned(), 2)).collect();
    expected.sort();
    assert_eq!(written, expected);
    assert_eq!(entry.marks.len(), expected.len());
    let [file] = &entry.added[..] else { panic!("{:?}", entry.added) };
    assert_eq!((file.stream, file.seq, file.rows), (Stream::Work, (3, 3), 1));
    assert!(file.may_hold(Entity::Task) && !file.may_hold(NOTE));
}

#[tokio::test]
async fn an_older_lake_opens_folds_and_takes_rows_of_both_streams() {
    let (lake, store) = Lake::create().await;
    commit(&store, lake.set(1, vec![create_project(), create_task(TASK, "Move the ledger")])).await;
    store.fold().await.unwrap();
    commit(&store, lake.set(2, vec![set_title("Move it")])).await;
    let head = store.head().await.unwrap();
    drop(store);
    // Make it the lake that a version without the stream would have written.
    let older = Lake { memory: Arc::new(InMemory::new()), clock: Arc::clone(&lake.clock) };
    for name in lake.names().await {
        let mut bytes = lake.get(&name).await;
        if name.starts_with("sync_notes/") || name.contains("stream=sync") {
            continue;
        }
        if name.starts_with("journal/_delta_log/") && name.ends_with(".json") {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let is_older =
                |line: &&str| !line.contains("fold-sync") && !line.contains("sync_notes");
            let lines: Vec<&str> = text.lines().filter(is_older).collect();
            bytes = (lines.join("\n") + "\n").into();
        }
        older.put(&name, bytes).await;
    }
    let recorded = older.entry(head.version).await;
    assert!(recorded.iter().any(|action| action["txn"]["appId"] == json!("fold-work")));
    assert!(!format!("{recorded:?}").contains("sync"));

    let store = older.open(2).await;
    let opened = store.head().await.unwrap();
    assert_eq!((opened.seq, opened.chain, opened.folded.work), (head.seq, head.chain, 2));
    assert_eq!(titles(&store).await, ["Move it"]);
    assert_eq!(notes(&store).await, []);
    commit(&store, older.set(3, vec![create_note(CURSOR), set_title("Move it all")])).await;
    store.fold().await.unwrap();
    assert_eq!(store.head().await.unwrap().folded, StreamSeqs { work: 4, sync: 4 });
    drop(store);
    let store = older.open(3).await;
    assert_eq!(titles(&store).await, ["Move it all"]);
    assert_eq!(notes(&store).await.len(), 1);
    older.assert_sound().await;
}
