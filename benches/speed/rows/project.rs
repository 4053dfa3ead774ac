//! A project of ten thousand tasks.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use lakeplan::cli::show;
use lakeplan::domain::patch::Source;
use lakeplan::domain::value::Name;
use lakeplan::exchange::{json, patchset::Request};
use lakeplan::planning::effort::Efforts;
use lakeplan::runtime::{SystemClock, SystemRandom};
use lakeplan::service::Service;
use lakeplan::store::{Scope, Store};
use serde_json::{Value, json};

use super::milliseconds;
use crate::{Found, Row, lake};

const TASKS: usize = 10_000;
const REPEATS: usize = 9;

pub fn rows() -> Vec<Row> {
    vec![
        Row {
            name: "apply",
            work: "10,000-task project: `apply` as one set",
            goal: "≤ 500 ms",
            run: |folder| measured(folder, 0),
        },
        Row {
            name: "tree",
            work: "10,000-task project: tree, warm",
            goal: "≤ 20 ms",
            run: |folder| measured(folder, 1),
        },
        Row {
            name: "list",
            work: "10,000-task project: cold `task list` on a folded lake",
            goal: "≤ 100 ms",
            run: |folder| measured(folder, 2),
        },
    ]
}

/// The project as its author would send it.
fn request() -> String {
    let mut patches = vec![
        json!({"op": "create", "entity": "project", "id": "$p", "fields": {"name": "Big", "key": "BIG"}}),
    ];
    for at in 0..TASKS {
        let mut fields = json!({"project_id": "$p", "title": format!("Move table {at} to the new schema"), "estimate_likely": 60 + at % 200, "priority": "high"});
        if let Some(parent) = lake::parent(at) {
            fields["parent_id"] = Value::from(format!("$t{parent}"));
        }
        patches.push(
            json!({"op": "create", "entity": "task", "id": format!("$t{at}"), "fields": fields}),
        );
    }
    json!({"patches": patches}).to_string()
}

fn measured(folder: &Path, which: usize) -> Found {
    let text = request();
    let place = folder.join("lake");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (mut apply, mut tree) = (Vec::new(), Vec::new());
    runtime.block_on(async {
        for repeat in 0..if which == 0 { REPEATS } else { 1 } {
            let _ = std::fs::remove_dir_all(&place);
            let store = Arc::new(lake::create(&place).await);
            let service = Service {
                store: Arc::clone(&store) as Arc<dyn Store>,
                clock: Arc::new(SystemClock),
                random: Arc::new(SystemRandom::default()),
                actor: Name::new("bench").expect("a name"),
            };
            let begun = Instant::now();
            let value = json::parse(text.as_bytes()).expect("it is JSON");
            let request = Request::from_json(&value).expect("it is a request");
            service.change(&request, Source::Cli).await.expect("it is applied");
            apply.push(begun.elapsed().as_secs_f64());
            for _ in 0..if repeat == 0 { REPEATS } else { 0 } {
                let begun = Instant::now();
                let state = service.state(&Scope::All).await.expect("it reads");
                let project =
                    state.project_by_key(&"BIG".parse().expect("a key")).expect("it is there");
                let shown = show::tree(&state, project, None, 5, &Efforts::of(project));
                tree.push(begun.elapsed().as_secs_f64());
                assert_eq!(shown.lines().count(), TASKS);
            }
            drop(service);
            Arc::into_inner(store).expect("no one else holds it").close().await;
        }
    });
    let (time, goal) = match which {
        0 => (milliseconds(&mut apply), 500.0),
        1 => (milliseconds(&mut tree), 20.0),
        _ => (milliseconds(&mut cold(&place, &["task", "list", "--project", "BIG"])), 100.0),
    };
    Found { ours: format!("{time:.0} ms"), peer: String::new(), met: Some(time <= goal) }
}

/// How long the released command takes from its start to its end.
pub fn cold(place: &Path, words: &[&str]) -> Vec<f64> {
    let run = || {
        let begun = Instant::now();
        let done = Command::new(env!("CARGO_BIN_EXE_lakeplan"))
            .arg("--lake")
            .arg(place)
            .args(words)
            .output()
            .expect("lakeplan starts");
        let time = begun.elapsed().as_secs_f64();
        assert!(
            done.status.success() && !done.stdout.is_empty(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        time
    };
    // Once for the files to be in memory.
    run();
    (0..21).map(|_| run()).collect()
}
