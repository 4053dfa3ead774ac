//! Errors of reading or writing the lake.

use std::sync::Arc;

use thiserror::Error;

use super::location::catalog::features;
use super::location::cloud::CloudError;
use super::names::INBOX;
use super::tables::is_of_folded_table;
use crate::config::NotUtf8;
use crate::databricks::catalog::CatalogError;
use crate::domain::error_kind::{ErrorClass, ErrorKind};
use crate::domain::hint::{Hint, LakeHint, Repair};

/// Source of a storage error, shared so that several callers can get the error.
/// Look for a cause with `as_ref`: `Error::source` returns the `Arc`, which no downcast sees through.
type Source = Arc<dyn std::error::Error + Send + Sync>;

/// Reason why the lake could not be used.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    #[error("there is no lake at {root}")]
    NotALake { root: String },
    #[error("there is already a lake at {root}")]
    AlreadyALake { root: String },
    /// The target of a copy is already a lake.
    #[error("there is already a lake at {root}, and it is not overwritten")]
    CopyOntoLake { root: String },
    /// The target of a copy was complete and has been changed since, so that it is no longer a
    /// copy.
    #[error("{root} is an independent lake now, at seq {seq}, and is not overwritten")]
    CopyChanged { root: String, seq: u64 },
    #[error("{root} holds an unfinished copy of {from} up to {up_to}")]
    UnfinishedCopy { root: String, from: String, up_to: String },
    #[error(
        "{root} is inside the {what} at {outer}, which would treat the lake's files as its own"
    )]
    Within { root: String, what: &'static str, outer: String },
    /// Only tables of a lake are left.
    #[error("{root} holds {} of a lake whose journal is missing", listed(tables))]
    JournalLost { root: String, tables: Vec<&'static str> },
    /// A folder that is not a table of a lake is where a copy would put one.
    #[error("{root} has a folder {name}, which the table {name} of the copy needs")]
    Occupied { root: String, name: &'static str },
    #[error("there is no folder {name}")]
    NoFolder { name: String },
    #[error("{root} cannot be used: {why}")]
    UnusableRoot { root: String, why: String },
    #[error(
        "{root} cannot be used: a volume cannot stop two writers from creating the same file, which a lake requires"
    )]
    UnusableVolume { root: String },
    #[error(transparent)]
    NotUtf8(#[from] NotUtf8),
    /// A cloud location is unusable until a setting or a right is changed.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    #[error(
        "the lake at {root} needs a lakeplan that {verb}s format {needed}; this one ({version}) supports formats up to {known}",
        version = env!("CARGO_PKG_VERSION")
    )]
    NewerFormat { root: String, verb: &'static str, needed: u32, known: u32 },
    #[error("{operation} {path} failed")]
    Storage { operation: &'static str, path: String, source: Source },
    #[error("{path} is damaged: {what}")]
    Damaged { path: String, what: String },
    #[error("{INBOX} is damaged: there is no such table")]
    NoInbox,
    /// The next commit of a table can never be put: something that is not an entry has its name.
    #[error("cannot commit to {path}: the item with this name cannot be read as a log entry")]
    NameTaken { path: String },
    #[error(
        "a copy up to seq {up_to} cannot be made: the payload of row {seq}.{ordinal} was erased later"
    )]
    ErasedSince { seq: u64, ordinal: u32, up_to: u64 },
    #[error("the lake did not exist at that time")]
    BeforeItsTime,
    #[error("there is no seq {seq} yet; the last is {end}")]
    AfterItsEnd { seq: u64, end: u64 },
    #[error("the lake did not answer within {seconds} s")]
    Deadline { seconds: u64 },
    #[error("the writer has stopped")]
    WriterGone,
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(
        "another writer enabled on {path} the table features {features}, which Lakeplan does not write"
    )]
    Features { path: String, features: String },
}

impl StoreError {
    pub(crate) fn storage(
        operation: &'static str,
        path: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let (path, source): (String, Source) = (path.into(), Arc::from(source.into()));
        match CloudError::within(source.as_ref()) {
            Some(err) if err.is_retryable() => {
                return Self::Storage { operation, path, source: Arc::new(err.clone()) };
            }
            Some(err) => return Self::Cloud(err.clone()),
            None => {}
        }
        if let Some(NameTaken(path)) = NameTaken::within(source.as_ref()) {
            return Self::NameTaken { path: path.clone() };
        }
        match source.downcast_ref::<object_store::Error>() {
            Some(err) if let Some(cause) = CatalogError::within(err) => Self::Catalog(cause),
            Some(object_store::Error::PermissionDenied { .. }) => Self::UnusableRoot {
                root: path,
                why: "this user has no read or write access".to_owned(),
            },
            _ => Self::Storage { operation, path, source },
        }
    }

    pub(crate) fn damaged(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.into(), what: what.into() }
    }

    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotALake { .. } | Self::JournalLost { .. } => ErrorKind::NotALake,
            Self::AlreadyALake { .. } | Self::CopyOntoLake { .. } | Self::CopyChanged { .. } => {
                ErrorKind::AlreadyALake
            }
            Self::UnfinishedCopy { .. } => ErrorKind::UnfinishedCopy,
            Self::Within { .. } => ErrorKind::Within,
            Self::Occupied { .. } => ErrorKind::Occupied,
            Self::NoFolder { .. } => ErrorKind::NoFolder,
            Self::NewerFormat { .. } => ErrorKind::NewerFormat,
            Self::Damaged { .. } | Self::NoInbox | Self::NameTaken { .. } => ErrorKind::Damaged,
            Self::Features { .. } => ErrorKind::Features,
            Self::Catalog(cause) => cause.kind(),
            Self::BeforeItsTime | Self::AfterItsEnd { .. } => {
                ErrorKind::Storage(ErrorClass::Refused)
            }
            Self::UnusableRoot { .. }
            | Self::UnusableVolume { .. }
            | Self::NotUtf8(_)
            | Self::Cloud(_)
            | Self::ErasedSince { .. } => ErrorKind::Storage(ErrorClass::Environment),
            Self::Storage { .. } | Self::Deadline { .. } => {
                ErrorKind::Storage(ErrorClass::Transient)
            }
            Self::WriterGone => ErrorKind::Storage(ErrorClass::Bug),
        }
    }

    /// Returns whether the error concerns access to the storage and not the stored data: a missing
    /// right, or an unreachable catalog or storage.
    pub(crate) fn is_access_error(&self) -> bool {
        match self {
            Self::Catalog(_)
            | Self::Cloud(_)
            | Self::UnusableRoot { .. }
            | Self::UnusableVolume { .. } => true,
            Self::Storage { source, .. } => CloudError::within(source.as_ref()).is_some(),
            _ => false,
        }
    }

    /// Returns what the user can do about it.
    pub fn hint(&self) -> Option<Hint> {
        Some(match self {
            Self::NotALake { .. } => LakeHint::CreateOrName.into(),
            Self::AlreadyALake { .. } => LakeHint::UseOrNameAnother.into(),
            Self::CopyOntoLake { .. } | Self::CopyChanged { .. } => {
                Hint::advice("choose a location that has no lake yet")
            }
            Self::UnfinishedCopy { .. } => LakeHint::ContinueCopy.into(),
            Self::Within { .. } => Hint::advice("choose a folder outside of it"),
            Self::JournalLost { .. } => LakeHint::RestoreJournal.into(),
            Self::Occupied { .. } => Hint::advice("choose an empty location, such as a new folder"),
            Self::NoFolder { .. } => Hint::advice("specify an existing folder or a storage URL"),
            Self::NewerFormat { .. } => Hint::advice("install a newer lakeplan"),
            Self::Damaged { path, .. } if is_of_folded_table(path) => {
                LakeHint::RebuildCurrentTables.into()
            }
            Self::Damaged { .. } => LakeHint::Check.into(),
            Self::NoInbox => Hint::Repair(Repair::CreateInbox),
            Self::NameTaken { .. } => format!("{MOVE_NAME}, then retry the command").into(),
            Self::ErasedSince { .. } => Hint::advice(
                "copy everything, or up to the erase or later, to a new location; delete an unfinished copy, which still has the payload",
            ),
            Self::BeforeItsTime => Hint::SeeFirstChange,
            Self::AfterItsEnd { .. } => Hint::SeeChanges,
            Self::Deadline { .. } | Self::WriterGone => {
                Hint::advice("retry the command; committed changes are not applied twice")
            }
            Self::UnusableRoot { .. } => LakeHint::NameAnotherOrGrant.into(),
            Self::UnusableVolume { .. } => LakeHint::UseExternalLocation.into(),
            Self::NotUtf8(err) => err.hint(),
            Self::Cloud(err) => err.hint().clone(),
            Self::Storage { source, .. } => {
                return CloudError::within(source.as_ref()).map(|err| err.hint().clone());
            }
            Self::Catalog(cause) => return cause.hint(),
            Self::Features { path, .. } if path.starts_with(INBOX) => features::WAY_OUT_OF_INBOX,
            Self::Features { path, .. } if is_of_folded_table(path) => features::WAY_OUT_OF_FOLDED,
            Self::Features { .. } => features::WAY_OUT,
        })
    }
}

/// Formats table names for a sentence.
fn listed(tables: &[&str]) -> String {
    let noun = if tables.len() == 1 { "the table" } else { "the tables" };
    format!("{noun} {}", tables.join(", "))
}

/// Advice if something else has the name of the next entry.
pub(crate) const MOVE_NAME: &str = "move the item with this name away: a folder, a broken link or a file that is not a log entry; it contains no commit";

/// Source of a storage error: something that is not a log entry has the entry's name.
#[derive(Debug, Error)]
#[error("{0} is taken by something that is not a log entry")]
pub(crate) struct NameTaken(pub String);

impl NameTaken {
    fn within<'e>(err: &'e (dyn std::error::Error + 'static)) -> Option<&'e Self> {
        std::iter::successors(Some(err), |err| err.source()).find_map(|err| err.downcast_ref())
    }
}
