//! Settings in environment variables.

use figment2::value::{Dict, Value};

use super::environment::{Environment, NotUtf8};
use super::error::ConfigError;
use super::keys::KEYS;
use super::origin::{PREFIX, SEPARATOR, variable_name};
use super::unknown::unknown_setting;

/// Returns the settings that variables hold. An empty variable counts as not set. Skips the settings
/// that `is_given` by a flag, whose variables may be invalid.
pub fn settings_of(
    env: &impl Environment,
    is_given: impl Fn(&str) -> bool,
    sections: &[&str],
) -> Result<Dict, ConfigError> {
    let read = |name: &str| {
        let value = env.get(name)?.filter(|value| !value.is_empty());
        Ok::<_, NotUtf8>(value.map(Value::from))
    };
    let mut found = Dict::new();
    for key in KEYS.iter().filter(|key| !is_given(key)) {
        if let Some(value) = read(&variable_name(&[key]))? {
            found.insert((*key).to_owned(), value);
        }
    }
    for name in env.names() {
        let keys = name.strip_prefix(PREFIX).filter(|keys| keys.contains(SEPARATOR));
        let Some(keys) = keys else { continue };
        let Some(value) = read(&name)? else { continue };
        let keys: Vec<String> = keys.split(SEPARATOR).map(str::to_ascii_lowercase).collect();
        if let Some(unknown) = keys.first().filter(|first| !sections.contains(&first.as_str())) {
            return Err(unknown_setting(name, unknown, sections.iter().copied()));
        }
        insert(&mut found, &keys, value);
    }
    Ok(found)
}

/// Inserts a value below a path of keys.
fn insert(dict: &mut Dict, keys: &[String], value: Value) {
    let Some((key, rest)) = keys.split_first() else { return };
    if rest.is_empty() {
        dict.insert(key.clone(), value);
    } else if let Value::Dict(_, inner) =
        dict.entry(key.clone()).or_insert_with(|| Value::from(Dict::new()))
    {
        insert(inner, rest, value);
    }
}
