//! Tracks which folders have their own names on disk, so that new files in them stay reachable.
//!
//! A folder is settled when its name and those of all folders above it were flushed. No name of an
//! object appears in a folder that is not settled. So a folder that holds an object is settled, no
//! matter who created it, and a process can learn this by reading a name instead of flushing every
//! folder above.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::temporaries::is_temporary;

/// The folders of a lake's root.
#[derive(Debug)]
pub(super) struct Folders {
    root: PathBuf,
    /// Settled folders, each with its creation time: a folder that is removed and created again is
    /// a new one.
    settled: Mutex<HashMap<PathBuf, SystemTime>>,
}

impl Folders {
    pub fn new(root: PathBuf) -> Self {
        Self { root, settled: Mutex::default() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Flushes the names of a folder, and of those above it, that may not be on disk.
    pub fn settle(&self, folder: &Path) -> io::Result<()> {
        let (mut at, mut flushed) = (folder, Vec::new());
        while !self.is_settled(at)? {
            flushed.push(at);
            let Some(above) = at.parent().filter(|above| is_same_device(at, above)) else { break };
            match flush(above) {
                // A user who may not even read a folder creates no folders in it.
                Err(err)
                    if err.kind() == io::ErrorKind::PermissionDenied
                        && !above.starts_with(&self.root) =>
                {
                    break;
                }
                done => done?,
            }
            at = above;
        }
        for folder in flushed.into_iter().chain([folder]) {
            // If the file system does not report creation times, the folder is checked each time.
            if let Ok(made) = std::fs::metadata(folder).and_then(|found| found.created()) {
                self.entries().insert(folder.to_path_buf(), made);
            }
        }
        Ok(())
    }

    fn is_settled(&self, folder: &Path) -> io::Result<bool> {
        let made = std::fs::metadata(folder)?.created();
        if let (Ok(made), Some(entries)) = (made, self.entries().get(folder))
            && made == *entries
        {
            return Ok(true);
        }
        if folder == self.root {
            // The folder may hold a file of another program; a log entry is Lakeplan's.
            for found in std::fs::read_dir(folder)? {
                if holds_object(&found?.path().join("_delta_log"))? {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        Ok(folder.starts_with(&self.root)
            && (holds_object(folder)? || holds_object(&folder.join("_delta_log"))?))
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<PathBuf, SystemTime>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Flushes the names in a folder.
pub(super) fn flush(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Returns whether a finished file is in a folder, which may not exist.
fn holds_object(folder: &Path) -> io::Result<bool> {
    let listed = match std::fs::read_dir(folder) {
        Err(err)
            if matches!(err.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(false);
        }
        listed => listed?,
    };
    for found in listed {
        let found = found?;
        if !is_temporary(&found.file_name()) && found.file_type()?.is_file() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether two folders are on one file system. The top of a file system always exists.
#[cfg(unix)]
fn is_same_device(a: &Path, b: &Path) -> bool {
    let device = |path: &Path| {
        std::fs::metadata(path).map(|found| std::os::unix::fs::MetadataExt::dev(&found)).ok()
    };
    device(a).is_some_and(|found| device(b) == Some(found))
}

#[cfg(not(unix))]
fn is_same_device(_: &Path, _: &Path) -> bool {
    true
}
