//! HTTP for every API that Lakeplan itself calls: each request goes through [`Http`].
//!
//! This module decides which addresses may be contacted ([`Base`], `reach`). It sends a request
//! exactly once, with limits on time and size, and tells whether the server may have processed a
//! failed one ([`Delivery`]). [`retry`] holds the only retry loop. It does not interpret response
//! bodies: the modules of the APIs do. Errors are [`NetError`], whose texts contain no secret.

mod auth;
mod body;
mod connection;
mod error;
mod error_response;
mod headers;
mod host;
mod http;
mod network;
mod reach;
mod request;
mod resolver;
mod response;
pub mod retry;

pub use auth::Auth;
pub use error::{Delivery, Lost, NetError, Unsent};
pub use error_response::{ErrorBody, ErrorResponse, one_line};
pub use headers::Headers;
pub use host::Base;
pub use http::{Http, Redirects};
pub use network::{CaBundle, Names, Network, ProxyServer};
pub use request::Request;
pub use reqwest::Method;
pub use response::Response;
