//! What was acknowledged on a local folder survives a power cut and a kill.
//!
//! The tester of power cuts records what real processes ask of the file system and makes, for moments in it, the folders
//! that a power cut may leave; [`disk`] says which those are. Each is then judged as [`check`] says. It would be worth
//! nothing if it found nothing where flushes are missing, so it is made blind to some of them and must find a loss.
//!
//! The tester of kills ends real processes before their nth call that changes the file system, and has another finish what
//! they began; the power may be cut after that too.
//!
//! By default a few moments are tried, chosen by a seed; the full counts try all.

mod check;
mod disk;
mod kill;
mod reader;
mod scenes;
mod strace;
mod tree;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;

use crate::support::{counts, full};
use check::{Found, judge};
use disk::{Blind, Disk, Unsafe};
use scenes::Scene;
use strace::Recording;

/// How many random choices of what is kept are tried at a moment.
const CHOICES: u64 = 2;

/// What a tester found.
#[derive(Debug, Default)]
struct Report {
    moments: usize,
    states: usize,
    /// The most changes that were at risk at one moment.
    at_risk: usize,
    found: BTreeMap<Found, usize>,
    /// What does not hold, each after where it was found.
    faults: Vec<(String, String)>,
}

/// A folder in memory, where there is one: what is written there need not survive a power cut.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

fn disk() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Runs the steps of a scene one after the other; gives the folder as it was and what they did.
fn record(scene: &Scene) -> (Disk, Recording) {
    let path = scene.path();
    let base = Disk::read(&path);
    let mut recording = Recording::default();
    for step in &scene.steps {
        recording =
            recording.and(Recording::of(&step.command, &path, |line| step.acknowledged(line)));
        assert!(recording.succeeded, "{:?}", step.command);
    }
    let (disk, _) = base.after(&recording, recording.events.len(), Blind::Nothing);
    same(&disk, &path);
    let (made, removed) = recording.made_and_removed();
    let lacks = |names: &[PathBuf], wanted: &[(&'static str, &'static str)]| {
        let is_there = |(table, end): &(&str, &str)| {
            names
                .iter()
                .map(|name| name.to_string_lossy())
                .any(|name| name.contains(&format!("/{table}")) && name.ends_with(end))
        };
        wanted.iter().copied().find(|wanted| !is_there(wanted))
    };
    assert_eq!(
        (lacks(&made, scene.makes), lacks(&removed, scene.removes)),
        (None, None),
        "{} does less than it should",
        scene.name
    );
    (base, recording)
}

/// The tester saw everything that happened to the folder.
fn same(disk: &Disk, path: &Path) {
    let (seen, real) = (disk.seen().contents(), Disk::read(path).seen().contents());
    let names = |contents: &BTreeMap<PathBuf, _>| contents.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&seen), names(&real), "the recording lacks a call");
    assert!(seen == real, "the recording lacks bytes");
}

/// The moments to cut at: all, or some, with those at which something was just acknowledged or the journal has a new end.
fn moments(recording: &Recording, random: &mut StdRng) -> Vec<usize> {
    let last = recording.events.len();
    if full() {
        return (0..=last).collect();
    }
    let mut moments: BTreeSet<usize> =
        recording.acknowledgements().into_iter().chain([last]).collect();
    let ends = recording.flushes_of_the_journal();
    moments.extend(ends.first().into_iter().chain(ends.last()));
    moments.extend((0..4).map(|_| random.random_range(0..=last)));
    moments.into_iter().collect()
}

/// Cuts the power in a scene that was recorded, as often as there is time for, or until a fault is found where one is looked for.
async fn cut(scene: &Scene, base: &Disk, recording: &Recording, blind: Blind) -> Report {
    let moments = moments(recording, &mut StdRng::seed_from_u64(recording.events.len() as u64));
    cut_at(scene, base, recording, moments, blind).await
}

async fn cut_at(
    scene: &Scene,
    base: &Disk,
    recording: &Recording,
    moments: impl IntoIterator<Item = usize>,
    blind: Blind,
) -> Report {
    let mut random = StdRng::seed_from_u64(7);
    let mut report = Report::default();
    let mut tried = HashSet::new();
    for moment in moments {
        let (disk, acknowledged) = base.after(recording, moment, blind);
        report.moments += 1;
        report.at_risk = report.at_risk.max(disk.at_risk());
        let ways = [Unsafe::Lost, Unsafe::Kept, Unsafe::OnlyNames]
            .into_iter()
            .chain((0..CHOICES).map(Unsafe::Some));
        for way in ways {
            let tree = disk.cut(way, &mut random);
            if !tried.insert((tree.hash(), acknowledged.len())) {
                continue;
            }
            let folder = scratch();
            tree.write(folder.path());
            report.states += 1;
            match judge(&folder.path().join(scene.place), &scene.kind, &scene.sent, &acknowledged)
                .await
            {
                Ok(found) => *report.found.entry(found).or_default() += 1,
                Err(err) => {
                    let place = format!(
                        "{}: cut after {moment} of {} events, {way:?}",
                        scene.name,
                        recording.events.len()
                    );
                    // The same fault reads the same in every folder.
                    report
                        .faults
                        .push((place, err.replace(&folder.path().display().to_string(), "PLACE")));
                    if blind != Blind::Nothing {
                        return report;
                    }
                }
            }
        }
    }
    report
}

async fn survives(scene: &Scene) -> Report {
    let (base, recording) = record(scene);
    let report = cut(scene, &base, &recording, Blind::Nothing).await;
    eprintln!(
        "{}: {} calls, {} files made, {} removed; {} moments, {} states, at most {} changes at risk: {:?}, {} faults",
        scene.name,
        recording.calls.len(),
        recording.made_and_removed().0.len(),
        recording.made_and_removed().1.len(),
        report.moments,
        report.states,
        report.at_risk,
        report.found,
        report.faults.len()
    );
    report
}

/// No fault at all. Each kind of fault is reported once, with where it was first found and how often.
fn none(report: &Report) {
    let mut kinds: BTreeMap<&str, (&str, usize)> = BTreeMap::new();
    for (place, err) in &report.faults {
        kinds.entry(err).or_insert((place, 0)).1 += 1;
    }
    let result: Vec<String> = kinds
        .iter()
        .map(|(err, (place, count))| format!("{place}: {err} ({count} times)"))
        .collect();
    assert!(kinds.is_empty(), "{} faults:\n{}", report.faults.len(), result.join("\n"));
}

macro_rules! cuts {
    ($($name:ident: $scene:expr;)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            if strace::is_installed() {
                none(&survives(&$scene).await);
            }
        })+
    };
}

cuts! {
    a_lake_that_is_being_made_survives_a_power_cut: scenes::init(disk());
    a_command_that_commits_survives_a_power_cut: scenes::commit(disk()).await;
    commits_of_one_process_survive_a_power_cut: scenes::commits(disk(), "commits", 3, counts(3, 6)).await;
    commits_that_write_checkpoints_survive_a_power_cut: scenes::checkpoints(disk()).await;
    two_processes_at_once_survive_a_power_cut: scenes::two_at_once(disk(), counts(2, 4)).await;
    a_fold_survives_a_power_cut: scenes::fold(disk()).await;
    a_round_of_maintenance_survives_a_power_cut: scenes::maintain(disk()).await;
    a_backup_survives_a_power_cut: scenes::backup(disk()).await;
    a_restored_lake_survives_a_power_cut: scenes::restore_lake(disk()).await;
}

/// A tester that does not see some flushes must find something amiss.
async fn finds(scene: &Scene, blind: Blind) {
    if !strace::is_installed() {
        return;
    }
    let (base, recording) = record(scene);
    // Once something was acknowledged there is something to lose.
    let report = cut_at(scene, &base, &recording, recording.acknowledgements(), blind).await;
    assert!(
        !report.faults.is_empty(),
        "blind to {blind:?}, it finds nothing in {} states",
        report.states
    );
    let (place, err) = &report.faults[0];
    eprintln!("blind to {blind:?}, found after {} states: {place}: {err}", report.states);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_flushes_of_folders_a_loss_is_found() {
    finds(&scenes::commit(disk()).await, Blind::OfFolders).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_flushes_of_files_a_loss_is_found() {
    finds(&scenes::commit(disk()).await, Blind::OfFiles).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_flushes_of_the_parents_of_new_folders_a_loss_is_found() {
    finds(&scenes::init(disk()), Blind::OfNewFolders).await;
}
