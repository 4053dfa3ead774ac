//! The real binary, killed repeatedly without warning: acknowledged sets are in the journal, and
//! other sets are complete or absent.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::Duration;

use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::{Format, Scope, Store};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use crate::store::ambiguous_storage::journal;
use crate::support::{clock, counts, random};

const BINARY: &str = env!("CARGO_BIN_EXE_lakeplan");

fn lakeplan(lake: &str) -> Command {
    let mut command = Command::new(BINARY);
    command
        .env_clear()
        .env("USER", "tester")
        .env("LAKEPLAN_LAKE", lake)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Runs one client that commits `each` patch sets of two tasks, and kills each process after a
/// random delay. Returns the acknowledged ids.
fn client(lake: &str, client: u64, each: usize, mut longest: Duration) -> (Vec<String>, usize) {
    let mut random = StdRng::seed_from_u64(client);
    let (mut acknowledged, mut killed) = (Vec::new(), 0);
    for n in 0..each {
        let name = format!("{client}-{n}");
        let task = |part: &str| json!({"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": format!("{name}{part}")}});
        let file = format!("{lake}-{name}.json");
        std::fs::write(&file, json!({"patches": [task("a"), task("b")]}).to_string()).unwrap();
        let mut process = lakeplan(lake).args(["apply", &file]).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(
            random.random_range(0..longest.as_micros() as u64),
        ));
        // It may have exited by itself; then there is nothing to kill.
        let _ = process.kill();
        let status = process.wait().unwrap();
        // The delays are adjusted so that about half of the processes finish.
        if status.success() {
            acknowledged.push(name);
            longest = longest.mul_f64(0.93);
        } else {
            assert_eq!(status.code(), None, "the process failed instead of being killed");
            killed += 1;
            longest = longest.mul_f64(1.07);
        }
    }
    (acknowledged, killed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_leaves_complete_sets_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake").display().to_string();
    assert!(lakeplan(&lake).arg("init").status().unwrap().success());
    assert!(
        lakeplan(&lake)
            .args(["project", "create", "Payments", "--key", "PAY"])
            .status()
            .unwrap()
            .success()
    );
    // The delays are spread over the duration of a run on this machine, with four processes at a
    // time.
    let started = std::time::Instant::now();
    assert!(lakeplan(&lake).args(["task", "create", "x"]).status().unwrap().success());
    let longest = started.elapsed() * 5;
    let each = counts(25, 250);
    let results: Vec<(Vec<String>, usize)> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..4)
            .map(|number| {
                let lake = &lake;
                scope.spawn(move || client(lake, number, each, longest))
            })
            .collect();
        running.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let killed: usize = results.iter().map(|(_, killed)| killed).sum();
    let acknowledged: BTreeSet<String> =
        results.into_iter().flat_map(|(acknowledged, _)| acknowledged).collect();

    let root = LakeLocation::open(&lake, false).unwrap();
    let store = DeltaStore::open(&root, Format::default(), clock(), random(1)).await.unwrap();
    let sets = journal(&store).await;
    let state = store.snapshot(&Scope::All).await.unwrap().state;
    let titles: Vec<String> = crate::store::titles(&state);
    let unique: BTreeSet<&String> = titles.iter().collect();
    assert_eq!(unique.len(), titles.len(), "a set is in the journal twice");
    for name in &acknowledged {
        assert!(
            unique.contains(&format!("{name}a")) && unique.contains(&format!("{name}b")),
            "{name} was acknowledged and is missing"
        );
    }
    for title in titles.iter().filter(|title| *title != "x") {
        let other = if let Some(name) = title.strip_suffix('a') {
            format!("{name}b")
        } else {
            format!("{}a", &title[..title.len() - 1])
        };
        assert!(unique.contains(&other), "only half of {title} exists");
    }
    eprintln!(
        "{} processes, {killed} killed, {} acknowledged, {} sets in the journal",
        4 * each,
        acknowledged.len(),
        sets.len() - 2
    );
    assert!(
        killed > each / 2 && !acknowledged.is_empty(),
        "{killed} killed, {} acknowledged: the delays are badly chosen",
        acknowledged.len()
    );
}
