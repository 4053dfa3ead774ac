//! A local folder as an object store whose writes survive a power cut.
//!
//! Creating writes a temporary file, flushes it to the disk, links it under its name (which fails where the name is
//! taken, atomically) and flushes the folder. What replaces a file is flushed too. Listings come in the order of names. Everything else is object_store's own local store.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use thiserror::Error as ThisError;

/// A write that surely left nothing under the name, whatever it says went wrong.
#[derive(Debug, ThisError)]
#[error("{0}")]
pub struct NotLanded(#[source] pub io::Error);

/// A folder.
#[derive(Debug)]
pub struct DurableLocal {
    inner: Arc<LocalFileSystem>,
    root: PathBuf,
    temporaries: AtomicU64,
}

impl DurableLocal {
    /// The folder must exist.
    pub fn new(root: PathBuf) -> Result<Self> {
        let inner = Arc::new(LocalFileSystem::new_with_prefix(&root)?.with_automatic_cleanup(true));
        // Where two processes, or two machines, share the folder, their temporary names must differ.
        let first = RandomState::new().hash_one(std::process::id()) >> 8;
        Ok(Self { inner, root, temporaries: AtomicU64::new(first) })
    }
}

/// A listing by name, as the clouds' stores give it and readers of Delta logs expect it.
fn in_order(listing: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
    let sorted = async move {
        let mut listed: Vec<Result<ObjectMeta>> = listing.collect().await;
        listed.sort_by(|a, b| match (a, b) {
            (Ok(a), Ok(b)) => a.location.cmp(&b.location),
            (a, b) => b.is_err().cmp(&a.is_err()),
        });
        futures::stream::iter(listed)
    };
    futures::stream::once(sorted).flatten().boxed()
}

fn create(target: &std::path::Path, temporary: &std::path::Path, payload: &PutPayload) -> std::result::Result<(), Fault> {
    let folder = target.parent().ok_or_else(|| Fault::Before(io::ErrorKind::InvalidInput.into()))?;
    std::fs::create_dir_all(folder).map_err(Fault::Before)?;
    let written = write_through(temporary, payload)
        // A taken temporary name says nothing of the target.
        .map_err(|fault| {
            Fault::Before(if fault.kind() == io::ErrorKind::AlreadyExists { io::Error::other(fault) } else { fault })
        })
        .and_then(|()| std::fs::hard_link(temporary, target).map_err(Fault::of_link));
    // Listings leave a temporary name out, so one that stays, here or after a kill, costs its space and nothing else.
    let _ = std::fs::remove_file(temporary);
    written?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Fault::After)
}

/// Flushes a file that is there, and its folder.
fn flush(path: &std::path::Path) -> io::Result<()> {
    File::open(path)?.sync_all()?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn write_through(path: &std::path::Path, payload: &PutPayload) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    for part in payload.iter() {
        file.write_all(part)?;
    }
    file.sync_all()
}

/// Whether the name existed when it went wrong.
enum Fault {
    Before(io::Error),
    After(io::Error),
}

impl Fault {
    /// A link that failed for one of these reasons was not made; on a network's file system any other may hide that it
    /// was.
    fn of_link(fault: io::Error) -> Self {
        use io::ErrorKind::{
            AlreadyExists, CrossesDevices, NotFound, PermissionDenied, ReadOnlyFilesystem, StorageFull, Unsupported,
        };
        match fault.kind() {
            AlreadyExists | CrossesDevices | NotFound | PermissionDenied | ReadOnlyFilesystem | StorageFull | Unsupported => {
                Self::Before(fault)
            }
            _ => Self::After(fault),
        }
    }

    fn into_error(self, path: &Path) -> Error {
        let path = path.to_string();
        match self {
            Self::Before(fault) if fault.kind() == io::ErrorKind::AlreadyExists => {
                Error::AlreadyExists { path, source: fault.into() }
            }
            Self::Before(fault) if fault.kind() == io::ErrorKind::PermissionDenied => {
                Error::PermissionDenied { path, source: NotLanded(fault).into() }
            }
            Self::Before(fault) => Error::Generic { store: "DurableLocal", source: NotLanded(fault).into() },
            Self::After(fault) => Error::Generic { store: "DurableLocal", source: fault.into() },
        }
    }
}

impl fmt::Display for DurableLocal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DurableLocal({})", self.root.display())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for DurableLocal {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let target = self.inner.path_to_filesystem(location)?;
        if options.mode != PutMode::Create {
            let put = self.inner.put_opts(location, payload, options).await?;
            let flushed = tokio::task::spawn_blocking(move || flush(&target)).await;
            return match flushed {
                Ok(Ok(())) => Ok(put),
                Ok(Err(fault)) => Err(Fault::After(fault).into_error(location)),
                Err(source) => Err(Error::JoinError { source }),
            };
        }
        let number = self.temporaries.fetch_add(1, Ordering::Relaxed);
        // Names with # and digits are object_store's own for unfinished files: its listings leave them out.
        let mut temporary = target.clone().into_os_string();
        temporary.push(format!("#{number}"));
        let temporary = PathBuf::from(temporary);
        let location = location.clone();
        let done = tokio::task::spawn_blocking(move || create(&target, &temporary, &payload)).await;
        match done {
            Ok(Ok(())) => Ok(PutResult { e_tag: None, version: None }),
            Ok(Err(fault)) => Err(fault.into_error(&location)),
            Err(source) => Err(Error::JoinError { source }),
        }
    }

    async fn put_multipart_opts(&self, location: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        in_order(self.inner.list(prefix))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        in_order(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}
