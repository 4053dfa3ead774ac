//! Files that are only read, on this machine or in a cloud, such as descriptions to plan.

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
}

/// A file below a folder, by its path from there as the storage has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed(Path);

impl Listed {
    /// A file of this name in the folder itself; `None` where there can be none.
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
        Ok(Self { name: name.to_owned(), store: root.store })
    }

    /// The files with one of these endings, here and in folders below, by name. What begins with `.` or `_` is passed over.
    pub async fn files(&self, endings: &[&str]) -> Result<Vec<Listed>, StoreError> {
        let listed = self.store.list(None).try_collect::<Vec<_>>().await;
        let listed = listed.map_err(|fault| StoreError::storage("listing", &self.name, fault))?;
        let wanted = |path: &str| {
            let is_hidden = path.split('/').any(|part| part.starts_with(['.', '_']));
            let lower = path.to_ascii_lowercase();
            !is_hidden && endings.iter().any(|ending| lower.ends_with(ending))
        };
        let mut files: Vec<Listed> =
            listed.into_iter().filter(|meta| wanted(meta.location.as_ref())).map(|meta| Listed(meta.location)).collect();
        files.sort();
        Ok(files)
    }

    /// The bytes of a file; `None` where it is not there.
    pub async fn read(&self, file: &Listed) -> Result<Option<Bytes>, StoreError> {
        let failed = |fault| StoreError::storage("reading", format!("{}/{}", self.name, file.path()), fault);
        match self.store.get(&file.0).await {
            Ok(found) => found.bytes().await.map(Some).map_err(failed),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(fault) => Err(failed(fault)),
        }
    }
}
