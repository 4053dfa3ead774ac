//! Checked requirements of a workspace.

use super::catalog::CatalogError;
use crate::domain::hint::Hint;

/// One checked requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub what: String,
    pub state: State,
    /// Result of the check.
    pub message: String,
    /// Statement or setting that fulfils the requirement.
    pub advice: Option<Hint>,
}

/// State of a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Ok,
    Missing,
    /// The requirement could not be checked, which is not an error.
    Unknown,
}

impl Check {
    pub fn ok(what: impl Into<String>, message: impl Into<String>) -> Self {
        Self { what: what.into(), state: State::Ok, message: message.into(), advice: None }
    }

    pub fn missing(
        what: impl Into<String>,
        message: impl Into<String>,
        advice: Option<Hint>,
    ) -> Self {
        Self { what: what.into(), state: State::Missing, message: message.into(), advice }
    }

    pub fn unknown(what: impl Into<String>, message: impl Into<String>) -> Self {
        Self { what: what.into(), state: State::Unknown, message: message.into(), advice: None }
    }

    pub fn is_ok(&self) -> bool {
        self.state == State::Ok
    }

    pub fn err(what: impl Into<String>, err: &CatalogError) -> Self {
        Self::missing(what, err.to_string(), err.hint())
    }
}
