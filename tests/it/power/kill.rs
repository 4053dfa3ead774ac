//! Kills a process before its nth call that changes the file system. The state before the nth call
//! is the state after the one before it, so every state between two calls is tested. `kill.c`,
//! loaded into the process, counts the calls and kills.
//!
//! The state after the kill is checked twice: as it is, and after the same command ran again to
//! completion.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::check::{CheckResult, Kind, check_place};
use super::disk::{Disk, IgnoredFlushes};
use super::scenes::{self, Scene, lakeplan};
use super::strace::{self, Recording};
use super::{Report, assert_no_failures, scratch};
use crate::support::full;

/// Returns the library that is loaded into the processes. Returns `None` and prints a message if
/// there is no compiler.
fn library() -> Option<&'static Path> {
    static MADE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (library, mine) =
            (folder.join("kill.so"), folder.join(format!("kill.{}.so", std::process::id())));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/power/kill.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&mine)
            .arg(source)
            .arg("-ldl")
            .output();
        let Ok(compiled) = compiled else {
            crate::support::skip("cc is not installed");
            return None;
        };
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        // Another run of the tests may have loaded the existing file.
        std::fs::rename(&mine, &library).unwrap();
        Some(library)
    });
    made.as_deref()
}

/// Returns the same command, killed before its nth call; with 0, never.
pub fn killed(command: &Command, library: &Path, nth: usize) -> Command {
    let mut killed = Command::new(command.get_program());
    killed.args(command.get_args()).env_clear();
    killed.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    killed.env("LD_PRELOAD", library).env("KILL_AT", nth.to_string());
    killed
}

/// Returns the number of counted calls that the command makes. If strace is available, it must
/// count the same number.
fn count(scene: &Scene, library: &Path) -> usize {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut command = killed(&scene.steps[0].command, library, 0);
    command.env("COUNT_TO", file.path());
    if strace::is_installed() {
        let recording = Recording::of(&command, &scene.path(), |_| Vec::new());
        let result: usize = std::fs::read_to_string(file.path()).unwrap().parse().unwrap();
        assert_eq!(
            result,
            recording.counted - WRITING_THE_COUNT,
            "kill.c and strace count differently"
        );
        return result;
    }
    assert!(command.output().unwrap().status.success());
    std::fs::read_to_string(file.path()).unwrap().parse().unwrap()
}

/// Two calls write the count and are not counted: one opens the file and one writes.
const WRITING_THE_COUNT: usize = 2;

/// Returns the calls to kill before: all, or some chosen by a seed. The last is past the end.
fn kill_points(calls: usize) -> Vec<usize> {
    if full() {
        return (1..=calls + 1).collect();
    }
    let mut random = StdRng::seed_from_u64(calls as u64);
    let chosen: BTreeSet<usize> = (0..4).map(|_| random.random_range(1..=calls)).collect();
    chosen.into_iter().collect()
}

/// Restores the former contents of a folder.
fn restore_folder(disk: &Disk, path: &Path) {
    for entry in std::fs::read_dir(path).unwrap() {
        std::fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    disk.seen().write(path);
}

/// Kills the command of a scene at each of the chosen calls.
async fn kills(scene: &Scene) -> Report {
    let mut report = Report::default();
    let Some(library) = library() else { return report };
    let path = scene.path();
    let before = Disk::read(&path);
    let calls = count(scene, library);
    let mut ended = 0;
    for nth in kill_points(calls) {
        restore_folder(&before, &path);
        let step = &scene.steps[0];
        let output = killed(&step.command, library, nth).output().unwrap();
        let acknowledged: Vec<String> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .flat_map(|line| step.acknowledged(line))
            .collect();
        ended += usize::from(output.status.success());
        report.moments += 1;
        let done = match output.status.code() {
            None | Some(0) => check_after_kill(scene, &acknowledged).await,
            Some(code) => {
                Err(format!("it failed with {code}: {}", String::from_utf8_lossy(&output.stderr)))
            }
        };
        match done {
            Ok(found) => *report.found.entry(found).or_default() += 1,
            Err(err) => report
                .failures
                .push((format!("{}: killed before call {nth} of {calls}", scene.name), err)),
        }
    }
    let (found, failures) = (&report.found, report.failures.len());
    eprintln!(
        "{}: {calls} calls, killed {} times, {ended} ended before: {found:?}, {failures} failures",
        scene.name,
        report.moments - ended
    );
    report
}

/// Checks the state that a killed process left, and the result of the same command afterwards.
async fn check_after_kill(scene: &Scene, acknowledged: &[String]) -> Result<CheckResult, String> {
    let left = Disk::read(&scene.path());
    let copy = scratch();
    left.seen().write(copy.path());
    let found =
        check_place(&copy.path().join(scene.place), &scene.kind, &scene.sent, acknowledged).await?;
    let place = scene.path().join(scene.place);
    let step = &scene.steps[0];
    let retry = killed(&step.command, Path::new(""), 0).output().unwrap();
    let stated = String::from_utf8_lossy(&retry.stderr).into_owned();
    match &scene.kind {
        _ if retry.status.success() => {}
        // A lake exists already, and is then checked.
        Kind::New | Kind::Copy(_) if found != CheckResult::Unfinished => {}
        // The remains of an unfinished copy are in the way and are removed.
        Kind::Copy(_) => {
            std::fs::remove_dir_all(&place).unwrap();
            let rerun = killed(&step.command, Path::new(""), 0).output().unwrap();
            if !rerun.status.success() {
                return Err(format!("retry: {}", String::from_utf8_lossy(&rerun.stderr)));
            }
        }
        _ => return Err(format!("retry: {stated}")),
    }
    let doctor = lakeplan(&place, &["doctor", "--full"]).output().unwrap();
    if !doctor.status.success() && found != CheckResult::Repaired {
        return Err(format!(
            "retry ({stated}), doctor: {}",
            String::from_utf8_lossy(&doctor.stderr)
        ));
    }
    // Now the work is done, by the first process or the second.
    check_place(&place, &scene.kind, &scene.sent, &step.acknowledges)
        .await
        .map_err(|err| format!("retry: {err}"))?;
    Ok(found)
}

macro_rules! kills {
    ($($name:ident: $scene:expr;)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            assert_no_failures(&kills(&$scene).await);
        })+
    };
}

kills! {
    init_can_be_killed_anywhere: scenes::init(scratch());
    a_commit_can_be_killed_anywhere: scenes::commit(scratch()).await;
    a_process_that_commits_several_times_can_be_killed_anywhere: scenes::checkpoints(scratch()).await;
    a_fold_can_be_killed_anywhere: scenes::fold(scratch()).await;
    maintenance_can_be_killed_anywhere: scenes::maintain(scratch()).await;
    a_backup_can_be_killed_anywhere: scenes::backup(scratch()).await;
    restoring_a_lake_can_be_killed_anywhere: scenes::restore_lake(scratch()).await;
}

/// Records a process that is killed. No recording shows whether a concurrent call of another thread
/// took effect, so the process is recorded again until the recording matches the directory.
fn record_killed(before: &Disk, path: &Path, record: impl Fn() -> Recording) -> Recording {
    let mut tries = 0;
    loop {
        restore_folder(before, path);
        let recording = record();
        let (disk, _) = before.after(&recording, recording.events.len(), IgnoredFlushes::Nothing);
        if disk.seen().contents() == Disk::read(path).seen().contents() {
            return recording;
        }
        tries += 1;
        assert!(tries < 8, "no recording of the killed process matches the folder");
    }
}

/// Kills a process, lets another repeat the work and acknowledge it, and then cuts the power. The
/// unflushed changes of the first, on which the second relies, must be safe.
async fn retry_and_cut(scene: &Scene, kill_points: impl Fn(usize) -> Vec<usize>) {
    let Some(library) = library().filter(|_| strace::is_installed()) else { return };
    let (path, step, retry) = (scene.path(), &scene.steps[0], scenes::retry_step(scene));
    let before = Disk::read(&path);
    let calls = count(scene, library);
    restore_folder(&before, &path);
    let mut report = Report::default();
    for nth in kill_points(calls) {
        let first = record_killed(&before, &path, || {
            Recording::of(&killed(&step.command, library, nth), &path, |line| {
                step.acknowledged(line)
            })
        });
        let second = Recording::of(&retry.command, &path, |line| retry.acknowledged(line));
        let recording = first.followed_by(second);
        let (disk, acknowledged) =
            before.after(&recording, recording.events.len(), IgnoredFlushes::Nothing);
        super::assert_same_tree(&disk, &path);
        assert!(!acknowledged.is_empty());
        let moments = recording.acknowledgements().into_iter().chain([recording.events.len()]);
        let result =
            super::cut_at(scene, &before, &recording, moments, IgnoredFlushes::Nothing).await;
        report.states += result.states;
        report.moments += 1;
        let place = |place: String| format!("killed before call {nth} of {calls}, {place}");
        report.failures.extend(result.failures.into_iter().map(|(at, err)| (place(at), err)));
    }
    let (name, failures) = (scene.name, report.failures.len());
    eprintln!(
        "{name}: {} killed, retried and cut, {} states, {failures} failures",
        report.moments, report.states
    );
    assert_no_failures(&report);
}

/// The names of a set exist but are not flushed. A client that sends the set again gets the answer
/// that it is committed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_flushes_an_existing_entry_before_it_acknowledges() {
    let scene = scenes::commit(super::disk()).await;
    let around = |calls| if full() { (1..=calls).collect() } else { near_the_entry(&scene, calls) };
    retry_and_cut(&scene, around).await;
}

/// Directories exist but are not flushed. The next process that finds them flushes their names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn init_flushes_the_leftovers_of_a_killed_init() {
    retry_and_cut(&scenes::init(super::disk()), kill_points).await;
}

/// Returns the calls around the one that creates the journal's log entry.
fn near_the_entry(scene: &Scene, calls: usize) -> Vec<usize> {
    let Some(library) = library() else { return Vec::new() };
    let path = scene.path();
    let before = Disk::read(&path);
    let entries = || std::fs::read_dir(path.join("lake/journal/_delta_log")).unwrap().count();
    let there = entries();
    let found = (1..=calls).find(|nth| {
        restore_folder(&before, &path);
        let _ = killed(&scene.steps[0].command, library, *nth).output().unwrap();
        // The entry and the temporary file that it was renamed from.
        entries() >= there + 2
    });
    let found = found.expect("a call after which the entry and its temporary file exist");
    (found.max(2) - 1..found + 2).collect()
}
