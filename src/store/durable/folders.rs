//! Which folders are on the disk by their own names, so that what is put into them stays reachable.
//!
//! A folder is settled when its name and those of all folders above it were flushed. No name of an object appears in a
//! folder that is not settled. So a folder that holds an object is settled whoever made it, which a process finds out by
//! reading a name instead of flushing every folder above.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::disk::flush;
use super::temporaries::is_temporary;

/// The folders of a lake's root.
#[derive(Debug)]
pub(super) struct Folders {
    root: PathBuf,
    /// Settled folders, each with the time of its creation: one that is removed and made again is another.
    settled: Mutex<HashMap<PathBuf, SystemTime>>,
}

impl Folders {
    pub fn new(root: PathBuf) -> Self {
        Self { root, settled: Mutex::default() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Flushes the names of a folder, and of those above it, that may not be on the disk.
    pub fn settle(&self, folder: &Path) -> io::Result<()> {
        let (mut at, mut flushed) = (folder, Vec::new());
        while !self.is_settled(at)? {
            flushed.push(at);
            let Some(above) = at.parent().filter(|above| is_same_device(at, above)) else { break };
            match flush(above) {
                // Nobody makes folders in one that he may not even read.
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
            // Where the file system does not tell when a folder was made, it is looked at each time.
            if let Ok(made) = std::fs::metadata(folder).and_then(|found| found.created()) {
                self.known().insert(folder.to_path_buf(), made);
            }
        }
        Ok(())
    }

    fn is_settled(&self, folder: &Path) -> io::Result<bool> {
        let made = std::fs::metadata(folder)?.created();
        if let (Ok(made), Some(known)) = (made, self.known().get(folder))
            && made == *known
        {
            return Ok(true);
        }
        if folder == self.root {
            // A file of somebody else may lie in it; a log entry is ours.
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

    fn known(&self) -> MutexGuard<'_, HashMap<PathBuf, SystemTime>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a finished file lies in a folder, which may not exist.
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

/// Whether two folders lie in one file system. The top of a file system is always there.
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
