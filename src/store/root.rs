//! A place for a lake, and whether one may begin there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::path::Path as StorePath;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use url::Url;

use super::catalog::{CatalogError, volume};
use super::durable::DurableLocal;
use super::error::StoreError;
use super::journal::files::Files;
use super::outer::refuse_within;
use super::table_log::{Table, TableLog};
use super::{LakeTables, cloud, copy};
use crate::runtime::{Clock, Random, uuid_v7};
use crate::text::masked::masked;

const FILE: &str = "file";

/// The folder in which a new lake tries its storage.
pub(super) const PROBE: &str = "_probe";

/// A place for a lake: its URL and the store rooted there.
#[derive(Clone, Debug)]
pub struct Root {
    pub url: Url,
    pub store: Arc<dyn ObjectStore>,
}

impl Root {
    /// The root that a person named: a folder, or a storage URL, reached as the process's environment says.
    pub fn open(name: &str, create: bool) -> Result<Self, StoreError> {
        match url_of(name)? {
            Some(url) if url.scheme() != FILE => cloud::open(&url, crate::config::variables()?),
            _ => Self::open_in(name, create, []),
        }
    }

    /// The same in an environment that is given.
    pub fn open_in(
        name: &str,
        create: bool,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, StoreError> {
        match url_of(name)? {
            Some(url) if url.scheme() == FILE => {
                let path = url
                    .to_file_path()
                    .map_err(|()| unusable(name, "it is no path on this machine"))?;
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
                "a lake is a folder, and a file is there".to_owned()
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
            refuse_within(name, path)?;
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
            DurableLocal::new(path).map_err(|fault| StoreError::storage("opening", name, fault))?;
        Ok(Self { url, store: Arc::new(store) })
    }
}

/// Returns the URL that a name is, or `None` where it is a path. A name with `://` is never a path: a storage URL with a
/// typing error must not become a folder. A scheme of one letter is a drive of Windows.
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
            Err(unusable(name, format!("it is no valid URL: {err}")))
        }
        _ => Ok(None),
    }
}

/// The error does not repeat a password or a token that the name may hold.
fn unusable(name: &str, why: impl Into<String>) -> StoreError {
    StoreError::UnusableRoot { root: masked(name).into_owned(), why: why.into() }
}

/// Refuses a place where a lake, an unfinished copy or what is left of a lake is. A lake whose journal is gone is not
/// begun anew over its tables; the empty tables of an `init` that was interrupted before it made the journal are.
pub(super) async fn refuse_remains(root: &Root) -> Result<(), StoreError> {
    // The first entries of an old lake are cleaned up: their names are free, and it is a lake.
    if Files::new(Arc::clone(&root.store)).load().await?.is_some() {
        return Err(StoreError::AlreadyALake { root: root.url.to_string() });
    }
    copy::refuse_unfinished(root).await?;
    let tables = remains(&root.store).await?;
    if tables.is_empty() {
        Ok(())
    } else {
        Err(StoreError::JournalLost { root: root.url.to_string(), tables })
    }
}

/// The tables that are left of a lake at a place without a journal. The empty tables of an `init` that was interrupted before
/// it made the journal are none.
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

/// Finds out whether the storage creates a name only where there is none, which everything rests on.
pub(super) async fn probe(
    root: &Root,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<(), StoreError> {
    let name = StorePath::from(format!("{PROBE}/{}", uuid_v7(clock.now(), random)));
    let put = |what: &'static str| {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        root.store.put_opts(&name, what.into(), options)
    };
    let failed = |fault: Error| StoreError::storage("writing to", root.url.to_string(), fault);
    let in_volume = root.url.to_file_path().is_ok_and(|path| volume::of(&path).is_some());
    let not_once = || StoreError::UnusableRoot {
        root: root.url.to_string(),
        why: if in_volume {
            volume::CANNOT_CREATE_ONCE
        } else {
            "it does not keep two writers from creating the same name, which a lake needs"
        }
        .to_owned(),
    };
    match put("the first").await {
        // A volume has no hard links, by which a name is created once; it says so in one way or another.
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
            let said = url_of(name).expect_err(name).to_string();
            assert!(said.contains("URL") && !said.contains("SEKRIT"), "{name}: {said}");
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
