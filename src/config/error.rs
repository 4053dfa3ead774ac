//! Errors of the settings, and what a person can do about them.

use std::path::PathBuf;

use thiserror::Error;

use super::environment::NotUtf8;
use crate::domain::error_kind::ErrorKind;
use crate::domain::hint::Hint;

#[derive(Debug, Error)]
pub enum ConfigError {
    #[error(transparent)]
    NotUtf8(#[from] NotUtf8),
    #[error("{path} cannot be read")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path}: {message}")]
    Malformed { path: PathBuf, message: String },
    #[error("{origin}: there is no setting {name}{}", alternatives(nearest.as_deref(), known))]
    UnknownSetting { origin: String, name: String, nearest: Option<String>, known: Vec<String> },
    #[error("{origin}: {key} is not valid: {message}")]
    InvalidSetting { origin: String, key: String, message: String },
    #[error("{key} has no value, and no default")]
    MissingSetting { key: String },
    #[error("{origin} names the target {target}, but {path} has no section [target.{target}]")]
    NoSection { origin: String, target: String, path: PathBuf },
    #[error("{origin}: {value:?} is not a valid {what}; the values are {known}", known = known.join(", "))]
    UnknownValue {
        origin: String,
        value: String,
        what: &'static str,
        known: &'static [&'static str],
    },
    #[error(
        "{origin}: {value:?} is not a valid size for query_memory; use a size such as 512MiB or 2GiB, at least 16MiB"
    )]
    InvalidSize { origin: String, value: String },
    #[error(
        "the clock of this machine shows {shows}, but a lake needs a time between 1970 and 9999"
    )]
    Clock { shows: String },
    #[error(
        "{origin}: {name} must name the secret as \"scope/key\", not contain the secret itself"
    )]
    InvalidSecretReference { origin: String, name: String },
    #[error("no Databricks workspace: DATABRICKS_HOST is not set")]
    NoHost,
    #[error("no Databricks credentials: DATABRICKS_TOKEN is not set")]
    NoLogin,
    #[error("{set} is set, but {missing} is not")]
    IncompleteCredentials { set: &'static str, missing: &'static str },
}

/// Renders what a user may have meant instead.
fn alternatives(nearest: Option<&str>, known: &[String]) -> String {
    let nearest = nearest.map(|nearest| format!(" (did you mean {nearest}?)")).unwrap_or_default();
    match known {
        [] => nearest,
        known => format!("{nearest}; the settings are {}", known.join(", ")),
    }
}

impl ConfigError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotUtf8(_)
            | Self::Unreadable { .. }
            | Self::Malformed { .. }
            | Self::UnknownSetting { .. }
            | Self::InvalidSetting { .. }
            | Self::MissingSetting { .. }
            | Self::NoSection { .. }
            | Self::UnknownValue { .. }
            | Self::InvalidSize { .. }
            | Self::Clock { .. }
            | Self::InvalidSecretReference { .. }
            | Self::NoHost
            | Self::NoLogin
            | Self::IncompleteCredentials { .. } => ErrorKind::Configuration,
        }
    }

    /// Returns what the user can do about the error.
    pub fn hint(&self) -> Hint {
        match self {
            Self::NotUtf8(err) => err.hint(),
            Self::NoHost => Hint::advice(
                "set DATABRICKS_HOST to https:// and the workspace's host; for a folder with a name like catalog.schema, use ./catalog.schema",
            ),
            Self::NoLogin => Hint::advice(
                "set DATABRICKS_TOKEN, or DATABRICKS_TOKEN_FILE, or DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET of a service principal",
            ),
            Self::Unreadable { .. } => Hint::OtherConfigFile,
            Self::Malformed { .. }
            | Self::NoSection { .. }
            | Self::UnknownSetting { .. }
            | Self::MissingSetting { .. } => Hint::ListSettings,
            Self::IncompleteCredentials { .. } => Hint::advice(
                "a service principal needs both; the workspace's Settings, Identity and access, has them",
            ),
            Self::UnknownValue { origin, .. }
            | Self::InvalidSize { origin, .. }
            | Self::InvalidSetting { origin, .. } => {
                format!("the value comes from {origin}: change or remove it there").into()
            }
            Self::InvalidSecretReference { .. } => Hint::ListSecretSettings,
            Self::Clock { .. } => Hint::advice("set the clock of this machine"),
        }
    }
}
