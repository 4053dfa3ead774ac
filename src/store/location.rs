//! Opens locations for lakes, and checks whether a lake may be created there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::path::Path as StorePath;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use url::Url;

use super::catalog::{CatalogError, volume};
use super::durable::DurableLocal;
use super::enclosing::check_not_within;
use super::error::StoreError;
use super::journal::files::Files;
use super::table_log::{Table, TableLog};
use super::{LakeTables, backup, cloud};
use crate::runtime::{Clock, Random, uuid_v7};
use crate::text::masked::masked;

const FILE: &str = "file";

/// Folder in which a new lake tests its storage.
pub(super) const PROBE: &str = "_probe";

/// A location for a lake: its URL and the store rooted there.
#[derive(Clone, Debug)]
pub struct LakeLocation {
    pub url: Url,
    pub store: Arc<dyn ObjectStore>,
}

impl LakeLocation {
    /// Opens a root that a user named: a folder, or a storage URL with the settings of the
    /// process's environment.
    pub fn open(name: &str, create: bool) -> Result<Self, StoreError> {
        match url_of(name)? {
            Some(url) if url.scheme() != FILE => cloud::open(&url, crate::config::variables()?),
            _ => Self::open_in(name, create, []),
        }
    }

    /// Opens a root with a given environment.
    pub fn open_in(
        name: &str,
        create: bool,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, StoreError> {
        match url_of(name)? {
            Some(url) if url.scheme() == FILE => {
                let path = url
                    .to_file_path()
                    .map_err(|()| unusable(name, "it is not a path on this machine"))?;
                Self::local(name, &path, create)
            }
            Some(url) => cloud::open(&url, environment),
            None => Self::local(name, Path::new(name), create),
        }
    }

    fn local(name: &str, path: &Path, create: bool) -> Result<Self, StoreError> {
        let unusable = |why: std::io::Error| {
            let is_file = path.ancestors().any(|path| path.is_file());
            let why = if is_file {
                "a lake is a folder, but this is a file".to_owned()
            } else {
                why.to_string()
            };
            StoreError::UnusableRoot { root: name.to_owned(), why }
        };
        if let Some((volume, false)) = volume::of(path) {
            return Err(StoreError::UnusableRoot {
                root: name.to_owned(),
                why: volume::missing(&volume),
            });
        }
        if create {
            check_not_within(name, path)?;
            std::fs::create_dir_all(path).map_err(unusable)?;
        } else if !path.exists() {
            return Err(StoreError::NotALake { root: name.to_owned() });
        }
        let path: PathBuf = path.canonicalize().map_err(unusable)?;
        if !path.is_dir() {
            return Err(unusable(std::io::ErrorKind::NotADirectory.into()));
        }
        let url = Url::from_directory_path(&path)
            .map_err(|()| unusable(std::io::ErrorKind::InvalidFilename.into()))?;
        let store =
            DurableLocal::new(path).map_err(|err| StoreError::storage("opening", name, err))?;
        Ok(Self { url, store: Arc::new(store) })
    }
}

/// Returns the URL of a name, or `None` if it is a path. A name with `://` is never a path: a
/// mistyped storage URL must not become a folder. A scheme of one letter is a Windows drive.
fn url_of(name: &str) -> Result<Option<Url>, StoreError> {
    let rest_of_file = name
        .get(..FILE.len() + 1)
        .filter(|start| start.eq_ignore_ascii_case("file:"))
        .map(str::len);
    match Url::parse(name) {
        Ok(_) if rest_of_file.is_some_and(|at| !name[at..].starts_with('/')) => Err(unusable(
            name,
            "a file URL holds an absolute path, such as file:///home/me/lake; leave out file: for a relative one",
        )),
        Ok(url) if url.scheme().len() > 1 => Ok(Some(url)),
        Err(err) if name.contains("://") || rest_of_file.is_some() => {
            Err(unusable(name, format!("it is not a valid URL: {err}")))
        }
        _ => Ok(None),
    }
}

/// Returns an error that does not repeat a password or a token in the name.
fn unusable(name: &str, why: impl Into<String>) -> StoreError {
    StoreError::UnusableRoot { root: masked(name).into_owned(), why: why.into() }
}

/// Fails if a lake, an unfinished copy or remains of a lake are at the location. A lake is not
/// created over the tables of one without a journal, except over the empty tables of an `init` that
/// was interrupted before it created the journal.
pub(super) async fn check_not_orphaned(root: &LakeLocation) -> Result<(), StoreError> {
    // The first entries of an old lake are cleaned up: their names are free, but it is a lake.
    if Files::new(Arc::clone(&root.store)).load().await?.is_some() {
        return Err(StoreError::AlreadyALake { root: root.url.to_string() });
    }
    backup::check_finished(root).await?;
    let tables = remains(&root.store).await?;
    if tables.is_empty() {
        Ok(())
    } else {
        Err(StoreError::JournalLost { root: root.url.to_string(), tables })
    }
}

/// Returns the remaining tables of a lake at a location without a journal. The empty tables of an
/// `init` that was interrupted before it created the journal do not count.
pub(super) async fn remains(store: &Arc<dyn ObjectStore>) -> Result<Vec<&'static str>, StoreError> {
    let mut left = Vec::new();
    for name in LakeTables::names() {
        let table = match TableLog::new(Arc::clone(store), name).load().await {
            // A catalog keeps the inbox elsewhere.
            Err(StoreError::Catalog(CatalogError::Moved { .. })) => continue,
            table => table?,
        };
        let is_new = |table: &Table| {
            table.version == 0
                && table.files.is_empty()
                && !LakeTables::folded().any(|it| it == name)
        };
        if table.is_some_and(|table| !is_new(&table)) {
            left.push(name);
        }
    }
    Ok(left)
}

/// Checks that the storage creates a name only if it does not exist. Everything relies on this.
pub(super) async fn probe(
    root: &LakeLocation,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<(), StoreError> {
    let name = StorePath::from(format!("{PROBE}/{}", uuid_v7(clock.now(), random)));
    let put = |what: &'static str| {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        root.store.put_opts(&name, what.into(), options)
    };
    let failed = |err: Error| StoreError::storage("writing to", root.url.to_string(), err);
    let in_volume = root.url.to_file_path().is_ok_and(|path| volume::of(&path).is_some());
    let not_once = || StoreError::UnusableRoot {
        root: root.url.to_string(),
        why: if in_volume {
            volume::CANNOT_CREATE_ONCE
        } else {
            "it cannot stop two writers from creating the same file, which a lake requires"
        }
        .to_owned(),
    };
    match put("the first").await {
        // A volume has no hard links, which exclusive creates need; it reports this with various
        // errors.
        Err(Error::Generic { .. } | Error::NotSupported { .. } | Error::NotImplemented { .. })
            if in_volume =>
        {
            return Err(not_once());
        }
        done => done.map_err(failed)?,
    };
    let second = put("the second").await;
    root.store.delete(&name).await.map_err(failed)?;
    match second {
        Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(()),
        _ => Err(not_once()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_url_is_no_path_and_its_secrets_are_not_shown() {
        let broken = [
            "s3://b:99999/x",
            "s3://b ucket/x",
            "s3://k:SEKRIT@b:99999/x?sig=SEKRIT",
            "s3://[x/y",
            "abfss://c@/x",
            "http://",
            "://",
            "file:lake",
            "FILE:lake",
        ];
        for name in broken {
            let message = url_of(name).expect_err(name).to_string();
            assert!(message.contains("URL") && !message.contains("SEKRIT"), "{name}: {message}");
        }
        for name in ["lake", "./a:b/lake", "C:\\lake", "/a/b", "a/b:c", "file"] {
            assert!(url_of(name).unwrap().is_none(), "{name}");
        }
        for name in
            ["file:/a/b", "file:///a/b", "s3://b/x", "S3://b/x", "s3:/x", "ftp://h/x", "dbfs:/x"]
        {
            assert!(url_of(name).unwrap().is_some(), "{name}");
        }
    }
}
