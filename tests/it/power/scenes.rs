//! What the testers do to lakes: each scene is a folder with what lies in it at first, and the processes that change it.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use chrono::TimeDelta;
use lakeplan::domain::patch::Source;
use lakeplan::domain::value::Name;
use lakeplan::runtime::{Clock, ManualClock, Random, SystemClock, SystemRandom, fresh_set_id};
use lakeplan::service::Service;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::event_tables::RUNS;
use lakeplan::store::{Format, Store};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::check::{Kind, holds};
use crate::support::{request, set_id};

fn random() -> Arc<dyn Random> {
    Arc::new(SystemRandom::default())
}

const BINARY: &str = env!("CARGO_BIN_EXE_lakeplan");
/// How old the lakes are that something is done to: what they hold is past every retention.
const AGE: TimeDelta = TimeDelta::days(10);
/// Where the sending process finds the lake and the requests.
const LAKE: &str = "LAKEPLAN_TEST_SEND_TO";
const REQUESTS: &str = "LAKEPLAN_TEST_SEND";

/// A command and what its answer acknowledges.
pub struct Step {
    pub command: Command,
    /// Sets, by their ids; of a command that makes no sets a word of its own.
    pub acknowledges: Vec<String>,
}

impl Step {
    /// What a line of the answer acknowledges. The sending process answers after each set, a command once.
    pub fn acknowledged(&self, line: &str) -> Vec<String> {
        // What runs the tests may have begun the line.
        match line.rsplit_once("acknowledged ") {
            Some((_, id)) => vec![id.to_owned()],
            None if self.command.get_program() == BINARY || line.contains(" applied") => {
                self.acknowledges.clone()
            }
            None => Vec::new(),
        }
    }
}

/// A folder with a lake in it, or where one is to be.
pub struct Scene {
    pub name: &'static str,
    pub folder: TempDir,
    /// What the steps read that is no part of the folder.
    documents: TempDir,
    /// The place below the folder that is judged, and as what.
    pub place: &'static str,
    pub kind: Kind,
    pub steps: Vec<Step>,
    /// The requests that the steps send, and one more.
    pub sent: Vec<Value>,
    /// What the steps must make and remove, by the table and the end of a name: without it the scene would show less than it says.
    pub makes: &'static [(&'static str, &'static str)],
    pub removes: &'static [(&'static str, &'static str)],
}

impl Scene {
    pub fn path(&self) -> PathBuf {
        // Under the name by which processes know it.
        self.folder.path().canonicalize().unwrap()
    }

    /// A document in a file of its own.
    fn file(&self, document: &Value) -> String {
        let path = self.documents.path().join(format!("{}.json", set_id()));
        std::fs::write(&path, document.to_string()).unwrap();
        path.display().to_string()
    }
}

pub fn lakeplan(lake: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command
        .env_clear()
        .env("USER", "tester")
        .env("LAKEPLAN_LAKE", lake)
        .args(words)
        .stdin(Stdio::null());
    command
}

/// Requests of two tasks each.
pub fn requests(count: usize) -> Vec<Value> {
    let task = |title: String| json!({"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": title}});
    let request = |n: usize| {
        // An id of now, which no other test has.
        let id = fresh_set_id(&SystemClock, &SystemRandom::default());
        json!({"id": id.to_string(), "patches": [task(format!("sent {n}a")), task(format!("sent {n}b"))]})
    };
    (0..count).map(request).collect()
}

/// Makes a lake with a project and so many sets, as it would have been made some days ago.
pub async fn make_lake(path: &Path, sets: usize, fold_each: bool) {
    let root = LakeLocation::open(&path.display().to_string(), true).unwrap();
    let clock = Arc::new(ManualClock::new(SystemClock.now() - AGE, TimeDelta::milliseconds(1)));
    let store = DeltaStore::create(
        &root,
        Format::default(),
        Arc::clone(&clock) as Arc<dyn Clock>,
        random(),
    )
    .await
    .unwrap();
    let store = Arc::new(store);
    let service = Service {
        store: Arc::clone(&store) as Arc<dyn Store>,
        clock,
        random: random(),
        actor: Name::new("tester").unwrap(),
    };
    let change = async |patches: Value| {
        drop(service.change(&request(json!({"patches": patches})), Source::Cli).await.unwrap())
    };
    change(json!([{"op": "create", "entity": "project", "fields": {"name": "Payments", "key": "PAY"}}])).await;
    store.fold().await.unwrap();
    for n in 0..sets {
        change(json!([{"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": format!("before {n}")}}]))
            .await;
        let run = json!({
            "run_id": set_id().to_string(), "started_at": "2026-09-21T12:00:00Z", "duration_ms": 1, "command": "task", "actor": "ana",
            "seq": n + 2, "version": "0.1.0",
        });
        store.append(&RUNS, vec![run.as_object().cloned().unwrap()]).await.unwrap();
        // The last set is left to whoever comes next.
        if fold_each && n + 1 < sets {
            store.fold().await.unwrap();
        }
    }
    drop(service);
    // Dropped and not closed, which would fold.
    let finished = store.finished().unwrap();
    drop(store);
    let _ = finished.await;
    let old = SystemClock.now() - AGE;
    age(path, old.into());
}

/// Makes every file as old as the lake says that it is.
fn age(folder: &Path, at: std::time::SystemTime) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            age(&path, at);
        } else {
            std::fs::File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
        }
    }
}

fn scene(folder: TempDir, name: &'static str, place: &'static str, kind: Kind) -> Scene {
    let documents = tempfile::tempdir().unwrap();
    Scene {
        name,
        folder,
        documents,
        place,
        kind,
        steps: Vec::new(),
        sent: requests(1),
        makes: &[],
        removes: &[],
    }
}

/// A lake that so many requests are sent to.
async fn with_lake(
    folder: TempDir,
    name: &'static str,
    sets: usize,
    fold_each: bool,
    sent: usize,
) -> Scene {
    let mut scene = Scene { sent: requests(sent + 1), ..scene(folder, name, "lake", Kind::New) };
    let lake = scene.path().join("lake");
    make_lake(&lake, sets, fold_each).await;
    scene.kind = Kind::Lake(holds(&lake).await.unwrap());
    scene
}

fn step(command: Command, acknowledges: impl IntoIterator<Item = String>) -> Step {
    Step { command, acknowledges: acknowledges.into_iter().collect() }
}

fn ids(sent: &[Value]) -> Vec<String> {
    sent.iter().map(|request| request["id"].as_str().unwrap().to_owned()).collect()
}

/// A lake in a folder whose parents are new too.
pub fn init(folder: TempDir) -> Scene {
    let mut scene = scene(folder, "init", "new/deep/lake", Kind::New);
    scene.steps =
        vec![step(lakeplan(&scene.path().join(scene.place), &["init"]), ["init".to_owned()])];
    // There is no project for tasks.
    scene.sent = vec![json!({"id": requests(1)[0]["id"], "patches": [
        {"op": "create", "entity": "user", "fields": {"handle": "ana", "name": "Ana"}},
        {"op": "create", "entity": "user", "fields": {"handle": "bob", "name": "Bob"}},
    ]})];
    scene
}

/// One set by the command line, which folds before it answers.
pub async fn commit(folder: TempDir) -> Scene {
    let mut scene = with_lake(folder, "commit", 3, true, 1).await;
    let words = ["apply", &scene.file(&scene.sent[0])];
    scene.steps = vec![step(lakeplan(&scene.path().join("lake"), &words), ids(&scene.sent[..1]))];
    scene
}

/// Sets that one process commits one after the other, each acknowledged by the store and folded after that.
pub async fn commits(folder: TempDir, name: &'static str, before: usize, count: usize) -> Scene {
    let mut scene = with_lake(folder, name, before, true, count).await;
    scene.steps = vec![step(sending(&scene, 0..count), ids(&scene.sent[..count]))];
    scene
}

/// Commits and folds that come to the versions at which checkpoints are written.
pub async fn checkpoints(folder: TempDir) -> Scene {
    let scene = commits(folder, "checkpoints", 17, 4).await;
    Scene {
        makes: &[
            ("journal/_delta_log/", ".checkpoint.parquet"),
            ("tasks/_delta_log/", ".checkpoint.parquet"),
        ],
        ..scene
    }
}

/// Two processes that each commit some sets, at once.
pub async fn two_at_once(folder: TempDir, each: usize) -> Scene {
    let mut scene = with_lake(folder, "two at once", 3, true, 2 * each).await;
    let commands = [sending(&scene, 0..each), sending(&scene, each..2 * each)];
    scene.steps = vec![step(
        shell(&commands.each_ref().map(spelled).join(" & "), " & wait"),
        ids(&scene.sent[..2 * each]),
    )];
    scene
}

/// The process that sends some of a scene's requests.
fn sending(scene: &Scene, which: Range<usize>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .env_clear()
        .env(LAKE, scene.path().join("lake"))
        .env(REQUESTS, scene.file(&Value::from(scene.sent[which].to_vec())));
    command.args(["power::scenes::sender", "--exact", "--ignored"]);
    command
}

/// A command for the shell. No word of these has a space or a quote.
fn spelled(command: &Command) -> String {
    let variables = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={}", name.display(), value?.display())));
    let words = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.display().to_string());
    format!("env -i {}", variables.chain(words).collect::<Vec<_>>().join(" "))
}

fn shell(commands: &str, rest: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().env("PATH", "/usr/bin:/bin").args(["-c", &format!("{commands}{rest}")]);
    shell
}

/// What a second process does after the first of a scene was killed, until a set is acknowledged.
pub fn again(scene: &Scene) -> Step {
    let lake = scene.path().join(scene.place);
    let apply = lakeplan(&lake, &["apply", &scene.file(&scene.sent[0])]);
    // Where the first got far enough, there is a lake already.
    let begin = if matches!(scene.kind, Kind::New) {
        format!("{}; ", spelled(&lakeplan(&lake, &["init"])))
    } else {
        String::new()
    };
    step(shell(&begin, &spelled(&apply)), ids(&scene.sent[..1]))
}

pub async fn fold(folder: TempDir) -> Scene {
    let mut scene = with_lake(folder, "fold", 4, false, 0).await;
    scene.steps = vec![step(lakeplan(&scene.path().join("lake"), &["fold"]), [])];
    scene
}

/// There is something to do for every part of a round: the journal and the appended tables have small files, logs are long
/// and files are old.
pub async fn maintain(folder: TempDir) -> Scene {
    let mut scene = with_lake(folder, "maintain", 24, true, 0).await;
    scene.steps = vec![step(lakeplan(&scene.path().join("lake"), &["maintain"]), [])];
    scene.makes = &[
        ("journal/stream=", ".parquet"),
        ("runs/date=", ".parquet"),
        ("tasks/_delta_log/", ".checkpoint.parquet"),
    ];
    scene.removes = &[("tasks/bucket=", ".parquet"), ("journal/_delta_log/", ".json")];
    scene
}

async fn copied(
    folder: TempDir,
    name: &'static str,
    place: &'static str,
    command: impl Fn(&Path) -> Command,
) -> Scene {
    let mut scene = with_lake(folder, name, 4, true, 0).await;
    let Kind::Lake(original) = std::mem::replace(&mut scene.kind, Kind::New) else {
        unreachable!()
    };
    scene.steps = vec![step(command(&scene.path()), ["the copy".to_owned()])];
    Scene { place, kind: Kind::Copy(original), ..scene }
}

pub async fn backup(folder: TempDir) -> Scene {
    let words = |folder: &Path| {
        lakeplan(
            &folder.join("lake"),
            &["backup", &folder.join("new/backup").display().to_string()],
        )
    };
    copied(folder, "backup", "new/backup", words).await
}

pub async fn restore_lake(folder: TempDir) -> Scene {
    let words = |folder: &Path| {
        lakeplan(
            &folder.join("new/restored"),
            &["restore-lake", &folder.join("lake").display().to_string()],
        )
    };
    copied(folder, "restore-lake", "new/restored", words).await
}

/// The process that commits requests and says what the store acknowledged.
#[test]
#[ignore = "the testers of power cuts run it as a process of its own"]
fn sender() {
    let (Some(lake), Some(sent)) =
        (lakeplan::config::variable(LAKE), lakeplan::config::variable(REQUESTS))
    else {
        return;
    };
    let sent: Vec<Value> = serde_json::from_slice(&std::fs::read(sent).unwrap()).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let root = LakeLocation::open(&lake, false).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = Arc::new(
            DeltaStore::open(&root, Format::default(), Arc::clone(&clock), random()).await.unwrap(),
        );
        let actor = Name::new("tester").unwrap();
        let service =
            Service { store: Arc::clone(&store) as Arc<dyn Store>, clock, random: random(), actor };
        for document in sent {
            let done = service.change(&request(document), Source::Cli).await.unwrap();
            writeln!(std::io::stdout(), "acknowledged {}", done.id).unwrap();
            store.fold().await.unwrap();
        }
        drop(service);
        Arc::into_inner(store).unwrap().close().await;
    });
}
