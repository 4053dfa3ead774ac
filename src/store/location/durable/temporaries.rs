//! Deletes temporary files that processes left behind after a kill or a power cut.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use chrono::TimeDelta;

use crate::domain::time::Instant;

/// Minimum age of a temporary file before it is deleted. No put takes nearly as long.
const AGE: TimeDelta = TimeDelta::days(1);

/// Number and size of the deleted files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Temporaries {
    pub files: usize,
    pub bytes: u64,
}

/// Deletes temporary files older than a day from these folders below `root`.
pub fn remove_temporaries(root: &Path, folders: &[&str], now: Instant) -> io::Result<Temporaries> {
    let mut found = Vec::new();
    // This machine's clock may be ahead of the storage's; the newest file shows the storage's time.
    let mut newest = None;
    let mut waiting: Vec<PathBuf> = folders.iter().map(|name| root.join(name)).collect();
    while let Some(folder) = waiting.pop() {
        let listed = match std::fs::read_dir(&folder) {
            // The folder does not exist, or another process has removed it because it was empty.
            Err(err) if err.kind() == io::ErrorKind::NotFound => continue,
            listed => listed?,
        };
        for entry in listed {
            let entry = entry?;
            let meta = match entry.metadata() {
                Err(err) if err.kind() == io::ErrorKind::NotFound => continue,
                meta => meta?,
            };
            if meta.is_dir() {
                waiting.push(entry.path());
            } else if meta.is_file() {
                let modified = Instant::from(meta.modified()?);
                newest = newest.max(Some(modified));
                if is_temporary(&entry.file_name()) {
                    found.push((entry.path(), modified, meta.len()));
                }
            }
        }
    }
    let before = newest.map_or(now, |newest| newest.min(now)) - AGE;
    let mut removed = Temporaries::default();
    for (path, _, size) in found.into_iter().filter(|(_, modified, _)| *modified < before) {
        match std::fs::remove_file(&path) {
            // Another maintenance run was faster.
            Err(err) if err.kind() == io::ErrorKind::NotFound => continue,
            done => done?,
        }
        removed.files += 1;
        removed.bytes += size;
    }
    Ok(removed)
}

/// Returns whether a file name is that of an unfinished file: a name, `#` and digits. No object has
/// such a name.
pub(super) fn is_temporary(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.split_once('#').is_some_and(|(object, number)| {
        !object.is_empty() && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}
