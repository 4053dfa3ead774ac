//! Errors of API requests.

use std::fmt;

use thiserror::Error;

use super::error_response::ErrorResponse;
use crate::domain::error_kind::ErrorKind;
use crate::domain::hint::Hint;

/// Error of one request, with one variant per case that callers handle differently. No error text
/// contains a secret or a signed link.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetError {
    #[error("{given:?} is not a valid address: {why}")]
    BadAddress { given: String, why: &'static str },
    #[error("a request to {host} cannot be built: {part} has a character that it may not have")]
    BadRequest { host: String, part: String },
    /// The address policy refuses the host.
    #[error("{host} is not contacted: its address is {why}")]
    Blocked { host: String, why: &'static str },
    /// The connection was not established, so the server did not receive the request.
    #[error("{host} cannot be reached: {why}")]
    NotSent {
        host: String,
        why: Unsent,
        #[source]
        source: reqwest::Error,
    },
    /// The request left, but no whole response arrived. The server may have processed it.
    #[error("{host} {why}")]
    Uncertain {
        host: String,
        why: Lost,
        #[source]
        source: reqwest::Error,
    },
    /// The server refused the request, failed, or redirected it.
    #[error("{0}")]
    Answered(Box<ErrorResponse>),
    #[error("the response of {host} is larger than {limit} bytes")]
    TooLarge { host: String, status: u16, limit: usize },
    #[error("the response of {host} is encoded as {encoding:?} and cannot be decoded")]
    BadEncoding { host: String, status: u16, encoding: String },
    #[error("{host} did not respond with JSON")]
    NotJson { host: String, status: u16 },
    #[error("{origin}: the certificates in {path} cannot be used: {why}")]
    CaBundle { origin: String, path: String, why: String },
    #[error("{origin} is not the address of an http or https proxy")]
    BadProxy { origin: String },
    #[error("no TLS connection can be prepared")]
    Tls {
        #[source]
        source: reqwest::Error,
    },
}

/// Reason why a request was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// The host's name has no address.
    Name,
    Refused,
    /// The connection was not established within the time limit.
    Timeout,
    /// The TLS handshake failed, for example because no known authority issued the certificate.
    Tls,
    /// Another failure before the connection was established, for example at a proxy.
    Connection,
}

/// Reason why the outcome of a sent request is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    Timeout,
    /// The connection closed before the status arrived.
    Closed,
    /// The connection closed within the body.
    Body,
}

/// How far a failed request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The server did not receive the request.
    NotSent,
    /// The server may have processed the request.
    Uncertain,
    /// The server responded with this status.
    Answered(u16),
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "its name has no address",
            Self::Refused => "it refuses the connection",
            Self::Timeout => "it does not accept the connection in time",
            Self::Tls => "the TLS handshake failed",
            Self::Connection => "the connection failed",
        })
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "did not respond in time",
            Self::Closed => "closed the connection before it responded",
            Self::Body => "closed the connection within its response",
        })
    }
}

impl NetError {
    pub fn delivery(&self) -> Delivery {
        match self {
            Self::BadAddress { .. }
            | Self::BadRequest { .. }
            | Self::Blocked { .. }
            | Self::NotSent { .. }
            | Self::CaBundle { .. }
            | Self::BadProxy { .. }
            | Self::Tls { .. } => Delivery::NotSent,
            Self::Uncertain { .. } => Delivery::Uncertain,
            Self::Answered(response) => Delivery::Answered(response.status),
            Self::TooLarge { status, .. }
            | Self::BadEncoding { status, .. }
            | Self::NotJson { status, .. } => Delivery::Answered(*status),
        }
    }

    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotSent { .. } | Self::Uncertain { .. } => ErrorKind::Unavailable,
            Self::Answered(response) if matches!(response.status, 429 | 500..) => {
                ErrorKind::Unavailable
            }
            Self::Answered(_)
            | Self::BadAddress { .. }
            | Self::BadRequest { .. }
            | Self::Blocked { .. }
            | Self::TooLarge { .. }
            | Self::BadEncoding { .. }
            | Self::NotJson { .. }
            | Self::CaBundle { .. }
            | Self::BadProxy { .. }
            | Self::Tls { .. } => ErrorKind::Configuration,
        }
    }

    /// Returns advice that holds for every API. The module of an API adds its own.
    pub fn hint(&self) -> Option<Hint> {
        Some(Hint::advice(match self {
            Self::NotSent { why: Unsent::Tls, .. } => {
                "if a proxy of your network issues its own certificates, set LAKEPLAN_CA_BUNDLE to a file with the certificate of its authority"
            }
            Self::NotSent { .. } | Self::Uncertain { .. } => {
                "check the address and the network, then retry the command"
            }
            Self::Answered(response) if matches!(response.status, 429 | 500..) => {
                "retry the command later"
            }
            Self::BadEncoding { .. } | Self::NotJson { .. } => {
                "check the address: this may be another service, or a proxy's page"
            }
            Self::CaBundle { .. } | Self::Tls { .. } => {
                "LAKEPLAN_CA_BUNDLE names a file with certificates in PEM; without it, SSL_CERT_FILE and REQUESTS_CA_BUNDLE are read"
            }
            Self::BadProxy { .. } => {
                "set it to an address such as http://proxy.example.com:3128, or unset it"
            }
            Self::Answered(_)
            | Self::BadAddress { .. }
            | Self::BadRequest { .. }
            | Self::Blocked { .. }
            | Self::TooLarge { .. } => return None,
        }))
    }
}
