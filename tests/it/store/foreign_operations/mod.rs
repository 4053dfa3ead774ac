//! Every operation of delta-rs on every table of a small lake: the lake continues to work, its
//! journal keeps its content, and following the advice of `doctor` repairs it.

mod operations;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::{FutureExt, TryStreamExt};
use lakeplan::analytics::{Session, VIEWS};
use lakeplan::cli::hint::hint_text;
use lakeplan::domain::state::ProjectState;
use lakeplan::store::backup::copy;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::doctor::{Checkup, Extent, Finding, examine_to};
use lakeplan::store::event_tables::{AGENT_LOGS, INBOX_RESULTS, RUNS};
use lakeplan::store::tables::FoldedTable;
use lakeplan::store::{Format, LakeTables, Outcome, Retention, Store, StoreError};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::json;

use super::doctor::files;
use super::folding::{in_tables, records};
use super::{
    commit, committed, delta_in_memory, delta_rs, make_project, open, root, set, state, task,
};
use crate::support::{Selection, clock, full, noon, random};
use operations::{CASES, Operation};

type Records = BTreeMap<String, String>;

/// Creates a lake with rows in every table, checkpoints, and an unfolded tail.
pub async fn small_lake() -> LakeLocation {
    let (store, root) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    let user = json!([{"op": "create", "entity": "user", "fields": {"handle": "ana"}}]);
    let _ = committed(store.as_ref(), user).await;
    let stated = json!([
        {"op": "create", "entity": "requirement", "id": "$r", "fields": {"project_id": "PAY", "label": "R1", "text": "It works"}},
        {"op": "create", "entity": "task", "id": "$t", "fields": {"project_id": "PAY", "title": "stated"}},
        {"op": "create", "entity": "task", "id": "$u", "fields": {"project_id": "PAY", "title": "later"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "$u", "to_id": "$t"}},
        {"op": "link", "entity": "task_requirement", "fields": {"task_id": "$t", "requirement_id": "$r"}},
    ]);
    let _ = committed(store.as_ref(), stated).await;
    for number in 0..20 {
        let _ = committed(store.as_ref(), task(&format!("task {number}"))).await;
        if number % 5 == 0 {
            store.fold().await.unwrap();
        }
    }
    let change = json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"status": "in_progress"}}]);
    let _ = committed(store.as_ref(), change).await;
    for id in ["a", "b", "c"] {
        let run = json!({
            "run_id": id, "started_at": "2026-09-21T12:00:00Z", "duration_ms": 1, "command": "task", "actor": "ana", "seq": 1,
            "version": "0.1.0",
        });
        let log = json!({
            "run_id": id, "at": "2026-09-21T12:00:00Z", "agent": "planner", "model": "outline", "actor": "ana", "seq": 2,
            "duration_ms": 7, "phases": 1, "tasks": 2, "subtasks": 0, "links": 0, "requirements": 2, "problems": 0, "skipped": 0,
            "skipped_parts": "[]",
        });
        let answer = json!({
            "request_id": id, "at": "2026-09-21T12:00:00Z", "outcome": "applied", "seq": 3,
            "patch_set_id": "0199b2a0-0000-7000-8000-000000000000", "request_hash": "",
        });
        for (table, row) in [(&RUNS, run), (&AGENT_LOGS, log), (&INBOX_RESULTS, answer)] {
            store.append(table, vec![row.as_object().cloned().unwrap()]).await.unwrap();
        }
    }
    store.fold().await.unwrap();
    let _ = committed(store.as_ref(), task("not folded")).await;
    let finished = store.finished();
    drop(store);
    finished.await;
    root.unchecked("the tests damage copies of the lake")
}

/// Copies the lake to its own location.
pub async fn fork(of: &LakeLocation) -> LakeLocation {
    let fork = InMemory::new();
    let listed: Vec<_> = of.store.list(None).try_collect().await.unwrap();
    for meta in listed {
        let bytes = of.store.get(&meta.location).await.unwrap().bytes().await.unwrap();
        fork.put(&meta.location, bytes.into()).await.unwrap();
    }
    root(Arc::new(fork))
}

pub async fn run_doctor_full(root: &LakeLocation) -> Result<Checkup, StoreError> {
    let extent = Extent { is_full: true, ..Extent::usual(None) };
    examine_to(&root.store, "lake", &Format::default(), extent).await
}

/// Copies a lake like a backup.
pub async fn backup(of: &LakeLocation) -> Result<LakeLocation, StoreError> {
    let to = root(Arc::new(InMemory::new()));
    copy(of, &to, None, clock().as_ref(), random(5).as_ref()).await?;
    let store = open(&to, clock(), 6).await?;
    store.fold().await?;
    store.shutdown().await;
    Ok(to)
}

/// Numbers the processes that follow advice.
static PROCESSES: AtomicU64 = AtomicU64::new(1000);

/// Follows an advice literally. Returns the lake to continue with.
pub async fn follow_advice(
    lake: LakeLocation,
    advice: &str,
    place: &str,
    earlier: &LakeLocation,
) -> LakeLocation {
    let table = place.split(['/', ',']).next().unwrap();
    // Each step is a separate process, so its names differ from those of the step before.
    let seed = || PROCESSES.fetch_add(1, Ordering::Relaxed);
    let store = || async {
        open(&lake, clock(), seed()).await.unwrap_or_else(|err| panic!("{advice}: {err}"))
    };
    if advice.contains("from a backup") {
        return backup(earlier).await.unwrap();
    } else if advice.contains("lakeplan fold --rebuild") {
        let store = store().await;
        store.rebuild(FoldedTable::at(table)).await.unwrap();
        store.fold().await.unwrap();
        store.shutdown().await;
    } else if advice.contains("lakeplan fold") {
        let store = store().await;
        store.fold().await.unwrap();
        store.shutdown().await;
    } else if advice.contains("lakeplan maintain") {
        let store = store().await;
        store.maintain(Retention::default()).await.unwrap();
        store.shutdown().await;
    } else if advice.contains("move the entries of the log up to its version out of the folder") {
        let version = |path: &str| path.rsplit('/').next()?.get(..20)?.parse::<u64>().ok();
        let last = version(place).unwrap();
        for path in files(&lake, &format!("{table}/_delta_log"), ".json").await {
            if version(path.as_ref()).is_some_and(|version| version <= last) {
                lake.store.delete(&path).await.unwrap();
            }
        }
    } else if advice.contains("move this file out of the folder") {
        lake.store.delete(&Path::from(place)).await.unwrap();
    } else if advice.contains("remove this file") {
        lake.store.delete(&Path::from(place)).await.unwrap();
        let _ =
            lake.store.delete(&Path::from(format!("{table}/_delta_log/_last_checkpoint"))).await;
    } else if advice.contains("lakeplan backup") {
        return backup(&lake).await.unwrap();
    } else {
        panic!("{place}: unknown advice {advice:?}");
    }
    lake
}

async fn keys(store: &DeltaStore) -> Vec<String> {
    let state = state(store).await;
    let mut keys: Vec<String> =
        state.projects().flat_map(ProjectState::tasks).map(|task| task.key.to_string()).collect();
    keys.sort();
    let all = keys.len();
    keys.dedup();
    assert_eq!(keys.len(), all, "a key was assigned twice: {keys:?}");
    keys
}

/// Asserts that every view can be queried, except the one over an inbox with an unsupported
/// feature.
async fn views(store: &DeltaStore, table: &str, operations: &[Operation]) {
    let session = Session::open(&store.tables(), noon()).await.unwrap();
    for view in VIEWS {
        let counted = session.query(&format!("SELECT count(*) FROM {}", view.name)).await;
        let Err(err) = counted else { continue };
        assert!(is_unread(view.name, table, operations), "{}: {err}", view.name);
    }
}

fn is_unread(view: &str, table: &str, operations: &[Operation]) -> bool {
    let has_feature = operations.iter().any(|operation| matches!(operation, Operation::Feature(_)));
    view == "requests" && table == "inbox" && has_feature
}

/// Result of a case.
#[derive(Debug, PartialEq, Eq)]
enum CaseResult {
    /// delta-rs cannot run the operation on this table.
    Refused,
    Continued,
    /// Work continued in a copy or a backup of the lake.
    Copied,
    Restored,
}

async fn check_recovery(
    before: &LakeLocation,
    expected: &Records,
    table: &str,
    operations: &[Operation],
    has_views: bool,
) -> CaseResult {
    let mut lake = fork(before).await;
    for operation in operations {
        match operations::operation(&lake, table, *operation).await {
            Some(Ok(())) => {}
            _ => return CaseResult::Refused,
        }
    }
    let mut case_result = CaseResult::Continued;
    let is_foreign = |finding: &Finding| !finding.place.starts_with(table);
    let found = run_doctor_full(&lake).await.unwrap().findings;
    assert!(!found.iter().any(is_foreign), "doctor reports another table: {found:?}");
    let loses =
        operations.contains(&Operation::VacuumAll) || operations.contains(&Operation::LoseEntries);
    let gives_up =
        found.iter().find(|finding| hint_text(&finding.advice).contains("from a backup"));
    assert!(
        loses || gives_up.is_none(),
        "nothing is lost, but doctor asks for a backup: {gives_up:?}"
    );
    // An unreadable lake reports an error, and only the backup is left.
    if let Err(err) = try_reading(&lake, expected).await {
        assert!(
            found.iter().any(|finding| hint_text(&finding.advice).contains("backup")),
            "{err}, but doctor finds {found:?}"
        );
        (lake, case_result) = (backup(before).await.unwrap(), CaseResult::Restored);
    }
    let store = open(&lake, clock(), 7).await.unwrap();
    if has_views {
        views_where_readable(&store, &found, table, operations).await;
    }
    let known = keys(&store).await;
    let mut outcome = commit(&store, set(&store, task("after")).await).await;
    if let Outcome::NotWritten { cause } = &outcome {
        let hint = cause.hint().unwrap_or_else(|| panic!("{cause} without a hint"));
        let advice = if matches!(cause, StoreError::Features { .. }) {
            hint_text(&hint).into_owned()
        } else {
            advice_with(&found, "backup")
        };
        case_result = if advice.contains("lakeplan backup") {
            CaseResult::Copied
        } else {
            CaseResult::Restored
        };
        store.shutdown().await;
        lake = follow_advice(lake, &advice, "journal", before).await;
        let store = open(&lake, clock(), 9).await.unwrap();
        outcome = commit(&store, set(&store, task("after")).await).await;
        assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
        store.shutdown().await;
    } else {
        store.shutdown().await;
    }
    let Outcome::Committed { seq, .. } = outcome else { panic!("{outcome:?}") };
    let store = open(&lake, clock(), 10).await.unwrap();
    assert_eq!(keys(&store).await.len(), known.len() + 1);
    assert_eq!(seq, store.head().await.unwrap().seq);
    let after = records(state(&store).await.records());
    assert!(
        expected
            .iter()
            .all(|(slot, record)| after.get(slot) == Some(record) || slot.contains("Project")),
        "a record is lost"
    );
    store.shutdown().await;
    for _ in 0..4 {
        let Some(finding) = run_doctor_full(&lake).await.unwrap().findings.into_iter().next()
        else {
            break;
        };
        lake = follow_advice(lake, &hint_text(&finding.advice), &finding.place, before).await;
    }
    let store = open(&lake, clock(), 11).await.unwrap();
    store.fold().await.unwrap();
    store.maintain(Retention::default()).await.unwrap();
    assert_eq!(records(state(&store).await.records()), after, "after following the advice");
    if has_views {
        views(&store, table, operations).await;
    }
    store.shutdown().await;
    assert_eq!(in_tables(&lake).await, after, "in the tables");
    assert_eq!(run_doctor_full(&lake).await.unwrap().findings, [], "after maintenance");
    let copied = backup(&lake).await.unwrap();
    assert_eq!(
        records(state(&open(&copied, clock(), 12).await.unwrap()).await.records()),
        after,
        "in a backup"
    );
    assert_delta_rs_agrees(&lake).await;
    case_result
}

fn advice_with(found: &[Finding], word: &str) -> String {
    let finding = found.iter().find(|finding| hint_text(&finding.advice).contains(word));
    let finding = finding.unwrap_or_else(|| panic!("no advice with {word}: {found:?}"));
    hint_text(&finding.advice).into_owned()
}

/// Asserts that the lake has the same records as before.
async fn try_reading(lake: &LakeLocation, expected: &Records) -> Result<(), StoreError> {
    let store = open(lake, clock(), 7).await?;
    let found = store.snapshot(&lakeplan::store::Scope::All).await?.state;
    assert_eq!(&records(found.records()), expected, "the records of the lake have changed");
    store.shutdown().await;
    Ok(())
}

/// Asserts that every view can be queried, unless `doctor` reports a table with a feature. A view
/// over a table with lost files fails until maintenance; the one over an inbox with a feature does
/// not exist.
async fn views_where_readable(
    store: &DeltaStore,
    found: &[Finding],
    table: &str,
    operations: &[Operation],
) {
    if found.iter().any(|finding| {
        finding.what.contains("feature") || hint_text(&finding.advice).contains("from a backup")
    }) {
        return;
    }
    store.fold().await.unwrap();
    let session = Session::open(&store.tables(), noon()).await.unwrap();
    for view in VIEWS {
        let counted = session.query(&format!("SELECT count(*) FROM {}", view.name)).await;
        let Err(err) = counted else { continue };
        let is_lost = err.to_string() == format!("the table {table} cannot be read")
            && found.iter().any(|finding| finding.what.contains("missing"));
        assert!(
            is_lost || is_unread(view.name, table, operations),
            "{}: {err}; {found:?}",
            view.name
        );
    }
}

/// Asserts that delta-rs reads the same files from each log as Lakeplan.
async fn assert_delta_rs_agrees(lake: &LakeLocation) {
    let tables = store_tables(lake).await;
    for name in LakeTables::own() {
        let Some(theirs) = delta_rs(&lake.store, name).await else { continue };
        let mut paths: Vec<String> = theirs
            .get_file_uris()
            .unwrap()
            .map(|uri| uri.rsplit(&format!("{name}/")).next().unwrap().to_owned())
            .collect();
        let mut ours: Vec<String> =
            tables.files(name).await.unwrap().unwrap().into_iter().map(|file| file.path).collect();
        paths.sort();
        ours.sort();
        assert_eq!(paths, ours, "{name}: other engines read other files");
    }
}

async fn store_tables(lake: &LakeLocation) -> LakeTables {
    let store = open(lake, clock(), 13).await.unwrap();
    let tables = store.tables();
    store.shutdown().await;
    tables
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lake_survives_every_foreign_operation_on_every_table() {
    let before = small_lake().await;
    let store = open(&before, clock(), 7).await.unwrap();
    let expected = records(state(&store).await.records());
    store.shutdown().await;
    let mut selection = Selection::from_variable("LAKEPLAN_TEST_OPERATIONS");
    let (mut failed, mut counts) = (Vec::new(), BTreeMap::<String, usize>::new());
    for table in LakeTables::names() {
        for (number, operations) in CASES.iter().enumerate() {
            let name = format!("{table} {operations:?}");
            if !selection.is_set() && !is_due(table, number) || !selection.includes(&name) {
                continue;
            }
            if selection.is_set() {
                eprintln!("{name}");
            }
            // Planning all views takes longer than the rest of the case.
            let has_views = full() || (table.len() + number).is_multiple_of(12);
            let lived = std::panic::AssertUnwindSafe(check_recovery(
                &before, &expected, table, operations, has_views,
            ))
            .catch_unwind()
            .await;
            match lived {
                Ok(case_result) => *counts.entry(format!("{case_result:?}")).or_default() += 1,
                Err(panic) => {
                    let text = panic.downcast_ref::<String>().cloned();
                    let text = text
                        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                    failed.push(format!("{name}: {}", text.unwrap_or_default()));
                }
            }
        }
    }
    eprintln!("operations of another engine on a table: {counts:?}");
    selection.assert_matched();
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}

/// Returns whether to run a case: every case on the journal and some on each other table, or all of
/// them with the full counts.
fn is_due(table: &str, case: usize) -> bool {
    full() || table == "journal" || (table.len() * 5 + case).is_multiple_of(12)
}
