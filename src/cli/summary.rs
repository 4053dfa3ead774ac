//! What became of a command, as one JSON object in a file: for a job that started it and wants to pass it on.

use std::path::Path;

use serde_json::{Value, json};

use super::{CliError, Exit, Reply};
use crate::domain::time::{Instant, rfc3339};
use crate::runtime::{Clock, SystemClock};
use crate::store::Head;

/// A command that has begun.
pub struct Summary {
    command: &'static str,
    begun: Instant,
}

impl Summary {
    pub fn begin(command: &'static str) -> Self {
        Self { command, begun: SystemClock.now() }
    }

    /// Writes the file, whole or not at all. `end` is how the lake stood, where one was opened and closed.
    pub fn write(&self, file: &Path, done: Result<&Reply, &CliError>, end: Option<&Head>) -> Result<(), CliError> {
        let (exit, error) = match done {
            Ok(_) => (Exit::Ok, Value::Null),
            Err(fault) => (fault.exit(), fault.to_json()["error"].take()),
        };
        let summary = json!({
            "command": self.command,
            "exit": exit as u8,
            "code": error["code"],
            "message": error["message"],
            "hint": error["hint"],
            "started_at": rfc3339(self.begun),
            "duration_ms": (SystemClock.now() - self.begun).num_milliseconds(),
            "seq": end.map(|head| head.seq),
            "sets_behind": end.map(|head| head.seq.saturating_sub(head.folded)),
            "counts": done.map(|reply| json!(reply.counts)).unwrap_or_else(|_| error["counts"].clone()),
        });
        let unwritten = |fault: std::io::Error| CliError::usage(format!("--summary {}: {fault}", file.display()));
        let mut beside = file.as_os_str().to_owned();
        beside.push(".part");
        std::fs::write(&beside, format!("{summary}\n")).and_then(|()| std::fs::rename(&beside, file)).map_err(unwritten)
    }
}
