//! Errors of API requests.

use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::domain::error_kind::ErrorKind;
use crate::domain::hint::Hint;
use crate::domain::secret::Secret;

/// Error body of an API response: its error code, its reason (if any) and its message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiErrorBody {
    pub code: String,
    pub reason: String,
    pub message: String,
}

/// Error of an API request, with one variant per case that callers handle differently. No error
/// text contains a secret or a signed link.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetError {
    #[error("{given:?} is not a valid address: {why}")]
    BadAddress { given: String, why: &'static str },
    /// No response arrived. The server may have received the request.
    #[error("{host} cannot be reached")]
    Unreachable {
        host: String,
        #[source]
        source: reqwest::Error,
    },
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
    #[error("the response of {host} is larger than {limit} bytes")]
    TooLarge { host: String, limit: usize },
    #[error("{host} did not respond with JSON")]
    NotJson { host: String },
}

impl NetError {
    pub fn hint(&self) -> Option<Hint> {
        Some(match self {
            Self::BadAddress { .. } => {
                "DATABRICKS_HOST is https:// and the workspace's host, such as https://adb-1234.5.azuredatabricks.net".into()
            }
            Self::Unreachable { .. } => "check DATABRICKS_HOST and the network, then retry the command".into(),
            Self::Unauthorized { .. } => {
                "create a new token (the workspace's Settings, Developer, Access tokens) and set DATABRICKS_TOKEN, or DATABRICKS_TOKEN_FILE to a file that is kept up to date".into()
            }
            Self::BadToken { what, .. } => format!("set it to the {what} and nothing else, without quotes").into(),
            Self::TokenFile { .. } => "DATABRICKS_TOKEN_FILE names a file that holds the token and nothing else".into(),
            Self::Redirected { .. } => "set DATABRICKS_HOST to the workspace's own address, as its browser tab shows it".into(),
            Self::RateLimited { .. } | Self::Server { .. } => "retry the command later".into(),
            Self::NotJson { .. } | Self::BadGrant { .. } => "check DATABRICKS_HOST: this may be another service, or a proxy's page".into(),
            Self::Forbidden { .. } | Self::NotFound { .. } | Self::Rejected { .. } | Self::TooLarge { .. } => return None,
        })
    }

    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreachable { .. } | Self::RateLimited { .. } | Self::Server { .. } => {
                ErrorKind::Unavailable
            }
            Self::BadAddress { .. }
            | Self::Unauthorized { .. }
            | Self::TokenFile { .. }
            | Self::BadToken { .. }
            | Self::BadGrant { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Rejected { .. }
            | Self::Redirected { .. }
            | Self::TooLarge { .. }
            | Self::NotJson { .. } => ErrorKind::Configuration,
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
    pub(super) fn of_status(
        host: String,
        status: u16,
        after: Option<Duration>,
        body: ApiErrorBody,
    ) -> Self {
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

/// Maximum number of characters that an error repeats from an API's message.
const MAX_MESSAGE_CHARS: usize = 600;

impl ApiErrorBody {
    /// Parses an error body from text, for tests.
    #[cfg(test)]
    pub fn of(body: &str) -> Self {
        Self::read(body.as_bytes(), &[])
    }

    /// Parses an error body in Databricks' format, or takes the first line of any other text.
    /// Redacts the given secrets, in case the API repeated them.
    pub(super) fn read(body: &[u8], secrets: &[Secret]) -> Self {
        // Redact before truncating: a secret cut in half would not be found.
        let plain = |text: &str| {
            plain(&secrets.iter().fold(text.to_owned(), |text, secret| secret.redact(&text)))
        };
        let Ok(json) = serde_json::from_slice::<Value>(body) else {
            return Self {
                message: plain(String::from_utf8_lossy(body).lines().next().unwrap_or_default()),
                ..Self::default()
            };
        };
        let text = |value: &Value| plain(value.as_str().unwrap_or_default());
        let reason = json["details"]
            .as_array()
            .and_then(|details| details.iter().find_map(|detail| detail["reason"].as_str()));
        let first = |names: [&str; 2]| {
            names.iter().map(|name| text(&json[*name])).find(|body| !body.is_empty())
        };
        Self {
            code: first(["error_code", "error"]).unwrap_or_default(),
            reason: plain(reason.unwrap_or_default()),
            message: first(["message", "error_description"]).unwrap_or_default(),
        }
    }

    /// Returns the message as the end of a sentence, or an empty string if there is none.
    fn describe(&self) -> String {
        if self.message.is_empty() { String::new() } else { format!(": {}", self.message) }
    }
}

/// Replaces control characters and limits the length, so that the text can be shown.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_MESSAGE_CHARS)
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_with_its_code_reason_and_words() {
        let body = br#"{"error_code":"PERMISSION_DENIED","message":"User does not have EXTERNAL USE SCHEMA on Schema 'a.b'.\u001b[2J","details":[{"@type":"x"},{"reason":"PERMISSION_DENIED"}]}"#;
        let body = ApiErrorBody::read(body, &[]);
        assert_eq!(
            (body.code.as_str(), body.reason.as_str()),
            ("PERMISSION_DENIED", "PERMISSION_DENIED")
        );
        assert_eq!(body.message, "User does not have EXTERNAL USE SCHEMA on Schema 'a.b'. [2J");
        assert_eq!(ApiErrorBody::read(b"<html>\nlogin", &[]).message, "<html>");
        assert!(
            ApiErrorBody::read("x".repeat(5000).as_bytes(), &[]).message.len() == MAX_MESSAGE_CHARS
        );
    }

    #[test]
    fn a_secret_that_is_cut_off_is_not_shown_in_part() {
        let body = format!("{}dapi-canary", "x".repeat(MAX_MESSAGE_CHARS - 5));
        assert!(
            !ApiErrorBody::read(body.as_bytes(), &[Secret::new("dapi-canary")])
                .message
                .contains("dapi")
        );
    }

    #[test]
    fn a_denial_of_vending_is_no_expired_token() {
        let denied = ApiErrorBody {
            reason: "UNITY_CATALOG_EXTERNAL_GENERATE_PATH_CREDENTIALS_DENIED".to_owned(),
            ..ApiErrorBody::default()
        };
        assert!(matches!(
            NetError::of_status("h".to_owned(), 401, None, denied),
            NetError::Forbidden { .. }
        ));
        assert!(matches!(
            NetError::of_status("h".to_owned(), 401, None, ApiErrorBody::default()),
            NetError::Unauthorized { .. }
        ));
    }
}
