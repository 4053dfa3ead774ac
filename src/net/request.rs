//! Requests before they are sent.

use std::time::Duration;

use serde_json::Value;
use url::Url;

use crate::domain::secret::Secret;

/// Default timeout of a request.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum size of a JSON response, in bytes.
const MAX_JSON_BYTES: usize = 64 << 20;

/// Request to an API.
#[derive(Clone, Debug)]
pub struct Request {
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Body,
    pub(super) is_repeatable: bool,
    pub(super) time_limit: Duration,
    pub(super) max_bytes: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Body {
    /// No body, as in every GET.
    None,
    Json(Value),
    /// Form with which a service principal requests a token.
    TokenForm {
        id: String,
        secret: Secret,
    },
}

impl Request {
    pub fn get(path: &str) -> Self {
        Self::new(path, Body::None, true)
    }

    /// Creates a POST request, which is retried only if the API indicates that it was not
    /// processed.
    pub fn post(path: &str, body: Value) -> Self {
        Self::new(path, Body::Json(body), false)
    }

    pub(super) fn token(path: &str, id: &str, secret: &Secret) -> Self {
        Self::new(path, Body::TokenForm { id: id.to_owned(), secret: secret.clone() }, true)
    }

    fn new(path: &str, body: Body, is_repeatable: bool) -> Self {
        let path = path.split('/').map(str::to_owned).collect();
        Self {
            path,
            query: Vec::new(),
            body,
            is_repeatable,
            time_limit: DEFAULT_TIMEOUT,
            max_bytes: MAX_JSON_BYTES,
        }
    }

    /// Appends a path segment, which may contain any characters.
    pub fn part(mut self, part: &str) -> Self {
        self.path.push(part.to_owned());
        self
    }

    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// Marks the request as idempotent.
    pub fn repeatable(self) -> Self {
        Self { is_repeatable: true, ..self }
    }

    /// Returns the secret from which the credential is derived, unless the credential is that
    /// secret.
    pub(super) fn secret(&self) -> Option<&Secret> {
        match &self.body {
            Body::TokenForm { secret, .. } => Some(secret),
            Body::None | Body::Json(_) => None,
        }
    }

    pub(super) fn url(&self, base: &Url) -> Url {
        let mut url = base.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.clear().extend(&self.path);
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        url
    }
}
