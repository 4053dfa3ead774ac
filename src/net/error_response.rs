//! Responses of a server that refuses a request, fails or redirects.

use std::fmt;

use serde_json::Value;

use super::headers::Headers;
use crate::domain::secret::Secret;

/// Maximum number of characters that an error repeats from a response.
const MAX_MESSAGE_CHARS: usize = 600;

/// Response of a server that refuses a request, fails or redirects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorResponse {
    pub host: String,
    pub status: u16,
    pub headers: Headers,
    pub body: ErrorBody,
}

impl fmt::Display for ErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} responded with status {}", self.host, self.status)?;
        if matches!(self.status, 300..400) {
            return f.write_str(", a redirect, which is not followed");
        }
        match self.body.message() {
            message if message.is_empty() => Ok(()),
            message => write!(f, ": {message}"),
        }
    }
}

/// Body of an error response without the secrets of the request, in case the server repeated them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorBody {
    Json(Value),
    Text(String),
}

impl ErrorBody {
    pub(super) fn read(body: &[u8], secrets: &[Secret]) -> Self {
        match serde_json::from_slice(body) {
            Ok(json) => Self::Json(redacted(json, secrets)),
            Err(_) => Self::Text(redact(&String::from_utf8_lossy(body), secrets)),
        }
    }

    /// Reads a body whose end was cut off, possibly within a secret.
    pub(super) fn read_cut(body: &[u8], secrets: &[Secret]) -> Self {
        let text = redact(&String::from_utf8_lossy(body), secrets);
        let longest = secrets.iter().flat_map(forms).map(|secret| secret.expose().len()).max();
        let kept = text.len().saturating_sub(longest.unwrap_or_default());
        Self::Text(text[..text.floor_char_boundary(kept)].to_owned())
    }

    /// Returns the message of a body in a common format, or the first line of a text. The message is
    /// one line of limited length.
    pub fn message(&self) -> String {
        let json = match self {
            Self::Text(text) => return one_line(text.lines().next().unwrap_or_default()),
            Self::Json(json) => json,
        };
        let first = &json["errors"][0];
        let places = [
            &json["message"],
            &json["error"]["message"],
            &json["error_description"],
            &json["error"],
            &json["err"],
            &first["message"],
            first,
            json,
        ];
        places.into_iter().find_map(Value::as_str).map(one_line).unwrap_or_default()
    }
}

/// Replaces control characters and limits the length, so that the text can be shown.
pub fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_MESSAGE_CHARS)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// Returns a secret as it is, and as it looks in a URL.
fn forms(secret: &Secret) -> [Secret; 2] {
    let encoded: String =
        url::form_urlencoded::byte_serialize(secret.expose().as_bytes()).collect();
    [secret.clone(), Secret::new(encoded)]
}

fn redact(text: &str, secrets: &[Secret]) -> String {
    secrets.iter().flat_map(forms).fold(text.to_owned(), |text, secret| secret.redact(&text))
}

fn redacted(json: Value, secrets: &[Secret]) -> Value {
    match json {
        Value::String(text) => Value::String(redact(&text, secrets)),
        Value::Array(values) => values.into_iter().map(|value| redacted(value, secrets)).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (redact(&name, secrets), redacted(value, secrets)))
            .collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> ErrorBody {
        ErrorBody::read(body.as_bytes(), &[Secret::new("canary/1"), Secret::new("")])
    }

    #[test]
    fn the_message_of_each_common_format_is_found() {
        for body in [
            r#"{"message": "no\u001b[2J"}"#,
            r#"{"error": {"message": "no [2J"}}"#,
            r#"{"error": "invalid_client", "error_description": "no [2J"}"#,
            r#"{"errors": [{"message": "no [2J"}]}"#,
            r#"{"errors": ["no [2J"]}"#,
            r#"{"err": "no [2J"}"#,
            r#""no [2J""#,
            "no [2J\nmore",
        ] {
            assert_eq!(read(body).message(), "no [2J", "{body}");
        }
        assert_eq!(read("{}").message(), "");
        assert_eq!(read(&"x".repeat(5000)).message().len(), MAX_MESSAGE_CHARS);
    }

    #[test]
    fn a_repeated_secret_is_in_no_part_of_a_body() {
        for body in [
            r#"{"a": ["the key canary/1"], "canary\/1": 1, "url": "?key=canary%2F1"}"#,
            "<p>canary/1 and key=canary%2F1</p>",
        ] {
            let read = read(body);
            assert!(!format!("{read:?}").contains("canary") && format!("{read:?}").contains("***"));
        }
    }

    #[test]
    fn a_secret_that_is_cut_off_is_not_shown_in_part() {
        let body = format!("{}ä-canary/", "x".repeat(20));
        let read = ErrorBody::read_cut(body.as_bytes(), &[Secret::new("canary/1")]);
        assert!(!read.message().contains("cana") && read.message().contains("xxx"), "{read:?}");
    }
}
