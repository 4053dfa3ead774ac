//! Every storage call of a commit, a fold, a compaction, a checkpoint and a vacuum, with every
//! fault.
//!
//! The calls are not listed here. Each operation is observed once on healthy storage, and its calls
//! are then made to fail, one call per run. Another process works concurrently from the moment of
//! the fault.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lakeplan::domain::patch::PatchSet;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::{Format, Outcome, Retention, Store};
use object_store::ObjectStore;

use super::agreement::assert_tables_agree;
use super::ambiguous_storage::journal;
use super::calls::{Call, Failpoint, Kind, Verb};
use super::fault::{Fault, FaultStore};
use super::folding::{in_tables, records};
use super::history::{History, HistoryCopy, late_clock, patches_for_every_table, rows};
use super::{commit, open, root, task};
use crate::support::{clock, counts, full, patch_set, random};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Operation {
    Commit,
    Fold,
    /// A commit and a fold that each reach the version at which a checkpoint is written.
    Checkpoint,
    /// Compaction of the journal, checkpoints, and vacuum.
    Maintain,
}

const PUTS: [Fault; 9] = [
    Fault::FailBefore,
    Fault::FailAfter,
    Fault::LandLate,
    Fault::FalseConflict,
    Fault::Precondition,
    Fault::Throttle,
    Fault::Full,
    Fault::DieBefore,
    Fault::DieAfter,
];
const DELETES: [Fault; 6] = [
    Fault::FailBefore,
    Fault::FailAfter,
    Fault::LandLate,
    Fault::FalseConflict,
    Fault::DieBefore,
    Fault::DieAfter,
];
const READS: [Fault; 2] = [Fault::FailBefore, Fault::DieBefore];

fn faults_of(verb: Verb) -> &'static [Fault] {
    match verb {
        Verb::Put => &PUTS,
        Verb::Delete => &DELETES,
        Verb::Get | Verb::List => &READS,
    }
}

fn location(storage: &Arc<FaultStore>) -> LakeLocation {
    root(Arc::clone(storage) as Arc<dyn ObjectStore>)
}

/// Opens the process that meets the fault.
async fn process(operation: Operation, storage: &Arc<FaultStore>, seed: u64) -> DeltaStore {
    let store = match operation {
        Operation::Maintain => {
            DeltaStore::open(&location(storage), Format::default(), late_clock(), random(seed))
                .await
        }
        _ => open(&location(storage), clock(), seed).await,
    };
    let _ = storage.calls.seen();
    store.unwrap()
}

/// Runs the operation. Returns the store if it is still open, and the outcome of the set if one was
/// to be committed.
async fn operate(
    operation: Operation,
    store: DeltaStore,
    set: &PatchSet,
) -> (Option<DeltaStore>, Option<Outcome>) {
    match operation {
        Operation::Commit => {
            let result = commit(&store, set.clone()).await;
            (Some(store), Some(result))
        }
        Operation::Checkpoint => {
            let result = commit(&store, set.clone()).await;
            store.shutdown().await;
            (None, Some(result))
        }
        // The next process repeats a failed fold.
        Operation::Fold => {
            let _ = store.fold().await;
            (Some(store), None)
        }
        Operation::Maintain => {
            let _ = store.maintain(Retention::default()).await;
            // The lifetime of the set's id has passed on this clock.
            (None, None)
        }
    }
}

/// Returns the failpoints of an operation. Puts are identified by their table and, for log entries,
/// by their number; other calls only by whether they concern the journal or a table. The seed
/// selects one of several similar calls.
async fn failpoints(
    operation: Operation,
    history: &History,
    set: &PatchSet,
    seed: u64,
) -> Vec<(String, Failpoint)> {
    let copied = history.copy();
    let storage = copied.storage(seed);
    let store = process(operation, &storage, seed).await;
    let _ = operate(operation, store, set).await;
    let mut counts_by_call: BTreeMap<Call, usize> = BTreeMap::new();
    let mut assert_delta_rs_agrees: BTreeMap<String, Vec<(Call, usize)>> = BTreeMap::new();
    for (verb, path) in storage.calls.seen() {
        let call = Call::of(verb, &path);
        // The other calls belong to the commit and the fold, which are tested separately.
        if operation == Operation::Checkpoint
            && !matches!(call.kind, Kind::Checkpoint | Kind::Hint | Kind::Folder)
        {
            continue;
        }
        let nth = counts_by_call.entry(call.clone()).or_default();
        let is_specific =
            call.table == "journal" || (verb == Verb::Put && operation != Operation::Maintain);
        let table = if is_specific { call.table.as_str() } else { "a table" };
        let turn = if verb == Verb::Put && call.kind == Kind::Entry {
            format!(" {nth}")
        } else {
            String::new()
        };
        let name = format!("{operation:?}: {verb:?} {:?} of {table}{turn}", call.kind);
        assert_delta_rs_agrees.entry(name).or_default().push((call, *nth));
        *nth += 1;
    }
    let mut failpoints = Vec::new();
    for (name, calls) in assert_delta_rs_agrees {
        let (call, nth) = calls[seed as usize * 7 % calls.len()].clone();
        for fault in faults_of(call.verb) {
            failpoints.push((
                format!("{name}, {fault:?}"),
                Failpoint { call: call.clone(), nth, fault: *fault },
            ));
        }
    }
    failpoints
}

/// Runs one operation with one fault, and checks all guarantees afterwards.
async fn run(
    operation: Operation,
    name: &str,
    failpoint: Failpoint,
    history: &History,
    set: &PatchSet,
    seed: u64,
) {
    let at = format!("seed {seed}, {name}");
    let is_killed = matches!(failpoint.fault, Fault::DieBefore | Fault::DieAfter);
    let copied = history.copy();
    let (failing, healthy) = (copied.storage(seed), copied.storage(seed));
    let store = process(operation, &failing, seed).await;
    let rival = open(&location(&healthy), clock(), seed + 100).await.unwrap();
    let other = patch_set(&history.model, task("another's")).unwrap();
    failing.calls.set_failpoint(failpoint);
    let operated = async {
        let (store, result) = operate(operation, store, set).await;
        let has_fired = failing.calls.release();
        // A process that only folded continues with a commit, which records how far it believes the
        // tables are folded.
        match (store, result) {
            (Some(store), None) => (Some(commit(&store, set.clone()).await), has_fired),
            (_, result) => (result, has_fired),
        }
    };
    let concurrent = async {
        failing.calls.fired().await;
        let result = commit(&rival, other.clone()).await;
        assert!(
            matches!(result, Outcome::Committed { .. }),
            "{at}: another process got {result:?}"
        );
        rival
            .fold()
            .await
            .unwrap_or_else(|err| panic!("{at}: another process could not fold: {err:?}"));
    };
    let ((result, has_fired), ()) = futures::join!(operated, concurrent);
    assert!(has_fired, "{at}: the fault did not happen");
    if operation == Operation::Maintain {
        let next = DeltaStore::open(
            &location(&healthy),
            Format::default(),
            late_clock(),
            random(seed + 200),
        )
        .await
        .unwrap();
        next.maintain(Retention::default())
            .await
            .unwrap_or_else(|err| panic!("{at}: the next maintenance fails: {err:?}"));
    }
    failing.calls.land(healthy.as_ref()).await;
    // A killed process has acknowledged nothing.
    let result = result.filter(|_| !is_killed);
    check(&copied, history, Attempt { set, result, other: &other }, seed, &at).await;
}

/// The sets that were attempted in addition to the history.
struct Attempt<'a> {
    set: &'a PatchSet,
    result: Option<Outcome>,
    other: &'a PatchSet,
}

async fn check(
    copied: &HistoryCopy<'_>,
    history: &History,
    tried: Attempt<'_>,
    seed: u64,
    at: &str,
) {
    let storage = copied.storage(seed);
    let lake = location(&storage);
    let fresh = open(&lake, clock(), seed + 300)
        .await
        .unwrap_or_else(|err| panic!("{at}: the lake cannot be opened: {err:?}"));
    // Reading it checks that it is complete, chained, and without duplicate sets.
    let found = journal(&fresh).await;
    for id in history.acknowledged.iter().chain([&tried.other.id]) {
        assert!(found.contains_key(id), "{at}: {id} was acknowledged and is missing");
    }
    let set = tried.set;
    let there = found.get(&set.id).copied();
    assert!(there.is_none_or(|rows| rows == set.patches.len()), "{at}: the set is incomplete");
    match tried.result {
        Some(Outcome::Committed { .. } | Outcome::AlreadyCommitted { .. }) => {
            assert!(there.is_some(), "{at}: acknowledged and lost")
        }
        Some(Outcome::NotWritten { .. }) => {
            assert!(there.is_none(), "{at}: reported as not written, but committed")
        }
        Some(Outcome::Unknown { .. }) | None => {}
        Some(result) => panic!("{at}: {result:?}"),
    }
    match commit(&fresh, set.clone()).await {
        Outcome::Committed { .. } if there.is_none() => {}
        Outcome::AlreadyCommitted { .. } if there.is_some() => {}
        result => panic!("{at}: a repeat got {result:?}, but there were {there:?} rows"),
    }
    assert_eq!(journal(&fresh).await.get(&set.id), Some(&set.patches.len()), "{at}");
    fresh.fold().await.unwrap_or_else(|err| panic!("{at}: the fold fails: {err:?}"));
    let sets: Vec<PatchSet> = vec![tried.set.clone(), tried.other.clone()];
    let model = history.model_of(&rows(&fresh).await, &sets);
    assert_eq!(in_tables(&lake).await, records(model.records()), "{at}");
    assert_tables_agree(&storage, &fresh, at).await;
}

/// The short run tests one in this number of failpoints for each seed; it is coprime to the number
/// of faults.
const SHARE: usize = 23;

/// Runs every failpoint of an operation with eight seeds, or a few of them.
async fn fail_everywhere(operation: Operation, least: usize) {
    let started = std::time::Instant::now();
    let (mut known, mut tried, mut runs) = (BTreeSet::new(), BTreeSet::new(), 0);
    for seed in 0..counts(2, 8) as u64 {
        let folded = History::folded(seed).await;
        let history = match operation {
            Operation::Commit | Operation::Maintain => folded,
            Operation::Fold => folded.with_a_tail(seed).await,
            Operation::Checkpoint => folded.before_a_checkpoint().await,
        };
        let patches = if operation == Operation::Fold {
            task("goes on")
        } else {
            patches_for_every_table(&history.model)
        };
        let set = patch_set(&history.model, patches).unwrap();
        let first = seed as usize * 8 % SHARE;
        for (at, (name, failpoint)) in
            failpoints(operation, &history, &set, seed).await.into_iter().enumerate()
        {
            known.insert(name.clone());
            let is_chosen = at % SHARE == first
                || seed == 0 && name.contains("Put Entry") && failpoint.fault == Fault::FailBefore;
            if full() || is_chosen {
                run(operation, &name, failpoint, &history, &set, seed).await;
                tried.insert(name);
                runs += 1;
            }
        }
    }
    let (all, some) = (known.len(), tried.len());
    eprintln!(
        "{operation:?}: {all} failpoints, {some} of them tested in {runs} runs, {:.1?}",
        started.elapsed()
    );
    assert!(all >= least, "only {all} failpoints: {known:?}");
}

#[tokio::test(start_paused = true)]
async fn a_commit_survives_every_failpoint() {
    fail_everywhere(Operation::Commit, 25).await;
}

#[tokio::test(start_paused = true)]
async fn a_fold_survives_every_failpoint() {
    fail_everywhere(Operation::Fold, 25).await;
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_survives_every_failpoint() {
    fail_everywhere(Operation::Checkpoint, 25).await;
}

#[tokio::test(start_paused = true)]
async fn maintenance_survives_every_failpoint() {
    fail_everywhere(Operation::Maintain, 25).await;
}
