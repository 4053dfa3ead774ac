//! The settings file: its values, and the line of each key.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Read;
use std::path::{Path, PathBuf};

use figment2::value::{Dict, Value};
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::file;
use super::keys::{KEYS, SECRETS, TARGET, TARGETS};
use super::origin::LayerSource;
use super::unknown::unknown_setting;

/// Maximum number of bytes in the settings file.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Parsed settings file.
#[derive(Clone, Debug)]
pub struct SettingsFile {
    pub path: PathBuf,
    /// Values outside the sections of targets.
    pub top: Dict,
    pub targets: BTreeMap<String, Dict>,
    /// Line of each key by its path, from 1.
    lines: BTreeMap<Vec<String>, usize>,
}

impl SettingsFile {
    /// Reads a file. A file that was not named may be missing.
    pub fn read(path: &Path, is_named: bool) -> Result<Self, ConfigError> {
        let mut text = String::new();
        let read = file::open(OpenOptions::new().read(true), path)
            .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text));
        match read {
            Ok(length) if length as u64 > MAX_FILE_BYTES => Err(ConfigError::Malformed {
                path: path.to_owned(),
                message: format!(
                    "is larger than {} MiB, so it is not a settings file",
                    MAX_FILE_BYTES >> 20
                ),
            }),
            Ok(_) => Self::parse(path, &text),
            Err(err) if err.kind() == std::io::ErrorKind::NotFound && !is_named => {
                Self::parse(path, "")
            }
            Err(source) => Err(ConfigError::Unreadable { path: path.to_owned(), source }),
        }
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let malformed = |err: toml::de::Error| ConfigError::Malformed {
            path: path.to_owned(),
            message: position(text, &err),
        };
        let table: toml::Table = toml::from_str(text).map_err(malformed)?;
        let spans = DeTable::parse(text).map_err(malformed)?;
        let mut lines = BTreeMap::new();
        collect_lines(text, spans.get_ref(), &mut Vec::new(), &mut lines);
        let mut file =
            Self { path: path.to_owned(), top: dict(table), targets: BTreeMap::new(), lines };
        match file.top.remove(TARGET) {
            Some(Value::Dict(_, targets)) => {
                for (target, values) in targets {
                    let Value::Dict(_, values) = values else {
                        return Err(file.wrong_type(None, &[TARGET, &target], "a table"));
                    };
                    file.targets.insert(target, values);
                }
            }
            Some(word) => drop(file.top.insert(TARGET.to_owned(), word)),
            None => {}
        }
        Ok(file)
    }

    /// Refuses unknown keys and targets, also in the sections of targets that are not selected, and
    /// values of the wrong type outside the sections of modules.
    pub fn check(&self, sections: &[&str]) -> Result<(), ConfigError> {
        if let Some(unknown) = self.targets.keys().find(|name| !TARGETS.contains(&name.as_str())) {
            let origin = format!("{}: [target.{unknown}]", self.path.display());
            return Err(ConfigError::UnknownValue {
                origin: self.with_line(origin, None, &[TARGET, unknown]),
                value: unknown.clone(),
                what: TARGET,
                known: TARGETS,
            });
        }
        self.check_scope(None, &self.top, sections)?;
        self.targets
            .iter()
            .try_for_each(|(target, values)| self.check_scope(Some(target), values, sections))
    }

    fn check_scope(
        &self,
        target: Option<&str>,
        values: &Dict,
        sections: &[&str],
    ) -> Result<(), ConfigError> {
        // A target's section cannot select a target.
        let texts = || KEYS.iter().copied().filter(|key| target.is_none() || *key != TARGET);
        let tables = || sections.iter().copied().chain([SECRETS]);
        for (key, value) in values {
            if texts().any(|known| known == key) {
                if !matches!(value, Value::String(..)) {
                    return Err(self.wrong_type(target, &[key], "a string"));
                }
            } else if tables().any(|known| known == key) {
                let Value::Dict(_, values) = value else {
                    return Err(self.wrong_type(target, &[key], "a table"));
                };
                let is_text = |value: &Value| matches!(value, Value::String(..));
                let wrong = values.iter().find(|(_, value)| key == SECRETS && !is_text(value));
                if let Some((name, _)) = wrong {
                    return Err(self.wrong_type(target, &[key, name], "a string"));
                }
            } else {
                let place = self.with_line(self.source(target).origin(&[key]), target, &[key]);
                return Err(unknown_setting(place, key, texts().chain(tables())));
            }
        }
        Ok(())
    }

    fn wrong_type(&self, target: Option<&str>, keys: &[&str], expected: &str) -> ConfigError {
        let origin = self.source(target).origin(keys);
        ConfigError::InvalidSetting {
            origin: self.with_line(origin, target, keys),
            key: keys.join("."),
            message: format!("must be {expected}"),
        }
    }

    pub fn source(&self, target: Option<&str>) -> LayerSource {
        LayerSource::File {
            path: self.path.display().to_string(),
            target: target.map(str::to_owned),
        }
    }

    /// Adds the line of a key of a target's section, or of the top level, to an origin.
    pub fn with_line(&self, origin: String, target: Option<&str>, keys: &[&str]) -> String {
        let target = target.iter().flat_map(|target| [TARGET, target]);
        let keys: Vec<String> = target.chain(keys.iter().copied()).map(str::to_owned).collect();
        match self.lines.get(&keys) {
            Some(line) => format!("{origin}, line {line}"),
            None => origin,
        }
    }
}

/// Parses documented defaults.
pub fn parse_defaults(text: &str) -> Result<Dict, ConfigError> {
    SettingsFile::parse(Path::new("default.toml"), text).map(|file| file.top)
}

fn dict(table: toml::Table) -> Dict {
    table.into_iter().map(|(key, value)| (key, value_of(value))).collect()
}

fn value_of(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(bool) => Value::from(bool),
        toml::Value::Datetime(time) => Value::from(time.to_string()),
        toml::Value::Array(values) => {
            Value::from(values.into_iter().map(value_of).collect::<Vec<_>>())
        }
        toml::Value::Table(table) => Value::from(dict(table)),
    }
}

fn collect_lines(
    text: &str,
    table: &DeTable<'_>,
    path: &mut Vec<String>,
    lines: &mut BTreeMap<Vec<String>, usize>,
) {
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        lines.insert(path.clone(), line_column(text, key.span().start).0);
        if let DeValue::Table(table) = value.get_ref() {
            collect_lines(text, table, path, lines);
        }
        path.pop();
    }
}

/// Returns the line and the column of a byte, both from 1.
fn line_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

/// Describes a parse error with its line and column. Never repeats the line, since it may contain a
/// secret.
fn position(text: &str, err: &toml::de::Error) -> String {
    match err.span() {
        Some(span) => {
            let (line, column) = line_column(text, span.start);
            format!("line {line}, column {column}: {}", err.message())
        }
        None => err.message().to_owned(),
    }
}
