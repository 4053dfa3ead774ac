//! Lakes of versions without records of the stream `sync`.

use serde_json::json;

use super::*;
use crate::store::StreamSeqs;
use crate::store::journal::entry;

/// An entry as version 0.1.0 writes it, with the position of the stream `work` only.
const OLDER_ENTRY: &str = r#"{"commitInfo":{"timestamp":1728000000130,"operation":"WRITE","operationParameters":{"mode":"Append"},"isBlindAppend":true,"engineInfo":"lakeplan/0.1.0","lakeplanAttempt":"01925483-0000-7000-8000-000000000001","lakeplanFollows":"8388611"}}
{"txn":{"appId":"lakeplan","version":4}}
{"txn":{"appId":"lakeplan-chain","version":8388612}}
{"txn":{"appId":"fold-work","version":3}}
{"txn":{"appId":"fold-work/tasks","version":3}}
{"txn":{"appId":"fold-mark/tasks","version":8388611}}
{"add":{"path":"stream=work/date=2024-10-04/00000000000000000004-01925483-0000-7000-8000-000000000001.parquet","partitionValues":{"date":"2024-10-04","stream":"work"},"size":4000,"modificationTime":1728000000130,"dataChange":true,"stats":"{\"numRecords\":2,\"minValues\":{\"seq\":4,\"patch_set_id\":\"01925483-0000-7000-8000-000000000002\",\"entity\":\"project\",\"at\":\"2024-10-04T00:00:00.130Z\"},\"maxValues\":{\"seq\":4,\"patch_set_id\":\"01925483-0000-7000-8000-000000000002\",\"entity\":\"task\",\"at\":\"2024-10-04T00:00:00.130Z\"},\"nullCount\":{\"seq\":0,\"patch_set_id\":0,\"entity\":0,\"at\":0}}"}}
"#;

#[test]
fn an_older_entry_states_the_position_of_work() {
    let entry = entry::read(4, &bytes::Bytes::from_static(OLDER_ENTRY.as_bytes())).unwrap();
    assert!(!entry.is_unclear);
    assert_eq!(entry.folded, StreamSeqs { work: 3, sync: 0 });
    assert_eq!(entry.written, [("tasks".to_owned(), 3)]);
    assert_eq!(entry.marks, [("tasks".to_owned(), 8_388_611)]);
    let [file] = &entry.added[..] else { panic!("{:?}", entry.added) };
    assert_eq!((file.stream, file.seq, file.rows), (Stream::Work, (4, 4), 2));
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
