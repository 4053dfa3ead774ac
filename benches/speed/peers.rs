//! The peers: other engines, each run by a Python script in its own virtual environment.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Runs a peer's script and parses the JSON of its last line. Returns `None` and prints a message
/// if the script cannot run.
pub fn run(environment: &str, script: &str, args: &[&str]) -> Option<Value> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = match environment {
        "system" => "python3".into(),
        _ => here.join(".venv").join(environment).join("bin/python"),
    };
    let script = here.join("benches/speed/peers").join(script);
    let done = Command::new(&python).arg(&script).args(args).output();
    let Ok(done) = done else {
        eprintln!("skipped: {} is not installed; tests/readers/run installs it", python.display());
        return None;
    };
    let rendered = String::from_utf8_lossy(&done.stdout);
    // The exit code is ignored, because some peers print their result and then exit with an error.
    let found = rendered.lines().rev().find_map(|line| serde_json::from_str(line).ok());
    if found.is_none() {
        eprintln!(
            "skipped: {}: {}",
            script.display(),
            String::from_utf8_lossy(&done.stderr).lines().last().unwrap_or_default()
        );
    }
    found
}

pub fn number(found: &Option<Value>, key: &str) -> Option<f64> {
    found.as_ref()?.get(key)?.as_f64()
}
