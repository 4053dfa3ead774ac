//! References to secrets: a setting never contains a secret, but the name of the variable that does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::ConfigError;
use super::keys::SECRETS;
use super::layers::Layers;
use super::origin::Setting;

/// Location of a secret. The program that starts lakeplan reads the secret there and passes it in a
/// variable of this name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecretReference {
    pub name: String,
    pub scope: String,
    pub key: String,
    pub origin: String,
}

/// Name of the environment variable that contains a secret, for a setting in a section.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct SecretName(String);

impl SecretName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SecretName {
    type Error = &'static str;

    /// The error does not show the value, which may be the secret itself.
    fn try_from(name: String) -> Result<Self, Self::Error> {
        match is_variable(&name) {
            true => Ok(Self(name)),
            false => Err(
                "must name the environment variable that contains the secret, in A-Z, 0-9 and _, not contain the secret itself",
            ),
        }
    }
}

/// Returns the references by name. An error does not show an invalid value, which may be the secret
/// itself.
pub fn references(layers: &Layers) -> Result<Vec<SecretReference>, ConfigError> {
    let mut found = BTreeMap::new();
    for (path, Setting { value, origin }) in layers.leaves(SECRETS) {
        let keys: Vec<&str> = path.iter().map(String::as_str).collect();
        let name = keys.last().copied().unwrap_or_default();
        let parts = value
            .split_once('/')
            .filter(|(scope, key)| is_word(scope) && is_word(key) && is_variable(name));
        let Some((scope, key)) = parts else {
            let (origin, name) = (layers.place(&keys), name.to_owned());
            return Err(ConfigError::InvalidSecretReference { origin, name });
        };
        let (scope, key) = (scope.to_owned(), key.to_owned());
        found
            .insert(name.to_owned(), SecretReference { name: name.to_owned(), scope, key, origin });
    }
    Ok(found.into_values().collect())
}

fn is_word(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@".contains(c))
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}
