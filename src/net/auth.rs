//! Credentials of a request.

use crate::domain::secret::Secret;

/// Credentials that are sent with a request, in the form that the API expects.
#[derive(Clone, Debug)]
pub enum Auth {
    None,
    Bearer(Secret),
    Basic {
        user: String,
        password: Secret,
    },
    /// A header of its own, such as `PRIVATE-TOKEN`, or `Authorization` without a scheme.
    Header {
        name: &'static str,
        value: Secret,
    },
    /// Parameters of the query, such as `key` and `token`.
    Query(Vec<(&'static str, Secret)>),
}

impl Auth {
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Returns the secrets that no error may repeat.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        match self {
            Self::None => Vec::new(),
            Self::Bearer(secret)
            | Self::Basic { password: secret, .. }
            | Self::Header { value: secret, .. } => vec![secret.clone()],
            Self::Query(pairs) => pairs.iter().map(|(_, secret)| secret.clone()).collect(),
        }
    }
}
