//! Random commands of the real binary: its answers and the lake match the model.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use lakeplan::runtime::SystemClock;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::location::durable::DurableLocal;
use lakeplan::store::{Format, Scope, Store};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use url::Url;

use super::actions::{Action, Where};
use super::generate::Author;
use super::model::Model;
use super::{Counts, assert_same};
use crate::support::{counts, random};

const BINARY: &str = env!("CARGO_BIN_EXE_lakeplan");

fn run(folder: &Path, args: &[String], input: Option<&Value>) -> Output {
    let mut command = Command::new(BINARY);
    command.args(args).current_dir(folder).env_clear().env("USER", "tester");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let text = input.map(Value::to_string).unwrap_or_default();
    // The command may fail before it reads all of its input.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    child.wait_with_output().unwrap()
}

fn args(text: &[&str]) -> Vec<String> {
    text.iter().map(|word| (*word).to_owned()).collect()
}

fn answer(folder: &Path, text: &[&str]) -> Value {
    let output = run(folder, &args(text), None);
    assert!(output.status.success(), "{text:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Returns the lake as a new process reads it.
async fn read_model(folder: &Path) -> Model {
    let place = folder.join("lake");
    let root = LakeLocation {
        url: Url::from_directory_path(&place).unwrap(),
        store: Arc::new(DurableLocal::new(place).unwrap()),
    };
    let store =
        DeltaStore::open(&root, Format::default(), Arc::new(SystemClock), random(1)).await.unwrap();
    Model::of(&store.snapshot(&Scope::All).await.unwrap().state)
}

/// Returns the command for an action, if there is one. Other actions go through `apply`.
fn command_for(author: &mut Author<'_>, model: &Model, action: &Action) -> Option<Vec<String>> {
    let mut printed = Vec::new();
    let text = |word: Value| word.as_str().unwrap_or_default().to_owned();
    let place =
        |author: &mut Author<'_>, printed: &mut Vec<String>, place: &Option<Where>| match place {
            None => true,
            Some(Where::Last) => false,
            Some(Where::First) => {
                printed.push("--first".to_owned());
                true
            }
            Some(Where::After(task)) => {
                printed.extend(["--after".to_owned(), text(author.task_word(model, task))]);
                true
            }
            Some(Where::Before(task)) => {
                printed.extend(["--before".to_owned(), text(author.task_word(model, task))]);
                true
            }
        };
    match action {
        Action::CreateProject { key, .. } => {
            printed.extend(args(&["project", "create", key, "--key", key]))
        }
        Action::DeleteProject(id) => printed.extend([
            "project".to_owned(),
            "delete".to_owned(),
            text(author.project_word(model, id)),
        ]),
        Action::RestoreProject(id) => printed.extend([
            "project".to_owned(),
            "restore".to_owned(),
            text(author.project_word(model, id)),
        ]),
        Action::CreateTask { project, parent, place: at, title, assignee: None, .. } => {
            printed.extend(args(&["task", "create", title]));
            printed.extend(["--project".to_owned(), text(author.project_word(model, project))]);
            if let Some(parent) = parent {
                printed.extend(["--parent".to_owned(), text(author.task_word(model, parent))]);
            }
            place(author, &mut printed, at).then_some(())?;
        }
        Action::UpdateTask { id, title: Some(title), status, assignee: None, expect: None } => {
            printed.extend([
                "task".to_owned(),
                "update".to_owned(),
                text(author.task_word(model, id)),
            ]);
            printed.extend(args(&["--title", title]));
            printed.extend(status.iter().flat_map(|status| args(&["--status", status])));
        }
        Action::MoveTask { id, project, parent, place: at } => {
            printed.extend([
                "task".to_owned(),
                "move".to_owned(),
                text(author.task_word(model, id)),
            ]);
            if let Some(project) = project {
                printed.extend(["--project".to_owned(), text(author.project_word(model, project))]);
            }
            match parent {
                Some(Some(parent)) => {
                    printed.extend(["--parent".to_owned(), text(author.task_word(model, parent))])
                }
                Some(None) => printed.push("--top".to_owned()),
                None => {}
            }
            place(author, &mut printed, at).then_some(())?;
        }
        Action::DeleteTask(id) => printed.extend([
            "task".to_owned(),
            "delete".to_owned(),
            text(author.task_word(model, id)),
        ]),
        Action::RestoreTask(id) => printed.extend([
            "task".to_owned(),
            "restore".to_owned(),
            text(author.task_word(model, id)),
        ]),
        Action::Link { from, to, kind, dependency, .. } => {
            let (from, to) =
                (text(author.task_word(model, from)), text(author.task_word(model, to)));
            printed.extend(args(&["task", "link", &from, &to, "--kind", kind]));
            printed.extend(dependency.iter().flat_map(|dependency| args(&["--type", dependency])));
        }
        Action::Unlink { from, to, kind } => {
            let (from, to) =
                (text(author.task_word(model, from)), text(author.task_word(model, to)));
            printed.extend(args(&["task", "unlink", &from, &to]));
            printed.extend(kind.iter().flat_map(|kind| args(&["--kind", kind])));
        }
        Action::CreateUser { handle, .. } => printed.extend(args(&["user", "add", handle])),
        Action::Merge { kept, gone } => {
            printed.extend([
                "task".to_owned(),
                "merge".to_owned(),
                text(author.task_word(model, kept)),
                text(author.task_word(model, gone)),
            ]);
        }
        Action::Split { task, parts } => {
            printed.extend([
                "task".to_owned(),
                "split".to_owned(),
                text(author.task_word(model, task)),
            ]);
            printed.extend(parts.iter().cloned());
        }
        _ => return None,
    }
    Some(printed)
}

/// Returns the model's values of a task, as `task list --json` and `query` show them.
fn expected_task(model: &Model, id: &str) -> Value {
    let task = &model.tasks[id];
    let above: Vec<String> = model.ancestors(id).iter().rev().map(|id| model.key(id)).collect();
    let path = [above.clone(), vec![model.key(id)]].concat();
    json!({
        "key": model.key(id), "title": task.title, "status": task.status, "depth": above.len(),
        "path": path.join("/"), "former_keys": task.former,
        "parent": task.parent.as_ref().map(|parent| model.key(parent)), "project": model.projects[&task.project].key,
        "assignee": task.assignee.as_ref().map(|user| format!("@{}", model.users[user].handle)),
    })
}

fn check_output(folder: &Path, model: &Model, random: &mut StdRng, rendered: &str) {
    let pick = |from: &Value| {
        let names = [
            "key",
            "title",
            "status",
            "depth",
            "path",
            "former_keys",
            "parent",
            "project",
            "assignee",
        ];
        Value::Object(names.iter().map(|name| ((*name).to_owned(), from[*name].clone())).collect())
    };
    let sorted = |mut tasks: Vec<Value>| {
        tasks.sort_by_key(|task| task["key"].as_str().map(str::to_owned));
        tasks
    };
    for (deleted, more) in [(false, [].as_slice()), (true, ["--deleted"].as_slice())] {
        let answer = answer(
            folder,
            &[["task", "list", "--json", "--limit", "1000"].as_slice(), more].concat(),
        );
        let listed = sorted(answer["tasks"].as_array().unwrap().iter().map(pick).collect());
        let own = model.tasks.iter().filter(|(_, task)| task.deleted.is_some() == deleted);
        assert_eq!(
            listed,
            sorted(own.map(|(id, _)| expected_task(model, id)).collect()),
            "{rendered}: task list, deleted {deleted}"
        );
    }
    let sql = "select key, title, status, depth, path, deleted_at is not null as gone from tasks order by key";
    let rows = answer(folder, &["query", sql, "--format", "json"]);
    let mut expected: Vec<Value> = model.tasks.iter().map(|(id, task)| {
        let rendered = expected_task(model, id);
        json!({"key": rendered["key"], "title": rendered["title"], "status": rendered["status"], "depth": rendered["depth"], "path": rendered["path"], "gone": task.deleted.is_some()})
    }).collect();
    expected.sort_by_key(|task| task["key"].as_str().map(str::to_owned));
    assert_eq!(rows, Value::Array(expected), "{rendered}: query");
    let live: i64 = model.links.values().filter(|link| link.deleted.is_none()).count() as i64;
    let rows = answer(
        folder,
        &[
            "query",
            "select count(*) as n from task_links where deleted_at is null",
            "--format",
            "json",
        ],
    );
    assert_eq!(rows[0]["n"], json!(live), "{rendered}: living links");
    let ids: Vec<&String> = model.tasks.keys().collect();
    if !ids.is_empty() {
        let id = ids[random.random_range(0..ids.len())];
        let task = &model.tasks[id];
        // A task is found by its key, a former key, and its id.
        for word in [model.key(id), task.former.last().cloned().unwrap_or_else(|| id.clone())] {
            assert_eq!(
                pick(&answer(folder, &["task", "show", &word, "--json"])),
                expected_task(model, id),
                "{rendered}: task show {word}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_commands_match_the_model() {
    for seed in 3_000..3_000 + counts(2, 6) as u64 {
        let found = run_commands(seed, counts(80, 250)).await;
        eprintln!("oracle, binary, seed {seed}: {found}");
        assert!(found.accepted > found.steps / 4 && found.refused > 0, "{found}");
    }
}

async fn run_commands(seed: u64, steps: usize) -> Counts {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert!(run(path, &args(&["init"]), None).status.success());
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut model, mut named, mut found) = (read_model(path).await, 0, Counts::default());
    let mut undoable: Option<(Vec<String>, String)> = None;
    for step in 0..steps {
        found.steps += 1;
        if rng.random_bool(0.08)
            && let Some((before, rendered)) = undoable.take()
        {
            let seq = answer(path, &["history", "--limit", "1", "--json"])["changes"][0]["seq"]
                .to_string();
            let output = run(path, &args(&["undo", &seq]), None);
            let rendered = format!(
                "seed {seed}, step {step}: undo of {rendered}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            assert!(output.status.success(), "{rendered}");
            model = read_model(path).await;
            assert_same(&model.living(), &before, &rendered);
            found.undone += 1;
            continue;
        }
        let mut author = Author { random: &mut rng, named };
        let actions = match author.random.random_range(0..100) {
            0..10 => author.command(&model).into_iter().collect(),
            10..75 => author.action(&model).into_iter().collect(),
            _ => author.actions(&model),
        };
        if actions.is_empty() {
            continue;
        }
        let command = if let [action] = actions.as_slice() {
            command_for(&mut author, &model, action)
        } else {
            None
        };
        let (printed, input) = match command {
            Some(printed) => (printed, None),
            None if actions
                .iter()
                .any(|action| matches!(action, Action::Merge { .. } | Action::Split { .. })) =>
            {
                continue;
            }
            None => {
                let patches: Vec<Value> =
                    actions.iter().map(|action| author.json(&model, action)).collect();
                (args(&["apply", "-"]), Some(json!({ "patches": patches })))
            }
        };
        named = author.named;
        let output = run(path, &printed, input.as_ref());
        let text = String::from_utf8_lossy(&output.stderr);
        let rendered =
            format!("seed {seed}, step {step}: {printed:?} {}: {text}", input.unwrap_or_default());
        let mut predicted = model.clone();
        match (output.status.code(), predicted.apply(&actions)) {
            (Some(0), Ok(())) => {
                let before = model.living();
                model = read_model(path).await;
                // A move to the same place is accepted and leaves nothing to undo.
                undoable = (model.living() != before).then(|| (before, rendered.clone()));
                let set = [
                    model.projects.values().map(|it| it.deleted.clone()).collect::<Vec<_>>(),
                    model.tasks.values().map(|it| it.deleted.clone()).collect(),
                    model.links.values().map(|it| it.deleted.clone()).collect(),
                    model.users.values().map(|it| it.deleted.clone()).collect(),
                ];
                // The largest id is that of the new set, because ids increase with time.
                if let Some(set) = set.into_iter().flatten().flatten().max() {
                    predicted.set_deleting_set(&set);
                }
                assert_same(&model.lines(), &predicted.lines(), &rendered);
                found.accepted += 1;
            }
            (Some(1), Err(_)) => {
                assert!(text.starts_with("error: "), "{rendered}");
                assert_same(&read_model(path).await.lines(), &model.lines(), &rendered);
                found.refused += 1;
            }
            (_, verdict) => panic!("{rendered}\nthe model: {verdict:?}"),
        }
        if step % 8 == 0 {
            check_output(path, &model, &mut rng, &rendered);
        }
    }
    found
}
