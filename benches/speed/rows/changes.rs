//! Acknowledged changes: many clients in one process, and many processes.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lakeplan::domain::id::EntityId;
use lakeplan::domain::patch::{Op, Patch};
use lakeplan::domain::record::Entity;
use lakeplan::runtime::{SystemClock, SystemRandom};
use lakeplan::store::Outcome;

use super::percentile;
use crate::{Measurement, Row, lake, peers};

const CLIENTS: usize = 100;
const CHANGES: usize = 1_000_000;
const PROCESSES: usize = 8;
const SECONDS: u64 = 5;

pub fn rows() -> Vec<Row> {
    vec![
        Row {
            name: "clients",
            work: "100 clients in one process, one-task changes, flushed to disk, 1,000,000 in all",
            goal: "≥ 10,000 acknowledged/s, p99 ≤ 15 ms, flat",
            run: clients,
        },
        Row {
            name: "processes",
            work: "8 processes, one change after the other in each",
            goal: "≥ 25 acknowledged/s together, no error",
            run: processes,
        },
    ]
}

fn update(number: usize, at: usize) -> Patch {
    let patch = Patch::new(
        Op::Update,
        Entity::Task,
        lake::task(number).uuid(),
        Some(lake::project(number / lake::PROJECT)),
    );
    patch.with("status", if at.is_multiple_of(2) { "in_progress" } else { "review" })
}

fn clients(folder: &Path) -> Measurement {
    let (times, seconds) =
        tokio::runtime::Runtime::new().expect("runtime").block_on(many_clients(folder));
    let tenth = times.len() / 10;
    let (mut first, mut last, mut all) =
        (times[..tenth].to_vec(), times[times.len() - tenth..].to_vec(), times.clone());
    let rate = times.len() as f64 / seconds;
    let (p50, p99) = (percentile(&mut all, 0.5), percentile(&mut all, 0.99));
    let (early, late) = (percentile(&mut first, 0.5), percentile(&mut last, 0.5));
    let append = peers::run(
        "deltalake",
        "append.py",
        &[folder.join("append").to_str().unwrap_or_default(), "1", "5"],
    );
    let sqlite = peers::run(
        "system",
        "sqlite.py",
        &[folder.join("sqlite.db").to_str().unwrap_or_default(), "5"],
    );
    let rendered = |found, name: &str| {
        peers::number(found, "per_second")
            .map_or(format!("{name} not installed"), |rate| format!("{name} {rate:.0}/s"))
    };
    Measurement {
        ours: format!(
            "{rate:.0}/s, p50 {p50:.1} ms, p99 {p99:.1} ms; p50 of the first tenth {early:.1} ms, of the last {late:.1} ms"
        ),
        peer: format!(
            "{}, {}",
            rendered(&append, "deltalake append"),
            rendered(&sqlite, "SQLite WAL FULL")
        ),
        met: Some(rate >= 10_000.0 && p99 <= 15.0 && late <= 2.0 * early),
    }
}

/// Returns the time of each change, in the order of completion, and the total time.
async fn many_clients(folder: &Path) -> (Vec<f64>, f64) {
    let store = Arc::new(lake::create_project(&folder.join("lake")).await);
    store.keep_folded();
    let done = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let tasks: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (store, done) = (Arc::clone(&store), Arc::clone(&done));
            tokio::spawn(async move {
                let random = SystemRandom::default();
                let mut times = Vec::with_capacity(CHANGES / CLIENTS);
                for at in 0..CHANGES / CLIENTS {
                    let set = lake::set(vec![update(client, at)], &SystemClock, &random);
                    let asked = Instant::now();
                    lake::commit(&store, vec![set]).await;
                    times.push((
                        done.fetch_add(1, Ordering::Relaxed),
                        asked.elapsed().as_secs_f64(),
                    ));
                }
                times
            })
        })
        .collect();
    let mut times = Vec::with_capacity(CHANGES);
    for task in tasks {
        times.extend(task.await.expect("client ends"));
    }
    let seconds = started.elapsed().as_secs_f64();
    store.shutdown().await;
    times.sort_by_key(|(order, _)| *order);
    (times.into_iter().map(|(_, time)| time).collect(), seconds)
}

fn processes(folder: &Path) -> Measurement {
    let place = folder.join("lake");
    tokio::runtime::Runtime::new().expect("runtime").block_on(async {
        lake::create_project(&place).await.shutdown().await;
    });
    let own = std::env::current_exe().expect("path of this program");
    let workers: Vec<_> = (0..PROCESSES)
        .map(|number| {
            let mut command = Command::new(&own);
            command
                .args(["--worker", "commit"])
                .arg(&place)
                .arg(number.to_string())
                .stdout(Stdio::piped());
            command.spawn().expect("worker starts")
        })
        .collect();
    let (mut done, mut errors) = (0_usize, 0_usize);
    for worker in workers {
        let rendered = worker.wait_with_output().expect("worker ends");
        let text = String::from_utf8_lossy(&rendered.stdout);
        let mut counts = text.split_whitespace().filter_map(|count| count.parse::<usize>().ok());
        done += counts.next().unwrap_or(0);
        errors += counts.next().unwrap_or(1);
    }
    let rate = done as f64 / SECONDS as f64;
    let seconds = SECONDS.to_string();
    let append = peers::run(
        "deltalake",
        "append.py",
        &[folder.join("append").to_str().unwrap_or_default(), "8", &seconds],
    );
    let peer = match (peers::number(&append, "per_second"), peers::number(&append, "errors")) {
        (Some(rate), Some(errors)) => format!("deltalake append {rate:.0}/s, {errors:.0} errors"),
        _ => "deltalake not installed".to_owned(),
    };
    Measurement {
        ours: format!("{rate:.0}/s, {errors} errors"),
        peer,
        met: Some(rate >= 25.0 && errors == 0),
    }
}

/// Body of one process: changes its own task repeatedly for a while, then prints the number of
/// acknowledged and failed changes.
pub fn commit_repeatedly(args: &[String]) {
    let (place, number) = (Path::new(&args[0]), args[1].parse::<usize>().expect("number"));
    tokio::runtime::Runtime::new().expect("runtime").block_on(async {
        let store = lake::open(place).await;
        let random = SystemRandom::default();
        let (mut done, mut errors) = (0, 0);
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(SECONDS) {
            let outcome = lakeplan::store::Store::commit(
                &store,
                vec![lake::set(vec![update(number, done)], &SystemClock, &random)],
            )
            .await;
            match outcome.as_slice() {
                [Outcome::Committed { .. }] => done += 1,
                _ => errors += 1,
            }
        }
        println!("{done} {errors}");
    });
}
