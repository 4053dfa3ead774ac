//! Files that are only read, on this machine or in a cloud, such as descriptions to plan.

mod local;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt};

use super::error::StoreError;
use super::root::Root;

/// A folder.
pub struct Folder {
    name: String,
    store: Arc<dyn ObjectStore>,
    /// Where it is on this machine.
    local: Option<PathBuf>,
}

/// A file below a folder, by its path from there as the storage has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed(Path);

impl Listed {
    /// A file at this path below the folder; `None` where there can be none.
    pub fn named(name: &str) -> Option<Self> {
        Path::parse(name).ok().map(Self)
    }

    pub fn path(&self) -> &str {
        self.0.as_ref()
    }
}

impl Folder {
    /// The folder that a person named: one on this machine, or a storage URL.
    pub fn open(name: &str) -> Result<Self, StoreError> {
        let root = Root::open(name, false).map_err(|fault| match fault {
            StoreError::NotALake { .. } => StoreError::NoFolder { name: name.to_owned() },
            fault => fault,
        })?;
        Ok(Self { name: name.to_owned(), store: root.store, local: root.url.to_file_path().ok() })
    }

    /// The files with one of these endings, here and in folders below, by name. What begins with `.` or `_` is passed over;
    /// so is what a symbolic link leads to outside of the folder, with a warning.
    pub async fn files(&self, endings: &'static [&'static str]) -> Result<Vec<Listed>, StoreError> {
        if let Some(root) = self.local.clone() {
            return self.files_here(root, endings).await;
        }
        let listed = self.store.list(None).try_collect::<Vec<_>>().await;
        let listed = listed.map_err(|fault| StoreError::storage("listing", &self.name, fault))?;
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
        let failed = |fault: std::io::Error| StoreError::storage("listing", &self.name, fault);
        let walked = tokio::task::spawn_blocking(move || local::walk(&root, endings)).await;
        let walked = walked.map_err(|fault| failed(fault.into()))?.map_err(failed)?;
        for (name, why) in walked.passed {
            tracing::warn!("{}/{name} is not read: {why}", self.name.trim_end_matches('/'));
        }
        let mut files: Vec<Listed> =
            walked.files.iter().filter_map(|name| Listed::named(name)).collect();
        files.sort();
        Ok(files)
    }

    /// The bytes of a file; `None` where it is not there.
    pub async fn read(&self, file: &Listed) -> Result<Option<Bytes>, StoreError> {
        let failed =
            |fault| StoreError::storage("reading", format!("{}/{}", self.name, file.path()), fault);
        match self.store.get(&file.0).await {
            Ok(found) => found.bytes().await.map(Some).map_err(failed),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(fault) => Err(failed(fault)),
        }
    }
}
