//! Compaction, erasure, copies, and the reverting of foreign changes of a journal with two streams.

use serde_json::json;

use super::*;
use crate::store::backup;
use crate::store::erasure::{Remains, listed};
use crate::store::journal::files::Files;
use crate::store::vacuum::Retention;

/// Returns the live files of a stream.
async fn live(lake: &Lake, stream: Stream) -> Vec<String> {
    let mut files = Files::new(lake.root());
    files.load().await.unwrap();
    let own = files.live().filter(|file| file.stream == stream);
    own.map(|file| file.path.clone()).collect()
}

/// Commits sets that split their rows between the streams in different orders.
async fn commit_many(lake: &Lake, store: &DeltaStore) {
    commit(store, lake.set(1, page())).await;
    for number in 2..12 {
        let (title, cursor) = (format!("Title {number}"), format!("page {number}"));
        let patches = match number % 4 {
            0 => vec![set_cursor(&cursor), set_title(&title)],
            1 => vec![set_title(&title), set_cursor(&cursor)],
            2 => vec![set_cursor(&cursor)],
            _ => vec![set_title(&title)],
        };
        commit(store, lake.set(number, patches)).await;
    }
}

#[tokio::test]
async fn a_compaction_joins_each_stream_and_keeps_the_chain() {
    let (lake, store) = Lake::create().await;
    commit_many(&lake, &store).await;
    store.fold().await.unwrap();
    for number in 20..24 {
        let patches = vec![set_cursor("later"), set_title(&format!("Title {number}"))];
        commit(&store, lake.set(number, patches)).await;
    }
    store.fold().await.unwrap();
    let chain = store.head().await.unwrap().chain;
    let counts = (live(&lake, Stream::Work).await.len(), live(&lake, Stream::Sync).await.len());
    assert!(counts.0 > 8 && counts.1 > 8, "{counts:?}");
    let mut files = Files::new(lake.root());
    files.load().await.unwrap();
    let work = files.live().filter(|file| file.stream == Stream::Work && file.seq.1 <= 6);
    let work: Vec<_> = work.cloned().collect();
    let mut beside: Vec<_> = files.beside(&work).map(|file| (file.stream, file.seq)).collect();
    beside.sort();
    assert_eq!(beside, [2, 3, 5, 6].map(|seq| (Stream::Sync, (seq, seq))));
    store.maintain(Retention::default()).await.unwrap();
    assert_eq!(live(&lake, Stream::Work).await.len(), 1);
    assert_eq!(live(&lake, Stream::Sync).await.len(), 1);
    drop(store);
    let store = lake.open(2).await;
    assert_eq!(store.head().await.unwrap().chain, chain);
    assert_eq!(titles(&store).await, ["Title 23"]);
    assert_eq!(notes(&store).await[0].0, json!("later"));
    lake.assert_sound().await;
}

#[tokio::test]
async fn a_stream_that_is_not_folded_is_not_compacted() {
    let (lake, store) = Lake::create().await;
    store.fold().await.unwrap();
    commit_many(&lake, &store).await;
    for number in 20..24 {
        let patches = vec![set_cursor("later"), set_title(&format!("Title {number}"))];
        commit(&store, lake.set(number, patches)).await;
    }
    store.fold_stream(Stream::Work).await.unwrap();
    let sync = live(&lake, Stream::Sync).await;
    assert!(sync.len() >= 8, "{sync:?}");
    store
        .ask(|answer| crate::store::lake_state::writer::Message::Compact { answer })
        .await
        .unwrap();
    assert_eq!(live(&lake, Stream::Work).await.len(), 1);
    assert_eq!(live(&lake, Stream::Sync).await, sync);
    lake.assert_sound().await;
}

#[tokio::test]
async fn an_erase_of_rows_in_both_streams_keeps_the_chain() {
    let (lake, store) = Lake::create().await;
    let mut patches = page();
    patches[3] = create_note(CURSOR).with("cursor", "ana@example.org");
    let seq = commit(&store, lake.set(1, patches)).await;
    let mut remains = std::collections::BTreeMap::new();
    for (stream, ordinal, field, neutral) in
        [(Stream::Work, 2, "title", json!("erased")), (Stream::Sync, 3, "cursor", json!(null))]
    {
        let rows = rows(&store, stream).await;
        let row = rows.iter().find(|row| (row.seq, row.ordinal) == (seq, ordinal)).unwrap();
        let mut after = row.after_fields().unwrap();
        after.insert(field.to_owned(), neutral);
        remains.insert((seq, ordinal), Remains { before: None, after: Some(after) });
    }
    let (field, named) = listed(&remains);
    let erase = Patch::new(Op::Erase, Entity::Task, id(TASK), Some(project())).with(field, named);
    let neutral = Patch::new(Op::Update, NOTE, id(CURSOR), None).with("cursor", json!(null));
    let mut set = lake.set(2, vec![set_title("erased"), neutral, erase]);
    set.source = Source::Maintenance;
    commit(&store, set).await;
    let chain = store.head().await.unwrap().chain;
    let erased = store.rewrite_erased_files().await.unwrap();
    assert_eq!((erased.rows, erased.files), (2, 2));
    drop(store);

    let store = lake.open(2).await;
    assert_eq!(store.head().await.unwrap().chain, chain);
    assert_eq!(titles(&store).await, ["erased"]);
    assert_eq!(notes(&store).await[0].0, json!(null));
    lake.assert_sound().await;
    let first = rows(&store, Stream::Sync).await.remove(1);
    assert!(first.is_erased() && !first.after.unwrap().contains("ana@example.org"));
    // The tables that a rebuild makes from the remains are the same.
    store.rebuild(None).await.unwrap();
    lake.assert_sound().await;
}

#[tokio::test]
async fn a_copy_holds_both_streams() {
    let (lake, store) = Lake::create().await;
    commit_many(&lake, &store).await;
    store.fold().await.unwrap();
    store.maintain(Retention::default()).await.unwrap();
    let head = store.head().await.unwrap();
    let copy = Lake { memory: Arc::new(InMemory::new()), clock: Arc::clone(&lake.clock) };
    let (clock, random) = (lake.clock.as_ref(), SeededRandom::new(7));
    let copied =
        backup::copy(&lake.location(), &copy.location(), None, clock, &random).await.unwrap();
    assert_eq!((copied.seq, copied.chain), (head.seq, head.chain));
    backup::finish(copy.memory.as_ref()).await.unwrap();
    let opened = copy.open(2).await;
    assert_eq!(titles(&opened).await, titles(&store).await);
    assert_eq!(notes(&opened).await, notes(&store).await);
    opened.fold().await.unwrap();
    copy.assert_sound().await;
}

#[tokio::test]
async fn a_file_of_either_stream_that_another_engine_removed_comes_back() {
    for stream in [Stream::Work, Stream::Sync] {
        let (lake, store) = Lake::create().await;
        let seq = commit(&store, lake.set(1, page())).await;
        let head = store.head().await.unwrap();
        let mut files = Files::new(lake.root());
        files.load().await.unwrap();
        let removed = files.live().find(|file| file.stream == stream && file.seq.1 == seq).unwrap();
        let entry = [
            json!({"commitInfo": {"timestamp": 1, "operation": "DELETE", "engineInfo": "other"}}),
            json!({"remove": {"path": removed.path, "deletionTimestamp": 1, "dataChange": true}}),
        ];
        let name = format!("journal/_delta_log/{:020}.json", head.version + 1);
        lake.put(&name, (entry.map(|action| action.to_string()).join("\n") + "\n").into()).await;
        commit(&store, lake.set(2, vec![set_cursor("page 2"), set_title("Move it")])).await;
        assert!(live(&lake, stream).await.contains(&removed.path));
        drop(store);
        let store = lake.open(2).await;
        assert_eq!(titles(&store).await, ["Move it"]);
        assert_eq!(notes(&store).await[0].0, json!("page 2"));
        lake.assert_sound().await;
    }
}
