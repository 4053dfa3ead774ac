//! Processes that are killed before their nth call that changes the file system: before the nth is after the one before it,
//! so every state between two calls is met. `kill.c`, loaded into the process, counts and kills.
//!
//! What the killed process left is judged twice: as it is, and after the same command was run again to its end.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::check::{Found, Kind, judge};
use super::disk::{Blind, Disk};
use super::scenes::{self, Scene, lakeplan};
use super::strace::{self, Recording};
use super::{Report, none, scratch};
use crate::support::full;

/// The library that is loaded into the processes; `None`, said aloud, where there is no compiler.
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
            eprintln!("skipped: cc is not installed");
            return None;
        };
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        // Another run of the tests may have loaded the one that is there.
        std::fs::rename(&mine, &library).unwrap();
        Some(library)
    });
    made.as_deref()
}

/// The same command, killed before its nth call; never for 0.
pub fn killed(command: &Command, library: &Path, nth: usize) -> Command {
    let mut killed = Command::new(command.get_program());
    killed.args(command.get_args()).env_clear();
    killed.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    killed.env("LD_PRELOAD", library).env("KILL_AT", nth.to_string());
    killed
}

/// How many calls the command makes that count. Where there is strace, it must count as many.
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

/// The count is written by two calls that are not counted: one that opens the file and one that writes.
const WRITING_THE_COUNT: usize = 2;

/// The calls to kill before: all, or some by a seed. The last is past the end.
fn places(calls: usize) -> Vec<usize> {
    if full() {
        return (1..=calls + 1).collect();
    }
    let mut random = StdRng::seed_from_u64(calls as u64);
    let chosen: BTreeSet<usize> = (0..4).map(|_| random.random_range(1..=calls)).collect();
    chosen.into_iter().collect()
}

/// Puts a folder back as it was.
fn put_back(disk: &Disk, path: &Path) {
    for entry in std::fs::read_dir(path).unwrap() {
        std::fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    disk.seen().write(path);
}

/// Kills the command of a scene everywhere.
async fn kills(scene: &Scene) -> Report {
    let mut report = Report::default();
    let Some(library) = library() else { return report };
    let path = scene.path();
    let before = Disk::read(&path);
    let calls = count(scene, library);
    let mut ended = 0;
    for nth in places(calls) {
        put_back(&before, &path);
        let step = &scene.steps[0];
        let output = killed(&step.command, library, nth).output().unwrap();
        let acknowledged: Vec<String> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .flat_map(|line| step.acknowledged(line))
            .collect();
        ended += usize::from(output.status.success());
        report.moments += 1;
        let done = match output.status.code() {
            None | Some(0) => after(scene, &acknowledged).await,
            Some(code) => {
                Err(format!("it failed with {code}: {}", String::from_utf8_lossy(&output.stderr)))
            }
        };
        match done {
            Ok(found) => *report.found.entry(found).or_default() += 1,
            Err(err) => report
                .faults
                .push((format!("{}: killed before call {nth} of {calls}", scene.name), err)),
        }
    }
    let (found, faults) = (&report.found, report.faults.len());
    eprintln!(
        "{}: {calls} calls, killed {} times, {ended} ended before: {found:?}, {faults} faults",
        scene.name,
        report.moments - ended
    );
    report
}

/// Judges what a killed process left, and what the same command makes of it.
async fn after(scene: &Scene, acknowledged: &[String]) -> Result<Found, String> {
    let left = Disk::read(&scene.path());
    let copy = scratch();
    left.seen().write(copy.path());
    let found =
        judge(&copy.path().join(scene.place), &scene.kind, &scene.sent, acknowledged).await?;
    let place = scene.path().join(scene.place);
    let step = &scene.steps[0];
    let again = killed(&step.command, Path::new(""), 0).output().unwrap();
    let stated = String::from_utf8_lossy(&again.stderr).into_owned();
    match &scene.kind {
        _ if again.status.success() => {}
        // There is one already, which is then judged.
        Kind::New | Kind::Copy(_) if found != Found::Unfinished => {}
        // What a copy that was not finished left is in the way, and goes.
        Kind::Copy(_) => {
            std::fs::remove_dir_all(&place).unwrap();
            let rerun = killed(&step.command, Path::new(""), 0).output().unwrap();
            if !rerun.status.success() {
                return Err(format!("run again: {}", String::from_utf8_lossy(&rerun.stderr)));
            }
        }
        _ => return Err(format!("run again: {stated}")),
    }
    let doctor = lakeplan(&place, &["doctor", "--full"]).output().unwrap();
    if !doctor.status.success() && found != Found::Mended {
        return Err(format!(
            "run again ({stated}), doctor says: {}",
            String::from_utf8_lossy(&doctor.stderr)
        ));
    }
    // Now it is done, whoever did it.
    judge(&place, &scene.kind, &scene.sent, &step.acknowledges)
        .await
        .map_err(|err| format!("run again: {err}"))?;
    Ok(found)
}

macro_rules! kills {
    ($($name:ident: $scene:expr;)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            none(&kills(&$scene).await);
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

/// Records a process that is killed. Whether a call that another thread was in then was done, no recording tells, so it is
/// recorded again until the recording says what is there.
fn recorded(before: &Disk, path: &Path, record: impl Fn() -> Recording) -> Recording {
    let mut tries = 0;
    loop {
        put_back(before, path);
        let recording = record();
        let (disk, _) = before.after(&recording, recording.events.len(), Blind::Nothing);
        if disk.seen().contents() == Disk::read(path).seen().contents() {
            return recording;
        }
        tries += 1;
        assert!(tries < 8, "no recording of the killed process says what it left");
    }
}

/// A process is killed, another does the same again to its answer, and then the power is cut: what the first left without a
/// flush, and the second built upon, is safe.
async fn again_and_cut(scene: &Scene, places: impl Fn(usize) -> Vec<usize>) {
    let Some(library) = library().filter(|_| strace::is_installed()) else { return };
    let (path, step, again) = (scene.path(), &scene.steps[0], scenes::again(scene));
    let before = Disk::read(&path);
    let calls = count(scene, library);
    put_back(&before, &path);
    let mut report = Report::default();
    for nth in places(calls) {
        let first = recorded(&before, &path, || {
            Recording::of(&killed(&step.command, library, nth), &path, |line| {
                step.acknowledged(line)
            })
        });
        let second = Recording::of(&again.command, &path, |line| again.acknowledged(line));
        let recording = first.and(second);
        let (disk, acknowledged) = before.after(&recording, recording.events.len(), Blind::Nothing);
        super::same(&disk, &path);
        assert!(!acknowledged.is_empty());
        let moments = recording.acknowledgements().into_iter().chain([recording.events.len()]);
        let result = super::cut_at(scene, &before, &recording, moments, Blind::Nothing).await;
        report.states += result.states;
        report.moments += 1;
        let place = |place: String| format!("killed before call {nth} of {calls}, {place}");
        report.faults.extend(result.faults.into_iter().map(|(at, err)| (place(at), err)));
    }
    let (name, faults) = (scene.name, report.faults.len());
    eprintln!(
        "{name}: {} killed, done again and cut, {} states, {faults} faults",
        report.moments, report.states
    );
    none(&report);
}

/// The names of a set are made and not flushed: a client that sends it again gets the answer that it is committed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_repeat_finds_is_flushed_before_it_is_acknowledged() {
    let scene = scenes::commit(super::disk()).await;
    let around = |calls| if full() { (1..=calls).collect() } else { near_the_entry(&scene, calls) };
    again_and_cut(&scene, around).await;
}

/// Folders are made and not flushed: whoever finds them there flushes their names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_init_left_is_flushed_by_the_next() {
    again_and_cut(&scenes::init(super::disk()), places).await;
}

/// The calls around the one that makes the journal's entry.
fn near_the_entry(scene: &Scene, calls: usize) -> Vec<usize> {
    let Some(library) = library() else { return Vec::new() };
    let path = scene.path();
    let before = Disk::read(&path);
    let entries = || std::fs::read_dir(path.join("lake/journal/_delta_log")).unwrap().count();
    let there = entries();
    let found = (1..=calls).find(|nth| {
        put_back(&before, &path);
        let _ = killed(&scene.steps[0].command, library, *nth).output().unwrap();
        // The entry and the temporary file that it was.
        entries() >= there + 2
    });
    let found = found.expect("no call after which the entry and its temporary file are there");
    (found.max(2) - 1..found + 2).collect()
}
