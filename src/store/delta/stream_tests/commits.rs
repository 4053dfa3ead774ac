//! Commits with rows of both streams.

use deltalake::DeltaTable;
use object_store::ObjectStoreExt;
use serde_json::json;

use super::*;
use crate::store::delta_log::table_log::TableLog;
use crate::store::journal::files::Files;

/// Returns the partitions of the journal's files at a version, as delta-rs reads them.
async fn partitions(lake: &Lake, version: u64) -> Vec<String> {
    let mut journal = DeltaTable::new(TableLog::new(lake.root(), "journal").delta().unwrap());
    journal.load_version(version).await.unwrap();
    let mut files: Vec<String> = journal.get_file_uris().unwrap().collect();
    files.sort();
    let partition =
        |uri: &String| uri.split('/').find(|part| part.starts_with("stream=")).unwrap().to_owned();
    files.iter().map(partition).collect()
}

#[tokio::test]
async fn a_set_with_rows_of_both_streams_is_two_files_in_one_version() {
    let (lake, store) = Lake::create().await;
    let before = store.head().await.unwrap();
    let seq = commit(&store, lake.set(1, page())).await;
    let head = store.head().await.unwrap();
    assert_eq!((seq, head.version), (before.seq + 1, before.version + 1));

    let of = |rows: Vec<Row>| -> Vec<(u32, bool)> {
        let own = rows.into_iter().filter(|row| row.seq == seq);
        own.map(|row| (row.ordinal, row.chain.is_some())).collect()
    };
    assert_eq!(of(rows(&store, Stream::Work).await), [(1, false), (2, false)]);
    assert_eq!(of(rows(&store, Stream::Sync).await), [(0, false), (3, true)]);
    assert_eq!(partitions(&lake, before.version).await, ["stream=work"]);
    assert_eq!(
        partitions(&lake, head.version).await,
        ["stream=sync", "stream=work", "stream=work"]
    );
    let mut files = Files::new(lake.root());
    files.load().await.unwrap();
    for file in files.live().filter(|file| file.seq.1 == seq) {
        // By name, the entity is between those of the other file.
        assert_eq!(file.may_hold(NOTE), file.stream == Stream::Sync);
        assert_eq!(file.may_hold(Entity::Task), file.stream == Stream::Work);
    }
    drop(store);

    let store = lake.open(2).await;
    assert_eq!(store.head().await.unwrap().chain, head.chain);
    assert_eq!(titles(&store).await, ["Move the ledger"]);
    assert_eq!(notes(&store).await, [(json!("page 1"), json!(0)), (json!(null), json!(1))]);
    lake.assert_sound().await;
}

#[tokio::test]
async fn a_crash_between_the_puts_leaves_nothing_visible() {
    let (lake, store) = Lake::create().await;
    let names = lake.names().await;
    let after = lake.fork();
    drop(store);
    let set = lake.set(1, page());
    commit(&after.open(2).await, set.clone()).await;
    let mut added: Vec<String> = after.names().await.difference(&names).cloned().collect();
    let order =
        |name: &String| ["stream=work", "stream=sync"].iter().position(|at| name.contains(at));
    // The files come before the entry.
    added.retain(|name| name.starts_with("journal/"));
    added.sort_by_key(|name| order(name).unwrap_or(2));
    assert_eq!(added.len(), 3, "{added:?}");

    for puts in 0..=added.len() {
        let crashed = lake.fork();
        for name in &added[..puts] {
            crashed.put(name, after.get(name).await).await;
        }
        let is_committed = puts == added.len();
        let store = crashed.open(3).await;
        assert_eq!(titles(&store).await.len(), usize::from(is_committed), "after {puts} puts");
        assert_eq!(notes(&store).await.len(), 2 * usize::from(is_committed), "after {puts} puts");
        crashed.assert_sound().await;
        // The same set is committed once.
        let outcomes = store.commit(vec![set.clone()]).await;
        assert_eq!(
            matches!(outcomes[..], [Outcome::AlreadyCommitted { seq: 2, .. }]),
            is_committed,
            "{outcomes:?}"
        );
        assert_eq!(titles(&store).await, ["Move the ledger"]);
        assert_eq!(notes(&store).await.len(), 2);
        crashed.assert_sound().await;
    }
}

#[tokio::test]
async fn another_writer_follows_both_streams_and_a_stale_expectation_is_a_conflict() {
    let (lake, store) = Lake::create().await;
    let other = lake.open(2).await;
    assert_eq!(notes(&other).await, []);
    commit(&store, lake.set(1, page())).await;
    assert_eq!(titles(&other).await, ["Move the ledger"]);
    assert_eq!(notes(&other).await.len(), 2);

    let take = |holder: &str, epoch: u32| {
        Patch::new(Op::Update, NOTE, id(LEASE), None)
            .with("epoch", epoch + 1)
            .with("cursor", holder)
            .expecting("epoch", epoch)
    };
    commit(&store, lake.set(2, vec![take("a", 1), set_title("Taken by a")])).await;
    let outcomes = other.commit(vec![lake.set(3, vec![take("b", 1), set_title("Taken by b")])]);
    assert!(matches!(outcomes.await[..], [Outcome::Conflicted(_)]));
    // The refused set changed no record of either stream.
    for store in [&store, &other, &lake.open(4).await] {
        assert_eq!(titles(store).await, ["Taken by a"]);
        assert_eq!(notes(store).await[1], (json!("a"), json!(2)));
    }
    lake.assert_sound().await;
}

#[tokio::test]
async fn a_repeat_finds_a_set_of_any_stream_in_the_files() {
    let (lake, store) = Lake::create().await;
    let mixed = lake.set(1, page());
    let only_sync = lake.set(2, vec![set_cursor("page 2")]);
    commit(&store, mixed.clone()).await;
    commit(&store, only_sync.clone()).await;
    commit(&store, lake.set(3, vec![set_title("Move it")])).await;
    drop(store);
    let store = lake.open(2).await;
    let outcomes = store.commit(vec![mixed, only_sync]).await;
    let seqs: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::AlreadyCommitted { seq, .. } => *seq,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(seqs, [2, 3]);
}

#[tokio::test]
async fn without_a_file_of_one_stream_the_lake_does_not_open() {
    let (lake, store) = Lake::create().await;
    commit(&store, lake.set(1, page())).await;
    drop(store);
    let sync = lake.names().await.into_iter().find(|name| name.contains("stream=sync")).unwrap();
    lake.memory.delete(&Path::from(sync)).await.unwrap();
    let clock = Arc::clone(&lake.clock) as Arc<dyn Clock>;
    let random = Arc::new(SeededRandom::new(2));
    let opened = DeltaStore::open(&lake.location(), Format::default(), clock, random).await;
    assert!(opened.is_err());
    let checkup = examine(&lake.root(), "memory:///lake", &Format::default(), None).await.unwrap();
    assert!(!checkup.findings.is_empty());
}
