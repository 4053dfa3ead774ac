//! Credentials. They are passed on and never shown.

use std::fmt;
use std::path::PathBuf;

/// Text that is never printed: its `Debug` is `***`, and it has no `Display` and no JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text, for the one header or body that carries it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Replaces this secret in text from elsewhere with `***`.
    pub fn redact(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, "***") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Credentials for a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    Token(Secret),
    /// File that holds the token. It is read again when the token is refused, because the parent
    /// process may renew it.
    TokenFile(PathBuf),
    /// Service principal, which requests short-lived tokens itself.
    Client {
        id: String,
        secret: Secret,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_in_nothing_that_prints_it() {
        let secret = Secret::new("dapi-canary");
        let client = Credentials::Client { id: "app".to_owned(), secret: secret.clone() };
        let message = format!("{secret:?} {:?} {client:?}", Credentials::Token(secret.clone()));
        assert!(!message.contains("canary") && message.contains("***"), "{message}");
        assert_eq!(secret.redact("the token dapi-canary is bad"), "the token *** is bad");
    }
}
