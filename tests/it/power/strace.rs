//! Records the file system calls of a process with strace.
//!
//! The recording contains everything, including the bytes of the files: strings are recorded
//! completely and in hexadecimal. File changes by other means (a shared mapping, an unknown call)
//! would be missed, so the tester compares the result of a recording with the real folder.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::reader::Reader;

/// The recorded calls: all that change names or bytes, and all that flush them.
const TRACED: &str = "open,openat,openat2,creat,write,pwrite64,writev,pwritev,pwritev2,link,linkat,symlink,\
    symlinkat,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,truncate,ftruncate,fallocate,fsync,fdatasync,sync,\
    syncfs,sync_file_range,copy_file_range,sendfile,splice";

/// A call that succeeded, or whose end was not recorded.
#[derive(Clone, Debug)]
pub enum Call {
    /// A file exists afterwards; an existing file is truncated if requested.
    Create {
        path: PathBuf,
        empties: bool,
    },
    Write {
        path: PathBuf,
        at: u64,
        bytes: Arc<[u8]>,
    },
    Truncate {
        path: PathBuf,
        length: u64,
    },
    Link {
        from: PathBuf,
        to: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    /// A file's name or an empty directory is gone afterwards.
    Remove {
        path: PathBuf,
    },
    MakeFolder {
        path: PathBuf,
    },
    /// A file's bytes, or a directory's names, are on the disk when it returns.
    Flush {
        path: PathBuf,
    },
    /// A line was printed that acknowledges these.
    Acknowledge(Vec<String>),
}

#[derive(Clone, Copy, Debug)]
pub enum Event {
    Started(usize),
    Ended(usize),
}

impl Call {
    /// Returns whether the file system shows the effect, if this was the last call to touch the
    /// same paths.
    fn is_done(&self) -> bool {
        match self {
            Self::Create { path, .. } | Self::MakeFolder { path } => path.exists(),
            Self::Link { to, .. } => to.exists(),
            Self::Rename { from, .. } | Self::Remove { path: from } => !from.exists(),
            Self::Write { path, at, bytes } => {
                path.metadata().is_ok_and(|found| found.len() >= at + bytes.len() as u64)
            }
            Self::Truncate { path, length } => {
                path.metadata().is_ok_and(|found| found.len() == *length)
            }
            Self::Flush { .. } => false,
            Self::Acknowledge(_) => true,
        }
    }
}

impl Event {
    fn ended(&self) -> Option<usize> {
        match self {
            Self::Ended(call) => Some(*call),
            Self::Started(_) => None,
        }
    }
}

/// The calls in the order in which they began and ended. A call without an end may or may not have
/// taken effect.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    pub calls: Vec<Call>,
    pub events: Vec<Event>,
    /// Whether the last process exited by itself and with success.
    pub succeeded: bool,
    /// Number of calls that `kill.c` counts.
    pub counted: usize,
}

pub fn is_installed() -> bool {
    let found =
        Command::new("strace").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        crate::support::skip("strace is not installed");
    }
    found
}

impl Recording {
    /// Runs a command under strace; `acknowledged` returns the acknowledgements in a line of its
    /// standard output.
    pub fn of(
        command: &Command,
        within: &Path,
        acknowledged: impl Fn(&str) -> Vec<String>,
    ) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut traced = Command::new("strace");
        traced.args([
            "-f",
            "-y",
            "-xx",
            "-a",
            "1",
            "-s",
            "16777216",
            "--seccomp-bpf",
            "-e",
            "signal=none",
            "-e",
        ]);
        // The question mark makes a call optional that the machine does not have.
        let calls: Vec<String> = TRACED.split(',').map(|call| format!("?{call}")).collect();
        traced.arg(format!("trace={}", calls.join(","))).arg("-o").arg(log.path());
        traced
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        for (name, value) in command.get_envs() {
            let value = value.map(OsStr::to_string_lossy).unwrap_or_default();
            traced.arg("-E").arg(format!("{}={value}", name.to_string_lossy()));
        }
        traced.arg("--").arg(command.get_program()).args(command.get_args());
        let ran = traced.stdin(Stdio::null()).output().unwrap();
        let mut reader = Reader::within(within);
        for line in std::fs::read_to_string(log.path()).unwrap().lines() {
            reader.line(line, &acknowledged);
        }
        let mut recording = reader.recording();
        recording.resolve_unfinished();
        recording.succeeded = ran.status.success();
        assert!(
            recording.succeeded
                || ran.status.code().is_none()
                || ran.status.code() == Some(128 + 9),
            "{command:?}: {}{}",
            String::from_utf8_lossy(&ran.stdout),
            String::from_utf8_lossy(&ran.stderr)
        );
        recording
    }

    /// Finds out whether the calls that a kill interrupted took effect. A flush leaves no trace, so
    /// it counts as not done.
    fn resolve_unfinished(&mut self) {
        let ended: HashSet<usize> = self.events.iter().filter_map(|event| event.ended()).collect();
        for (number, call) in
            self.calls.iter().enumerate().filter(|(number, _)| !ended.contains(number))
        {
            if call.is_done() {
                self.events.push(Event::Ended(number));
            } else {
                self.events.retain(
                    |event| !matches!(event, Event::Started(started) if *started == number),
                );
            }
        }
    }

    /// Returns the number of events up to and including each acknowledgement.
    pub fn acknowledgements(&self) -> Vec<usize> {
        let is_one = |event: &Event| matches!(event, Event::Started(call) if matches!(self.calls[*call], Call::Acknowledge(_)));
        (1..=self.events.len()).filter(|at| is_one(&self.events[at - 1])).collect()
    }

    /// Returns the number of events up to each return of a flush of the journal's log, after which
    /// the entry counts as committed.
    pub fn flushes_of_the_journal(&self) -> Vec<usize> {
        let is_one = |event: &Event| match event {
            Event::Ended(call) => {
                matches!(&self.calls[*call], Call::Flush { path } if path.ends_with("journal/_delta_log"))
            }
            Event::Started(_) => false,
        };
        (1..=self.events.len()).filter(|at| is_one(&self.events[at - 1])).collect()
    }

    /// Returns the paths of objects that were created and of those that were removed.
    pub fn made_and_removed(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let is_object = |path: &&PathBuf| !path.to_string_lossy().contains('#');
        let made = self.calls.iter().filter_map(|call| match call {
            Call::Link { to, .. } | Call::Rename { to, .. } => Some(to),
            _ => None,
        });
        let removed = self.calls.iter().filter_map(|call| match call {
            Call::Remove { path } => Some(path),
            _ => None,
        });
        (made.filter(is_object).cloned().collect(), removed.filter(is_object).cloned().collect())
    }

    /// Appends the recording of a later process.
    pub fn followed_by(mut self, later: Self) -> Self {
        let before = self.calls.len();
        self.calls.extend(later.calls);
        self.events.extend(later.events.into_iter().map(|event| match event {
            Event::Started(call) => Event::Started(call + before),
            Event::Ended(call) => Event::Ended(call + before),
        }));
        self.succeeded = later.succeeded;
        self.counted += later.counted;
        self
    }
}
