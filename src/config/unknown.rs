//! Describes a setting that does not exist.

use super::error::ConfigError;
use crate::text::nearest::nearest;

/// Returns the error for an unknown setting, with the known ones and the nearest of them.
pub fn unknown_setting<'a>(
    origin: String,
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> ConfigError {
    let mut known: Vec<String> = known.map(str::to_owned).collect();
    known.sort();
    let last = name.rsplit('.').next().unwrap_or(name);
    ConfigError::UnknownSetting {
        origin,
        name: name.to_owned(),
        nearest: nearest(last, known.iter().map(String::as_str)).map(str::to_owned),
        known,
    }
}
