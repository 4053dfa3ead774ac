//! Opens a location that a user named: a folder or a storage URL.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use url::Url;

use super::catalog::volume;
use super::cloud;
use super::durable::DurableLocal;
use super::enclosing::check_not_within;
use super::root::LakeLocation;
use crate::store::error::StoreError;
use crate::text::masked::masked;

const FILE: &str = "file";

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
