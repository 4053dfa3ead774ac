//! A local folder as an object store whose writes survive a power cut.
//!
//! Guarantee: after a put or a delete has returned, a power cut does not undo it, and no power cut
//! leaves half an object under its name. In detail:
//!
//! - An object's bytes are flushed before its name appears, and the name is flushed before the put
//!   returns. A create links a flushed temporary file under the name, which fails atomically if the
//!   name is taken. An overwrite renames it.
//! - Before the first name appears in a folder, the folder's own name and those of the folders
//!   above it are flushed, up to the top of the file system or the first folder that this user may
//!   not read. [`Folders`] remembers which are.
//! - A temporary file of a create is removed only after the name was flushed. A second link beside
//!   an entry of a Delta log therefore tells a reader that its writer is not done or was killed:
//!   the reader flushes the folder before it returns the entry. So every conclusion that a process
//!   draws from a log entry relies on data that survives a power cut.
//! - Deletes are done in the given order and flushed before they return, with one flush per folder
//!   and call. Deletes of one call may reach the disk in any order.
//!
//! Limits: a disk, hypervisor or network file system that confirms a flush it did not do loses the
//! confirmed data. Files that other programs put into the folder, for example a copy of a lake made
//! with `cp`, are not flushed here. A temporary file may remain after a kill or a power cut;
//! [`remove_temporaries`] deletes it.
//!
//! Listings are ordered by name. Reads use object_store's own local store. Multipart uploads,
//! copies, renames and conditional updates are refused: nothing here uses them.

mod disk;
mod error;
mod folders;
mod temporaries;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fmt, io};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    Result,
};

use disk::Failure;
pub use error::NotLanded;
use error::STORE;
use folders::Folders;
pub use temporaries::{Temporaries, remove_temporaries};

/// Number of objects deleted in one call before their folders are flushed.
const DELETE_BATCH: usize = 1000;

/// A local folder as an object store.
#[derive(Debug)]
pub struct DurableLocal {
    inner: Arc<LocalFileSystem>,
    folders: Arc<Folders>,
    temporaries: AtomicU64,
}

impl DurableLocal {
    /// Opens a folder, which must exist.
    pub fn new(root: PathBuf) -> Result<Self> {
        let root = root
            .canonicalize()
            .map_err(|err| Error::Generic { store: STORE, source: err.into() })?;
        let inner = Arc::new(LocalFileSystem::new_with_prefix(&root)?);
        // If two processes or machines share the folder, their temporary names must differ.
        let first = RandomState::new().hash_one(std::process::id()) >> 8;
        Ok(Self {
            inner,
            folders: Arc::new(Folders::new(root)),
            temporaries: AtomicU64::new(first),
        })
    }

    /// Returns a name beside `target` for an unfinished file.
    fn temporary(&self, target: &std::path::Path) -> PathBuf {
        let number = self.temporaries.fetch_add(1, Ordering::Relaxed);
        // object_store itself uses names with # and digits for unfinished files, and its listings
        // omit them.
        let mut temporary = target.as_os_str().to_owned();
        temporary.push(format!("#{number}"));
        PathBuf::from(temporary)
    }

    fn refuse<T>(&self, operation: &str) -> Result<T> {
        Err(Error::NotImplemented {
            operation: operation.to_owned(),
            implementer: self.to_string(),
        })
    }
}

/// Sorts a listing by name, as cloud stores return it and readers of Delta logs expect it.
fn in_order(
    listing: BoxStream<'static, Result<ObjectMeta>>,
) -> BoxStream<'static, Result<ObjectMeta>> {
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

fn is_log_entry(location: &Path) -> bool {
    location.parts().any(|part| part.as_ref() == "_delta_log")
}

/// Runs file system work outside the tasks of the runtime.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|source| Error::JoinError { source })
}

impl Failure {
    fn into_error(self, path: &Path) -> Error {
        let path = path.to_string();
        match self {
            Self::Before(err) if err.kind() == io::ErrorKind::AlreadyExists => {
                Error::AlreadyExists { path, source: err.into() }
            }
            Self::Before(err) if err.kind() == io::ErrorKind::PermissionDenied => {
                Error::PermissionDenied { path, source: NotLanded(err).into() }
            }
            Self::Before(err) => Error::Generic { store: STORE, source: NotLanded(err).into() },
            Self::After(err) => Error::Generic { store: STORE, source: err.into() },
        }
    }
}

impl fmt::Display for DurableLocal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{STORE}({})", self.folders.root().display())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for DurableLocal {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let target = self.inner.path_to_filesystem(location)?;
        let (temporary, folders) = (self.temporary(&target), Arc::clone(&self.folders));
        let put = match options.mode {
            PutMode::Create => disk::create,
            PutMode::Overwrite => disk::replace,
            PutMode::Update(_) => return self.refuse("put_opts with PutMode::Update"),
        };
        let done = blocking(move || put(&folders, &target, &temporary, &payload)).await?;
        done.map(|()| PutResult { e_tag: None, version: None })
            .map_err(|err| err.into_error(location))
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.refuse("put_multipart_opts")
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if is_log_entry(location) {
            let target = self.inner.path_to_filesystem(location)?;
            let flushed = blocking(move || disk::flush_if_unfinished(&target)).await?;
            flushed.map_err(|err| Error::Generic { store: STORE, source: err.into() })?;
        }
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (inner, folders) = (Arc::clone(&self.inner), Arc::clone(&self.folders));
        let deleted = locations.ready_chunks(DELETE_BATCH).then(move |locations| {
            let (inner, folders) = (Arc::clone(&inner), Arc::clone(&folders));
            async move {
                let deleted = blocking(move || disk::delete(&inner, &folders, locations)).await;
                futures::stream::iter(deleted.unwrap_or_else(|err| vec![Err(err)]))
            }
        });
        deleted.flatten().boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        in_order(self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        in_order(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        self.refuse("copy_opts")
    }

    async fn rename_opts(&self, _: &Path, _: &Path, _: RenameOptions) -> Result<()> {
        self.refuse("rename_opts")
    }
}
