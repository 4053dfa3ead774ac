//! Reads the process environment, whose values may not be valid UTF-8.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use thiserror::Error;

use crate::domain::hint::Hint;

/// Prefixes of the variables that configure storage.
const CLOUDS: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];

/// Environment variable whose value is not valid UTF-8. The value is kept only for variables that
/// hold no secret.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{name} is not UTF-8{}", value.as_ref().map(|value| format!(": {value}")).unwrap_or_default())]
pub struct NotUtf8 {
    pub name: String,
    pub value: Option<String>,
}

impl NotUtf8 {
    fn of(name: &str, value: &OsStr) -> Self {
        let is_shown = name.starts_with("LAKEPLAN_") || name.starts_with("USER");
        // Debug formatting writes an invalid byte as \xE9.
        Self { name: name.to_owned(), value: is_shown.then(|| format!("{value:?}")) }
    }

    pub fn hint(&self) -> Hint {
        format!("set {} to a value in UTF-8, or unset it", self.name).into()
    }
}

/// Environment variables.
pub trait Environment {
    /// Returns a variable, which must be valid UTF-8.
    fn get(&self, name: &str) -> Result<Option<String>, NotUtf8>;

    /// Returns the names of all variables.
    fn names(&self) -> Vec<String>;
}

/// Environment of this process.
#[derive(Clone, Copy, Debug)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn get(&self, name: &str) -> Result<Option<String>, NotUtf8> {
        read_variable(name)
    }

    #[expect(clippy::disallowed_methods, reason = "the one module that reads the environment")]
    fn names(&self) -> Vec<String> {
        std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect()
    }
}

impl Environment for BTreeMap<String, String> {
    fn get(&self, name: &str) -> Result<Option<String>, NotUtf8> {
        Ok(self.get(name).cloned())
    }

    fn names(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }
}

/// Returns an environment variable; `None` also if it is not valid UTF-8, for optional values.
pub fn variable(name: &str) -> Option<String> {
    read_variable(name).ok().flatten()
}

/// Returns an environment variable, which must be valid UTF-8.
pub fn read_variable(name: &str) -> Result<Option<String>, NotUtf8> {
    path_variable(name)
        .map(|value| {
            value.into_os_string().into_string().map_err(|value| NotUtf8::of(name, &value))
        })
        .transpose()
}

/// Returns an environment variable that names a file, whatever bytes the name contains.
#[expect(clippy::disallowed_methods, reason = "the one module that reads the environment")]
pub fn path_variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

/// Returns the environment variables, from which storage credentials are taken. Storage variables
/// must be valid UTF-8; other variables are skipped if they are not.
#[expect(clippy::disallowed_methods, reason = "the one module that reads the environment")]
pub fn variables() -> Result<Vec<(String, String)>, NotUtf8> {
    let of_cloud =
        |name: &str| CLOUDS.iter().any(|prefix| name.to_ascii_uppercase().starts_with(prefix));
    let read = |(name, value): (OsString, OsString)| {
        let name = name.into_string().ok()?;
        match value.into_string() {
            Ok(value) => Some(Ok((name, value))),
            Err(value) => of_cloud(&name).then(|| Err(NotUtf8::of(&name, &value))),
        }
    };
    std::env::vars_os().filter_map(read).collect()
}
