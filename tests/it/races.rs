//! Eight concurrent processes change and read the same lake. One order of all their operations
//! explains every answer and agrees with the times of the calls.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use lakeplan::domain::id::PatchSetId;
use lakeplan::runtime::{SeededRandom, SystemClock, fresh_set_id};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::linearizability::{Journal, JournalOp, JournalOutcome, Operation, Verdict, check};
use crate::support::counts;

const BINARY: &str = env!("CARGO_BIN_EXE_lakeplan");
const PROCESSES: usize = 8;
const TASKS: u64 = 5;
/// The first process runs `maintain` after this number of its operations.
const MAINTAIN_INTERVAL: usize = 8;

type Op = Operation<JournalOp<String>, JournalOutcome<String>>;

/// Runs a command. Returns its exit code and its output as JSON.
fn lakeplan(folder: &Path, args: &[&str], document: Option<&Value>) -> (i32, Value) {
    let mut command = Command::new(BINARY);
    command.args(args).arg("--json").current_dir(folder).env_clear().env("USER", "tester");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    if let Some(document) = document {
        input.write_all(document.to_string().as_bytes()).unwrap();
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    let message = if output.status.success() { &output.stdout } else { &output.stderr };
    let message = serde_json::from_slice(message)
        .unwrap_or_else(|_| panic!("{args:?}: {}", String::from_utf8_lossy(message)));
    (output.status.code().unwrap(), message)
}

/// A sent set: its id, its document, the task it writes, and the value it expects there.
type Sent = (String, Value, u64, Option<String>);

struct Shared<'a> {
    folder: &'a Path,
    started: Instant,
    /// The seq of the last set before the race.
    base: u64,
    /// The last known content of each task: the id of the set that wrote it.
    seen: Mutex<Vec<Option<String>>>,
    /// Sets that another process sends again.
    again: Mutex<Vec<Sent>>,
}

impl Shared<'_> {
    fn now(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    fn seq(&self, message: &Value) -> usize {
        (message["seq"].as_u64().unwrap() - self.base) as usize
    }

    fn read(&self) -> Op {
        let called = self.now();
        let (code, message) = lakeplan(self.folder, &["history", "--limit", "1000000"], None);
        assert_eq!(code, 0, "{message}");
        let sets = message["changes"].as_array().unwrap().iter().rev();
        let ids = sets
            .filter(|set| set["seq"].as_u64().unwrap() > self.base)
            .map(|set| set["patch_set_id"].as_str().unwrap().to_owned());
        Operation {
            op: JournalOp::Read,
            called,
            returned: Some((self.now(), JournalOutcome::Listed(ids.collect()))),
        }
    }

    /// Sends a set that writes its id into a task, and expects the last known content of the task.
    fn append(&self, id: String, document: &Value, entity: u64, expects: Option<String>) -> Op {
        let called = self.now();
        let (code, message) = lakeplan(self.folder, &["apply", "-", "--id", &id], Some(document));
        let outcome = match (code, message["error"]["code"].as_str()) {
            (0, _) if message["repeated"] == true => {
                Some(JournalOutcome::AlreadyCommitted { seq: self.seq(&message) })
            }
            (0, _) => Some(JournalOutcome::Committed { seq: self.seq(&message) }),
            (1, Some("conflict")) => Some(JournalOutcome::Refused),
            (4, Some("not_written")) => Some(JournalOutcome::NotWritten),
            (4, Some("unknown_outcome")) => None,
            _ => panic!("{code}: {message}"),
        };
        if matches!(outcome, Some(JournalOutcome::Committed { .. })) {
            self.seen.lock().unwrap()[entity as usize] = Some(id.clone());
        }
        let returned = outcome.map(|outcome| (self.now(), outcome));
        Operation { op: JournalOp::Append { id, entity, expects }, called, returned }
    }

    fn process(&self, number: usize, operations: usize) -> Vec<Op> {
        let mut random = StdRng::seed_from_u64(number as u64);
        let ids = SeededRandom::new(number as u64 + 1000);
        let mut done = Vec::new();
        for turn in 1..=operations {
            if number == 0 && turn % MAINTAIN_INTERVAL == 0 {
                // Compaction and checkpoints run concurrently with the others, and keep reads
                // short.
                let (code, message) = lakeplan(self.folder, &["maintain"], None);
                assert_eq!(code, 0, "{message}");
            }
            let dice = random.random_range(0..100);
            let repeat = if dice < 10 { self.again.lock().unwrap().pop() } else { None };
            if let Some((id, document, entity, expects)) = repeat {
                done.push(self.append(id, &document, entity, expects));
            } else if dice < 14 {
                done.push(self.read());
            } else {
                let id: PatchSetId = fresh_set_id(&SystemClock, &ids);
                let entity = random.random_range(0..TASKS);
                let expects = if dice < 60 {
                    self.seen.lock().unwrap()[entity as usize].clone()
                } else {
                    None
                };
                let mut patch = json!({"op": "update", "entity": "task", "id": format!("PAY-{}", entity + 1), "fields": {"description": id.to_string()}});
                if let Some(expected) = &expects {
                    patch["expect"] = json!({"description": expected});
                }
                let document = json!({"patches": [patch]});
                if dice % 5 == 0 {
                    self.again.lock().unwrap().push((
                        id.to_string(),
                        document.clone(),
                        entity,
                        expects.clone(),
                    ));
                }
                done.push(self.append(id.to_string(), &document, entity, expects));
            }
        }
        done
    }
}

#[test]
fn concurrent_processes_are_linearizable() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| lakeplan(folder.path(), args, None).1;
    run(&["init"]);
    run(&["project", "create", "Payments", "--key", "PAY"]);
    for _ in 0..TASKS {
        run(&["task", "create", "t"]);
    }
    let base = run(&["lake", "show"])["seq"].as_u64().unwrap();
    let shared = Shared {
        folder: folder.path(),
        started: Instant::now(),
        base,
        seen: Mutex::new(vec![None; TASKS as usize]),
        again: Mutex::new(Vec::new()),
    };
    let operations = counts(96, 10_000);
    let mut history: Vec<Op> = std::thread::scope(|scope| {
        let shared = &shared;
        let running: Vec<_> = (0..PROCESSES)
            .map(|number| scope.spawn(move || shared.process(number, operations / PROCESSES)))
            .collect();
        running.into_iter().flat_map(|process| process.join().unwrap()).collect()
    });
    history.push(shared.read());
    let result = |wanted: fn(&JournalOutcome<String>) -> bool| {
        history
            .iter()
            .filter(|op| op.returned.as_ref().is_some_and(|(_, outcome)| wanted(outcome)))
            .count()
    };
    let (committed, refused) = (
        result(|o| matches!(o, JournalOutcome::Committed { .. })),
        result(|o| matches!(o, JournalOutcome::Refused)),
    );
    let repeated = result(|o| matches!(o, JournalOutcome::AlreadyCommitted { .. }));
    let seconds = shared.started.elapsed().as_secs_f64();
    eprintln!(
        "{} operations of {PROCESSES} processes in {seconds:.1} s: {committed} committed ({:.0}/s), {refused} refused, {repeated} repeated",
        history.len(),
        committed as f64 / seconds
    );
    assert!(committed > operations / 4 && refused > 0, "the operations are badly chosen");
    let verdict = check(&Journal::new(), &history, Duration::from_secs(600));
    assert!(
        matches!(verdict, Verdict::Linearizable),
        "no order of the operations explains the answers"
    );

    // Negative control: the checker must reject this history after one answer is changed.
    let changed = history.iter_mut().find_map(|op| match &mut op.returned {
        Some((_, outcome @ JournalOutcome::Refused)) => Some(outcome),
        _ => None,
    });
    *changed.unwrap() = JournalOutcome::Committed { seq: 1 };
    assert!(!matches!(
        check(&Journal::new(), &history, Duration::from_secs(600)),
        Verdict::Linearizable
    ));
}

/// A job and a user, or two jobs, plan the same description for the first time.
#[test]
fn concurrent_plans_of_one_description_create_one_project() {
    for round in 0..counts(3, 60) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        lakeplan(path, &["init"], None);
        std::fs::create_dir(path.join("texts")).unwrap();
        std::fs::write(
            path.join("texts/portal.md"),
            "# Portal\n\n- Do a (1 day)\n- Do b (2 days)\n",
        )
        .unwrap();
        std::fs::write(path.join("texts/shop.md"), "# Shop\n\n- Do c (1 day)\n").unwrap();
        let of_folder = ["plan", "--folder", "texts", "--yes"];
        let of_file = ["plan", "texts/portal.md", "--yes"];
        let mut random = StdRng::seed_from_u64(round as u64);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let args: &[&str] =
                    if random.random_range(0..3) == 0 { &of_file } else { &of_folder };
                let pause = Duration::from_millis(random.random_range(0..40));
                scope.spawn(move || {
                    std::thread::sleep(pause);
                    let (code, message) = lakeplan(path, args, None);
                    assert_eq!(code, 0, "round {round}: {message}");
                });
            }
        });
        assert_eq!(lakeplan(path, &of_folder, None).0, 0);
        let found = lakeplan(
            path,
            &[
                "query",
                "SELECT source, count(*) AS n FROM projects GROUP BY source ORDER BY source",
            ],
            None,
        )
        .1;
        assert_eq!(
            found,
            json!([{"source": "texts/portal.md", "n": 1}, {"source": "texts/shop.md", "n": 1}]),
            "round {round}"
        );
        let tasks = lakeplan(path, &["query", "SELECT count(*) AS n FROM tasks"], None).1;
        assert_eq!(tasks, json!([{"n": 3}]), "round {round}");
    }
}
