//! Writes the outcome of a command as one JSON object to a file, for the job that started it.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::files::{check_outside_lake, write_file};
use super::{CliError, Exit, Reply};
use crate::domain::time::{Instant, rfc3339};
use crate::runtime::{Clock, SystemClock};
use crate::service::ServiceError;
use crate::store::Head;
use crate::store::location::enclosing::real;
use crate::text::visible::{path_text, visible_json};

/// Names of the option, for errors.
const FLAG: &str = "--summary or LAKEPLAN_SUMMARY";

/// Returns the file that the environment names, if any.
pub fn file_from_environment() -> Option<PathBuf> {
    crate::config::path_variable("LAKEPLAN_SUMMARY").filter(|file| !file.as_os_str().is_empty())
}

/// A command in progress.
pub struct Summary {
    command: &'static str,
    file: PathBuf,
    begun: Instant,
}

impl Summary {
    /// Fails before the command does anything if the file's folder is missing, or if the file is
    /// inside a lake, is read or written by the command itself, or exists and is not an earlier
    /// summary.
    pub fn begin(command: &'static str, file: PathBuf, used: &[PathBuf]) -> Result<Self, CliError> {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            return Err(CliError::usage(format!(
                "--summary {}: there is no folder {}",
                path_text(&file),
                path_text(folder)
            )));
        }
        check_outside_lake(&file, FLAG)?;
        let refused = |message: &str| {
            let hint =
                Some(format!("choose another file with {FLAG}, or move that one away").into());
            ServiceError::Input { place: path_text(&file), message: message.to_owned(), hint }
        };
        if used.iter().any(|used| real(used) == real(&file)) {
            return Err(
                refused("is a file of the command itself, so no summary is written there").into()
            );
        }
        if would_overwrite(&file) {
            return Err(refused(
                "already exists and was not written by lakeplan, so no summary is written there",
            )
            .into());
        }
        Ok(Self { command, file, begun: SystemClock.now() })
    }

    /// Writes the file atomically. `end` is the head of the lake, if one was opened and closed. An
    /// error does not undo the command, so it is only logged.
    pub fn write(&self, done: Result<&Reply, &CliError>, end: Option<&Head>) {
        let (exit, error) = match done {
            Ok(_) => (Exit::Ok, Value::Null),
            Err(err) => (err.exit(), err.to_json()["error"].take()),
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
            "sets_behind": end.map(|head| head.seq.saturating_sub(head.folded.work)),
            "counts": done.map(|reply| json!(reply.counts)).unwrap_or_else(|_| error["counts"].clone()),
        });
        // The command may have created a lake around the file.
        let written = check_outside_lake(&self.file, FLAG).and_then(|()| {
            write_file(&self.file, visible_json(&format!("{summary}\n")).as_bytes())
        });
        if let Err(err) = written {
            tracing::warn!(%err, "the summary was not written");
        }
    }
}

/// Whether writing would lose a file: it exists, is neither empty nor an earlier summary, and is
/// not a pipe or device.
fn would_overwrite(path: &Path) -> bool {
    // An unreadable file is not known to be a summary.
    std::fs::metadata(path).is_ok_and(|found| found.is_dir() || found.is_file() && found.len() > 0)
        && !File::open(path)
            .is_ok_and(|file| serde_json::from_reader::<_, Known>(BufReader::new(file)).is_ok())
}

/// Fields that distinguish a summary from other JSON.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only that they are there is asked")]
struct Known {
    command: String,
    exit: u8,
    started_at: Instant,
    duration_ms: i64,
    counts: IgnoredAny,
}
