//! HTTP access to APIs: every request that Lakeplan itself makes goes through [`Http`].
//!
//! This module decides which addresses may be contacted. It handles tokens, timeouts, size limits,
//! retries and status codes. It does not interpret response bodies (`store` and `analytics` do).
//! Data leaves as JSON or bytes, and errors as [`NetError`], whose texts contain no secret.

mod error;
mod host;
mod http;
mod request;
mod retry;
mod workspace;

pub use error::{ApiErrorBody, NetError};
pub use http::Http;
pub use request::Request;
pub use workspace::Workspace;
