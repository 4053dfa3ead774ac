//! Settings: documented defaults, overridden by the user's file, the environment and the flags.
//!
//! Only this module reads the environment. Unknown keys are rejected, and every value records its
//! origin. Other modules declare sections of their own: see [`Section`].

mod databricks;
mod environment;
mod error;
pub mod file;
mod keys;
mod layers;
mod network;
mod origin;
mod secrets;
mod section;
mod settings_file;
mod size;
#[cfg(test)]
mod tests;
mod unknown;
mod variables;

use std::collections::BTreeMap;
use std::path::PathBuf;

use figment2::value::{Dict, Value};
use serde::Serialize;

pub use databricks::Databricks;
pub use environment::{
    Environment, NotUtf8, ProcessEnvironment, path_variable, read_variable, variable, variables,
};
pub use error::ConfigError;
use keys::{ACTOR, TARGET};
pub use keys::{DEFAULTS, FILE, OUTPUTS, TARGETS};
use layers::Layers;
pub use network::Network;
use origin::LayerSource;
pub use origin::Setting;
pub use secrets::{SecretName, SecretReference};
pub use section::{Loaded, Section, SectionSpec};
use settings_file::{SettingsFile, parse_defaults};

/// Settings given as flags.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    pub lake: Option<String>,
    pub actor: Option<String>,
    pub output: Option<String>,
    pub target: Option<String>,
    pub query_memory: Option<String>,
    pub file: Option<PathBuf>,
}

/// Effective settings.
#[derive(Clone, Debug, Serialize)]
pub struct Config {
    pub lake: Setting,
    pub actor: Setting,
    pub output: Setting,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Setting>,
    pub query_memory: Setting,
    /// `query_memory` in bytes.
    #[serde(skip)]
    pub memory: u64,
    /// References, never values.
    pub secrets: Vec<SecretReference>,
    /// Settings of each declared section, by key.
    #[serde(flatten)]
    pub sections: BTreeMap<&'static str, BTreeMap<String, Setting>>,
    #[serde(skip)]
    pub databricks: Databricks,
    #[serde(skip)]
    pub network: Network,
    #[serde(skip)]
    layers: Layers,
}

impl Config {
    /// Loads the settings, with the sections that other modules declare.
    pub fn load(
        flags: &Flags,
        env: &impl Environment,
        sections: &[SectionSpec],
    ) -> Result<Self, ConfigError> {
        let path = flags.file.clone().unwrap_or_else(|| PathBuf::from(FILE));
        let file = SettingsFile::read(&path, flags.file.is_some())?;
        let names: Vec<&str> = sections.iter().map(|section| section.name).collect();
        file.check(&names)?;
        let of_file = Layers::new(file, defaults(sections)?);
        // Sections of targets that are not selected are checked too.
        for layers in of_file.targets().filter_map(|target| of_file.clone().with_target(target)) {
            sections.iter().try_for_each(|section| section.check(&layers))?;
        }

        let given = flags.values();
        let variables = variables::settings_of(env, |key| given.contains_key(key), &names)?;
        let with_given = |layers: Layers| {
            let layers = layers.with(LayerSource::Environment, variables.clone());
            layers.with(LayerSource::Flags, given.clone())
        };
        let mut layers = with_given(of_file.clone());
        if let Some(target) = layers.one_of(TARGET, TARGETS)? {
            // A target without a section would silently use the default lake.
            let Setting { value: target, origin } = target;
            layers = match of_file.with_target(&target) {
                Some(layers) => with_given(layers),
                None => return Err(ConfigError::NoSection { origin, target, path }),
            };
        }
        if layers.text(ACTOR).is_none() {
            layers = layers.with_actor(env)?;
        }
        sections.iter().try_for_each(|section| section.check(&layers))?;
        Self::of(layers, env, sections)
    }

    fn of(
        layers: Layers,
        env: &impl Environment,
        sections: &[SectionSpec],
    ) -> Result<Self, ConfigError> {
        let text = |key: &str| {
            layers.text(key).ok_or_else(|| ConfigError::MissingSetting { key: key.to_owned() })
        };
        layers.one_of("output", OUTPUTS)?;
        let query_memory = text("query_memory")?;
        let memory = size::bytes(&query_memory.value).ok_or_else(|| ConfigError::InvalidSize {
            origin: layers.place(&["query_memory"]),
            value: query_memory.value.clone(),
        })?;
        let of_section = |section: &SectionSpec| {
            let leaves = layers.leaves(section.name).into_iter();
            (section.name, leaves.map(|(keys, setting)| (keys[1..].join("."), setting)).collect())
        };
        Ok(Self {
            lake: text("lake")?,
            actor: text(ACTOR)?,
            output: text("output")?,
            target: layers.text(TARGET),
            query_memory,
            memory,
            secrets: secrets::references(&layers)?,
            sections: sections.iter().map(of_section).collect(),
            databricks: Databricks::read(env)?,
            network: Network::read(env)?,
            layers,
        })
    }

    /// Returns a declared section.
    pub fn section<S: Section>(&self) -> Result<Loaded<S>, ConfigError> {
        Loaded::load(&self.layers)
    }
}

/// Returns the documented defaults, also of the declared sections.
fn defaults(sections: &[SectionSpec]) -> Result<Dict, ConfigError> {
    let mut values = parse_defaults(DEFAULTS)?;
    for section in sections {
        let own = parse_defaults(section.defaults)?.remove(section.name);
        values.insert(section.name.to_owned(), own.unwrap_or_else(|| Dict::new().into()));
    }
    Ok(values)
}

impl Flags {
    /// Returns the given flags by key. An empty flag counts as not given, so that a job can pass on
    /// a parameter that was left empty. An empty actor is given: an invalid actor is never replaced
    /// silently, and opening the lake rejects it.
    fn values(&self) -> Dict {
        let flags = [
            ("lake", &self.lake),
            (ACTOR, &self.actor),
            ("output", &self.output),
            (TARGET, &self.target),
            ("query_memory", &self.query_memory),
        ];
        let given = |(key, value): (&str, &Option<String>)| {
            let value = value.as_ref().filter(|value| !value.is_empty() || key == ACTOR)?;
            Some((key.to_owned(), Value::from(value.as_str())))
        };
        flags.into_iter().filter_map(given).collect()
    }
}
