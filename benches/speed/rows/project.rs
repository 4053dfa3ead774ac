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
use lakeplan::planning::outline::OutlinePlanner;
use lakeplan::runtime::{SystemClock, SystemRandom};
use lakeplan::service::Service;
use lakeplan::store::{Scope, Store};
use serde_json::{Value, json};

use super::milliseconds;
use crate::{Measurement, Row, lake};

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

/// Returns the project as the request that an author would send.
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

fn measured(folder: &Path, which: usize) -> Measurement {
    let text = request();
    let place = folder.join("lake");
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    let (mut apply, mut tree) = (Vec::new(), Vec::new());
    runtime.block_on(async {
        for repeat in 0..if which == 0 { REPEATS } else { 1 } {
            let _ = std::fs::remove_dir_all(&place);
            let store = Arc::new(lake::create(&place).await);
            let service = Service {
                planner: Arc::new(OutlinePlanner),
                store: Arc::clone(&store) as Arc<dyn Store>,
                clock: Arc::new(SystemClock),
                random: Arc::new(SystemRandom::default()),
            };
            let author = service.request(Name::new("bench").expect("valid name"), Source::Cli);
            let started = Instant::now();
            let value = json::parse(text.as_bytes()).expect("valid JSON");
            let request = Request::from_json(&value).expect("valid request");
            service.change(&request, &author).await.expect("applied");
            apply.push(started.elapsed().as_secs_f64());
            for _ in 0..if repeat == 0 { REPEATS } else { 0 } {
                let started = Instant::now();
                let state = service.state(&Scope::All).await.expect("snapshot succeeds");
                let project =
                    state.project_by_key(&"BIG".parse().expect("valid key")).expect("task exists");
                let shown = show::tree(&state, project, None, 5, &Efforts::of(project));
                tree.push(started.elapsed().as_secs_f64());
                assert_eq!(shown.lines().count(), TASKS);
            }
            drop(service);
            Arc::into_inner(store).expect("single owner of the store").shutdown().await;
        }
    });
    let (time, goal) = match which {
        0 => (milliseconds(&mut apply), 500.0),
        1 => (milliseconds(&mut tree), 20.0),
        _ => (milliseconds(&mut cold(&place, &["task", "list", "--project", "BIG"])), 100.0),
    };
    Measurement { ours: format!("{time:.0} ms"), peer: String::new(), met: Some(time <= goal) }
}

/// Measures how long the release binary runs for a command, from start to exit.
pub fn cold(place: &Path, args: &[&str]) -> Vec<f64> {
    let run = || {
        let started = Instant::now();
        let done = Command::new(env!("CARGO_BIN_EXE_lakeplan"))
            .arg("--lake")
            .arg(place)
            .args(args)
            .output()
            .expect("lakeplan starts");
        let time = started.elapsed().as_secs_f64();
        assert!(
            done.status.success() && !done.stdout.is_empty(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        time
    };
    // The first run loads the files into the page cache.
    run();
    (0..21).map(|_| run()).collect()
}
