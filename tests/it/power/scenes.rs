//! The scenes of the testers: each is a folder with initial contents, and the processes that change
//! it.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use chrono::TimeDelta;
use lakeplan::planning::outline::OutlinePlanner;
use lakeplan::runtime::{Clock, ManualClock, Random, SystemClock, SystemRandom, fresh_set_id};
use lakeplan::service::Service;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::event_tables::RUNS;
use lakeplan::store::{Format, Store};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::check::{Kind, read_contents};
use crate::support::{author, request, set_id};

fn random() -> Arc<dyn Random> {
    Arc::new(SystemRandom::default())
}

const BINARY: &str = env!("CARGO_BIN_EXE_lakeplan");
/// Age of the prepared lakes: their contents are past every retention.
const AGE: TimeDelta = TimeDelta::days(10);
/// Names of the variables that pass the lake and the requests to the sending process.
const LAKE: &str = "LAKEPLAN_TEST_SEND_TO";
const REQUESTS: &str = "LAKEPLAN_TEST_SEND";

/// A command and the acknowledgements in its output.
pub struct Step {
    pub command: Command,
    /// The ids of sets, or a name of its own for a command that makes no sets.
    pub acknowledges: Vec<String>,
}

impl Step {
    /// Returns the acknowledgements in a line of output. The sending process prints one after each
    /// set, a command prints one.
    pub fn acknowledged(&self, line: &str) -> Vec<String> {
        // The test runner may have printed the beginning of the line.
        match line.rsplit_once("acknowledged ") {
            Some((_, id)) => vec![id.to_owned()],
            None if self.command.get_program() == BINARY || line.contains(" applied") => {
                self.acknowledges.clone()
            }
            None => Vec::new(),
        }
    }
}

/// A folder with a lake in it, or the future location of one.
pub struct Scene {
    pub name: &'static str,
    pub folder: TempDir,
    /// Input files of the steps that are outside the folder.
    documents: TempDir,
    /// The location below the folder that is checked, and its kind.
    pub place: &'static str,
    pub kind: Kind,
    pub steps: Vec<Step>,
    /// The requests that the steps send, and one more.
    pub sent: Vec<Value>,
    /// Files that the steps must create and remove, by table and suffix. Otherwise the scene would
    /// test less than it claims.
    pub makes: &'static [(&'static str, &'static str)],
    pub removes: &'static [(&'static str, &'static str)],
}

impl Scene {
    pub fn path(&self) -> PathBuf {
        // The canonical name, which processes report.
        self.folder.path().canonicalize().unwrap()
    }

    /// Writes a document into its own file.
    fn file(&self, document: &Value) -> String {
        let path = self.documents.path().join(format!("{}.json", set_id()));
        std::fs::write(&path, document.to_string()).unwrap();
        path.display().to_string()
    }
}

pub fn lakeplan(lake: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command
        .env_clear()
        .env("USER", "tester")
        .env("LAKEPLAN_LAKE", lake)
        .args(args)
        .stdin(Stdio::null());
    command
}

/// Returns requests of two tasks each.
pub fn requests(count: usize) -> Vec<Value> {
    let task = |title: String| json!({"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": title}});
    let request = |n: usize| {
        // A current id that no other test uses.
        let id = fresh_set_id(&SystemClock, &SystemRandom::default());
        json!({"id": id.to_string(), "patches": [task(format!("sent {n}a")), task(format!("sent {n}b"))]})
    };
    (0..count).map(request).collect()
}

/// Creates a lake with a project and this number of sets, as if it had been created some days ago.
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
        planner: Arc::new(OutlinePlanner),
        store: Arc::clone(&store) as Arc<dyn Store>,
        clock,
        random: random(),
    };
    let change = async |patches: Value| {
        drop(
            service.change(&request(json!({"patches": patches})), &author(&service)).await.unwrap(),
        )
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
        // The last set is left unfolded for the next process.
        if fold_each && n + 1 < sets {
            store.fold().await.unwrap();
        }
    }
    drop(service);
    // The store is dropped instead of closed, because closing would fold.
    let finished = store.finished();
    drop(store);
    finished.await;
    let old = SystemClock.now() - AGE;
    age(path, old.into());
}

/// Sets the modification time of every file to the time of the lake.
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

/// Creates a lake to which this number of requests is sent.
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
    scene.kind = Kind::Lake(read_contents(&lake).await.unwrap());
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

/// One set from the command line, which folds before it prints the result.
pub async fn commit(folder: TempDir) -> Scene {
    let mut scene = with_lake(folder, "commit", 3, true, 1).await;
    let args = ["apply", &scene.file(&scene.sent[0])];
    scene.steps = vec![step(lakeplan(&scene.path().join("lake"), &args), ids(&scene.sent[..1]))];
    scene
}

/// Sets that one process commits in sequence, each acknowledged by the store and then folded.
pub async fn commits(folder: TempDir, name: &'static str, before: usize, count: usize) -> Scene {
    let mut scene = with_lake(folder, name, before, true, count).await;
    scene.steps = vec![step(send_command(&scene, 0..count), ids(&scene.sent[..count]))];
    scene
}

/// Commits and folds that reach the versions at which checkpoints are written.
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

/// Two concurrent processes that each commit some sets.
pub async fn two_at_once(folder: TempDir, each: usize) -> Scene {
    let mut scene = with_lake(folder, "two at once", 3, true, 2 * each).await;
    let commands = [send_command(&scene, 0..each), send_command(&scene, each..2 * each)];
    scene.steps = vec![step(
        shell(&commands.each_ref().map(shell_command).join(" & "), " & wait"),
        ids(&scene.sent[..2 * each]),
    )];
    scene
}

/// Returns the process that sends some of a scene's requests.
fn send_command(scene: &Scene, which: Range<usize>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .env_clear()
        .env(LAKE, scene.path().join("lake"))
        .env(REQUESTS, scene.file(&Value::from(scene.sent[which].to_vec())));
    command.args(["power::scenes::send_requests", "--exact", "--ignored"]);
    command
}

/// Formats a command for the shell. No argument here contains a space or a quote.
fn shell_command(command: &Command) -> String {
    let variables = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={}", name.display(), value?.display())));
    let args = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.display().to_string());
    format!("env -i {}", variables.chain(args).collect::<Vec<_>>().join(" "))
}

fn shell(commands: &str, rest: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().env("PATH", "/usr/bin:/bin").args(["-c", &format!("{commands}{rest}")]);
    shell
}

/// Returns the step of a second process after the first was killed, until a set is acknowledged.
pub fn retry_step(scene: &Scene) -> Step {
    let lake = scene.path().join(scene.place);
    let apply = lakeplan(&lake, &["apply", &scene.file(&scene.sent[0])]);
    // If the first process got far enough, the lake exists already.
    let begin = if matches!(scene.kind, Kind::New) {
        format!("{}; ", shell_command(&lakeplan(&lake, &["init"])))
    } else {
        String::new()
    };
    step(shell(&begin, &shell_command(&apply)), ids(&scene.sent[..1]))
}

pub async fn fold(folder: TempDir) -> Scene {
    let mut scene = with_lake(folder, "fold", 4, false, 0).await;
    scene.steps = vec![step(lakeplan(&scene.path().join("lake"), &["fold"]), [])];
    scene
}

/// Every part of maintenance has something to do: the journal and the event tables have small
/// files, logs are long and files are old.
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

async fn copy_scene(
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
    let args = |folder: &Path| {
        lakeplan(
            &folder.join("lake"),
            &["backup", &folder.join("new/backup").display().to_string()],
        )
    };
    copy_scene(folder, "backup", "new/backup", args).await
}

pub async fn restore_lake(folder: TempDir) -> Scene {
    let args = |folder: &Path| {
        lakeplan(
            &folder.join("new/restored"),
            &["restore-lake", &folder.join("lake").display().to_string()],
        )
    };
    copy_scene(folder, "restore-lake", "new/restored", args).await
}

/// The process that commits requests and prints the acknowledgements of the store.
#[test]
#[ignore = "the testers of power cuts run it as a process of its own"]
fn send_requests() {
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

        let service = Service {
            planner: Arc::new(OutlinePlanner),
            store: Arc::clone(&store) as Arc<dyn Store>,
            clock,
            random: random(),
        };
        for document in sent {
            let done = service.change(&request(document), &author(&service)).await.unwrap();
            writeln!(std::io::stdout(), "acknowledged {}", done.id).unwrap();
            store.fold().await.unwrap();
        }
        drop(service);
        Arc::into_inner(store).unwrap().shutdown().await;
    });
}
