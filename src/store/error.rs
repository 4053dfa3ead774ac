//! Situations in which the lake cannot be read or written.

use thiserror::Error;

use super::catalog::CatalogError;
use super::cloud::CloudFault;
use crate::config::NotText;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why the lake could not be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    #[error("there is no lake at {root}")]
    NotALake { root: String },
    #[error("there is a lake at {root} already")]
    AlreadyALake { root: String },
    /// What was to become a copy is one lake already.
    #[error("there is a lake at {root} already, and nothing is copied over one")]
    CopyOntoLake { root: String },
    /// A copy that was complete and was changed since, so that it is no copy any more.
    #[error("{root} is a lake of its own now, at seq {seq}, and nothing is copied over one")]
    CopyChanged { root: String, seq: u64 },
    #[error("{root} holds an unfinished copy of {from} up to {up_to}")]
    UnfinishedCopy { root: String, from: String, up_to: String },
    #[error(
        "{root} lies in the {what} at {outer}, which would take the files of a lake for its own"
    )]
    Within { root: String, what: &'static str, outer: String },
    /// A lake of which only tables are left.
    #[error("{root} holds {} of a lake whose journal is missing", listed(tables))]
    JournalLost { root: String, tables: Vec<&'static str> },
    /// What is no table of a lake lies where a copy would put one.
    #[error("{root} holds the folder {name}, where the table {name} of the copy would lie")]
    Occupied { root: String, name: &'static str },
    #[error("there is no folder {name}")]
    NoFolder { name: String },
    #[error("{root} cannot be used: {why}")]
    UnusableRoot { root: String, why: String },
    #[error(transparent)]
    NotText(#[from] NotText),
    /// A place in a cloud that will not do until a setting or a right is changed.
    #[error(transparent)]
    Cloud(#[from] CloudFault),
    #[error(
        "the lake at {root} needs a lakeplan that {verb}s format {needed}; this one ({version}) knows formats up to {known}",
        version = env!("CARGO_PKG_VERSION")
    )]
    NewerFormat { root: String, verb: &'static str, needed: u32, known: u32 },
    #[error("{operation} {path} failed")]
    Storage { operation: &'static str, path: String, source: Source },
    #[error("{path} is damaged: {what}")]
    Damaged { path: String, what: String },
    /// The next commit of a table can never be put: what has its name is no entry.
    #[error(
        "no commit can take its place at {path}: what has this name cannot be read as an entry of the log"
    )]
    NameTaken { path: String },
    #[error(
        "a copy up to seq {up_to} cannot be made: the payload of row {seq}.{ordinal} was erased later"
    )]
    ErasedSince { seq: u64, ordinal: u32, up_to: u64 },
    #[error("the lake did not exist then")]
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
        "another writer gave {path} the table features {features}, which Lakeplan does not write"
    )]
    Features { path: String, features: String },
}

impl StoreError {
    pub(crate) fn storage(
        operation: &'static str,
        path: impl Into<String>,
        source: impl Into<Source>,
    ) -> Self {
        let (path, source): (String, Source) = (path.into(), source.into());
        match CloudFault::within(source.as_ref()) {
            Some(fault) if fault.is_passing() => {
                return Self::Storage { operation, path, source: fault.clone().into() };
            }
            Some(fault) => return Self::Cloud(fault.clone()),
            None => {}
        }
        if let Some(NameTaken(path)) = NameTaken::within(source.as_ref()) {
            return Self::NameTaken { path: path.clone() };
        }
        match source.downcast_ref::<object_store::Error>() {
            Some(fault) if let Some(cause) = CatalogError::within(fault) => Self::Catalog(cause),
            Some(object_store::Error::PermissionDenied { .. }) => Self::UnusableRoot {
                root: path,
                why: "this user may not write or read it".to_owned(),
            },
            _ => Self::Storage { operation, path, source },
        }
    }

    pub(crate) fn damaged(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.into(), what: what.into() }
    }

    /// Whether it is of the way to the storage and tells nothing of what is stored: a right, a catalog or storage that is away.
    pub(crate) fn is_of_the_way(&self) -> bool {
        match self {
            Self::Catalog(_) | Self::Cloud(_) | Self::UnusableRoot { .. } => true,
            Self::Storage { source, .. } => CloudFault::within(source.as_ref()).is_some(),
            _ => false,
        }
    }

    /// What the person at the keyboard can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotALake { .. } => "lakeplan init makes one; --lake or LAKEPLAN_LAKE names another".to_owned(),
            Self::AlreadyALake { .. } => "leave init out, or name another place with --lake".to_owned(),
            Self::CopyOntoLake { .. } | Self::CopyChanged { .. } => "name a place where there is no lake yet".to_owned(),
            Self::UnfinishedCopy { .. } => {
                "repeat the lakeplan backup or restore-lake that began it, which goes on; or delete it, or name another place"
                    .to_owned()
            }
            Self::Within { .. } => "name a folder outside of it".to_owned(),
            Self::JournalLost { .. } => {
                "bring the folder journal back; or make a lake from a backup at another place, with --lake and lakeplan restore-lake"
                    .to_owned()
            }
            Self::Occupied { .. } => "name a place where there is nothing yet, such as a new folder".to_owned(),
            Self::NoFolder { .. } => "name a folder that is there, or a storage URL".to_owned(),
            Self::NewerFormat { .. } => "install a newer lakeplan".to_owned(),
            Self::Damaged { path, .. } if is_of_folded_table(path) => {
                "lakeplan fold --rebuild rebuilds the current tables from the journal".to_owned()
            }
            Self::Damaged { .. } => "lakeplan doctor names what is affected, and what to do about it".to_owned(),
            Self::NameTaken { .. } => format!("{MOVE_NAME}, then repeat the command"),
            Self::ErasedSince { .. } => {
                "copy all of it, or up to the erase or later, to a new place; delete an unfinished copy, which still holds it"
                    .to_owned()
            }
            Self::BeforeItsTime => "lakeplan history shows where it begins".to_owned(),
            Self::AfterItsEnd { .. } => "lakeplan history shows what there is".to_owned(),
            Self::Deadline { .. } | Self::WriterGone => "repeat the command; what was committed stays committed once".to_owned(),
            Self::UnusableRoot { .. } => "name another lake with --lake, or see that this user may write there".to_owned(),
            Self::NotText(fault) => fault.hint(),
            Self::Cloud(fault) => fault.hint().to_owned(),
            Self::Storage { source, .. } => return CloudFault::within(source.as_ref()).map(|fault| fault.hint().to_owned()),
            Self::Catalog(cause) => return cause.hint(),
            Self::Features { path, .. } if path.starts_with(super::inbox::NAME) => {
                super::catalog::features::WAY_OUT_OF_INBOX.to_owned()
            }
            Self::Features { path, .. } if is_of_folded_table(path) => super::catalog::features::WAY_OUT_OF_FOLDED.to_owned(),
            Self::Features { .. } => super::catalog::features::WAY_OUT.to_owned(),
        })
    }
}

impl StoreError {
    /// The same situation, to be told to another caller; the source is kept as text.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::NotALake { root } => Self::NotALake { root: root.clone() },
            Self::AlreadyALake { root } => Self::AlreadyALake { root: root.clone() },
            Self::CopyOntoLake { root } => Self::CopyOntoLake { root: root.clone() },
            Self::CopyChanged { root, seq } => Self::CopyChanged { root: root.clone(), seq: *seq },
            Self::UnfinishedCopy { root, from, up_to } => Self::UnfinishedCopy {
                root: root.clone(),
                from: from.clone(),
                up_to: up_to.clone(),
            },
            Self::Within { root, what, outer } => {
                Self::Within { root: root.clone(), what, outer: outer.clone() }
            }
            Self::JournalLost { root, tables } => {
                Self::JournalLost { root: root.clone(), tables: tables.clone() }
            }
            Self::Occupied { root, name } => Self::Occupied { root: root.clone(), name },
            Self::NoFolder { name } => Self::NoFolder { name: name.clone() },
            Self::UnusableRoot { root, why } => {
                Self::UnusableRoot { root: root.clone(), why: why.clone() }
            }
            Self::NewerFormat { root, verb, needed, known } => {
                Self::NewerFormat { root: root.clone(), verb, needed: *needed, known: *known }
            }
            Self::NotText(fault) => Self::NotText(fault.clone()),
            Self::Cloud(fault) => Self::Cloud(fault.clone()),
            Self::Storage { operation, path, source } => {
                let source = CloudFault::within(source.as_ref())
                    .map_or_else(|| source.to_string().into(), |fault| fault.clone().into());
                Self::Storage { operation, path: path.clone(), source }
            }
            Self::Damaged { path, what } => {
                Self::Damaged { path: path.clone(), what: what.clone() }
            }
            Self::NameTaken { path } => Self::NameTaken { path: path.clone() },
            Self::Deadline { seconds } => Self::Deadline { seconds: *seconds },
            Self::ErasedSince { seq, ordinal, up_to } => {
                Self::ErasedSince { seq: *seq, ordinal: *ordinal, up_to: *up_to }
            }
            Self::BeforeItsTime => Self::BeforeItsTime,
            Self::AfterItsEnd { seq, end } => Self::AfterItsEnd { seq: *seq, end: *end },
            Self::WriterGone => Self::WriterGone,
            Self::Catalog(cause) => Self::Catalog(cause.clone()),
            Self::Features { path, features } => {
                Self::Features { path: path.clone(), features: features.clone() }
            }
        }
    }
}

/// The names of tables as a sentence has them.
fn listed(tables: &[&str]) -> String {
    let noun = if tables.len() == 1 { "the table" } else { "the tables" };
    format!("{noun} {}", tables.join(", "))
}

/// What to do where the name of the next entry is taken by something else.
pub(crate) const MOVE_NAME: &str = "move away what has this name: a folder, a link that leads nowhere or a file that is no entry; no commit is in it";

/// Says, as the source of an error of a storage, that the name of an entry is taken by what is no entry.
#[derive(Debug, Error)]
#[error("{0} is taken by what is no entry of the log")]
pub(crate) struct NameTaken(pub String);

impl NameTaken {
    fn within<'e>(err: &'e (dyn std::error::Error + 'static)) -> Option<&'e Self> {
        std::iter::successors(Some(err), |err| err.source()).find_map(|err| err.downcast_ref())
    }
}

/// Whether a place is a current table, or in one: the journal has all that it holds.
fn is_of_folded_table(path: &str) -> bool {
    super::tables::FoldedTable::at(path).is_some()
}
