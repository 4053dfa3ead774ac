//! Puts and deletes files with a known order of the changes on disk.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use object_store::local::LocalFileSystem;
use object_store::path::Path as StorePath;
use object_store::{Error, PutPayload, Result};

use super::error::{NotLanded, STORE};
use super::folders::{Folders, flush};

/// Maximum number of attempts to create a folder that another process removes as empty before it
/// holds a file.
const MAX_ATTEMPTS: usize = 10;

/// Whether the name may exist although the put failed.
pub(super) enum Failure {
    Before(io::Error),
    After(io::Error),
}

impl Failure {
    /// Classifies a failed link. A link that failed for one of these reasons was not made; on a
    /// network file system, any other error may hide that it was.
    fn of_link(err: io::Error) -> Self {
        use io::ErrorKind::{
            AlreadyExists, CrossesDevices, NotFound, PermissionDenied, ReadOnlyFilesystem,
            StorageFull, Unsupported,
        };
        match err.kind() {
            AlreadyExists | CrossesDevices | NotFound | PermissionDenied | ReadOnlyFilesystem
            | StorageFull | Unsupported => Self::Before(err),
            _ => Self::After(err),
        }
    }
}

/// Puts a file under a free name.
pub(super) fn create(
    folders: &Folders,
    target: &Path,
    temporary: &Path,
    payload: &PutPayload,
) -> std::result::Result<(), Failure> {
    let folder = folder_of(target).map_err(Failure::Before)?;
    let written = write_through(folders, folder, temporary, payload).map_err(Failure::Before);
    if let Err(err) =
        written.and_then(|()| std::fs::hard_link(temporary, target).map_err(Failure::of_link))
    {
        remove(temporary);
        return Err(err);
    }
    // A temporary file that remains beside the name tells readers that the name may not be on disk.
    flush(folder).map_err(Failure::After)?;
    remove(temporary);
    Ok(())
}

/// Puts a file under a name and replaces an existing file.
pub(super) fn replace(
    folders: &Folders,
    target: &Path,
    temporary: &Path,
    payload: &PutPayload,
) -> std::result::Result<(), Failure> {
    let folder = folder_of(target).map_err(Failure::Before)?;
    if let Err(err) = write_through(folders, folder, temporary, payload) {
        remove(temporary);
        return Err(Failure::Before(err));
    }
    if let Err(err) = std::fs::rename(temporary, target) {
        remove(temporary);
        return Err(Failure::After(err));
    }
    flush(folder).map_err(Failure::After)
}

/// Deletes files in order, and the folders that become empty; returns the result of each deletion.
pub(super) fn delete(
    inner: &LocalFileSystem,
    folders: &Folders,
    locations: Vec<Result<StorePath>>,
) -> Vec<Result<StorePath>> {
    let mut changed = BTreeSet::new();
    let mut deleted: Vec<Result<StorePath>> = Vec::with_capacity(locations.len());
    for location in locations {
        deleted.push(location.and_then(|location| {
            let path = inner.path_to_filesystem(&location)?;
            std::fs::remove_file(&path).map_err(|err| not_deleted(&location, err))?;
            changed.extend(remove_empty(&path, folders.root()));
            Ok(location)
        }));
    }
    let flushed = changed.iter().try_for_each(|folder| match flush(folder) {
        // The folder was empty and is removed; the folder above it is flushed.
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    });
    if let Err(err) = flushed {
        let failed = || Error::Generic {
            store: STORE,
            source: io::Error::new(err.kind(), err.to_string()).into(),
        };
        return deleted.into_iter().map(|done| done.and_then(|_| Err(failed()))).collect();
    }
    deleted
}

/// Flushes the folder of a log entry whose temporary file still exists: the writer of the entry has
/// not flushed it yet, or was killed before that.
pub(super) fn flush_if_unfinished(entry: &Path) -> io::Result<()> {
    match std::fs::metadata(entry) {
        Ok(found) if has_more_links(&found) => {}
        // The read that follows reports the error.
        _ => return Ok(()),
    }
    let (folder, mut start) = (folder_of(entry)?, entry.file_name().unwrap_or_default().to_owned());
    start.push("#");
    let is_temporary =
        |found: &std::ffi::OsStr| found.as_encoded_bytes().starts_with(start.as_encoded_bytes());
    for found in std::fs::read_dir(folder)? {
        if is_temporary(&found?.file_name()) {
            return flush(folder);
        }
    }
    Ok(())
}

#[cfg(unix)]
fn has_more_links(found: &std::fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(found) > 1
}

#[cfg(not(unix))]
fn has_more_links(_: &std::fs::Metadata) -> bool {
    true
}

fn folder_of(target: &Path) -> io::Result<&Path> {
    target.parent().ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// Writes a temporary file, and flushes it and the names of the folders above it.
fn write_through(
    folders: &Folders,
    folder: &Path,
    temporary: &Path,
    payload: &PutPayload,
) -> io::Result<()> {
    let mut file = open_new(folder, temporary)?;
    for part in payload.iter() {
        file.write_all(part)?;
    }
    file.sync_all()?;
    // From here on the folder is not empty, so nobody removes it.
    folders.settle(folder)
}

fn open_new(folder: &Path, temporary: &Path) -> io::Result<File> {
    let mut tries = 1;
    loop {
        std::fs::create_dir_all(folder)?;
        match OpenOptions::new().write(true).create_new(true).open(temporary) {
            Err(err) if err.kind() == io::ErrorKind::NotFound && tries < MAX_ATTEMPTS => tries += 1,
            // A taken temporary name proves nothing about the target.
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {
                return Err(io::Error::other(err));
            }
            opened => return opened,
        }
    }
}

/// Removes a temporary file. A remaining file takes space until the next maintenance.
fn remove(temporary: &Path) {
    let _ = std::fs::remove_file(temporary);
}

/// Removes the folders above a deleted file that are now empty, below `root`; returns the one that
/// lost a name.
fn remove_empty(deleted: &Path, root: &Path) -> Option<PathBuf> {
    let mut at = deleted.parent()?;
    while at != root && std::fs::remove_dir(at).is_ok() {
        at = at.parent()?;
    }
    Some(at.to_path_buf())
}

fn not_deleted(location: &StorePath, err: io::Error) -> Error {
    let path = location.to_string();
    match err.kind() {
        io::ErrorKind::NotFound => Error::NotFound { path, source: err.into() },
        io::ErrorKind::PermissionDenied => {
            Error::PermissionDenied { path, source: NotLanded(err).into() }
        }
        _ => Error::Generic { store: STORE, source: err.into() },
    }
}
