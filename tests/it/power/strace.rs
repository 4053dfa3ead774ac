//! Recording what a process asks of the file system, with strace.
//!
//! Everything comes from the recorded calls, the bytes of the files too: strings are recorded whole and in hexadecimal. What
//! a process may do to files by a way that is not recorded here (a shared mapping, an unknown call) would go unseen, so the
//! tester compares what it made of a recording with the folder as it really is.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

/// The calls that are recorded: all that change names or bytes, and all that flush them.
const TRACED: &str = "open,openat,openat2,creat,write,pwrite64,writev,pwritev,pwritev2,link,linkat,symlink,\
    symlinkat,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,truncate,ftruncate,fallocate,fsync,fdatasync,sync,\
    syncfs,sync_file_range,copy_file_range,sendfile,splice";

/// A call that succeeded, or whose end nobody saw.
#[derive(Clone, Debug)]
pub enum Call {
    /// A file is there afterwards; it is emptied where there was one and that was asked for.
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
    /// A file's name or an empty folder is gone afterwards.
    Remove {
        path: PathBuf,
    },
    MakeFolder {
        path: PathBuf,
    },
    /// A file's bytes, or a folder's names, are on the disk when it returns.
    Flush {
        path: PathBuf,
    },
    /// Something was printed by which these are acknowledged.
    Acknowledge(Vec<String>),
}

#[derive(Clone, Copy, Debug)]
pub enum Event {
    Begun(usize),
    Ended(usize),
}

impl Call {
    /// Whether the file system shows it right after it was the last one to touch what it touches.
    fn is_done(&self) -> bool {
        match self {
            Self::Create { path, .. } | Self::MakeFolder { path } => path.exists(),
            Self::Link { to, .. } => to.exists(),
            Self::Rename { from, .. } | Self::Remove { path: from } => !from.exists(),
            Self::Write { path, at, bytes } => path.metadata().is_ok_and(|found| found.len() >= at + bytes.len() as u64),
            Self::Truncate { path, length } => path.metadata().is_ok_and(|found| found.len() == *length),
            Self::Flush { .. } => false,
            Self::Acknowledge(_) => true,
        }
    }
}

impl Event {
    fn ended(&self) -> Option<usize> {
        match self {
            Self::Ended(call) => Some(*call),
            Self::Begun(_) => None,
        }
    }
}

/// The calls in the order in which they began and ended. One whose end is missing may have been done or not.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    pub calls: Vec<Call>,
    pub events: Vec<Event>,
    /// Whether the last process ended by itself and with success.
    pub succeeded: bool,
    /// Calls counted by [`is_counted`], for who counts them otherwise.
    pub counted: usize,
}

pub fn is_installed() -> bool {
    let found = Command::new("strace").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        eprintln!("skipped: strace is not installed");
    }
    found
}

impl Recording {
    /// Runs a command under strace; `acknowledged` says what a line on its standard output acknowledges.
    pub fn of(command: &Command, within: &Path, acknowledged: impl Fn(&str) -> Vec<String>) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut traced = Command::new("strace");
        traced.args(["-f", "-y", "-xx", "-a", "1", "-s", "16777216", "--seccomp-bpf", "-e", "signal=none", "-e"]);
        // The question mark lets go what a machine does not have.
        let calls: Vec<String> = TRACED.split(',').map(|call| format!("?{call}")).collect();
        traced.arg(format!("trace={}", calls.join(","))).arg("-o").arg(log.path());
        traced.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        for (name, value) in command.get_envs() {
            let value = value.map(OsStr::to_string_lossy).unwrap_or_default();
            traced.arg("-E").arg(format!("{}={value}", name.to_string_lossy()));
        }
        traced.arg("--").arg(command.get_program()).args(command.get_args());
        let ran = traced.stdin(Stdio::null()).output().unwrap();
        let mut reader = Reader { within: within.to_owned(), ..Reader::default() };
        for line in std::fs::read_to_string(log.path()).unwrap().lines() {
            reader.line(line, &acknowledged);
        }
        let mut recording = reader.recording();
        recording.settle();
        recording.succeeded = ran.status.success();
        assert!(
            recording.succeeded || ran.status.code().is_none() || ran.status.code() == Some(128 + 9),
            "{command:?}: {}{}",
            String::from_utf8_lossy(&ran.stdout),
            String::from_utf8_lossy(&ran.stderr)
        );
        recording
    }

    /// Finds out what became of the calls that a kill cut short. Of a flush nothing can be seen, so it saved nothing.
    fn settle(&mut self) {
        let ended: HashSet<usize> = self.events.iter().filter_map(|event| event.ended()).collect();
        for (number, call) in self.calls.iter().enumerate().filter(|(number, _)| !ended.contains(number)) {
            if call.is_done() {
                self.events.push(Event::Ended(number));
            } else {
                self.events.retain(|event| !matches!(event, Event::Begun(begun) if *begun == number));
            }
        }
    }

    /// How many events there are up to each acknowledgement, that included.
    pub fn acknowledgements(&self) -> Vec<usize> {
        let is_one = |event: &Event| matches!(event, Event::Begun(call) if matches!(self.calls[*call], Call::Acknowledge(_)));
        (1..=self.events.len()).filter(|at| is_one(&self.events[at - 1])).collect()
    }

    /// The same, and then what another process did.
    pub fn and(mut self, later: Self) -> Self {
        let before = self.calls.len();
        self.calls.extend(later.calls);
        self.events.extend(later.events.into_iter().map(|event| match event {
            Event::Begun(call) => Event::Begun(call + before),
            Event::Ended(call) => Event::Ended(call + before),
        }));
        self.succeeded = later.succeeded;
        self.counted += later.counted;
        self
    }
}

/// Reads the lines of a log.
#[derive(Default)]
struct Reader {
    within: PathBuf,
    read: Vec<(Call, bool)>,
    events: Vec<Event>,
    /// What a thread has begun: the text of the call so far and its number, where it is one of ours.
    begun: HashMap<String, (String, Option<usize>)>,
    /// Where the next byte of a file goes that was opened; no file here is opened twice at once.
    offsets: HashMap<PathBuf, u64>,
    counted: usize,
}

impl Reader {
    fn line(&mut self, line: &str, acknowledged: &impl Fn(&str) -> Vec<String>) {
        let Some((thread, text)) = line.split_once(' ') else { return };
        let text = text.trim_start();
        if text.starts_with("+++") || text.starts_with("---") {
            return;
        }
        if let Some(rest) = text.strip_prefix("<... ") {
            let (_, rest) = rest.split_once(" resumed>").unwrap_or_else(|| panic!("{line}"));
            let (mut text, call) = self.begun.remove(thread).unwrap_or_else(|| panic!("{line}"));
            text.push_str(rest);
            self.end(&text, call);
        } else if let Some(text) = text.strip_suffix("<unfinished ...>") {
            let call = self.begin(text.trim_end(), acknowledged);
            self.begun.insert(thread.to_owned(), (text.trim_end().to_owned(), call));
        } else {
            let call = self.begin(text, acknowledged);
            self.end(text, call);
        }
    }

    fn begin(&mut self, text: &str, acknowledged: &impl Fn(&str) -> Vec<String>) -> Option<usize> {
        let call = self.call(text, acknowledged)?;
        self.read.push((call, true));
        self.events.push(Event::Begun(self.read.len() - 1));
        Some(self.read.len() - 1)
    }

    fn end(&mut self, text: &str, call: Option<usize>) {
        let (_, result) = text.rsplit_once(") = ").unwrap_or_else(|| panic!("{text}"));
        let fails = result.starts_with('-');
        self.counted += usize::from(is_counted(text));
        // The process was killed meanwhile.
        if result.starts_with('?') {
            return;
        }
        let Some(call) = call else {
            self.note(text, result, fails);
            return;
        };
        if fails {
            self.read[call].1 = false;
            return;
        }
        if let Call::Write { bytes, .. } = &self.read[call].0 {
            assert_eq!(result, bytes.len().to_string(), "a write that was not taken whole");
        }
        self.note(text, result, fails);
        self.events.push(Event::Ended(call));
    }

    /// Notes where in a file the next write goes.
    fn note(&mut self, text: &str, result: &str, fails: bool) {
        let (name, args) = parts(text);
        match name {
            "open" | "openat" | "creat" if !fails => {
                if let Some(path) = path_of(result) {
                    self.offsets.insert(path, 0);
                }
            }
            "write" | "writev" if !fails => {
                if let Some(offset) = path_of(args[0]).and_then(|path| self.offsets.get_mut(&path)) {
                    *offset += result.parse::<u64>().unwrap_or_else(|_| panic!("{text}"));
                }
            }
            _ => {}
        }
    }

    /// The call that a text tells of, if it is one that changes or flushes something within the folder.
    fn call(&self, text: &str, acknowledged: &impl Fn(&str) -> Vec<String>) -> Option<Call> {
        let (name, args) = parts(text);
        let inside = |path: PathBuf| path.starts_with(&self.within).then_some(path);
        match name {
            "open" | "creat" | "openat" => {
                let (folder, rest) = if name == "openat" { (args[0], &args[1..]) } else { ("", &args[..]) };
                let flags = if name == "creat" { "O_CREAT|O_TRUNC" } else { rest.get(1).copied().unwrap_or_default() };
                let path = inside(at(folder, rest[0]))?;
                let creates = flags.contains("O_CREAT");
                assert!(creates || !flags.contains("O_TRUNC"), "{text}");
                creates.then(|| Call::Create { path, empties: flags.contains("O_TRUNC") })
            }
            "write" | "writev" | "pwrite64" => {
                let bytes: Vec<u8> = match name {
                    "writev" => text.split("iov_base=").skip(1).flat_map(|part| bytes(part.split(',').next().unwrap())).collect(),
                    _ => bytes(args[1]),
                };
                if number(args[0]) == "1" {
                    let acknowledged: Vec<String> = String::from_utf8_lossy(&bytes).lines().flat_map(acknowledged).collect();
                    return (!acknowledged.is_empty()).then_some(Call::Acknowledge(acknowledged));
                }
                let path = inside(path_of(args[0])?)?;
                let offset = if name == "pwrite64" { args[3].parse().unwrap() } else { self.offsets.get(&path).copied()? };
                Some(Call::Write { path, at: offset, bytes: bytes.into() })
            }
            "truncate" | "ftruncate" => {
                let path = if name == "truncate" { at("", args[0]) } else { path_of(args[0])? };
                Some(Call::Truncate { path: inside(path)?, length: args[1].parse().unwrap() })
            }
            "link" | "rename" => Some(pair(name, inside(at("", args[0]))?, at("", args[1]))),
            "linkat" | "renameat" | "renameat2" => Some(pair(name, inside(at(args[0], args[1]))?, at(args[2], args[3]))),
            "unlink" | "rmdir" => Some(Call::Remove { path: inside(at("", args[0]))? }),
            "unlinkat" => Some(Call::Remove { path: inside(at(args[0], args[1]))? }),
            "mkdir" => Some(Call::MakeFolder { path: inside(at("", args[0]))? }),
            "mkdirat" => Some(Call::MakeFolder { path: inside(at(args[0], args[1]))? }),
            "fsync" | "fdatasync" => Some(Call::Flush { path: inside(path_of(args[0])?)? }),
            // Nothing here uses the others on a file within; whoever begins to must be read here too.
            _ => {
                let named = args.iter().filter_map(|arg| path_of(arg)).any(|path| path.starts_with(&self.within));
                assert!(!named, "a call that the tester does not know: {text}");
                None
            }
        }
    }

    /// Without the calls that failed.
    fn recording(self) -> Recording {
        let mut numbers = HashMap::new();
        let mut calls = Vec::new();
        for (number, (call, stands)) in self.read.into_iter().enumerate() {
            if stands {
                numbers.insert(number, calls.len());
                calls.push(call);
            }
        }
        let events = self.events.into_iter().filter_map(|event| match event {
            Event::Begun(call) => numbers.get(&call).copied().map(Event::Begun),
            Event::Ended(call) => numbers.get(&call).copied().map(Event::Ended),
        });
        Recording { events: events.collect(), calls, succeeded: false, counted: self.counted }
    }
}

/// Whether the library of the kill tester counts the call, which knows nothing of folders.
fn is_counted(text: &str) -> bool {
    let (name, args) = parts(text);
    match name {
        "open" | "openat" | "creat" => text.contains("O_CREAT"),
        "write" | "writev" | "pwrite64" => {
            number(args[0]) == "1" || path_of(args[0]).is_some_and(|path| path.is_absolute() && !is_device(&path))
        }
        "link" | "linkat" | "rename" | "renameat" | "renameat2" | "unlink" | "unlinkat" | "rmdir" | "mkdir" | "mkdirat"
        | "ftruncate" | "truncate" | "fsync" | "fdatasync" => true,
        _ => false,
    }
}

fn is_device(path: &Path) -> bool {
    path.starts_with("/dev") && !path.starts_with("/dev/shm")
}

fn pair(name: &str, from: PathBuf, to: PathBuf) -> Call {
    if name.starts_with("link") { Call::Link { from, to } } else { Call::Rename { from, to } }
}

/// The name of a call and its arguments. Strings are hexadecimal, so no comma is part of one.
fn parts(text: &str) -> (&str, Vec<&str>) {
    let (name, rest) = text.split_once('(').unwrap_or_else(|| panic!("{text}"));
    let args = rest.rsplit_once(") = ").map_or(rest, |(args, _)| args);
    (name, args.split(", ").collect())
}

/// The number of a file descriptor.
fn number(descriptor: &str) -> &str {
    descriptor.split('<').next().unwrap_or_default().trim()
}

/// The path that strace says a descriptor leads to.
fn path_of(descriptor: &str) -> Option<PathBuf> {
    let (_, path) = descriptor.split_once('<')?;
    let path = path.split('>').next()?;
    Some(PathBuf::from(std::ffi::OsString::from_vec(unhex(path))))
}

/// A path that is given below a folder.
fn at(folder: &str, path: &str) -> PathBuf {
    let path = PathBuf::from(std::ffi::OsString::from_vec(bytes(path)));
    // The tests name everything by whole paths.
    if path.is_absolute() { path } else { path_of(folder).map_or(path.clone(), |folder| folder.join(&path)) }
}

/// A string that strace printed whole.
fn bytes(text: &str) -> Vec<u8> {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    unhex(inner.unwrap_or_else(|| panic!("strace cut a string short: {}", &text[..text.len().min(60)])))
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap() as u8;
    let byte = |part: &[u8]| digit(part[2]) << 4 | digit(part[3]);
    if !text.starts_with("\\x") {
        return text.as_bytes().to_vec();
    }
    text.as_bytes().chunks(4).map(byte).collect()
}
