//! Successful responses, and those to the condition of a request.

use std::fmt;

use serde_json::Value;

use super::error::NetError;
use super::error_response::{ErrorBody, ErrorResponse};
use super::headers::Headers;
use crate::domain::secret::Secret;

/// Response to a request: a success, or the answer to a condition (304, 412).
#[derive(Clone)]
pub struct Response {
    pub status: u16,
    pub headers: Headers,
    /// Decoded body.
    pub body: Vec<u8>,
    pub(super) host: String,
    pub(super) secrets: Vec<Secret>,
}

impl Response {
    /// Whether the resource still has the version that `If-None-Match` named.
    pub fn is_unmodified(&self) -> bool {
        self.status == 304
    }

    /// Whether the resource no longer has the version that `If-Match` named. Nothing was changed.
    pub fn is_precondition_failed(&self) -> bool {
        self.status == 412
    }

    /// Returns a response with a status of 200 to 299; another one is an error. For requests without
    /// a condition.
    pub fn success(self) -> Result<Self, NetError> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let Self { status, headers, body, host, secrets } = self;
        let body = ErrorBody::read(&body, &secrets);
        Err(NetError::Answered(Box::new(ErrorResponse { host, status, headers, body })))
    }

    /// Returns the body of a successful response as JSON; an empty body is `null`.
    pub fn json(self) -> Result<Value, NetError> {
        let Self { status, body, host, .. } = self.success()?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        // A parse error could quote a piece of the body.
        serde_json::from_slice(&body).map_err(|_| NetError::NotJson { host, status })
    }
}

/// Omits the body and the values of headers, which may contain secrets.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
