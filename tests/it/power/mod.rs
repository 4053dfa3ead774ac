//! Acknowledged changes in a local folder survive a power cut and a kill.
//!
//! The power-cut tester records the file system calls of real processes. For selected moments, it
//! creates the folders that a power cut may leave, as [`disk`] defines them, and [`check`] checks
//! each one. To prove that it detects missing flushes, it also runs with some flushes ignored, and
//! must then find a loss.
//!
//! The kill tester ends real processes before their nth call that changes the file system, and lets
//! another process finish the work. A power cut may follow as well.
//!
//! By default, a seed selects a few moments; the full counts test all of them.

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
use check::{CheckResult, check_place};
use disk::{CutMode, Disk, IgnoredFlushes};
use scenes::Scene;
use strace::Recording;

/// Number of random choices of kept changes at each moment.
const CHOICES: u64 = 2;

/// Result of a tester.
#[derive(Debug, Default)]
struct Report {
    moments: usize,
    states: usize,
    /// The largest number of unsafe changes at one moment.
    at_risk: usize,
    found: BTreeMap<CheckResult, usize>,
    /// The violated requirements, each with the place where it was found.
    failures: Vec<(String, String)>,
}

/// Returns a folder in memory if possible, because its files need not survive a power cut.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

fn disk() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Runs the steps of a scene in order. Returns the folder before them and the recording.
fn record(scene: &Scene) -> (Disk, Recording) {
    let path = scene.path();
    let base = Disk::read(&path);
    let mut recording = Recording::default();
    for step in &scene.steps {
        recording = recording
            .followed_by(Recording::of(&step.command, &path, |line| step.acknowledged(line)));
        assert!(recording.succeeded, "{:?}", step.command);
    }
    let (disk, _) = base.after(&recording, recording.events.len(), IgnoredFlushes::Nothing);
    assert_same_tree(&disk, &path);
    let (made, removed) = recording.made_and_removed();
    let lacks = |names: &[PathBuf], expected: &[(&'static str, &'static str)]| {
        let is_there = |(table, end): &(&str, &str)| {
            names
                .iter()
                .map(|name| name.to_string_lossy())
                .any(|name| name.contains(&format!("/{table}")) && name.ends_with(end))
        };
        expected.iter().copied().find(|expected| !is_there(expected))
    };
    assert_eq!(
        (lacks(&made, scene.makes), lacks(&removed, scene.removes)),
        (None, None),
        "{} creates or removes less than required",
        scene.name
    );
    (base, recording)
}

/// Asserts that the recording contains everything that happened to the folder.
fn assert_same_tree(disk: &Disk, path: &Path) {
    let (seen, real) = (disk.seen().contents(), Disk::read(path).seen().contents());
    let names = |contents: &BTreeMap<PathBuf, _>| contents.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&seen), names(&real), "the recording lacks a call");
    assert!(seen == real, "the recording lacks bytes");
}

/// Returns the moments to cut at: all, or some, including those right after an acknowledgement and
/// those at which the journal has a new end.
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

/// Cuts the power in a recorded scene at the chosen moments. Stops at the first failure if a
/// failure is expected.
async fn cut(scene: &Scene, base: &Disk, recording: &Recording, ignored: IgnoredFlushes) -> Report {
    let moments = moments(recording, &mut StdRng::seed_from_u64(recording.events.len() as u64));
    cut_at(scene, base, recording, moments, ignored).await
}

async fn cut_at(
    scene: &Scene,
    base: &Disk,
    recording: &Recording,
    moments: impl IntoIterator<Item = usize>,
    ignored: IgnoredFlushes,
) -> Report {
    let mut random = StdRng::seed_from_u64(7);
    let mut report = Report::default();
    let mut tried = HashSet::new();
    for moment in moments {
        let (disk, acknowledged) = base.after(recording, moment, ignored);
        report.moments += 1;
        report.at_risk = report.at_risk.max(disk.at_risk());
        let modes = [CutMode::Lost, CutMode::Kept, CutMode::OnlyNames]
            .into_iter()
            .chain((0..CHOICES).map(CutMode::Some));
        for mode in modes {
            let tree = disk.cut(mode, &mut random);
            if !tried.insert((tree.hash(), acknowledged.len())) {
                continue;
            }
            let folder = scratch();
            tree.write(folder.path());
            report.states += 1;
            match check_place(
                &folder.path().join(scene.place),
                &scene.kind,
                &scene.sent,
                &acknowledged,
            )
            .await
            {
                Ok(found) => *report.found.entry(found).or_default() += 1,
                Err(err) => {
                    let place = format!(
                        "{}: cut after {moment} of {} events, {mode:?}",
                        scene.name,
                        recording.events.len()
                    );
                    // The same failure has the same text in every folder.
                    report
                        .failures
                        .push((place, err.replace(&folder.path().display().to_string(), "PLACE")));
                    if ignored != IgnoredFlushes::Nothing {
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
    let report = cut(scene, &base, &recording, IgnoredFlushes::Nothing).await;
    eprintln!(
        "{}: {} calls, {} files created, {} removed; {} moments, {} states, at most {} changes at risk: {:?}, {} failures",
        scene.name,
        recording.calls.len(),
        recording.made_and_removed().0.len(),
        recording.made_and_removed().1.len(),
        report.moments,
        report.states,
        report.at_risk,
        report.found,
        report.failures.len()
    );
    report
}

/// Asserts that there are no failures. Each kind of failure is reported once, with its first place
/// and its count.
fn assert_no_failures(report: &Report) {
    let mut kinds: BTreeMap<&str, (&str, usize)> = BTreeMap::new();
    for (place, err) in &report.failures {
        kinds.entry(err).or_insert((place, 0)).1 += 1;
    }
    let result: Vec<String> = kinds
        .iter()
        .map(|(err, (place, count))| format!("{place}: {err} ({count} times)"))
        .collect();
    assert!(kinds.is_empty(), "{} failures:\n{}", report.failures.len(), result.join("\n"));
}

macro_rules! cuts {
    ($($name:ident: $scene:expr;)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            if strace::is_installed() {
                assert_no_failures(&survives(&$scene).await);
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

/// A tester that ignores some flushes must find a loss.
async fn finds_loss(scene: &Scene, ignored: IgnoredFlushes) {
    if !strace::is_installed() {
        return;
    }
    let (base, recording) = record(scene);
    // After an acknowledgement there is something to lose.
    let report = cut_at(scene, &base, &recording, recording.acknowledgements(), ignored).await;
    assert!(
        !report.failures.is_empty(),
        "with {ignored:?} ignored, no loss was found in {} states",
        report.states
    );
    let (place, err) = &report.failures[0];
    eprintln!("with {ignored:?} ignored, found after {} states: {place}: {err}", report.states);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loss_is_found_without_directory_flushes() {
    finds_loss(&scenes::commit(disk()).await, IgnoredFlushes::OfFolders).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loss_is_found_without_file_flushes() {
    finds_loss(&scenes::commit(disk()).await, IgnoredFlushes::OfFiles).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loss_is_found_without_flushes_of_new_directories() {
    finds_loss(&scenes::init(disk()), IgnoredFlushes::OfNewFolders).await;
}
