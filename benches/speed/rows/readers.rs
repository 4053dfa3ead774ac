//! Reads in one process, alone and beside writers.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lakeplan::domain::id::EntityId;
use lakeplan::domain::patch::{Op, Patch};
use lakeplan::domain::record::Entity;
use lakeplan::runtime::{SystemClock, SystemRandom};
use lakeplan::store::delta::DeltaStore;
use lakeplan::store::{Freshness, Scope, Store};

use super::percentile;
use crate::{Measurement, Row, lake};

const READERS: usize = 50;
const WRITERS: usize = 20;
const SECONDS: u64 = 5;
/// Time that a client waits between two requests.
const PAUSE: Duration = Duration::from_millis(20);

pub fn rows() -> Vec<Row> {
    vec![Row {
        name: "readers",
        work: "50 readers of one project in one process, 50 reads/s each, beside 20 writers",
        goal: "p99 of a read ≤ 2× the p99 without writers",
        run: readers,
    }]
}

fn readers(folder: &Path) -> Measurement {
    let place = folder.join("lake");
    tokio::runtime::Runtime::new().expect("runtime").block_on(async {
        let store = Arc::new(lake::create_project(&place).await);
        store.keep_folded();
        let mut cached = Times::default();
        let mut latest = Times::default();
        for (freshness, times) in
            [(Freshness::Cached, &mut cached), (Freshness::Latest, &mut latest)]
        {
            times.alone = read(&store, freshness, 0).await;
            times.beside_writers = read(&store, freshness, WRITERS).await;
        }
        store.shutdown().await;
        let p99 = |times: &mut Vec<f64>| percentile(times, 0.99);
        let (alone, beside) = (p99(&mut cached.alone), p99(&mut cached.beside_writers));
        let (slow_alone, slow_beside) = (p99(&mut latest.alone), p99(&mut latest.beside_writers));
        Measurement {
            ours: format!(
                "cached: p99 {alone:.2} ms alone, {beside:.2} ms beside writers; latest: {slow_alone:.1} ms, {slow_beside:.1} ms"
            ),
            peer: "the same reads without writers".to_owned(),
            met: Some(beside <= 2.0 * alone),
        }
    })
}

/// Times of all reads, in seconds.
#[derive(Default)]
struct Times {
    alone: Vec<f64>,
    beside_writers: Vec<f64>,
}

async fn read(store: &Arc<DeltaStore>, freshness: Freshness, writers: usize) -> Vec<f64> {
    let stop = Arc::new(AtomicBool::new(false));
    let project = lake::project(0);
    let writing: Vec<_> = (0..writers)
        .map(|number| {
            let (store, stop) = (Arc::clone(store), Arc::clone(&stop));
            tokio::spawn(async move {
                let random = SystemRandom::default();
                let mut at = 0usize;
                while !stop.load(Ordering::Acquire) {
                    let status = if at.is_multiple_of(2) { "in_progress" } else { "review" };
                    let task = lake::task(number).uuid();
                    let patch = Patch::new(Op::Update, Entity::Task, task, Some(project));
                    let set = lake::set(vec![patch.with("status", status)], &SystemClock, &random);
                    lake::commit(&store, vec![set]).await;
                    at += 1;
                    tokio::time::sleep(PAUSE).await;
                }
            })
        })
        .collect();
    let end = Instant::now() + Duration::from_secs(SECONDS);
    let reading: Vec<_> = (0..READERS)
        .map(|_| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                let (scope, mut times) = (Scope::of([project]), Vec::new());
                while Instant::now() < end {
                    let asked = Instant::now();
                    let read = store.snapshot_at(&scope, freshness).await.expect("readable");
                    assert!(read.state.project(project).is_some());
                    times.push(asked.elapsed().as_secs_f64());
                    tokio::time::sleep(PAUSE).await;
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for reader in reading {
        times.extend(reader.await.expect("reader ends"));
    }
    stop.store(true, Ordering::Release);
    for writer in writing {
        writer.await.expect("writer ends");
    }
    times
}
