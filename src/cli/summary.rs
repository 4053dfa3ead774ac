//! What became of a command, as one JSON object in a file: for a job that started it and wants to pass it on.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::files::{refuse_in_lake, write_file};
use super::{CliError, Exit, Reply};
use crate::domain::time::{Instant, rfc3339};
use crate::runtime::{Clock, SystemClock};
use crate::service::ServiceError;
use crate::store::Head;
use crate::store::outer::real;
use crate::text::visible::{path_text, visible_json};

/// What names the file.
const FLAG: &str = "--summary or LAKEPLAN_SUMMARY";

/// A command that has begun.
pub struct Summary {
    command: &'static str,
    file: PathBuf,
    begun: Instant,
}

impl Summary {
    /// Refused before the command has done anything: where the file's folder is not there, where the file would lie in a
    /// lake, where it is one that the command itself reads or writes, and where it is there and is no earlier summary.
    pub fn begin(command: &'static str, file: PathBuf, used: &[PathBuf]) -> Result<Self, CliError> {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            return Err(CliError::usage(format!(
                "--summary {}: there is no folder {}",
                path_text(&file),
                path_text(folder)
            )));
        }
        refuse_in_lake(&file, FLAG)?;
        let refused = |message: &str| {
            let hint = Some(format!("name another file with {FLAG}, or move that one away"));
            ServiceError::Input { place: path_text(&file), message: message.to_owned(), hint }
        };
        if used.iter().any(|used| real(used) == real(&file)) {
            return Err(
                refused("is a file of the command itself, so no summary is written there").into()
            );
        }
        if holds_something_else(&file) {
            return Err(refused("is there already and is no summary that lakeplan wrote, so it is not replaced by one").into());
        }
        Ok(Self { command, file, begun: SystemClock.now() })
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
        // The command may have made a lake around it.
        let written = refuse_in_lake(&self.file, FLAG).and_then(|()| {
            write_file(&self.file, visible_json(&format!("{summary}\n")).as_bytes())
        });
        if let Err(fault) = written {
            tracing::warn!(%fault, "the summary was not written");
        }
    }
}

/// Whether a file would be lost: one that is there, is neither empty nor an earlier summary, and is no pipe or device.
fn holds_something_else(path: &Path) -> bool {
    // What cannot be read is not known to be a summary.
    std::fs::metadata(path).is_ok_and(|found| found.is_dir() || found.is_file() && found.len() > 0)
        && !File::open(path)
            .is_ok_and(|file| serde_json::from_reader::<_, Known>(BufReader::new(file)).is_ok())
}

/// What tells a summary from other JSON.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only that they are there is asked")]
struct Known {
    command: String,
    exit: u8,
    started_at: Instant,
    duration_ms: i64,
    counts: IgnoredAny,
}
