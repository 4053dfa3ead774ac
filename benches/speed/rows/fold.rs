//! Folding a thousand changed tasks into the current tables.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use lakeplan::domain::id::EntityId;
use lakeplan::domain::patch::{Op, Patch};
use lakeplan::domain::record::Entity;
use lakeplan::runtime::{SystemClock, SystemRandom};
use lakeplan::store::Store;
use serde_json::Value;

use crate::{Measurement, Row, lake, peak_mib, peers};

const CHANGED: usize = 1_000;

pub fn rows() -> Vec<Row> {
    let goal = "≤ 1/8 of the time, ≤ 1/4 of the memory of either";
    vec![
        Row {
            name: "fold-100k",
            work: "1,000 changed tasks of 5 projects folded into 100,000",
            goal,
            run: |folder| fold(folder, 100_000, 5),
        },
        Row {
            name: "fold-1m",
            work: "the same into 1,000,000",
            goal,
            run: |folder| fold(folder, 1_000_000, 5),
        },
        Row {
            name: "fold-random",
            work: "1,000 changed tasks of all projects folded into 1,000,000",
            goal: "≤ 1× of the time",
            run: |folder| fold(folder, 1_000_000, 1_000),
        },
    ]
}

fn fold(folder: &Path, tasks: usize, projects: usize) -> Measurement {
    let place = lake::copy(tasks, folder);
    let all = tasks / lake::PROJECT;
    // The changed tasks are spread evenly over the projects.
    let number = |at: usize| {
        at % projects * (all / projects) * lake::PROJECT
            + at / projects * (lake::PROJECT * projects / CHANGED)
    };
    let numbers: Vec<usize> = (0..CHANGED).map(number).collect();
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    // Another process makes the changes, so that the peak memory is that of the fold.
    let own = std::env::current_exe().expect("path of this program");
    let args = numbers.iter().map(ToString::to_string);
    let changed = Command::new(own)
        .args(["--worker", "change"])
        .arg(&place)
        .args(args)
        .status()
        .expect("worker starts");
    assert!(changed.success());
    let seconds = runtime.block_on(async {
        let store = lake::open(&place).await;
        let started = Instant::now();
        let report = store.fold().await.expect("fold succeeds");
        let seconds = started.elapsed().as_secs_f64();
        let rows: usize = report
            .tables
            .iter()
            .filter(|(name, _)| *name == "tasks")
            .map(|(_, folded)| folded.rows)
            .sum();
        assert_eq!(rows, CHANGED);
        seconds
    });
    let peak = peak_mib("self");
    let ids = folder.join("ids");
    let text: Vec<String> = numbers.iter().map(|number| lake::task(*number).to_string()).collect();
    std::fs::write(&ids, text.join("\n")).expect("ids are written");
    let mut rendered = Vec::new();
    let mut met = None;
    for engine in ["deltalake", "sail"] {
        let Some((time, memory)) = merge(engine, &place, &ids, folder) else {
            rendered.push(format!("{engine} not installed"));
            continue;
        };
        rendered.push(format!(
            "{engine} MERGE {:.0} ms, {memory:.0} MiB ({:.2}×, {:.2}×)",
            time * 1000.0,
            seconds / time,
            peak as f64 / memory
        ));
        let own = if projects == 5 {
            seconds <= time / 8.0 && peak as f64 <= memory / 4.0
        } else {
            seconds <= time
        };
        met = Some(met.unwrap_or(true) && own);
    }
    Measurement { ours: format!("{:.0} ms", seconds * 1000.0), peer: rendered.join(", "), met }
}

/// Changes the tasks with these numbers.
pub fn change(args: &[String]) {
    let place = Path::new(&args[0]);
    let numbers: Vec<usize> = args[1..].iter().filter_map(|number| number.parse().ok()).collect();
    tokio::runtime::Runtime::new().expect("runtime").block_on(async {
        let store = lake::open(place).await;
        let random = SystemRandom::default();
        let patch = |number: &usize| {
            let project = lake::project(number / lake::PROJECT);
            Patch::new(Op::Update, Entity::Task, lake::task(*number).uuid(), Some(project))
                .with("status", "review")
        };
        for numbers in numbers.chunks(100) {
            lake::commit(
                &store,
                vec![lake::set(numbers.iter().map(patch).collect(), &SystemClock, &random)],
            )
            .await;
        }
    });
}

/// Returns the seconds and MiB that a peer needs for a MERGE of the same rows.
fn merge(engine: &str, place: &Path, ids: &Path, work: &Path) -> Option<(f64, f64)> {
    let text = |path: &Path| path.to_str().unwrap_or_default().to_owned();
    let made =
        peers::run("deltalake", "merge.py", &[engine, &text(place), &text(ids), &text(work)])?;
    let (table, projects) = (made["table"].as_str()?.to_owned(), made["projects"].to_string());
    let found: Option<Value> = match engine {
        "sail" => peers::run(
            "sail",
            "merge_sail.py",
            &[&table, &text(&work.join("peer-source")), &projects],
        ),
        _ => peers::run(
            "deltalake",
            "merge_deltalake.py",
            &[&text(place), &text(ids), &table, &projects],
        ),
    };
    Some((peers::number(&found, "seconds")?, peers::number(&found, "peak_mib")?))
}
