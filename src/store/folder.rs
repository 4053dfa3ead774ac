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

/// A file below a folder, by its path from there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    pub path: String,
    pub size: u64,
}

impl Folder {
    /// The folder that a person named: one on this machine, or a storage URL.
    pub fn open(name: &str) -> Result<Self, StoreError> {
        let root = Root::open(name, false).map_err(|fault| match fault {
            StoreError::NotALake { .. } => missing(name),
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
        let mut files: Vec<Listed> = listed
            .into_iter()
            .map(|meta| Listed { path: meta.location.to_string(), size: meta.size })
            .filter(|file| wanted(&file.path))
            .collect();
        files.sort();
        Ok(files)
    }

    /// The bytes of a file; `None` where it is not there.
    pub async fn read(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        let failed = |fault| StoreError::storage("reading", format!("{}/{path}", self.name), fault);
        match self.store.get(&Path::from(path)).await {
            Ok(found) => found.bytes().await.map(Some).map_err(failed),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(fault) => Err(failed(fault)),
        }
    }
}

fn missing(name: &str) -> StoreError {
    let volume = name.strip_prefix("/Volumes/").map(|rest| rest.split('/').take(3).collect::<Vec<_>>().join("."));
    let why = match volume {
        Some(volume) => {
            format!("it is not there; databricks bundle deploy makes the volume, or in SQL: CREATE VOLUME {volume}")
        }
        None => "it is not there".to_owned(),
    };
    StoreError::UnusableRoot { root: name.to_owned(), why }
}
