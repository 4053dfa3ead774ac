//! A request before it is sent.

use std::time::Duration;

use serde_json::Value;
use url::Url;

use crate::domain::secret::Secret;

/// The longest an answer may take.
const USUAL: Duration = Duration::from_secs(60);
/// The largest answer that is JSON.
const MOST_JSON: usize = 64 << 20;

/// What is asked of an API.
#[derive(Clone, Debug)]
pub struct Request {
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Body,
    pub(super) is_repeatable: bool,
    pub(super) within: Duration,
    pub(super) most: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Body {
    /// A GET has none.
    None,
    Json(Value),
    /// The form by which a service principal asks for a token.
    TokenForm {
        id: String,
        secret: Secret,
    },
}

impl Request {
    pub fn get(path: &str) -> Self {
        Self::new(path, Body::None, true)
    }

    /// A POST, which is sent again only where the API says that it has not been taken.
    pub fn post(path: &str, body: Value) -> Self {
        Self::new(path, Body::Json(body), false)
    }

    pub(super) fn token(path: &str, id: &str, secret: &Secret) -> Self {
        Self::new(path, Body::TokenForm { id: id.to_owned(), secret: secret.clone() }, true)
    }

    fn new(path: &str, body: Body, is_repeatable: bool) -> Self {
        let path = path.split('/').map(str::to_owned).collect();
        Self { path, query: Vec::new(), body, is_repeatable, within: USUAL, most: MOST_JSON }
    }

    /// A further part of the path, whatever characters it has.
    pub fn part(mut self, part: &str) -> Self {
        self.path.push(part.to_owned());
        self
    }

    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// Says that doing it twice does no more than doing it once.
    pub fn repeatable(self) -> Self {
        Self { is_repeatable: true, ..self }
    }

    /// The secret that its credential is made of, where that is not the secret itself.
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
