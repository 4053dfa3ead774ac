//! Measures what docs/performance.md promises and prints its table: `cargo bench`. Words after `--` choose rows by their names;
//! `--write` puts the table into docs/performance.md.
//!
//! Every row runs in a process of its own, so that its peak memory is its own, and beside it in the same run a peer does
//! the same work. The peers live in the virtual environments that `tests/readers/run` makes below `.venv`; where one is
//! missing its column says so.
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

/// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a row found.
#[derive(Debug, Default)]
pub struct Found {
    /// What was measured, in words.
    pub ours: String,
    pub peer: String,
    /// Whether the goal is met; `None` where it could not be judged.
    pub met: Option<bool>,
}

/// A row of the table.
pub struct Row {
    pub name: &'static str,
    pub work: &'static str,
    pub goal: &'static str,
    pub run: fn(&Path) -> Found,
}

const HEAD: &str =
    "| work | goal | measured | peer in the same run | peak memory |\n|---|---|---|---|---|";
const BEGIN: &str = "<!-- speed: cargo bench -- --write -->";
const END: &str = "<!-- end of speed -->";

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let rows = rows::all();
    if let [flag, name, folder] = words.as_slice()
        && flag == "--row"
    {
        let row = rows.iter().find(|row| row.name == name).expect("no such row");
        let found = (row.run)(Path::new(folder));
        println!(
            "{}",
            json!({"ours": found.ours, "peer": found.peer, "met": found.met, "peak_mib": peak_mib("self")})
        );
        return;
    }
    if let [flag, rest @ ..] = words.as_slice()
        && flag == "--worker"
    {
        return rows::worker(rest);
    }
    let wanted: Vec<&String> = words.iter().filter(|word| !word.starts_with("--")).collect();
    let mut lines: Vec<(&str, String)> = Vec::new();
    for row in rows.iter().filter(|row| {
        wanted.is_empty() || wanted.iter().any(|word| row.name.contains(word.as_str()))
    }) {
        eprintln!("{} ...", row.name);
        let line = line(row, &in_a_process(row));
        eprintln!("{line}");
        lines.push((row.work, line));
    }
    println!("{HEAD}");
    lines.iter().for_each(|(_, line)| println!("{line}"));
    if words.iter().any(|word| word == "--write") {
        write_table(&rows, &lines);
    }
}

fn line(row: &Row, found: &Value) -> String {
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    let mark = match found["met"].as_bool() {
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
        found["peak_mib"]
    )
}

fn in_a_process(row: &Row) -> Value {
    let folder = tempfile::Builder::new()
        .prefix("lakeplan-bench")
        .tempdir_in(scratch())
        .expect("a folder to work in");
    let own = std::env::current_exe().expect("this program has a path");
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
        .expect("a row ends with its JSON")
}

/// The highest memory a process of this machine had resident, in MiB.
pub fn peak_mib(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0)
        / 1024
}

/// Where lakes are made: beside what cargo builds.
pub fn scratch() -> PathBuf {
    let own = std::env::current_exe().expect("this program has a path");
    let target = own
        .ancestors()
        .find(|folder| folder.ends_with("release"))
        .and_then(Path::parent)
        .expect("a target folder");
    let scratch = target.join("bench-lakes");
    std::fs::create_dir_all(&scratch).expect("a folder for lakes");
    scratch
}

/// Puts the lines that were measured into the table of docs/performance.md; the others stay as they are.
fn write_table(rows: &[Row], measured: &[(&str, String)]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/performance.md");
    let text = std::fs::read_to_string(&path).expect("docs/performance.md is there");
    let (before, rest) =
        text.split_once(BEGIN).expect("docs/performance.md says where the table goes");
    let (table, after) =
        rest.split_once(END).expect("docs/performance.md says where the table ends");
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
