//! What became of a command, as one JSON object in a file: for a job that started it and wants to pass it on.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::reply::write_file;
use super::{CliError, Exit, Reply};
use crate::domain::time::{Instant, rfc3339};
use crate::runtime::{Clock, SystemClock};
use crate::store::Head;
use crate::text::visible::{path_text, visible_json};

/// A command that has begun.
pub struct Summary {
    command: &'static str,
    file: PathBuf,
    begun: Instant,
}

impl Summary {
    /// Refused where the file's folder is not there: before the command has done anything.
    pub fn begin(command: &'static str, file: PathBuf) -> Result<Self, CliError> {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        match folder.filter(|folder| !folder.is_dir()) {
            Some(folder) => {
                Err(CliError::usage(format!("--summary {}: there is no folder {}", path_text(&file), path_text(folder))))
            }
            None => Ok(Self { command, file, begun: SystemClock.now() }),
        }
    }

    /// Writes the file, whole or not at all. `end` is how the lake stood, where one was opened and closed. What the command
    /// did stands where this fails, so that is only logged.
    pub fn write(&self, done: Result<&Reply, &CliError>, end: Option<&Head>) {
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
        if let Err(fault) = write_file(&self.file, visible_json(&format!("{summary}\n")).as_bytes()) {
            tracing::warn!(%fault, "the summary was not written");
        }
    }
}
