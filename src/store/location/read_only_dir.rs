//! Reads folders on this machine or in a cloud that are never written, for example with
//! descriptions to plan.

mod local;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt};

use super::root::LakeLocation;
use crate::store::error::StoreError;

/// A read-only folder.
pub struct Folder {
    name: String,
    store: Arc<dyn ObjectStore>,
    /// Path on this machine.
    local: Option<PathBuf>,
}

/// A file below a folder, by its path from there in the storage's form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed(Path);

impl Listed {
    /// Returns the file at this path below the folder; `None` if the path is impossible.
    pub fn named(name: &str) -> Option<Self> {
        Path::parse(name).ok().map(Self)
    }

    pub fn path(&self) -> &str {
        self.0.as_ref()
    }
}

impl Folder {
    /// Opens a folder that a user named: a local one, or a storage URL.
    pub fn open(name: &str) -> Result<Self, StoreError> {
        let root = LakeLocation::open(name, false).map_err(|err| match err {
            StoreError::NotALake { .. } => StoreError::NoFolder { name: name.to_owned() },
            err => err,
        })?;
        Ok(Self { name: name.to_owned(), store: root.store, local: root.url.to_file_path().ok() })
    }

    /// Lists the files with one of these endings, in this folder and below, by name. Names that
    /// begin with `.` or `_` are skipped, and so are symbolic links out of the folder, with a
    /// warning.
    pub async fn files(&self, endings: &'static [&'static str]) -> Result<Vec<Listed>, StoreError> {
        if let Some(root) = self.local.clone() {
            return self.files_here(root, endings).await;
        }
        let listed = self.store.list(None).try_collect::<Vec<_>>().await;
        let listed = listed.map_err(|err| StoreError::storage("listing", &self.name, err))?;
        let wanted = |path: &str| {
            let is_hidden = path.split('/').any(|part| part.starts_with(['.', '_']));
            let lower = path.to_ascii_lowercase();
            !is_hidden && endings.iter().any(|ending| lower.ends_with(ending))
        };
        let mut files: Vec<Listed> = listed
            .into_iter()
            .filter(|meta| wanted(meta.location.as_ref()))
            .map(|meta| Listed(meta.location))
            .collect();
        files.sort();
        Ok(files)
    }

    async fn files_here(
        &self,
        root: PathBuf,
        endings: &'static [&'static str],
    ) -> Result<Vec<Listed>, StoreError> {
        let failed = |err: std::io::Error| StoreError::storage("listing", &self.name, err);
        let walked = tokio::task::spawn_blocking(move || local::walk(&root, endings)).await;
        let walked = walked.map_err(|err| failed(err.into()))?.map_err(failed)?;
        for (name, why) in walked.passed {
            tracing::warn!("{}/{name} is skipped: {why}", self.name.trim_end_matches('/'));
        }
        let mut files: Vec<Listed> =
            walked.files.iter().filter_map(|name| Listed::named(name)).collect();
        files.sort();
        Ok(files)
    }

    /// Reads a file; `None` if it does not exist.
    pub async fn read(&self, file: &Listed) -> Result<Option<Bytes>, StoreError> {
        let failed =
            |err| StoreError::storage("reading", format!("{}/{}", self.name, file.path()), err);
        match self.store.get(&file.0).await {
            Ok(found) => found.bytes().await.map(Some).map_err(failed),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(err) => Err(failed(err)),
        }
    }
}
