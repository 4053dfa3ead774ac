//! Erasing: the values are gone from the lake and its past, and everything that reads the past
//! still works.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::TimeDelta;
use deltalake::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use futures::TryStreamExt;
use lakeplan::cli::hint::hint_text;
use lakeplan::domain::id::EntityId;
use lakeplan::domain::record::Entity;
use lakeplan::domain::state::State;
use lakeplan::domain::time::AsOf;
use lakeplan::planning::outline::OutlinePlanner;
use lakeplan::runtime::{Clock, SystemClock};
use lakeplan::service::change::Committed;
use lakeplan::service::{Service, ServiceError, find};
use lakeplan::store::backup::copy;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::doctor::{Anchor, Checkup, examine};
use lakeplan::store::tables::read::batches;
use lakeplan::store::{Erased, Format, LakeTables, Retention, Scope, Store, StoreError};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::fault::{Fault, FaultStore, Plan};
use super::maintenance::sound;
use super::{committed, delta_in_memory, delta_rs, make_project, open, root, state};
use crate::checked::MemoryLake;
use crate::support::{author, clock, counts, patch_set, random, random_patches};

/// Texts that must not occur anywhere after an erase of Ana.
const ANA: [&str; 5] = ["ana-souza", "Ana Souza", "ana@example.com", "Asouza", "desk 4711"];
/// Texts that must not occur anywhere after an erase of her task.
const TASK: [&str; 4] = ["Pay Ms Silva", "lives in Lisbon", "salary-tag", "phone 4712"];

fn service(store: &Arc<DeltaStore>, seed: u64) -> Service {
    Service {
        planner: Arc::new(OutlinePlanner),
        store: Arc::clone(store) as Arc<dyn Store>,
        clock: clock(),
        random: random(seed),
    }
}

/// Creates a lake with Ana and a task that contains personal data. Each is changed several times,
/// and the task is moved to another project.
async fn lake() -> (Arc<DeltaStore>, MemoryLake) {
    let (store, root) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    let lake = store.as_ref();
    for patches in [
        json!([{"op": "create", "entity": "project", "fields": {"name": "Operations", "key": "OPS"}}]),
        json!([{"op": "create", "entity": "user", "fields": {"handle": "bo", "name": "Bo"}},
               {"op": "create", "entity": "user", "fields": {"handle": "ana-souza", "name": "Ana Souza", "metadata": {"seat": "desk 4711"}}}]),
        json!([{"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": "Pay Ms Silva", "description": "lives in Lisbon",
               "assignee_id": "@ana-souza", "tags": ["salary-tag"], "metadata": {"call": "phone 4712"}}}]),
        json!([{"op": "update", "entity": "user", "id": "@ana-souza", "fields": {"name": "Asouza", "email": "ana@example.com"}}]),
        json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"status": "in_progress"}}]),
        json!([{"op": "move", "entity": "task", "id": "PAY-1", "fields": {"project_id": "OPS"}}]),
        json!([{"op": "update", "entity": "task", "id": "OPS-1", "fields": {"status": "review", "description": "lives in Lisbon, still"}}]),
    ] {
        let _ = committed(lake, patches).await;
    }
    (store, root)
}

async fn erase(store: &Arc<DeltaStore>, entity: Entity, name: &str) -> Erased {
    // Two services with the same seed would give two sets the same id.
    static NEXT: AtomicU64 = AtomicU64::new(5_000);
    let service = service(store, NEXT.fetch_add(1, Ordering::Relaxed));
    commit_erase(&service, entity, name).await;
    store.rewrite_erased_files().await.unwrap()
}

async fn commit_erase(service: &Service, entity: Entity, name: &str) -> Option<Committed> {
    let record = service.find_erasable(entity, name).await.unwrap().record;
    service.erase(record, &author(service)).await.unwrap()
}

async fn run_doctor(root: &LakeLocation, anchor: Option<Anchor>) -> Checkup {
    examine(&root.store, "lake", &Format::default(), anchor).await.unwrap()
}

fn records(state: &State) -> BTreeMap<String, String> {
    state
        .records()
        .map(|record| {
            (format!("{:?}", record.record_key()), Value::Object(record.to_fields()).to_string())
        })
        .collect()
}

/// Returns the objects that contain one of these texts, as text and path.
async fn found(root: &LakeLocation, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for meta in root.store.list(None).try_collect::<Vec<_>>().await.unwrap() {
        let bytes = root.store.get(&meta.location).await.unwrap().bytes().await.unwrap();
        let has = |text: &&&str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        found.extend(texts.iter().filter(has).map(|text| format!("{text} in {}", meta.location)));
    }
    found
}

/// Folds, compacts and deletes everything that is not live, whatever its age.
async fn sweep(root: &LakeLocation) {
    // Log entries contain no values. The writers of the tests cannot see by their clocks that they
    // were suspended, so the log is kept.
    let retention = Retention { files: TimeDelta::zero(), log: TimeDelta::days(365_000) };
    let maintainer = open(root, Arc::new(SystemClock) as Arc<dyn Clock>, 5).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    maintainer.maintain(retention).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    maintainer.maintain(retention).await.unwrap();
}

async fn remove(root: &LakeLocation, folder: &str) {
    for meta in root.store.list(Some(&folder.into())).try_collect::<Vec<_>>().await.unwrap() {
        root.store.delete(&meta.location).await.unwrap();
    }
}

fn live_journal_files(tables: &deltalake::DeltaTable) -> Vec<Path> {
    let uris = tables.get_file_uris().unwrap();
    uris.map(|uri| {
        Path::from(format!(
            "journal/{}",
            uri.split_once("/journal/").unwrap().1.replace("%3D", "=")
        ))
    })
    .collect()
}

/// Returns the live rows of the journal as stored in its files: seq, op, entity, and which of the
/// payload columns are null.
async fn raw_rows(root: &LakeLocation) -> Vec<(i64, String, String, [bool; 4])> {
    let table = delta_rs(&root.store, "journal").await.unwrap();
    let mut rows = Vec::new();
    for path in live_journal_files(&table) {
        let bytes = root.store.get(&path).await.unwrap().bytes().await.unwrap();
        for batch in batches("journal", bytes).unwrap() {
            let batch = batch.unwrap();
            let text = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
            let seq = batch
                .column_by_name("seq")
                .unwrap()
                .as_primitive::<deltalake::arrow::datatypes::Int64Type>();
            let columns = ["before", "after", "salt", "request_hash"].map(&text);
            for at in 0..batch.num_rows() {
                let nulls = [0, 1, 2, 3].map(|column: usize| columns[column].is_null(at));
                rows.push((
                    seq.value(at),
                    text("op").value(at).to_owned(),
                    text("entity").value(at).to_owned(),
                    nulls,
                ));
            }
        }
    }
    rows.sort();
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_user_is_removed_everywhere_and_the_chain_verifies() {
    let (store, root) = lake().await;
    store.fold().await.unwrap();
    let before = store.head().await.unwrap();
    let result = found(&root, &ANA).await;
    assert!(
        ANA.iter().all(|text| result.iter().any(|result| result.starts_with(text))),
        "{result:?}"
    );
    assert!(result.iter().any(|result| result.contains("users/")), "{result:?}");

    // Two earlier rows contained values, and so does the update that removes them from the record.
    assert_eq!(erase(&store, Entity::User, "@ana-souza").await, Erased { rows: 3, files: 3 });
    sound(&root).await;
    let anchor = Anchor { seq: before.seq, chain: before.chain };
    assert_eq!(run_doctor(&root, Some(anchor)).await.findings, []);
    let rows = raw_rows(&root).await;
    let erased: Vec<_> = rows.iter().filter(|(_, _, _, nulls)| nulls[2]).collect();
    assert_eq!(erased.len(), 3, "{rows:?}");
    assert!(
        erased
            .iter()
            .all(|(_, op, entity, nulls)| entity == "user" && op != "erase" && *nulls == [true; 4]),
        "{erased:?}"
    );

    sweep(&root).await;
    assert_eq!(found(&root, &ANA).await, Vec::<String>::new());
    sound(&root).await;
    assert_eq!(run_doctor(&root, Some(anchor)).await.findings, []);
    let now = state(store.as_ref()).await;
    let ana = now.users().find(|user| user.handle.as_str().starts_with("erased-")).unwrap();
    assert_eq!((&ana.name, &ana.email, ana.metadata.0.len()), (&None, &None, 0));
    assert!(
        find::user(&now, "bo").unwrap().name.as_ref().is_some_and(|name| name.as_str() == "Bo")
    );
    assert_eq!(now.users().count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_task_is_rebuilt_from_the_journal_alone() {
    let (store, root) = lake().await;
    let moments = store.head().await.unwrap().seq;
    assert!(!found(&root, &TASK).await.is_empty());
    erase(&store, Entity::Task, "OPS-1").await;
    let expected = records(&state(store.as_ref()).await);
    sweep(&root).await;
    assert_eq!(found(&root, &TASK).await, Vec::<String>::new());
    for name in LakeTables::names().filter(|name| *name != "journal") {
        remove(&root, name).await;
    }
    let fresh = Arc::new(open(&root, clock(), 8).await.unwrap());
    let now = state(fresh.as_ref()).await;
    assert_eq!(records(&now), expected);
    let task = find::task(&now, "PAY-1").unwrap();
    assert_eq!(
        (task.key.to_string().as_str(), task.title.as_str(), task.status.as_str()),
        ("OPS-1", "erased", "review")
    );
    assert!(task.description.is_none() && task.tags.0.is_empty() && task.metadata.0.is_empty());
    assert!(task.assignee_id.is_some(), "the erase of a task must keep its assignee");
    fresh.fold().await.unwrap();
    sound(&root).await;
    let changes = delta_rs(&root.store, "field_changes").await.unwrap();
    assert!(changes.get_file_uris().unwrap().count() > 0, "the status changes must be kept");
    // Every seq of the past can be read, and other values are unchanged.
    for seq in 1..=moments {
        let then = service(&fresh, 9).read(&Scope::All, Some(AsOf::Seq(seq))).await.unwrap();
        let task = then.state.task(task.id);
        assert_eq!(task.is_some(), seq >= 5, "as of {seq}");
        if let Some(task) = task {
            let status =
                ["pending", "pending", "in_progress", "in_progress", "review"][seq as usize - 5];
            assert_eq!(
                (task.title.as_str(), task.status.as_str()),
                ("erased", status),
                "as of {seq}"
            );
            assert_eq!(
                task.key.to_string(),
                if seq < 8 { "PAY-1" } else { "OPS-1" },
                "as of {seq}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_project_keeps_its_key_and_its_tasks() {
    let (store, root) = lake().await;
    let tasks = state(store.as_ref()).await.projects().flat_map(|project| project.tasks()).count();
    erase(&store, Entity::Project, "OPS").await;
    sweep(&root).await;
    assert_eq!(found(&root, &["Operations"]).await, Vec::<String>::new());
    sound(&root).await;
    let now = state(open(&root, clock(), 8).await.as_ref().unwrap()).await;
    assert_eq!(find::project(&now, "OPS").unwrap().1.name.as_str(), "erased");
    assert_eq!(now.projects().flat_map(|project| project.tasks()).count(), tasks);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_of_erased_values_is_refused() {
    let (store, root) = lake().await;
    let rename =
        committed(store.as_ref(), json!([{"op": "update", "entity": "task", "id": "OPS-1", "fields": {"title": "Pay someone"}}]))
            .await;
    let block = committed(
        store.as_ref(),
        json!([{"op": "update", "entity": "task", "id": "OPS-1", "fields": {"status": "blocked"}}]),
    )
    .await;
    erase(&store, Entity::Task, "OPS-1").await;
    let maintainer = service(&store, 3);
    let refused =
        maintainer.undo(Some(rename), &author(&maintainer)).await.unwrap_err().to_string();
    assert!(refused.contains("erased"), "{refused}");
    maintainer.undo(Some(block), &author(&maintainer)).await.unwrap();
    let task = state(store.as_ref()).await;
    let task = find::task(&task, "OPS-1").unwrap();
    assert_eq!((task.status.as_str(), task.title.as_str()), ("review", "erased"));
    let mut past = maintainer.past(&Scope::All).await.unwrap();
    let (mut erased, mut erases) = (0, 0);
    while let Some(set) = past.next().await.unwrap() {
        erased += set.rows.iter().filter(|row| row.is_erased()).count();
        erases += set.rows.iter().filter(|row| row.op.as_str() == "erase").count();
    }
    assert_eq!((erased, erases), (4, 1));
    store.fold().await.unwrap();
    sound(&root).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_erase_changes_nothing() {
    let (store, root) = lake().await;
    let id = find::user(&state(store.as_ref()).await, "ana-souza").unwrap().id.uuid().to_string();
    erase(&store, Entity::User, &id).await;
    let head = store.head().await.unwrap();
    assert!(service(&store, 3).find_erasable(Entity::User, &id).await.unwrap().is_empty());
    let maintainer = service(&store, 3);
    assert!(commit_erase(&maintainer, Entity::User, &id).await.is_none());
    assert_eq!(store.rewrite_erased_files().await.unwrap(), Erased::default());
    assert_eq!(store.head().await.unwrap(), head);
    // Values entered afterwards are new, and stay until they are erased themselves.
    let _ = committed(
        store.as_ref(),
        json!([{"op": "update", "entity": "user", "id": id, "fields": {"name": "Ana again"}}]),
    )
    .await;
    assert_eq!(service(&store, 3).find_erasable(Entity::User, &id).await.unwrap().rows.len(), 1);
    assert_eq!(erase(&store, Entity::User, &id).await.rows, 2);
    sound(&root).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_moved_since_it_was_looked_up_is_erased() {
    let (store, root) = lake().await;
    let service = service(&store, 3);
    let record = service.find_erasable(Entity::Task, "OPS-1").await.unwrap().record;
    let move_back = json!([
        {"op": "move", "entity": "task", "id": "OPS-1", "fields": {"project_id": "PAY"}}
    ]);
    let _ = committed(store.as_ref(), move_back).await;
    assert!(service.erase(record, &author(&service)).await.unwrap().is_some());
    store.rewrite_erased_files().await.unwrap();
    let left = service.find_erasable(Entity::Task, &record.id.to_string()).await.unwrap();
    assert_eq!(left.fields, Vec::<&str>::new());
    sound(&root).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_erase_is_reported_and_finished() {
    let (store, root) = lake().await;
    let id = find::user(&state(store.as_ref()).await, "ana-souza").unwrap().id.uuid().to_string();
    let maintainer = service(&store, 3);
    commit_erase(&maintainer, Entity::User, "@ana-souza").await;
    drop(store);
    let reported = run_doctor(&root, None).await.findings;
    assert_eq!(reported.len(), 3, "{reported:?}");
    assert!(reported.iter().all(|finding| finding.what.contains("still exists")
        && hint_text(&finding.advice).contains("lakeplan erase")));
    let fresh = Arc::new(open(&root, clock(), 8).await.unwrap());
    let left = service(&fresh, 4).find_erasable(Entity::User, &id).await.unwrap();
    assert_eq!((left.rows.len(), left.fields.len()), (3, 0));
    let head = fresh.head().await.unwrap().seq;
    assert_eq!(erase(&fresh, Entity::User, &id).await.rows, 3);
    assert_eq!(fresh.head().await.unwrap().seq, head, "the rows were named already");
    sound(&root).await;
    sweep(&root).await;
    assert_eq!(found(&root, &ANA).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_erases_and_writes_leave_a_healthy_lake() {
    for seed in 0..counts(4, 40) as u64 {
        let (store, root) = lake().await;
        let stores = [
            Arc::new(open(&root, clock(), seed * 2 + 10).await.unwrap()),
            Arc::new(open(&root, clock(), seed * 2 + 11).await.unwrap()),
        ];
        let id =
            find::user(&state(store.as_ref()).await, "ana-souza").unwrap().id.uuid().to_string();
        let erased = [(1, &stores[0]), (2, &stores[1])].map(|(own, other)| {
            let (id, other) = (id.clone(), Arc::clone(other));
            tokio::spawn(async move {
                let maintainer = service(&other, 100 * seed + own);
                commit_erase(&maintainer, Entity::User, &id).await;
                other.rewrite_erased_files().await.unwrap().rows
            })
        });
        for n in 0..10 {
            let _ = committed(store.as_ref(), super::task(&format!("task {n}"))).await;
        }
        let mut rows = 0;
        for erased in erased {
            rows += erased.await.unwrap();
        }
        assert_eq!(rows, 3, "each row must be erased once");
        sound(&root).await;
        sweep(&root).await;
        assert_eq!(found(&root, &ANA).await, Vec::<String>::new());
        // The open writer continues, and so does a new one.
        let _ = committed(store.as_ref(), super::task("after")).await;
        let fresh = open(&root, clock(), 99).await.unwrap();
        assert_eq!(records(&state(&fresh).await), records(&state(store.as_ref()).await));
        store.fold().await.unwrap();
        sound(&root).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_erase_that_loses_its_version_is_retried() {
    let (store, plain) = lake().await;
    let faulty = FaultStore::new(Arc::clone(&plain.store), 1);
    let slow = Arc::new(
        open(&root(Arc::clone(&faulty) as Arc<dyn ObjectStore>), clock(), 8).await.unwrap(),
    );
    let maintainer = service(&slow, 3);
    commit_erase(&maintainer, Entity::User, "@ana-souza").await;
    slow.fold().await.unwrap();
    faulty.plan(Plan::Once { part: "journal/stream", nth: 0, fault: Fault::Slow });
    let erasing = tokio::spawn({
        let slow = Arc::clone(&slow);
        async move { slow.rewrite_erased_files().await.unwrap() }
    });
    // While its first file is being written, another process commits this version.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let _ = committed(store.as_ref(), super::task("in between")).await;
    assert_eq!(erasing.await.unwrap(), Erased { rows: 3, files: 3 });
    assert_eq!(faulty.faults.load(Ordering::SeqCst), 1, "the other commit did not come in between");
    store.fold().await.unwrap();
    sound(&plain).await;
    assert_eq!(records(&state(slow.as_ref()).await), records(&state(store.as_ref()).await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_payload_without_an_erase_is_reported() {
    let (store, root) = lake().await;
    root.skip_check("the payload of a row is removed");
    store.fold().await.unwrap();
    let table = delta_rs(&root.store, "journal").await.unwrap();
    let path = live_journal_files(&table).into_iter().max().unwrap();
    drop(store);
    let bytes = root.store.get(&path).await.unwrap().bytes().await.unwrap();
    let batch = batches("journal", bytes).unwrap().next().unwrap().unwrap();
    let schema = batch.schema();
    let nothing: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>; batch.num_rows()]));
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
        if ["before", "after", "salt", "request_hash"].contains(&field.name().as_str()) {
            Arc::clone(&nothing)
        } else {
            Arc::clone(column)
        }
    });
    let bare = RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap();
    let mut forged = Vec::new();
    let mut writer =
        deltalake::parquet::arrow::ArrowWriter::try_new(&mut forged, schema, None).unwrap();
    writer.write(&bare).unwrap();
    writer.close().unwrap();
    root.store.put(&path, super::forge::keep_checksum(&path, &forged).into()).await.unwrap();
    let findings = run_doctor(&root, None).await.findings;
    assert!(
        findings.iter().any(|finding| finding.place.contains("journal, row")
            && finding.what.contains("no erase names it")),
        "{findings:?}"
    );
    // It cannot be copied either.
    let _ = copy_to_memory(&root, None).await.unwrap_err();
    for name in LakeTables::names().filter(|name| *name != "journal") {
        remove(&root, name).await;
    }
    let opened = match open(&root, clock(), 8).await {
        Ok(store) => store.snapshot(&Scope::All).await.map(drop),
        Err(err) => Err(err),
    };
    assert!(opened.unwrap_err().to_string().contains("no erase names it"));
}

async fn copy_to_memory(
    from: &LakeLocation,
    up_to: Option<AsOf>,
) -> Result<LakeLocation, StoreError> {
    let to = root(Arc::new(InMemory::new()));
    copy(from, &to, up_to, clock().as_ref(), random(4).as_ref()).await.map(|_| to)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_includes_the_erase_or_is_refused() {
    let (store, root) = lake().await;
    let before = store.head().await.unwrap().seq;
    erase(&store, Entity::User, "@ana-souza").await;
    let refused = copy_to_memory(&root, Some(AsOf::Seq(before))).await.unwrap_err();
    assert!(matches!(refused, StoreError::ErasedSince { .. }), "{refused}");
    let to = copy_to_memory(&root, None).await.unwrap();
    let copied = open(&to, clock(), 5).await.unwrap();
    copied.fold().await.unwrap();
    sound(&to).await;
    assert_eq!(records(&state(&copied).await), records(&state(store.as_ref()).await));
    assert_eq!(copied.head().await.unwrap().chain, store.head().await.unwrap().chain);
    assert_eq!(found(&to, &ANA).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erase_patch_is_refused() {
    let (store, _) = lake().await;
    let request = crate::support::request(
        json!({"patches": [{"op": "erase", "entity": "user", "id": "@bo", "fields": {"rows": []}}]}),
    );
    let maintainer = service(&store, 3);
    let refused = maintainer.change(&request, &author(&maintainer)).await;
    assert!(matches!(refused, Err(ServiceError::Refused(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erases_at_random_times_match_a_replay() {
    let mut erased = 0;
    for seed in 0..counts(8, 80) as u64 {
        let (first, root) = delta_in_memory().await;
        make_project(first.as_ref()).await;
        let stores = [first, Arc::new(open(&root, clock(), seed + 1000).await.unwrap())];
        let mut rng = StdRng::seed_from_u64(seed);
        for _ in 0..40 {
            let store = &stores[rng.random_range(0..2)];
            let now = state(store.as_ref()).await;
            match rng.random_range(0..10) {
                0..7 => {
                    if let Ok(set) = patch_set(&now, random_patches(&now, &mut rng)) {
                        let _ = store.commit(vec![set]).await;
                    }
                }
                7 => drop(store.fold().await.unwrap()),
                8 => drop(store.maintain(Retention::default()).await.unwrap()),
                _ => {
                    let tasks: Vec<_> = now
                        .projects()
                        .flat_map(|project| project.tasks())
                        .map(|task| task.id.uuid().to_string())
                        .collect();
                    if tasks.is_empty() {
                        continue;
                    }
                    erased += erase(store, Entity::Task, &tasks[rng.random_range(0..tasks.len())])
                        .await
                        .rows;
                }
            }
        }
        let head = stores[1].head().await.unwrap().seq;
        let expected = records(&state(stores[0].as_ref()).await);
        assert_eq!(records(&state(stores[1].as_ref()).await), expected, "seed {seed}");
        for seq in 1..=head {
            service(&stores[1], seed).read(&Scope::All, Some(AsOf::Seq(seq))).await.unwrap();
        }
        stores[0].fold().await.unwrap();
        sound(&root).await;
        for name in LakeTables::names().filter(|name| *name != "journal") {
            remove(&root, name).await;
        }
        let fresh = open(&root, clock(), seed + 2000).await.unwrap();
        assert_eq!(records(&state(&fresh).await), expected, "seed {seed}");
        fresh.fold().await.unwrap();
        sound(&root).await;
    }
    assert!(erased > 20, "only {erased} rows were erased, which is too few for the test");
}
