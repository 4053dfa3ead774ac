//! One task of many, shown by a new process.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use super::milliseconds;
use super::project::cold;
use crate::{Measurement, Row, lake};

pub fn rows() -> Vec<Row> {
    vec![Row {
        name: "show",
        work: "cold `task show PAAA-42`, 100,000 tasks, folded",
        goal: "≤ 25 ms",
        run: show,
    }]
}

fn show(folder: &Path) -> Measurement {
    let place = lake::copy(100_000, folder);
    let key = format!("{}-42", lake::key(0));
    let time = milliseconds(&mut cold(&place, &["task", "show", &key]));
    let mut rendered = Vec::new();
    for (engine, name) in [("deltalake", "deltalake"), ("duckdb", "DuckDB with delta")] {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = here.join(".venv").join(engine).join("bin/python");
        let run = || {
            let started = Instant::now();
            let mut command = Command::new(&python);
            let done = command
                .arg(here.join("benches/speed/peers/show.py"))
                .arg(engine)
                .arg(&place)
                .arg(&key)
                .output()
                .ok()?;
            String::from_utf8_lossy(&done.stdout)
                .contains(&key)
                .then(|| started.elapsed().as_secs_f64())
        };
        let mut times: Vec<f64> = (0..6).filter_map(|_| run()).collect();
        rendered.push(match times.is_empty() {
            true => format!("{name} not installed"),
            false => format!("{name} {:.0} ms", milliseconds(&mut times)),
        });
    }
    Measurement {
        ours: format!("{time:.0} ms"),
        peer: rendered.join(", "),
        met: Some(time <= 25.0),
    }
}
