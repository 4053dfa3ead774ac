//! Errors of a workspace.

use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::domain::error_kind::ErrorKind;
use crate::domain::hint::Hint;
use crate::domain::time::Instant;
use crate::net::{ErrorBody, NetError, Unsent, one_line};

/// Error body of an API response: its error code, its reason (if any) and its message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiErrorBody {
    pub code: String,
    pub reason: String,
    pub message: String,
}

/// Error of a request to a workspace, with one variant per case that callers handle differently. No
/// error text contains a secret or a signed link.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorkspaceError {
    /// No response that a workspace gives.
    #[error(transparent)]
    Net(NetError),
    #[error("{host} does not accept the token: it is wrong, has expired or was revoked")]
    Unauthorized { host: String, body: Box<ApiErrorBody> },
    #[error("the token file {path} cannot be read")]
    TokenFile {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "the {what} of {origin} has a space, a line break or another character that no {what} has"
    )]
    BadToken { what: &'static str, origin: String },
    #[error("{host} returned a token that is empty or has an invalid character")]
    BadGrant { host: String },
    #[error("{host} denied the request{}", body.describe())]
    Forbidden { host: String, body: Box<ApiErrorBody> },
    #[error("{host} returned not found{}", body.describe())]
    NotFound { host: String, body: Box<ApiErrorBody> },
    #[error("{host} responded with status {status}{}", body.describe())]
    Rejected { host: String, status: u16, body: Box<ApiErrorBody> },
    #[error("{host} responded with status {status}, a redirect, and the token is not sent there")]
    Redirected { host: String, status: u16 },
    #[error("rate limited by {host}")]
    RateLimited { host: String, after: Option<Duration> },
    #[error("{host} responded with status {status}{}", body.describe())]
    Server { host: String, status: u16, after: Option<Duration>, body: Box<ApiErrorBody> },
}

impl WorkspaceError {
    /// Maps an error at a point in time, from which the wait that the workspace asks for counts.
    pub(super) fn of(err: NetError, now: Instant) -> Self {
        match err {
            NetError::Answered(response) => {
                let body = ApiErrorBody::read(&response.body);
                let after = response.headers.retry_after(now);
                Self::of_status(response.host, response.status, after, body)
            }
            other => Self::Net(other),
        }
    }

    pub fn hint(&self) -> Option<Hint> {
        Some(match self {
            Self::Net(NetError::BadAddress { .. }) => {
                "DATABRICKS_HOST is https:// and the workspace's host, such as https://adb-1234.5.azuredatabricks.net".into()
            }
            Self::Net(NetError::NotJson { .. } | NetError::BadEncoding { .. }) | Self::BadGrant { .. } => {
                "check DATABRICKS_HOST: this may be another service, or a proxy's page".into()
            }
            Self::Net(NetError::NotSent { why, .. }) if *why != Unsent::Tls => {
                "check DATABRICKS_HOST and the network, then retry the command".into()
            }
            Self::Net(NetError::Uncertain { .. }) => {
                "check DATABRICKS_HOST and the network, then retry the command".into()
            }
            Self::Net(err) => return err.hint(),
            Self::Unauthorized { .. } => {
                "create a new token (the workspace's Settings, Developer, Access tokens) and set DATABRICKS_TOKEN, or DATABRICKS_TOKEN_FILE to a file that is kept up to date".into()
            }
            Self::BadToken { what, .. } => format!("set it to the {what} and nothing else, without quotes").into(),
            Self::TokenFile { .. } => "DATABRICKS_TOKEN_FILE names a file that holds the token and nothing else".into(),
            Self::Redirected { .. } => "set DATABRICKS_HOST to the workspace's own address, as its browser tab shows it".into(),
            Self::RateLimited { .. } | Self::Server { .. } => "retry the command later".into(),
            Self::Forbidden { .. } | Self::NotFound { .. } | Self::Rejected { .. } => return None,
        })
    }

    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Net(err) => err.kind(),
            Self::RateLimited { .. } | Self::Server { .. } => ErrorKind::Unavailable,
            Self::Unauthorized { .. }
            | Self::TokenFile { .. }
            | Self::BadToken { .. }
            | Self::BadGrant { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Rejected { .. }
            | Self::Redirected { .. } => ErrorKind::Configuration,
        }
    }

    /// Returns the error body that the API sent.
    pub fn body(&self) -> Option<&ApiErrorBody> {
        match self {
            Self::Unauthorized { body, .. }
            | Self::Forbidden { body, .. }
            | Self::NotFound { body, .. }
            | Self::Rejected { body, .. }
            | Self::Server { body, .. } => Some(body.as_ref()),
            _ => None,
        }
    }

    /// Maps an unsuccessful status code to an error.
    fn of_status(host: String, status: u16, after: Option<Duration>, body: ApiErrorBody) -> Self {
        let body = Box::new(body);
        match status {
            300..=399 => Self::Redirected { host, status },
            // Unity Catalog returns this if it vends no credentials to external clients; the token
            // is valid.
            401 if body.reason.ends_with("_DENIED") => Self::Forbidden { host, body },
            401 => Self::Unauthorized { host, body },
            403 => Self::Forbidden { host, body },
            404 => Self::NotFound { host, body },
            429 => Self::RateLimited { host, after },
            500.. => Self::Server { host, status, after, body },
            _ => Self::Rejected { host, status, body },
        }
    }
}

impl ApiErrorBody {
    /// Parses an error body from text, for tests.
    #[cfg(test)]
    pub fn of(body: &str) -> Self {
        let json = serde_json::from_str(body);
        Self::read(&json.map_or_else(|_| ErrorBody::Text(body.to_owned()), ErrorBody::Json))
    }

    /// Reads an error body in Databricks' format, or takes the message of another format.
    fn read(body: &ErrorBody) -> Self {
        let ErrorBody::Json(json) = body else {
            return Self { message: body.message(), ..Self::default() };
        };
        let text = |value: &Value| one_line(value.as_str().unwrap_or_default());
        let reason = json["details"]
            .as_array()
            .and_then(|details| details.iter().find_map(|detail| detail["reason"].as_str()));
        let first = |names: [&str; 2]| {
            names.iter().map(|name| text(&json[*name])).find(|body| !body.is_empty())
        };
        Self {
            code: first(["error_code", "error"]).unwrap_or_default(),
            reason: one_line(reason.unwrap_or_default()),
            message: first(["message", "error_description"]).unwrap_or_default(),
        }
    }

    /// Returns the message as the end of a sentence, or an empty string if there is none.
    fn describe(&self) -> String {
        if self.message.is_empty() { String::new() } else { format!(": {}", self.message) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_with_its_code_reason_and_words() {
        let body = r#"{"error_code":"PERMISSION_DENIED","message":"User does not have EXTERNAL USE SCHEMA on Schema 'a.b'.\u001b[2J","details":[{"@type":"x"},{"reason":"PERMISSION_DENIED"}]}"#;
        let body = ApiErrorBody::of(body);
        assert_eq!(
            (body.code.as_str(), body.reason.as_str()),
            ("PERMISSION_DENIED", "PERMISSION_DENIED")
        );
        assert_eq!(body.message, "User does not have EXTERNAL USE SCHEMA on Schema 'a.b'. [2J");
        assert_eq!(ApiErrorBody::of("<html>\nlogin").message, "<html>");
    }

    #[test]
    fn a_denial_of_vending_is_no_expired_token() {
        let denied = ApiErrorBody {
            reason: "UNITY_CATALOG_EXTERNAL_GENERATE_PATH_CREDENTIALS_DENIED".to_owned(),
            ..ApiErrorBody::default()
        };
        assert!(matches!(
            WorkspaceError::of_status("h".to_owned(), 401, None, denied),
            WorkspaceError::Forbidden { .. }
        ));
        assert!(matches!(
            WorkspaceError::of_status("h".to_owned(), 401, None, ApiErrorBody::default()),
            WorkspaceError::Unauthorized { .. }
        ));
    }
}
