//! Sections of the settings that other modules declare.
//!
//! A module declares a struct that serde deserializes, implements [`Section`] for it, and adds it to
//! the sections that the application loads. The section then has every layer: documented defaults,
//! the file, the section of the target, and environment variables.

use std::fmt;
use std::ops::Deref;

use figment2::error::{Actual, Kind};
use serde::de::DeserializeOwned;

use super::error::ConfigError;
use super::layers::Layers;
use super::unknown::unknown_setting;

/// Settings of a module, in one table of the settings file.
///
/// Derive `Deserialize` with `#[serde(deny_unknown_fields)]`, so that a misspelled key is refused,
/// also on nested structs. Refer to a secret with a [`SecretName`](super::SecretName).
pub trait Section: DeserializeOwned {
    /// Name of the table, in `snake_case`.
    const NAME: &'static str;
    /// The table in TOML, with the documentation and the default of each setting. A setting without
    /// a default is a comment here and an `Option` in the struct.
    const DEFAULTS: &'static str;
}

/// Declaration of a section, to be loaded with the settings.
#[derive(Clone, Copy, Debug)]
pub struct SectionSpec {
    pub(super) name: &'static str,
    pub(super) defaults: &'static str,
    check: fn(&Layers) -> Result<(), ConfigError>,
}

impl SectionSpec {
    pub const fn of<S: Section>() -> Self {
        let check = |layers: &Layers| Loaded::<S>::load(layers).map(drop);
        Self { name: S::NAME, defaults: S::DEFAULTS, check }
    }

    /// Returns the documented defaults of the section.
    pub fn defaults(&self) -> &'static str {
        self.defaults
    }

    /// Refuses unknown keys and invalid values.
    pub(super) fn check(&self, layers: &Layers) -> Result<(), ConfigError> {
        (self.check)(layers)
    }
}

/// Settings of a section, which know their origin.
pub struct Loaded<S> {
    settings: S,
    layers: Layers,
}

impl<S: Section> Loaded<S> {
    pub(super) fn load(layers: &Layers) -> Result<Self, ConfigError> {
        let settings = layers
            .figment
            .focus(S::NAME)
            // A variable is a string, also if the setting is a number.
            .extract_lossy()
            .map_err(|err| refused(S::NAME, err, layers))?;
        Ok(Self { settings, layers: layers.clone() })
    }

    /// Returns the error for a value that the module refuses, with the value's origin. The key is
    /// relative to the section, `retry.limit` for a nested one.
    pub fn invalid(&self, key: &str, message: impl Into<String>) -> ConfigError {
        let keys: Vec<&str> = [S::NAME].into_iter().chain(key.split('.')).collect();
        ConfigError::InvalidSetting {
            origin: self.layers.place(&keys),
            key: keys.join("."),
            message: message.into(),
        }
    }
}

impl<S> Deref for Loaded<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.settings
    }
}

impl<S: fmt::Debug> fmt::Debug for Loaded<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

/// Describes what serde refused. The message never repeats a value, which may be a secret.
fn refused(section: &str, err: figment2::Error, layers: &Layers) -> ConfigError {
    let mut keys: Vec<&str> =
        [section].into_iter().chain(err.path.iter().map(String::as_str)).collect();
    let message = match &err.kind {
        Kind::UnknownField(_, known) => {
            return unknown_setting(layers.place(&keys), &keys.join("."), known.iter().copied());
        }
        Kind::MissingField(name) => {
            keys.push(name);
            return ConfigError::MissingSetting { key: keys.join(".") };
        }
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!("expected {expected}, found {}", type_name(found))
        }
        Kind::UnknownVariant(_, known) => format!("the values are {}", known.join(", ")),
        Kind::InvalidLength(length, expected) => format!("expected {expected}, found {length}"),
        Kind::Message(message) => without_value(message, &keys, layers),
        Kind::DuplicateField(_)
        | Kind::ISizeOutOfRange(_)
        | Kind::USizeOutOfRange(_)
        | Kind::Unsupported(_)
        | Kind::UnsupportedKey(..) => "the value is not valid".to_owned(),
    };
    ConfigError::InvalidSetting { origin: layers.place(&keys), key: keys.join("."), message }
}

/// Returns a message of a type's own check, unless it repeats the value.
fn without_value(message: &str, keys: &[&str], layers: &Layers) -> String {
    let leaves = layers.leaves(keys.first().copied().unwrap_or_default());
    let is_repeated = leaves.iter().any(|(path, setting)| {
        path.iter().map(String::as_str).eq(keys.iter().copied()) && message.contains(&setting.value)
    });
    if is_repeated { "the value is not valid".to_owned() } else { message.to_owned() }
}

fn type_name(found: &Actual) -> &'static str {
    match found {
        Actual::Bool(_) => "a boolean",
        Actual::Unsigned(_) | Actual::Signed(_) => "an integer",
        Actual::Float(_) => "a float",
        Actual::Char(_) | Actual::Str(_) => "a string",
        Actual::Seq => "an array",
        Actual::Map => "a table",
        _ => "another type",
    }
}
