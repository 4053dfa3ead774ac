//! Every call that a commit, a fold, a compaction, a checkpoint or a vacuum makes of the storage, failing in every way.
//!
//! The calls are not listed here: each operation is watched once on storage that behaves, and what it calls is then made
//! to fail, one call a run. Beside it another process works, from the moment of the fault on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lakeplan::domain::patch::PatchSet;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::{Format, Outcome, Retention, Store};
use object_store::ObjectStore;

use super::agreement::tables_agree;
use super::calls::{Call, Kind, Point, Verb};
use super::fault::{Fault, FaultStore};
use super::faults::journal;
use super::folding::{in_tables, records};
use super::past::{Copied, Past, everywhere, late_clock, rows};
use super::{commit, open, root, task};
use crate::support::{clock, counts, full, patch_set, random};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Operation {
    Commit,
    Fold,
    /// A commit and a fold that each come to the version at which a checkpoint is written.
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

fn through(door: &Arc<FaultStore>) -> LakeLocation {
    root(Arc::clone(door) as Arc<dyn ObjectStore>)
}

/// The process that meets the fault, and what it sets out to commit.
async fn process(operation: Operation, door: &Arc<FaultStore>, seed: u64) -> DeltaStore {
    let store = match operation {
        Operation::Maintain => {
            DeltaStore::open(&through(door), Format::default(), late_clock(), random(seed)).await
        }
        _ => open(&through(door), clock(), seed).await,
    };
    let _ = door.calls.seen();
    store.unwrap()
}

/// Does it; gives the store, where it is still open, and what was said of the set where one was to be committed.
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
            store.close().await;
            (None, Some(result))
        }
        // What fails is done again by the next one.
        Operation::Fold => {
            let _ = store.fold().await;
            (Some(store), None)
        }
        Operation::Maintain => {
            let _ = store.maintain(Retention::default()).await;
            // Its clock is past the lifetime of the set's id.
            (None, None)
        }
    }
}

/// The calls an operation makes. Puts are identified by their tables and, where they are log entries, by their turn;
/// other calls only by being of the journal or of a table: of those that are alike the seed takes one.
async fn points(
    operation: Operation,
    past: &Past,
    set: &PatchSet,
    seed: u64,
) -> Vec<(String, Point)> {
    let copied = past.copy();
    let door = copied.door(seed);
    let store = process(operation, &door, seed).await;
    let _ = operate(operation, store, set).await;
    let mut nths: BTreeMap<Call, usize> = BTreeMap::new();
    let mut alike: BTreeMap<String, Vec<(Call, usize)>> = BTreeMap::new();
    for (verb, path) in door.calls.seen() {
        let call = Call::of(verb, &path);
        // The rest of it is the commit and the fold that are tried by themselves.
        if operation == Operation::Checkpoint
            && !matches!(call.kind, Kind::Checkpoint | Kind::Hint | Kind::Folder)
        {
            continue;
        }
        let nth = nths.entry(call.clone()).or_default();
        let is_distinguished =
            call.table == "journal" || (verb == Verb::Put && operation != Operation::Maintain);
        let table = if is_distinguished { call.table.as_str() } else { "a table" };
        let turn = if verb == Verb::Put && call.kind == Kind::Entry {
            format!(" {nth}")
        } else {
            String::new()
        };
        let name = format!("{operation:?}: {verb:?} {:?} of {table}{turn}", call.kind);
        alike.entry(name).or_default().push((call, *nth));
        *nth += 1;
    }
    let mut points = Vec::new();
    for (name, calls) in alike {
        let (call, nth) = calls[seed as usize * 7 % calls.len()].clone();
        for fault in faults_of(call.verb) {
            points.push((
                format!("{name}, {fault:?}"),
                Point { call: call.clone(), nth, fault: *fault },
            ));
        }
    }
    points
}

/// One operation with one fault, and everything that must be true afterwards.
async fn run(
    operation: Operation,
    name: &str,
    point: Point,
    past: &Past,
    set: &PatchSet,
    seed: u64,
) {
    let at = format!("seed {seed}, {name}");
    let is_killed = matches!(point.fault, Fault::DieBefore | Fault::DieAfter);
    let copied = past.copy();
    let (failing, calm) = (copied.door(seed), copied.door(seed));
    let store = process(operation, &failing, seed).await;
    let rival = open(&through(&calm), clock(), seed + 100).await.unwrap();
    let other = patch_set(&past.model, task("another's")).unwrap();
    failing.calls.await_point(point);
    let operated = async {
        let (store, result) = operate(operation, store, set).await;
        let has_fired = failing.calls.release();
        // Who only folded goes on with a commit, which notes how far it believes that the tables are folded.
        match (store, result) {
            (Some(store), None) => (Some(commit(&store, set.clone()).await), has_fired),
            (_, result) => (result, has_fired),
        }
    };
    let beside = async {
        failing.calls.fired().await;
        let result = commit(&rival, other.clone()).await;
        assert!(
            matches!(result, Outcome::Committed { .. }),
            "{at}: another process got {result:?}"
        );
        rival
            .fold()
            .await
            .unwrap_or_else(|fault| panic!("{at}: another process could not fold: {fault:?}"));
    };
    let ((result, has_fired), ()) = futures::join!(operated, beside);
    assert!(has_fired, "{at}: the fault did not happen");
    if operation == Operation::Maintain {
        let next =
            DeltaStore::open(&through(&calm), Format::default(), late_clock(), random(seed + 200))
                .await
                .unwrap();
        next.maintain(Retention::default())
            .await
            .unwrap_or_else(|fault| panic!("{at}: the next maintenance: {fault:?}"));
    }
    failing.calls.land(calm.as_ref()).await;
    // A killed process has acknowledged nothing.
    let result = result.filter(|_| !is_killed);
    check(&copied, past, Tried { set, result, other: &other }, seed, &at).await;
}

/// What was tried beside the past.
struct Tried<'a> {
    set: &'a PatchSet,
    result: Option<Outcome>,
    other: &'a PatchSet,
}

async fn check(copied: &Copied<'_>, past: &Past, tried: Tried<'_>, seed: u64, at: &str) {
    let door = copied.door(seed);
    let lake = through(&door);
    let fresh = open(&lake, clock(), seed + 300)
        .await
        .unwrap_or_else(|fault| panic!("{at}: it does not open: {fault:?}"));
    // It is read to be whole, chained, and without a set that is there twice.
    let found = journal(&fresh).await;
    for id in past.acknowledged.iter().chain([&tried.other.id]) {
        assert!(found.contains_key(id), "{at}: {id} was acknowledged and is not there");
    }
    let set = tried.set;
    let there = found.get(&set.id).copied();
    assert!(there.is_none_or(|rows| rows == set.patches.len()), "{at}: it is there in part");
    match tried.result {
        Some(Outcome::Committed { .. } | Outcome::AlreadyCommitted { .. }) => {
            assert!(there.is_some(), "{at}: acknowledged and lost")
        }
        Some(Outcome::NotWritten { .. }) => {
            assert!(there.is_none(), "{at}: said not to be written and is there")
        }
        Some(Outcome::Unknown { .. }) | None => {}
        Some(result) => panic!("{at}: {result:?}"),
    }
    match commit(&fresh, set.clone()).await {
        Outcome::Committed { .. } if there.is_none() => {}
        Outcome::AlreadyCommitted { .. } if there.is_some() => {}
        result => panic!("{at}: a repeat got {result:?} although {there:?} rows were there"),
    }
    assert_eq!(journal(&fresh).await.get(&set.id), Some(&set.patches.len()), "{at}");
    fresh.fold().await.unwrap_or_else(|fault| panic!("{at}: it does not fold: {fault:?}"));
    let sets: Vec<PatchSet> = vec![tried.set.clone(), tried.other.clone()];
    let model = past.model_of(&rows(&fresh).await, &sets);
    assert_eq!(in_tables(&lake).await, records(model.records()), "{at}");
    tables_agree(&door, &fresh, at).await;
}

/// Of so many failpoints the short run takes one for each seed; it has no divisor in common with the number of faults.
const SHARE: usize = 23;

/// Every failpoint of an operation with eight seeds, or a few of them.
async fn fail_everywhere(operation: Operation, least: usize) {
    let begun = std::time::Instant::now();
    let (mut known, mut tried, mut runs) = (BTreeSet::new(), BTreeSet::new(), 0);
    for seed in 0..counts(2, 8) as u64 {
        let folded = Past::folded(seed).await;
        let past = match operation {
            Operation::Commit | Operation::Maintain => folded,
            Operation::Fold => folded.with_a_tail(seed).await,
            Operation::Checkpoint => folded.before_a_checkpoint().await,
        };
        let patches =
            if operation == Operation::Fold { task("goes on") } else { everywhere(&past.model) };
        let set = patch_set(&past.model, patches).unwrap();
        let first = seed as usize * 8 % SHARE;
        for (at, (name, point)) in
            points(operation, &past, &set, seed).await.into_iter().enumerate()
        {
            known.insert(name.clone());
            let is_chosen = at % SHARE == first
                || seed == 0 && name.contains("Put Entry") && point.fault == Fault::FailBefore;
            if full() || is_chosen {
                run(operation, &name, point, &past, &set, seed).await;
                tried.insert(name);
                runs += 1;
            }
        }
    }
    let (all, some) = (known.len(), tried.len());
    eprintln!(
        "{operation:?}: {all} failpoints, {some} of them in {runs} runs, {:.1?}",
        begun.elapsed()
    );
    assert!(all >= least, "only {all} failpoints: {known:?}");
}

#[tokio::test(start_paused = true)]
async fn a_commit_through_every_failpoint() {
    fail_everywhere(Operation::Commit, 25).await;
}

#[tokio::test(start_paused = true)]
async fn a_fold_through_every_failpoint() {
    fail_everywhere(Operation::Fold, 25).await;
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_through_every_failpoint() {
    fail_everywhere(Operation::Checkpoint, 25).await;
}

#[tokio::test(start_paused = true)]
async fn compaction_and_vacuum_through_every_failpoint() {
    fail_everywhere(Operation::Maintain, 25).await;
}
