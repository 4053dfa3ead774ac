//! Why an API gave no answer.

use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::domain::secret::Secret;

/// How an API's refusal reads: its own code, its reason where it has one, its words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub code: String,
    pub reason: String,
    pub message: String,
}

/// What went wrong, as far as a caller does something about it. No text of it holds a secret or a signed link.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetError {
    #[error("{given:?} is no address to speak to: {why}")]
    BadAddress { given: String, why: &'static str },
    /// Nothing came back. It may have been received.
    #[error("{host} cannot be reached")]
    Unreachable {
        host: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("{host} does not accept the token: it is wrong, has expired or was revoked")]
    Unauthorized { host: String, said: Box<Said> },
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
    #[error("{host} grants a token that is empty or has a character that no token has")]
    BadGrant { host: String },
    #[error("{host} refuses{}", said.told())]
    Forbidden { host: String, said: Box<Said> },
    #[error("{host} does not find it{}", said.told())]
    NotFound { host: String, said: Box<Said> },
    #[error("{host} answers {status}{}", said.told())]
    Rejected { host: String, status: u16, said: Box<Said> },
    #[error("{host} answers {status} and points elsewhere, where no token is sent")]
    Redirected { host: String, status: u16 },
    #[error("{host} is asked too often")]
    RateLimited { host: String, after: Option<Duration> },
    #[error("{host} answers {status}{}", said.told())]
    Server { host: String, status: u16, after: Option<Duration>, said: Box<Said> },
    #[error("the answer of {host} is larger than {limit} bytes")]
    TooLarge { host: String, limit: usize },
    #[error("{host} answers with something that is not JSON")]
    NotJson { host: String },
}

impl NetError {
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::BadAddress { .. } => {
                "DATABRICKS_HOST is https:// and the workspace's host, such as https://adb-1234.5.azuredatabricks.net".to_owned()
            }
            Self::Unreachable { .. } => "look at DATABRICKS_HOST and the network, then repeat the command".to_owned(),
            Self::Unauthorized { .. } => {
                "make a new token (the workspace's Settings, Developer, Access tokens) and set DATABRICKS_TOKEN, or DATABRICKS_TOKEN_FILE to a file that is kept fresh".to_owned()
            }
            Self::BadToken { what, .. } => format!("set it to the {what} and nothing else, without quotes"),
            Self::TokenFile { .. } => "DATABRICKS_TOKEN_FILE names a file that holds the token and nothing else".to_owned(),
            Self::Redirected { .. } => "set DATABRICKS_HOST to the workspace's own address, as its browser tab shows it".to_owned(),
            Self::RateLimited { .. } | Self::Server { .. } => "repeat the command later".to_owned(),
            Self::NotJson { .. } | Self::BadGrant { .. } => "look at DATABRICKS_HOST: this may be another service, or a proxy's page".to_owned(),
            Self::Forbidden { .. } | Self::NotFound { .. } | Self::Rejected { .. } | Self::TooLarge { .. } => return None,
        })
    }

    /// Whether the same may work in a while, with nothing changed.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::RateLimited { .. } | Self::Server { .. })
    }

    /// What the API itself said.
    pub fn said(&self) -> Option<&Said> {
        match self {
            Self::Unauthorized { said, .. }
            | Self::Forbidden { said, .. }
            | Self::NotFound { said, .. }
            | Self::Rejected { said, .. }
            | Self::Server { said, .. } => Some(said.as_ref()),
            _ => None,
        }
    }

    /// The situation of a status that is no success.
    pub(super) fn of_status(
        host: String,
        status: u16,
        after: Option<Duration>,
        said: Said,
    ) -> Self {
        let said = Box::new(said);
        match status {
            300..=399 => Self::Redirected { host, status },
            // Unity Catalog answers so where it vends no credentials to the outside; the token is good.
            401 if said.reason.ends_with("_DENIED") => Self::Forbidden { host, said },
            401 => Self::Unauthorized { host, said },
            403 => Self::Forbidden { host, said },
            404 => Self::NotFound { host, said },
            429 => Self::RateLimited { host, after },
            500.. => Self::Server { host, status, after, said },
            _ => Self::Rejected { host, status, said },
        }
    }
}

/// The most of a stranger's words that is repeated.
const MOST_SAID: usize = 600;

impl Said {
    /// The refusal in a text, for tests of what is made of one.
    #[cfg(test)]
    pub fn of(body: &str) -> Self {
        Self::read(body.as_bytes(), &[])
    }

    /// The refusal in a body, in the form Databricks gives it or as what text there is. Secrets are blotted out of it, should
    /// the API have repeated them.
    pub(super) fn read(body: &[u8], secrets: &[Secret]) -> Self {
        // Blotted before it is shortened: half a secret would not be found.
        let plain = |text: &str| {
            plain(&secrets.iter().fold(text.to_owned(), |text, secret| secret.blotted(&text)))
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
            names.iter().map(|name| text(&json[*name])).find(|said| !said.is_empty())
        };
        Self {
            code: first(["error_code", "error"]).unwrap_or_default(),
            reason: plain(reason.unwrap_or_default()),
            message: first(["message", "error_description"]).unwrap_or_default(),
        }
    }

    /// The words as the end of a sentence, which may have none.
    fn told(&self) -> String {
        if self.message.is_empty() { String::new() } else { format!(": {}", self.message) }
    }
}

/// Words fit to be shown: of bounded length, without control characters.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MOST_SAID)
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
        let said = Said::read(body, &[]);
        assert_eq!(
            (said.code.as_str(), said.reason.as_str()),
            ("PERMISSION_DENIED", "PERMISSION_DENIED")
        );
        assert_eq!(said.message, "User does not have EXTERNAL USE SCHEMA on Schema 'a.b'. [2J");
        assert_eq!(Said::read(b"<html>\nlogin", &[]).message, "<html>");
        assert!(Said::read("x".repeat(5000).as_bytes(), &[]).message.len() == MOST_SAID);
    }

    #[test]
    fn a_secret_that_is_cut_off_is_not_shown_in_part() {
        let body = format!("{}dapi-canary", "x".repeat(MOST_SAID - 5));
        assert!(
            !Said::read(body.as_bytes(), &[Secret::new("dapi-canary")]).message.contains("dapi")
        );
    }

    #[test]
    fn a_denial_of_vending_is_no_expired_token() {
        let denied = Said {
            reason: "UNITY_CATALOG_EXTERNAL_GENERATE_PATH_CREDENTIALS_DENIED".to_owned(),
            ..Said::default()
        };
        assert!(matches!(
            NetError::of_status("h".to_owned(), 401, None, denied),
            NetError::Forbidden { .. }
        ));
        assert!(matches!(
            NetError::of_status("h".to_owned(), 401, None, Said::default()),
            NetError::Unauthorized { .. }
        ));
    }
}
