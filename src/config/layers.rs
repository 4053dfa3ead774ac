//! Layers of settings, and the origin of each value.
//!
//! `figment2` is the maintained fork of figment. Its errors are values that state the key and the
//! known names, apart from the text of a value, which may be a secret. It converts strings of the
//! environment only where a number or a boolean is expected. `config` renders errors as text and
//! converts in every direction; `confique` and `twelf` keep no origin. The origin is looked up in the
//! layers, because figment gives a merged array the origin of the lower layer.

use std::sync::Arc;

use figment2::value::{Dict, Map, Value};
use figment2::{Figment, Metadata, Profile, Provider};

use super::environment::Environment;
use super::error::ConfigError;
use super::keys::{ACTOR, TARGETS};
use super::origin::{LayerSource, Setting};
use super::settings_file::SettingsFile;

/// Settings of all layers. A layer that is added later wins.
#[derive(Clone, Debug)]
pub struct Layers {
    pub(super) figment: Figment,
    layers: Vec<(LayerSource, Dict)>,
    file: Arc<SettingsFile>,
}

impl Layers {
    /// Starts with the defaults, overridden by the top level of the settings file.
    pub fn new(file: SettingsFile, defaults: Dict) -> Self {
        let file = Arc::new(file);
        let (source, top) = (file.source(None), file.top.clone());
        let none = Self { figment: Figment::new(), layers: Vec::new(), file };
        none.with(LayerSource::Default, defaults).with(source, top)
    }

    pub fn with(mut self, source: LayerSource, values: Dict) -> Self {
        self.figment = self.figment.merge(Layer(&values));
        self.layers.push((source, values));
        self
    }

    /// Adds what the settings file says for a target; `None` if it has no such section.
    pub fn with_target(self, target: &str) -> Option<Self> {
        let values = self.file.targets.get(target)?.clone();
        let source = self.file.source(Some(target));
        Some(self.with(source, values))
    }

    /// Adds the user of the machine as the actor.
    pub fn with_actor(self, env: &impl Environment) -> Result<Self, ConfigError> {
        let actor = |name: String| Dict::from([(ACTOR.to_owned(), Value::from(name))]);
        for name in ["USER", "USERNAME"] {
            if let Some(user) = env.get(name)?.filter(|user| !user.is_empty()) {
                return Ok(self.with(LayerSource::Variable(name), actor(user)));
            }
        }
        Ok(self.with(LayerSource::Default, actor("lakeplan".to_owned())))
    }

    /// Returns the targets for which the settings file has a section.
    pub fn targets(&self) -> impl Iterator<Item = &'static str> {
        TARGETS.iter().copied().filter(|target| self.file.targets.contains_key(*target))
    }

    /// Returns a text at the top level.
    pub fn text(&self, key: &str) -> Option<Setting> {
        let value = self.figment.find_value(key).ok()?.into_string()?;
        Some(Setting { value, origin: self.origin(&[key]) })
    }

    /// Returns a text at the top level, which must be one of the known values.
    pub fn one_of(
        &self,
        key: &'static str,
        known: &'static [&'static str],
    ) -> Result<Option<Setting>, ConfigError> {
        match self.text(key) {
            Some(setting) if !known.contains(&setting.value.as_str()) => {
                Err(ConfigError::UnknownValue {
                    origin: self.place(&[key]),
                    value: setting.value,
                    what: key,
                    known,
                })
            }
            setting => Ok(setting),
        }
    }

    /// Returns the values below a key, with their paths. A list is one value.
    pub fn leaves(&self, key: &str) -> Vec<(Vec<String>, Setting)> {
        let mut found = Vec::new();
        if let Ok(value) = self.figment.find_value(key) {
            collect(&value, &mut vec![key.to_owned()], &mut found);
        }
        let with_origin = |(path, value): (Vec<String>, String)| {
            let keys: Vec<&str> = path.iter().map(String::as_str).collect();
            let origin = self.origin(&keys);
            (path, Setting { value, origin })
        };
        found.into_iter().map(with_origin).collect()
    }

    fn source(&self, keys: &[&str]) -> Option<&LayerSource> {
        let mut layers = self.layers.iter().rev();
        layers.find(|(_, values)| contains(values, keys)).map(|(source, _)| source)
    }

    fn origin(&self, keys: &[&str]) -> String {
        self.source(keys).map(|source| source.origin(keys)).unwrap_or_default()
    }

    /// Returns the origin of a value for an error, with its line in the settings file.
    pub fn place(&self, keys: &[&str]) -> String {
        let origin = self.origin(keys);
        match self.source(keys) {
            Some(LayerSource::File { target, .. }) => {
                self.file.with_line(origin, target.as_deref(), keys)
            }
            _ => origin,
        }
    }
}

struct Layer<'a>(&'a Dict);

impl Provider for Layer<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named("settings")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment2::Error> {
        Ok(Map::from([(Profile::Default, self.0.clone())]))
    }
}

/// Returns whether a layer sets a key.
fn contains(values: &Dict, keys: &[&str]) -> bool {
    match keys {
        [] => true,
        [key, rest @ ..] => match values.get(*key) {
            Some(Value::Dict(_, inner)) => contains(inner, rest),
            found => found.is_some() && rest.is_empty(),
        },
    }
}

fn collect(value: &Value, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, String)>) {
    if let Value::Dict(_, dict) = value {
        for (key, value) in dict {
            path.push(key.clone());
            collect(value, path, found);
            path.pop();
        }
    } else {
        found.push((path.clone(), rendered(value)));
    }
}

/// Renders a value as the user writes it, a list in brackets.
fn rendered(value: &Value) -> String {
    match value {
        Value::String(_, text) => text.clone(),
        Value::Char(_, c) => c.to_string(),
        Value::Bool(_, bool) => bool.to_string(),
        Value::Num(_, number) => match (number.to_i128(), number.to_u128(), number.to_f64()) {
            (Some(number), ..) => number.to_string(),
            (_, Some(number), _) => number.to_string(),
            (.., number) => number.map(|number| number.to_string()).unwrap_or_default(),
        },
        Value::Array(_, values) => {
            format!("[{}]", values.iter().map(rendered).collect::<Vec<_>>().join(", "))
        }
        Value::Empty(..) | Value::Dict(..) => String::new(),
    }
}
