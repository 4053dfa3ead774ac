//! The views over many tasks, compared with DuckDB on the same files.

use std::path::Path;
use std::time::Instant;

use lakeplan::analytics::{Session, VIEWS};

use super::milliseconds;
use crate::{Measurement, Row, lake, peers};

const REPEATS: usize = 5;
const NOW: &str = "2026-11-20T12:00:00Z";

pub fn rows() -> Vec<Row> {
    vec![
        Row {
            name: "views-1m",
            work: "each view over 1,000,000 tasks",
            goal: "≤ 1× in the geometric mean, each < 300 ms",
            run: |folder| views(folder, 1_000_000, 300.0),
        },
        Row {
            name: "views-100k",
            work: "each view over 100,000 tasks",
            goal: "each < 100 ms",
            run: |folder| views(folder, 100_000, 100.0),
        },
    ]
}

fn views(folder: &Path, tasks: usize, goal: f64) -> Measurement {
    let place = lake::copy(tasks, folder);
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    let own: Vec<(&str, f64, usize)> = runtime.block_on(async {
        let store = lake::open(&place).await;
        let session =
            Session::open(&store.tables(), NOW.parse().expect("timestamp")).await.expect("session");
        let mut found = Vec::new();
        for view in VIEWS {
            let mut times = Vec::new();
            let mut rows = 0;
            for _ in 0..REPEATS {
                let started = Instant::now();
                let batches = session
                    .query(&format!("SELECT * FROM {}", view.name))
                    .await
                    .expect("query succeeds");
                times.push(started.elapsed().as_secs_f64());
                rows = batches.iter().map(|batch| batch.num_rows()).sum();
            }
            found.push((view.name, milliseconds(&mut times), rows));
        }
        found
    });
    let repeats = REPEATS.to_string();
    let mut args = vec![place.to_str().unwrap_or_default(), NOW, &repeats];
    args.extend(VIEWS.iter().map(|view| view.name));
    let peer = peers::run("duckdb", "views.py", &args);
    let mut ratios = Vec::new();
    let mut parts = Vec::new();
    for (name, time, rows) in &own {
        let theirs = peer
            .as_ref()
            .and_then(|peer| peer.get(*name))
            .and_then(|found| Some((found["seconds"].as_f64()?, found["rows"].as_u64()?)));
        if let Some((seconds, theirs)) = theirs {
            assert_eq!(*rows as u64, theirs, "{name} has different rows in DuckDB");
            ratios.push(time / (seconds * 1000.0));
            parts.push(format!("{name} {time:.0} ({:.0})", seconds * 1000.0));
        } else {
            parts.push(format!("{name} {time:.0}"));
        }
    }
    let slowest = own.iter().map(|(_, time, _)| *time).fold(0.0, f64::max);
    let mean = (ratios.iter().map(|ratio: &f64| ratio.ln()).sum::<f64>()
        / ratios.len().max(1) as f64)
        .exp();
    eprintln!("{}", parts.join(", "));
    let peer = if ratios.is_empty() {
        "DuckDB not installed".to_owned()
    } else {
        format!("{mean:.2}× DuckDB; its ms in parentheses")
    };
    let is_fast = slowest < goal;
    let met = if goal < 300.0 {
        Some(is_fast)
    } else {
        (!ratios.is_empty()).then_some(is_fast && mean <= 1.0)
    };
    Measurement { ours: format!("slowest {slowest:.0} ms: {}", parts.join(", ")), peer, met }
}
