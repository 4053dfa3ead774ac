//! Error of a cloud storage: one sentence and a hint.

use std::error::Error as StdError;

use thiserror::Error;

use crate::domain::hint::Hint;

/// Reason why a cloud location is unusable, permanently or for now.
#[derive(Clone, Debug, Error)]
#[error("{what}")]
pub struct CloudError {
    what: String,
    hint: Hint,
    /// Whether repeating the command may succeed.
    is_retryable: bool,
}

impl CloudError {
    pub fn permanent(what: impl Into<String>, hint: impl Into<Hint>) -> Self {
        Self { what: what.into(), hint: hint.into(), is_retryable: false }
    }

    pub(super) fn transient(what: impl Into<String>, hint: impl Into<Hint>) -> Self {
        Self { is_retryable: true, ..Self::permanent(what, hint) }
    }

    pub fn hint(&self) -> &Hint {
        &self.hint
    }

    pub fn is_retryable(&self) -> bool {
        self.is_retryable
    }

    /// Returns the cloud error that an error contains, if any.
    pub fn within<'e>(err: &'e (dyn StdError + 'static)) -> Option<&'e Self> {
        causes(err).find_map(|err| err.downcast_ref())
    }
}

/// Returns an error and its causes.
pub(super) fn causes<'e>(
    err: &'e (dyn StdError + 'static),
) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    let mut next = Some(err);
    std::iter::from_fn(move || {
        let here = next?;
        next = here.source();
        Some(here)
    })
}
