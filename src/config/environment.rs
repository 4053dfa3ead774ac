//! The environment of the process, whose values need not be text.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use thiserror::Error;

/// What the names of variables for storage begin with.
const CLOUDS: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];

/// A variable of the environment whose value is no text. The value is kept for variables that hold no secret.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{name} is not UTF-8{}", value.as_ref().map(|value| format!(": {value}")).unwrap_or_default())]
pub struct NotText {
    pub name: String,
    pub value: Option<String>,
}

impl NotText {
    fn of(name: &str, value: &OsStr) -> Self {
        let is_shown = name.starts_with("LAKEPLAN_") || name.starts_with("USER");
        // Rust writes a byte that is no UTF-8 as \xE9.
        Self { name: name.to_owned(), value: is_shown.then(|| format!("{value:?}")) }
    }

    pub fn hint(&self) -> String {
        format!("set {} to a value in UTF-8, or unset it", self.name)
    }
}

/// Returns a variable of the process's environment; `None` also where its value is no text, for what does without.
pub fn variable(name: &str) -> Option<String> {
    read_variable(name).ok().flatten()
}

/// Returns a variable of the process's environment, which has to be text.
pub fn read_variable(name: &str) -> Result<Option<String>, NotText> {
    path_variable(name)
        .map(|value| {
            value.into_os_string().into_string().map_err(|value| NotText::of(name, &value))
        })
        .transpose()
}

/// Returns a variable that names a file, whatever bytes that name has.
#[expect(clippy::disallowed_methods, reason = "the one room that reads the environment")]
pub fn path_variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

/// Returns the variables of the process's environment for storage credentials, each of which has to be text. Variables of
/// others are left out where they are not.
#[expect(clippy::disallowed_methods, reason = "the one room that reads the environment")]
pub fn variables() -> Result<Vec<(String, String)>, NotText> {
    let of_cloud =
        |name: &str| CLOUDS.iter().any(|prefix| name.to_ascii_uppercase().starts_with(prefix));
    let read = |(name, value): (OsString, OsString)| {
        let name = name.into_string().ok()?;
        match value.into_string() {
            Ok(value) => Some(Ok((name, value))),
            Err(value) => of_cloud(&name).then(|| Err(NotText::of(&name, &value))),
        }
    };
    std::env::vars_os().filter_map(read).collect()
}
