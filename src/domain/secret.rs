//! What proves who one is. It is handed on and never shown.

use std::fmt;
use std::path::PathBuf;

/// A text that nothing prints: its `Debug` is `***`, it has no `Display` and no JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one header or body that carries it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A text of someone else's with this secret blotted out of it.
    pub fn blotted(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, "***") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How one shows a workspace who one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    Token(Secret),
    /// A file that holds the token, read again when the token is refused: whoever started the process may renew it.
    TokenFile(PathBuf),
    /// A service principal, which asks for short-lived tokens itself.
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
        let client = Login::Client { id: "app".to_owned(), secret: secret.clone() };
        let told = format!("{secret:?} {:?} {client:?}", Login::Token(secret.clone()));
        assert!(!told.contains("canary") && told.contains("***"), "{told}");
        assert_eq!(secret.blotted("the token dapi-canary is bad"), "the token *** is bad");
    }
}
