//! Measures the promises of docs/performance.md and prints the table: `cargo bench`. Words after
//! `--` select rows by name; `--write` writes the table into docs/performance.md.
//!
//! Every row runs in its own process, so that its peak memory is its own. In the same run, a peer
//! does the same work. The peers live in the virtual environments that `tests/readers/run` creates
//! in `.venv`. If one is missing, its column says so.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a measurement that cannot go on ends, and talks to the terminal"
)]

mod lake;
mod peers;
mod rows;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

/// Result of a row.
#[derive(Debug, Default)]
pub struct Measurement {
    /// The measured values as text.
    pub ours: String,
    pub peer: String,
    /// Whether the goal is met; `None` if that cannot be decided.
    pub met: Option<bool>,
}

/// A row of the table.
pub struct Row {
    pub name: &'static str,
    pub work: &'static str,
    pub goal: &'static str,
    pub run: fn(&Path) -> Measurement,
}

const HEAD: &str =
    "| work | goal | measured | peer in the same run | peak memory |\n|---|---|---|---|---|";
const BEGIN: &str = "<!-- speed: cargo bench -- --write -->";
const END: &str = "<!-- end of speed -->";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let rows = rows::all();
    if let [flag, name, folder] = args.as_slice()
        && flag == "--row"
    {
        let row = rows.iter().find(|row| row.name == name).expect("no such row");
        let measurement = (row.run)(Path::new(folder));
        println!(
            "{}",
            json!({"ours": measurement.ours, "peer": measurement.peer, "met": measurement.met, "peak_mib": peak_mib("self")})
        );
        return;
    }
    if let [flag, rest @ ..] = args.as_slice()
        && flag == "--worker"
    {
        return rows::worker(rest);
    }
    let selected: Vec<&String> = args.iter().filter(|word| !word.starts_with("--")).collect();
    let mut lines: Vec<(&str, String)> = Vec::new();
    for row in rows.iter().filter(|row| {
        selected.is_empty() || selected.iter().any(|word| row.name.contains(word.as_str()))
    }) {
        eprintln!("{} ...", row.name);
        let line = line(row, &in_a_process(row));
        eprintln!("{line}");
        lines.push((row.work, line));
    }
    println!("{HEAD}");
    lines.iter().for_each(|(_, line)| println!("{line}"));
    if args.iter().any(|word| word == "--write") {
        write_table(&rows, &lines);
    }
}

fn line(row: &Row, measurement: &Value) -> String {
    let text = |key: &str| measurement[key].as_str().unwrap_or_default().to_owned();
    let mark = match measurement["met"].as_bool() {
        Some(true) => "",
        Some(false) => " (missed)",
        None => " (not judged)",
    };
    format!(
        "| {} | {}{mark} | {} | {} | {} MiB |",
        row.work,
        row.goal,
        text("ours"),
        text("peer"),
        measurement["peak_mib"]
    )
}

fn in_a_process(row: &Row) -> Value {
    let folder = tempfile::Builder::new()
        .prefix("lakeplan-bench")
        .tempdir_in(scratch())
        .expect("working directory");
    let own = std::env::current_exe().expect("path of this program");
    let done = Command::new(own)
        .args(["--row", row.name])
        .arg(folder.path())
        .output()
        .expect("the row starts");
    assert!(
        done.status.success(),
        "{} failed: {}",
        row.name,
        String::from_utf8_lossy(&done.stderr)
    );
    let rendered = String::from_utf8_lossy(&done.stdout);
    serde_json::from_str(rendered.lines().last().unwrap_or_default())
        .expect("row prints JSON as its last line")
}

/// Returns the peak resident memory of a process on this machine, in MiB.
pub fn peak_mib(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0)
        / 1024
}

/// Returns the directory for lakes, next to the build output of cargo.
pub fn scratch() -> PathBuf {
    let own = std::env::current_exe().expect("path of this program");
    let target = own
        .ancestors()
        .find(|folder| folder.ends_with("release"))
        .and_then(Path::parent)
        .expect("target directory");
    let scratch = target.join("bench-lakes");
    std::fs::create_dir_all(&scratch).expect("directory for lakes");
    scratch
}

/// Writes the measured rows into the table of docs/performance.md and keeps the other rows.
fn write_table(rows: &[Row], measured: &[(&str, String)]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/performance.md");
    let text = std::fs::read_to_string(&path).expect("docs/performance.md exists");
    let (before, rest) = text.split_once(BEGIN).expect("docs/performance.md has the begin marker");
    let (table, after) = rest.split_once(END).expect("docs/performance.md has the end marker");
    let kept = |work: &str| {
        table.lines().find(|line| line.starts_with(&format!("| {work} |"))).map(str::to_owned)
    };
    let fresh = |work: &str| {
        measured.iter().find(|(other, _)| *other == work).map(|(_, line)| line.clone())
    };
    let lines: Vec<String> =
        rows.iter().filter_map(|row| fresh(row.work).or_else(|| kept(row.work))).collect();
    let table = format!("{HEAD}\n{}", lines.join("\n"));
    std::fs::write(&path, format!("{before}{BEGIN}\n{table}\n{END}{after}"))
        .expect("docs/performance.md is written");
}
