//! Every file of a small lake is removed, truncated, changed in one byte, or replaced by another
//! file. Damaged data is never trusted, `doctor` reports exactly the damage, and its advice repairs
//! the lake.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

use futures::{FutureExt, TryStreamExt};
use lakeplan::analytics::Session;
use lakeplan::cli::hint::hint_text;
use lakeplan::domain::state::ProjectState;
use lakeplan::store::delta::LakeLocation;
use lakeplan::store::doctor::{Anchor, Extent, examine_to};
use lakeplan::store::tables::read::batches;
use lakeplan::store::{Format, LakeTables, Outcome, Retention, Scope, Store, StoreError};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::doctor::files;
use super::folding::{in_tables, records};
use super::foreign_operations::{backup, follow_advice, fork, run_doctor_full, small_lake};
use super::{commit, open, set, state, task};
use crate::support::{Selection, clock, counts, full, noon};

/// Damage to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    Removed,
    Emptied,
    Halved,
    /// Without the last byte.
    Cut,
    /// One bit is flipped, at a position given in thousandths.
    Flipped(usize, u8),
    /// Replaced by the content of a file of the same kind.
    Replaced,
}

async fn damage_file(lake: &LakeLocation, path: &Path, damage: Damage, all: &[Path]) -> bool {
    let bytes = lake.store.get(path).await.unwrap().bytes().await.unwrap().to_vec();
    let cut = |end: usize| bytes[..end].to_vec();
    let now = match damage {
        Damage::Removed => {
            lake.store.delete(path).await.unwrap();
            return true;
        }
        Damage::Emptied => Vec::new(),
        Damage::Halved => cut(bytes.len() / 2),
        Damage::Cut => cut(bytes.len().saturating_sub(1)),
        Damage::Flipped(part, bit) => {
            let mut bytes = bytes.clone();
            let at = (bytes.len().saturating_sub(1)) * part / 1000;
            let Some(byte) = bytes.get_mut(at) else { return false };
            *byte ^= 1 << bit;
            bytes
        }
        Damage::Replaced => {
            let Some(other) = all.iter().find(|other| *other != path && kind(other) == kind(path))
            else {
                return false;
            };
            lake.store.get(other).await.unwrap().bytes().await.unwrap().to_vec()
        }
    };
    let is_another = now != bytes;
    lake.store.put(path, now.into()).await.unwrap();
    is_another
}

/// Returns the table of a file, its extension, and whether it is in the log.
fn kind(path: &Path) -> (String, Option<String>, bool) {
    let text = path.to_string();
    (
        text.split('/').next().unwrap_or_default().to_owned(),
        path.extension().map(str::to_owned),
        text.contains("_delta_log"),
    )
}

/// Chooses some cases for every kind of file. They use the newest file of the kind, because the
/// table depends on it.
fn sample_cases<'p>(all: &'p [Path], random: &mut StdRng) -> Vec<(&'p Path, Damage)> {
    let mut newest: BTreeMap<_, &Path> = BTreeMap::new();
    for path in all {
        let chosen = newest.entry(kind(path)).or_insert(path);
        if path.filename() > chosen.filename() {
            *chosen = path;
        }
    }
    let mut cases = Vec::new();
    for ((_, _, is_log), path) in newest {
        let flipped = Damage::Flipped(random.random_range(0..=1000), random.random_range(0..8));
        let other = [Damage::Removed, Damage::Emptied, Damage::Halved, Damage::Cut, flipped];
        // A data file in the place of another is valid by itself, which is the hardest damage to
        // notice.
        let first = if is_log { flipped } else { Damage::Replaced };
        cases.extend([(path, first), (path, other[random.random_range(0..other.len())])]);
    }
    cases
}

/// Result of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum CaseResult {
    Nothing,
    /// The file is not needed any more, or the lake repairs itself.
    Harmless,
    Advised,
    Restored,
    /// As if the last change had never been made, which only an anchor reveals.
    WithoutItsEnd,
}

struct Before {
    lake: LakeLocation,
    records: BTreeMap<String, String>,
    anchor: Anchor,
}

async fn read(lake: &LakeLocation) -> Result<(BTreeMap<String, String>, u64), StoreError> {
    let store = open(lake, clock(), 7).await?;
    let found = store.snapshot(&Scope::All).await?;
    store.shutdown().await;
    Ok((records(found.state.records()), found.seq))
}

async fn check_recovery(before: &Before, all: &[Path], path: &Path, damage: Damage) -> CaseResult {
    let mut lake = fork(&before.lake).await;
    if !damage_file(&lake, path, damage, all).await {
        return CaseResult::Nothing;
    }
    let table = path.as_ref().split('/').next().unwrap().to_owned();
    let found = run_doctor_full(&lake).await.map(|checkup| checkup.findings);
    let found = found.unwrap_or_else(|err| {
        if damage == Damage::Removed { Vec::new() } else { panic!("doctor fails: {err}") }
    });
    let elsewhere = found.iter().find(|finding| !finding.place.starts_with(&table));
    assert_eq!(elsewhere, None, "doctor reports another table");
    assert!(found.iter().all(|finding| !hint_text(&finding.advice).is_empty()));
    let mut case_result = if found.is_empty() { CaseResult::Harmless } else { CaseResult::Advised };
    match read(&lake).await {
        Ok((now, seq)) if now != before.records => {
            let extent = Extent { is_full: true, ..Extent::usual(Some(before.anchor)) };
            let anchored =
                examine_to(&lake.store, "lake", &Format::default(), extent).await.unwrap();
            assert!(
                seq < before.anchor.seq,
                "{} records of {}: wrong data is trusted",
                now.len(),
                before.records.len()
            );
            assert!(!anchored.findings.is_empty(), "the anchor does not reveal the lost end");
            return CaseResult::WithoutItsEnd;
        }
        Ok(_) => {}
        Err(err) => {
            let err: StoreError = err;
            assert!(err.hint().is_some(), "{err} without a hint");
            assert!(!found.is_empty(), "{err}, but doctor finds nothing");
        }
    }
    // A change is committed, or refused with a hint; a key is never assigned twice.
    let mut count = before.records.len();
    if let Ok(store) = open(&lake, clock(), 9).await {
        let outcome = match store.snapshot(&Scope::All).await {
            Ok(_) => Some(commit(&store, set(&store, task("after")).await).await),
            Err(_) => None,
        };
        match outcome {
            Some(Outcome::Committed { .. }) => count += 1,
            Some(Outcome::NotWritten { cause }) => {
                assert!(cause.hint().is_some(), "{cause} without a hint")
            }
            None => {}
            Some(other) => panic!("{other:?}"),
        }
        store.shutdown().await;
    }
    for _ in 0..6 {
        let Ok(checkup) = run_doctor_full(&lake).await else { break };
        let Some(finding) = checkup.findings.into_iter().next() else { break };
        if hint_text(&finding.advice).contains("from a backup") {
            (lake, case_result, count) =
                (backup(&before.lake).await.unwrap(), CaseResult::Restored, before.records.len());
        } else {
            lake = follow_advice(lake, &hint_text(&finding.advice), &finding.place, &before.lake)
                .await;
        }
    }
    let left = run_doctor_full(&lake).await.map(|checkup| checkup.findings);
    assert!(matches!(&left, Ok(left) if left.is_empty()), "after following the advice: {left:?}");
    let store = open(&lake, clock(), 10).await.unwrap();
    store.fold().await.unwrap();
    store.maintain(Retention::default()).await.unwrap();
    let now = state(&store).await;
    let keys: Vec<String> =
        now.projects().flat_map(ProjectState::tasks).map(|task| task.key.to_string()).collect();
    assert_eq!(
        keys.iter().collect::<std::collections::BTreeSet<_>>().len(),
        keys.len(),
        "a key was assigned twice"
    );
    let now = records(now.records());
    assert_eq!(now.len(), count, "after following the advice");
    let same = |(slot, record): (&String, &String)| {
        now.get(slot) == Some(record) || slot.contains("Project")
    };
    assert!(before.records.iter().all(same), "a record has changed");
    store.shutdown().await;
    assert_eq!(in_tables(&lake).await, now, "in the tables");
    case_result
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_to_any_file_is_reported_and_repaired() {
    let lake = small_lake().await;
    let checkup = run_doctor_full(&lake).await.unwrap();
    assert_eq!(checkup.findings, []);
    let (records, _) = read(&lake).await.unwrap();
    let anchor = Anchor { seq: checkup.sets, chain: checkup.chain };
    let before = Before { lake, records, anchor };
    let listed: Vec<_> = before.lake.store.list(None).try_collect().await.unwrap();
    let mut all: Vec<Path> = listed.into_iter().map(|meta| meta.location).collect();
    all.retain(|path| {
        LakeTables::names().any(|name| path.as_ref().starts_with(&format!("{name}/")))
    });
    all.sort();
    let mut random = StdRng::seed_from_u64(7);
    let mut cases = Vec::new();
    for path in &all {
        for damage in
            [Damage::Removed, Damage::Emptied, Damage::Halved, Damage::Cut, Damage::Replaced]
        {
            cases.push((path, damage));
        }
        for _ in 0..8 {
            cases.push((
                path,
                Damage::Flipped(random.random_range(0..=1000), random.random_range(0..8)),
            ));
        }
    }
    if !full() {
        cases = sample_cases(&all, &mut random);
    }
    let mut selection = Selection::from_variable("LAKEPLAN_TEST_DAMAGE");
    let (mut failed, mut results) = (Vec::new(), BTreeMap::<CaseResult, usize>::new());
    for (path, damage) in cases {
        let name = format!("{path} {damage:?}");
        if !selection.includes(&name) {
            continue;
        }
        match AssertUnwindSafe(check_recovery(&before, &all, path, damage)).catch_unwind().await {
            Ok(how) => *results.entry(how).or_default() += 1,
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text =
                    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                failed.push(format!("{name}: {}", text.unwrap_or_default()));
            }
        }
    }
    eprintln!("damage to the {} files of a lake: {results:?}", all.len());
    selection.assert_matched();
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}

/// Neither the Parquet reader, which gets files whose names have no checksum, nor the SQL engine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_byte_never_panics_the_reader() {
    let lake = small_lake().await;
    let path = files(&lake, "tasks", ".parquet").await.pop().unwrap();
    let intact = lake.store.get(&path).await.unwrap().bytes().await.unwrap();
    let mut random = StdRng::seed_from_u64(11);
    let (mut refused, mut unanswered) = (0, 0);
    let store = open(&lake, clock(), 7).await.unwrap();
    for number in 0..counts(400, 20_000) {
        let mut bytes = intact.to_vec();
        // Most misread bytes are in the footer and the page headers.
        let at = if number % 2 == 0 {
            random.random_range(bytes.len() * 3 / 4..bytes.len())
        } else {
            random.random_range(0..bytes.len())
        };
        bytes[at] ^= 1 << random.random_range(0..8);
        let read = batches("tasks", bytes.clone().into())
            .and_then(|batches| batches.collect::<Result<Vec<_>, _>>());
        refused += usize::from(read.is_err());
        if number % 20 == 0 {
            lake.store.put(&path, bytes.into()).await.unwrap();
            let session = Session::open(&store.tables(), noon()).await.unwrap();
            unanswered += usize::from(session.query("SELECT * FROM tasks").await.is_err());
        }
    }
    eprintln!(
        "flipped bytes that a reader refused: {refused}, that an engine refused: {unanswered}"
    );
    assert!(refused > 0 && unanswered > 0);
}
