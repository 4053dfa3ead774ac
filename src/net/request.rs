//! Requests before they are sent.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use serde_json::Value;

use crate::domain::secret::Secret;

/// Default time limit of a request, from the lookup of the host to the end of the body.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// Default limit of a response's decoded body, in bytes.
const DEFAULT_MAX_BYTES: usize = 64 << 20;

/// Request to an API. `Debug` shows no value that may be a secret.
#[derive(Clone)]
pub struct Request {
    pub(super) method: Method,
    pub(super) target: Target,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Body,
    /// Secrets of the body.
    pub(super) secrets: Vec<Secret>,
    pub(super) is_repeatable: bool,
    pub(super) time_limit: Duration,
    pub(super) max_bytes: usize,
}

#[derive(Clone)]
pub(super) enum Target {
    /// Segments below the base of the API.
    Path(Vec<String>),
    /// URL from outside. It may be signed, and is then itself a secret.
    Link(Secret),
}

#[derive(Clone)]
pub(super) enum Body {
    None,
    Json(Value),
    Form(Vec<(String, String)>),
    Bytes { content_type: String, bytes: Bytes },
}

impl Request {
    /// Creates a request to a path of the API, whose segments are separated by slashes.
    pub fn new(method: Method, path: &str) -> Self {
        let segments = path.split('/').filter(|part| !part.is_empty());
        Self::to(method, Target::Path(segments.map(str::to_owned).collect()))
    }

    /// Creates a request to a URL from outside, such as a link in an answer or the target of a
    /// webhook.
    pub fn link(method: Method, url: &str) -> Self {
        Self::to(method, Target::Link(Secret::new(url)))
    }

    fn to(method: Method, target: Target) -> Self {
        Self {
            // A method that only reads. Whether another request may be repeated, its caller knows.
            is_repeatable: matches!(method, Method::GET | Method::HEAD | Method::OPTIONS),
            method,
            target,
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::None,
            secrets: Vec::new(),
            time_limit: DEFAULT_TIMEOUT,
            max_bytes: DEFAULT_MAX_BYTES,
        }
    }

    pub fn get(path: &str) -> Self {
        Self::new(Method::GET, path)
    }

    /// Creates a POST request with a JSON body. It is not repeatable.
    pub fn post(path: &str, body: Value) -> Self {
        Self::new(Method::POST, path).json(body)
    }

    /// Appends a path segment, which may contain any characters. A link has no segments to append
    /// to and stays as it is.
    pub fn part(mut self, part: &str) -> Self {
        if let Target::Path(segments) = &mut self.target {
            segments.push(part.to_owned());
        }
        self
    }

    pub fn query(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Requests the resource only if its version differs. An unchanged resource is the outcome
    /// [`Response::is_unmodified`](super::Response::is_unmodified).
    pub fn if_none_match(self, etag: &str) -> Self {
        self.header("If-None-Match", etag)
    }

    /// Changes the resource only if it has this version. Another version is the outcome
    /// [`Response::is_precondition_failed`](super::Response::is_precondition_failed).
    pub fn if_match(self, etag: &str) -> Self {
        self.header("If-Match", etag)
    }

    pub fn json(self, body: Value) -> Self {
        Self { body: Body::Json(body), ..self }
    }

    /// Appends a field of a form.
    pub fn form(mut self, name: &str, value: impl Into<String>) -> Self {
        let field = (name.to_owned(), value.into());
        match &mut self.body {
            Body::Form(fields) => fields.push(field),
            _ => self.body = Body::Form(vec![field]),
        }
        self
    }

    /// Appends a field of a form that no error may repeat.
    pub fn secret_form(self, name: &str, value: &Secret) -> Self {
        self.hide(value).form(name, value.expose())
    }

    pub fn bytes(self, content_type: &str, bytes: impl Into<Bytes>) -> Self {
        let (content_type, bytes) = (content_type.to_owned(), bytes.into());
        Self { body: Body::Bytes { content_type, bytes }, ..self }
    }

    /// Names a secret within the request that no error may repeat.
    pub fn hide(mut self, secret: &Secret) -> Self {
        self.secrets.push(secret.clone());
        self
    }

    /// Marks the request as idempotent: a repeat has the same effect as one request.
    pub fn repeatable(self) -> Self {
        Self { is_repeatable: true, ..self }
    }

    pub fn time_limit(self, time_limit: Duration) -> Self {
        Self { time_limit, ..self }
    }

    /// Limits the decoded body of the response.
    pub fn max_bytes(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |pairs: &[(String, String)]| {
            pairs.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        let mut shown = f.debug_struct("Request");
        shown.field("method", &self.method);
        if let Target::Path(segments) = &self.target {
            shown.field("path", &segments.join("/"));
        }
        shown.field("query", &names(&self.query)).field("headers", &names(&self.headers));
        shown.field("is_repeatable", &self.is_repeatable).finish_non_exhaustive()
    }
}
