//! Parses the output of strace: each call with its arguments, in the order in which calls began and
//! ended.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::strace::{Call, Event, Recording};

/// Parses the lines of a log.
#[derive(Default)]
pub struct Reader {
    within: PathBuf,
    read: Vec<(Call, bool)>,
    events: Vec<Event>,
    /// The unfinished call of each thread: its text so far, and its number if it is a recorded
    /// call.
    started: HashMap<String, (String, Option<usize>)>,
    /// The next write position of each open file; no file is opened twice at once.
    offsets: HashMap<PathBuf, u64>,
    counted: usize,
}

impl Reader {
    /// Ignores calls outside a folder.
    pub fn within(folder: &Path) -> Self {
        Self { within: folder.to_owned(), ..Self::default() }
    }

    pub fn line(&mut self, line: &str, acknowledged: &impl Fn(&str) -> Vec<String>) {
        let Some((thread, text)) = line.split_once(' ') else { return };
        let text = text.trim_start();
        // A killed thread is detached inside a call, which strace may not even name.
        if text.starts_with("+++") || text.starts_with("---") || text.ends_with("<detached ...>") {
            return;
        }
        if let Some(rest) = text.strip_prefix("<... ") {
            let (_, rest) = rest.split_once(" resumed>").unwrap_or_else(|| panic!("{line}"));
            let (mut text, call) = self.started.remove(thread).unwrap_or_else(|| panic!("{line}"));
            text.push_str(rest);
            self.end(&text, call);
        } else if let Some(text) = text.strip_suffix("<unfinished ...>") {
            let call = self.begin(text.trim_end(), acknowledged);
            self.started.insert(thread.to_owned(), (text.trim_end().to_owned(), call));
        } else {
            let call = self.begin(text, acknowledged);
            self.end(text, call);
        }
    }

    fn begin(&mut self, text: &str, acknowledged: &impl Fn(&str) -> Vec<String>) -> Option<usize> {
        let call = self.call(text, acknowledged)?;
        self.read.push((call, true));
        self.events.push(Event::Started(self.read.len() - 1));
        Some(self.read.len() - 1)
    }

    fn end(&mut self, text: &str, call: Option<usize>) {
        let (_, result) = text.rsplit_once(") = ").unwrap_or_else(|| panic!("{text}"));
        let fails = result.starts_with('-');
        self.counted += usize::from(is_counted(text));
        // The process was killed during the call.
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
        if let Call::Write { bytes, .. } = &mut self.read[call].0 {
            // A signal may interrupt a write before it takes all bytes.
            let taken: usize = result.parse().unwrap_or_else(|_| panic!("{text}"));
            *bytes = bytes[..taken].into();
        }
        self.note(text, result, fails);
        self.events.push(Event::Ended(call));
    }

    /// Records the position of the next write in a file.
    fn note(&mut self, text: &str, result: &str, fails: bool) {
        let (name, args) = parts(text);
        match name {
            "open" | "openat" | "creat" if !fails => {
                if let Some(path) = path_of(result) {
                    self.offsets.insert(path, 0);
                }
            }
            "write" | "writev" if !fails => {
                if let Some(offset) = path_of(args[0]).and_then(|path| self.offsets.get_mut(&path))
                {
                    *offset += result.parse::<u64>().unwrap_or_else(|_| panic!("{text}"));
                }
            }
            _ => {}
        }
    }

    /// Parses a call, if it changes or flushes something inside the folder.
    fn call(&self, text: &str, acknowledged: &impl Fn(&str) -> Vec<String>) -> Option<Call> {
        let (name, args) = parts(text);
        let inside = |path: PathBuf| path.starts_with(&self.within).then_some(path);
        match name {
            "open" | "creat" | "openat" => {
                let (folder, rest) =
                    if name == "openat" { (args[0], &args[1..]) } else { ("", &args[..]) };
                let flags = if name == "creat" {
                    "O_CREAT|O_TRUNC"
                } else {
                    rest.get(1).copied().unwrap_or_default()
                };
                let path = inside(at(folder, rest[0]))?;
                let creates = flags.contains("O_CREAT");
                assert!(creates || !flags.contains("O_TRUNC"), "{text}");
                creates.then(|| Call::Create { path, empties: flags.contains("O_TRUNC") })
            }
            "write" | "writev" | "pwrite64" => {
                let bytes: Vec<u8> = match name {
                    "writev" => text
                        .split("iov_base=")
                        .skip(1)
                        .flat_map(|part| bytes(part.split(',').next().unwrap()))
                        .collect(),
                    _ => bytes(args[1]),
                };
                if number(args[0]) == "1" {
                    let acknowledged: Vec<String> =
                        String::from_utf8_lossy(&bytes).lines().flat_map(acknowledged).collect();
                    return (!acknowledged.is_empty()).then_some(Call::Acknowledge(acknowledged));
                }
                let path = inside(path_of(args[0])?)?;
                let offset = if name == "pwrite64" {
                    args[3].parse().unwrap()
                } else {
                    self.offsets.get(&path).copied()?
                };
                Some(Call::Write { path, at: offset, bytes: bytes.into() })
            }
            "truncate" | "ftruncate" => {
                let path = if name == "truncate" { at("", args[0]) } else { path_of(args[0])? };
                Some(Call::Truncate { path: inside(path)?, length: args[1].parse().unwrap() })
            }
            "link" | "rename" => Some(pair(name, inside(at("", args[0]))?, at("", args[1]))),
            "linkat" | "renameat" | "renameat2" => {
                Some(pair(name, inside(at(args[0], args[1]))?, at(args[2], args[3])))
            }
            "unlink" | "rmdir" => Some(Call::Remove { path: inside(at("", args[0]))? }),
            "unlinkat" => Some(Call::Remove { path: inside(at(args[0], args[1]))? }),
            "mkdir" => Some(Call::MakeFolder { path: inside(at("", args[0]))? }),
            "mkdirat" => Some(Call::MakeFolder { path: inside(at(args[0], args[1]))? }),
            "fsync" | "fdatasync" => Some(Call::Flush { path: inside(path_of(args[0])?)? }),
            // No process here uses the other calls on a file inside the folder. A process that
            // starts to use one must be parsed here too.
            _ => {
                let named = args
                    .iter()
                    .filter_map(|arg| path_of(arg))
                    .any(|path| path.starts_with(&self.within));
                assert!(!named, "unknown call: {text}");
                None
            }
        }
    }

    /// Returns the recording without failed calls.
    pub fn recording(self) -> Recording {
        let mut numbers = HashMap::new();
        let mut calls = Vec::new();
        for (number, (call, stands)) in self.read.into_iter().enumerate() {
            if stands {
                numbers.insert(number, calls.len());
                calls.push(call);
            }
        }
        let events = self.events.into_iter().filter_map(|event| match event {
            Event::Started(call) => numbers.get(&call).copied().map(Event::Started),
            Event::Ended(call) => numbers.get(&call).copied().map(Event::Ended),
        });
        Recording { events: events.collect(), calls, succeeded: false, counted: self.counted }
    }
}

/// Returns whether the library of the kill tester counts the call; it does not look at paths.
fn is_counted(text: &str) -> bool {
    let (name, args) = parts(text);
    match name {
        "open" | "openat" | "creat" => text.contains("O_CREAT"),
        "write" | "writev" | "pwrite64" => {
            number(args[0]) == "1"
                || path_of(args[0]).is_some_and(|path| path.is_absolute() && !is_device(&path))
        }
        "link" | "linkat" | "rename" | "renameat" | "renameat2" | "unlink" | "unlinkat"
        | "rmdir" | "mkdir" | "mkdirat" | "ftruncate" | "truncate" | "fsync" | "fdatasync" => true,
        _ => false,
    }
}

fn is_device(path: &Path) -> bool {
    path.starts_with("/dev") && !path.starts_with("/dev/shm")
}

fn pair(name: &str, from: PathBuf, to: PathBuf) -> Call {
    if name.starts_with("link") { Call::Link { from, to } } else { Call::Rename { from, to } }
}

/// Splits a call into its name and arguments. Strings are hexadecimal, so they contain no commas.
fn parts(text: &str) -> (&str, Vec<&str>) {
    let (name, rest) = text.split_once('(').unwrap_or_else(|| panic!("{text}"));
    let args = rest.rsplit_once(") = ").map_or(rest, |(args, _)| args);
    (name, args.split(", ").collect())
}

/// Returns the number of a file descriptor.
fn number(descriptor: &str) -> &str {
    descriptor.split('<').next().unwrap_or_default().trim()
}

/// Returns the path of a descriptor, as printed by strace.
fn path_of(descriptor: &str) -> Option<PathBuf> {
    let (_, path) = descriptor.split_once('<')?;
    let path = path.split('>').next()?;
    Some(PathBuf::from(OsString::from_vec(unhex(path))))
}

/// Resolves a path relative to a folder.
fn at(folder: &str, path: &str) -> PathBuf {
    let path = PathBuf::from(OsString::from_vec(bytes(path)));
    // The tests use absolute paths only.
    if path.is_absolute() {
        path
    } else {
        path_of(folder).map_or(path.clone(), |folder| folder.join(&path))
    }
}

/// Decodes a string that strace printed completely.
fn bytes(text: &str) -> Vec<u8> {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    unhex(
        inner.unwrap_or_else(|| {
            panic!("strace truncated a string: {}", &text[..text.len().min(60)])
        }),
    )
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap() as u8;
    let byte = |part: &[u8]| digit(part[2]) << 4 | digit(part[3]);
    if !text.starts_with("\\x") {
        return text.as_bytes().to_vec();
    }
    text.as_bytes().chunks(4).map(byte).collect()
}
