//! Creates the lakes to measure on through the store. A large lake is created once and copied for
//! each row.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use lakeplan::domain::id::{EntityId, PatchSetId, ProjectId, TaskId, UserId};
use lakeplan::domain::patch::{Op, Patch, PatchSet, Source};
use lakeplan::domain::record::Entity;
use lakeplan::domain::value::Name;
use lakeplan::runtime::{
    Clock, ManualClock, Random, SeededRandom, SystemClock, SystemRandom, uuid_v7,
};
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::{Format, LakeTables, Outcome, Store};

/// Number of tasks in one project.
pub const PROJECT: usize = 1_000;
/// Number of projects that one patch set creates.
const CONCURRENCY: usize = 10;
const PEOPLE: usize = 20;

/// Returns a patch set to measure, with an id of the current time.
pub fn set(patches: Vec<Patch>, clock: &dyn Clock, random: &dyn Random) -> PatchSet {
    let id = PatchSetId::of(uuid_v7(clock.now(), random));
    PatchSet::new(id, Name::new("bench").expect("valid name"), Source::Cli, patches)
}

pub async fn commit(store: &DeltaStore, sets: Vec<PatchSet>) {
    for outcome in store.commit(sets).await {
        assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
    }
}

pub async fn create(folder: &Path) -> DeltaStore {
    let root =
        LakeLocation::open(folder.to_str().expect("UTF-8 path"), true).expect("lake location");
    DeltaStore::create(
        &root,
        Format::default(),
        Arc::new(SystemClock),
        Arc::new(SystemRandom::default()),
    )
    .await
    .expect("lake")
}

/// Creates a lake with the first project and the people who work on it.
pub async fn create_project(folder: &Path) -> DeltaStore {
    let store = create(folder).await;
    let (clock, random) = (SystemClock, SystemRandom::default());
    let person = |number| {
        Patch::new(Op::Create, Entity::User, user(number).uuid(), None)
            .with("handle", format!("p{number}"))
    };
    commit(&store, vec![set((0..PEOPLE).map(person).collect(), &clock, &random)]).await;
    commit(&store, vec![set(plan(0), &clock, &random)]).await;
    store
}

pub async fn open(folder: &Path) -> DeltaStore {
    let root =
        LakeLocation::open(folder.to_str().expect("UTF-8 path"), false).expect("lake location");
    DeltaStore::open(
        &root,
        Format::default(),
        Arc::new(SystemClock),
        Arc::new(SystemRandom::default()),
    )
    .await
    .expect("lake")
}

/// Copies a folded lake with this number of tasks, in projects of a thousand, into `folder`. Forty
/// percent of the tasks were worked on, over ninety days.
pub fn copy(tasks: usize, folder: &Path) -> PathBuf {
    let kept = super::scratch().join(format!("{tasks}-tasks"));
    // A cached lake is created again if a table was added since.
    let mark = LakeTables::names().collect::<Vec<_>>().join(" ");
    if std::fs::read_to_string(kept.join("done")).ok().as_ref() != Some(&mark) {
        eprintln!("creating a lake of {tasks} tasks, once");
        let _ = std::fs::remove_dir_all(&kept);
        // Another process creates the lake, so that its memory does not count for the row.
        let own = std::env::current_exe().expect("path of this program");
        let made = Command::new(own)
            .args(["--worker", "make", &tasks.to_string()])
            .arg(kept.join("lake"))
            .status();
        assert!(made.expect("worker starts").success());
        std::fs::write(kept.join("done"), mark).expect("mark is written");
    }
    let lake = folder.join("lake");
    let copied =
        Command::new("cp").arg("-a").arg(kept.join("lake")).arg(&lake).status().expect("cp runs");
    assert!(copied.success());
    // Without this flush, the first measured flush would also flush the copy.
    assert!(Command::new("sync").status().expect("sync runs").success());
    lake
}

/// Returns the id of the task or project with this number, which is the same in every run.
pub fn id(kind: u8, number: usize) -> uuid::Uuid {
    let mut random = [0; 10];
    random[0] = kind;
    // The last bytes choose the bucket, so they are spread like those of real ids.
    let spread = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    random[2..].copy_from_slice(&spread.to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(1_780_000_000_000 + number as u64, &random)
        .into_uuid()
}

pub fn project(number: usize) -> ProjectId {
    ProjectId::of(id(1, number))
}

pub fn task(number: usize) -> TaskId {
    TaskId::of(id(2, number))
}

/// Creates the lake that is copied for the rows.
pub fn make(args: &[String]) {
    let tasks = args[0].parse().expect("number");
    tokio::runtime::Runtime::new().expect("runtime").block_on(fill(tasks, Path::new(&args[1])));
}

async fn fill(tasks: usize, folder: &Path) {
    let begin = DateTime::from_timestamp(1_785_000_000, 0).expect("timestamp");
    let clock = Arc::new(ManualClock::new(begin, TimeDelta::microseconds(1)));
    let random: Arc<dyn Random> = Arc::new(SeededRandom::new(7));
    let root =
        LakeLocation::open(folder.to_str().expect("UTF-8 path"), true).expect("lake location");
    let store = DeltaStore::create(
        &root,
        Format::default(),
        Arc::clone(&clock) as Arc<dyn Clock>,
        Arc::clone(&random),
    );
    let store = store.await.expect("lake");
    let people = (0..PEOPLE).map(|number| {
        Patch::new(Op::Create, Entity::User, id(3, number), None)
            .with("handle", format!("person{number}"))
    });
    commit(&store, vec![set(people.collect(), clock.as_ref(), random.as_ref())]).await;
    let projects = tasks / PROJECT;
    for first in (0..projects).step_by(CONCURRENCY) {
        let patches = (first..(first + CONCURRENCY).min(projects)).flat_map(plan).collect();
        commit(&store, vec![set(patches, clock.as_ref(), random.as_ref())]).await;
        clock.advance(TimeDelta::days(90) / (2 * projects.div_ceil(CONCURRENCY)) as i32);
        if first / CONCURRENCY % 10 == 9 {
            store.fold().await.expect("fold succeeds");
        }
    }
    for status in ["in_progress", "completed"] {
        for first in (0..projects).step_by(CONCURRENCY) {
            let worked = (first * PROJECT..(first + CONCURRENCY).min(projects) * PROJECT)
                .filter(|number| number % 10 < 4);
            let patches = worked.map(|number| {
                let patch = Patch::new(
                    Op::Update,
                    Entity::Task,
                    task(number).uuid(),
                    Some(project(number / PROJECT)),
                );
                patch.with("status", status).with("actual_minutes", 30 + number as i64 % 400)
            });
            commit(&store, vec![set(patches.collect(), clock.as_ref(), random.as_ref())]).await;
            clock.advance(TimeDelta::days(90) / (4 * projects.div_ceil(CONCURRENCY)) as i32);
            if first / CONCURRENCY % 10 == 9 {
                store.fold().await.expect("fold succeeds");
            }
        }
    }
    store.fold().await.expect("fold succeeds");
    store.maintain(lakeplan::store::Retention::default()).await.expect("maintenance succeeds");
    store.shutdown().await;
}

/// Returns a project with its tasks: ten phases, and in each phase tasks with nine subtasks.
pub fn plan(number: usize) -> Vec<Patch> {
    let id = project(number);
    let mut patches = vec![
        Patch::new(Op::Create, Entity::Project, id.uuid(), Some(id))
            .with("name", format!("Project {number}"))
            .with("key", key(number))
            .with("status", "active"),
    ];
    patches.extend((0..PROJECT).map(|at| new_task(id, number * PROJECT, at)));
    patches
}

/// Returns the parent of a task: there are ten phases, nine tasks in each, and nine subtasks in
/// each of these.
pub fn parent(at: usize) -> Option<usize> {
    match (at.is_multiple_of(100), at.is_multiple_of(10)) {
        (true, _) => None,
        (false, true) => Some(at / 100 * 100),
        (false, false) => Some(at / 10 * 10),
    }
}

fn new_task(project: ProjectId, first: usize, at: usize) -> Patch {
    let number = first + at;
    let mut patch = Patch::new(Op::Create, Entity::Task, task(number).uuid(), Some(project))
        .with("project_id", project.uuid().to_string())
        .with("title", format!("Move table {number} of the ledger to the new schema"))
        .with("description", format!("Copy the rows of table {number}, compare the sums of both sides and switch the readers over. Keep the old table for a month."))
        .with("estimate_low", 30 + number as i64 % 60)
        .with("estimate_likely", 60 + number as i64 % 240)
        .with("estimate_high", 120 + number as i64 % 480)
        .with("priority", ["low", "medium", "high", "critical"][number % 4])
        .with("assignee_id", id(3, number % PEOPLE).to_string())
        .with("due_date", format!("2026-{:02}-{:02}", 9 + number % 4, 1 + number % 28));
    if let Some(parent) = parent(at) {
        patch = patch.with("parent_id", task(first + parent).uuid().to_string());
    }
    patch
}

/// Returns the project's number as letters: A, B, … AA, AB …
pub fn key(number: usize) -> String {
    let mut letters = String::from("P");
    let mut rest = number;
    for _ in 0..3 {
        letters.push(char::from(b'A' + (rest % 26) as u8));
        rest /= 26;
    }
    letters
}

pub fn user(number: usize) -> UserId {
    UserId::of(id(3, number))
}
