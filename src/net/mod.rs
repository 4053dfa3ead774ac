//! The guarded way to HTTP APIs: every request of Lakeplan's own goes through [`Http`].
//!
//! Belongs here: which addresses may be spoken to, tokens, timeouts, size limits, what is sent again and when, and what
//! an answer's status means. Does not: what an API's answers say (`store` and `analytics` read them). Data leaves as
//! JSON or bytes, and as [`NetError`], whose texts hold no secret.

mod error;
mod host;
mod http;
mod request;
mod retry;
mod workspace;

pub use error::{NetError, Said};
pub use http::Http;
pub use request::Request;
pub use workspace::Workspace;
