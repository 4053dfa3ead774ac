//! Settings: documented defaults, overridden by the user's file, the environment and the flags.
//!
//! Only this module reads the environment. Unknown keys are rejected, and every value records its
//! origin.

mod databricks;
mod environment;
mod error;
pub mod file;
mod size;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use databricks::Databricks;
pub use environment::{NotUtf8, path_variable, read_variable, variable, variables};
pub use error::ConfigError;

/// Default settings, with the documentation of each.
pub const DEFAULTS: &str = include_str!("default.toml");
/// Settings file that is read if none is given.
pub const FILE: &str = "lakeplan.toml";
/// Maximum number of bytes in the settings file.
const MAX_FILE_BYTES: u64 = 1 << 20;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    lake: Option<String>,
    actor: Option<String>,
    output: Option<String>,
    target: Option<String>,
    query_memory: Option<String>,
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    #[serde(default)]
    target_sections: BTreeMap<String, TargetSettings>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetSettings {
    lake: Option<String>,
    actor: Option<String>,
    output: Option<String>,
    query_memory: Option<String>,
    #[serde(default)]
    secrets: BTreeMap<String, String>,
}

/// Location of a secret. The program that starts lakeplan reads the secret there and passes it in a
/// variable of this name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecretReference {
    pub name: String,
    pub scope: String,
    pub key: String,
    pub origin: String,
}

/// Value with its origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    pub value: String,
    pub origin: String,
}

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
    #[serde(skip)]
    pub databricks: Databricks,
}

pub const TARGETS: &[&str] = &["dev", "staging", "prod"];
pub const OUTPUTS: &[&str] = &["text", "json"];

impl Config {
    /// Loads the settings. `env` looks up a variable; for the process environment use
    /// [`read_variable`].
    pub fn load(
        flags: &Flags,
        env: impl Fn(&str) -> Result<Option<String>, NotUtf8>,
    ) -> Result<Self, ConfigError> {
        let path = flags.file.clone().unwrap_or_else(|| PathBuf::from(FILE));
        let file = read(&path, flags.file.is_some())?;
        let defaults: Settings = parse(Path::new("default.toml"), DEFAULTS)?;
        // An empty flag counts as not given, so that a job can pass on a parameter that was left
        // empty.
        let from_flag = |value: &Option<String>, flag: &str| {
            let value = value.clone().filter(|value| !value.is_empty())?;
            Some(Setting { value, origin: flag.to_owned() })
        };
        let from_env = |name: &str| {
            let value = env(name)?.filter(|value| !value.is_empty());
            Ok::<_, NotUtf8>(value.map(|value| Setting { value, origin: name.to_owned() }))
        };
        let from_file = |value: &Option<String>| {
            value.clone().map(|value| Setting { value, origin: path.display().to_string() })
        };

        // Read the environment only if the flag is not given, and fail on a value that is not
        // UTF-8.
        let given = |value: &Option<String>, flag: &str, name: &str| match from_flag(value, flag) {
            None => from_env(name),
            given => Ok(given),
        };

        let target = given(&flags.target, "--target", "LAKEPLAN_TARGET")?
            .or_else(|| from_file(&file.target));
        one_of(target.as_ref(), "target", TARGETS)?;
        let section = match &target {
            None => TargetSettings::default(),
            // A target without a section would silently use the default lake.
            Some(target) => match file.target_sections.get(&target.value) {
                Some(section) => section.clone(),
                None => {
                    let Setting { value, origin } = target.clone();
                    return Err(ConfigError::NoSection { origin, target: value, path });
                }
            },
        };
        let from_section = |value: &Option<String>| {
            let origin = || {
                format!(
                    "{} [target.{}]",
                    path.display(),
                    target.as_ref().map_or("", |target| &target.value)
                )
            };
            value.clone().map(|value| Setting { value, origin: origin() })
        };
        let default = |value: &Option<String>| Setting {
            value: value.clone().unwrap_or_default(),
            origin: "default".to_owned(),
        };

        let lake = given(&flags.lake, "--lake", "LAKEPLAN_LAKE")?
            .or_else(|| from_section(&section.lake))
            .or_else(|| from_file(&file.lake))
            .unwrap_or_else(|| default(&defaults.lake));
        let output = given(&flags.output, "--output", "LAKEPLAN_OUTPUT")?
            .or_else(|| from_section(&section.output))
            .or_else(|| from_file(&file.output))
            .unwrap_or_else(|| default(&defaults.output));
        one_of(Some(&output), "output", OUTPUTS)?;
        // An invalid actor is never replaced silently: opening the lake rejects it.
        let by_flag =
            flags.actor.clone().map(|value| Setting { value, origin: "--actor".to_owned() });
        let actor = by_flag
            .map_or_else(|| from_env("LAKEPLAN_ACTOR"), |actor| Ok(Some(actor)))?
            .or_else(|| from_section(&section.actor))
            .or_else(|| from_file(&file.actor));
        let actor = match actor {
            Some(actor) => actor,
            None => match from_env("USER")? {
                Some(user) => user,
                None => from_env("USERNAME")?.unwrap_or_else(|| Setting {
                    value: "lakeplan".to_owned(),
                    origin: "default".to_owned(),
                }),
            },
        };
        let query_memory = given(&flags.query_memory, "--memory", "LAKEPLAN_QUERY_MEMORY")?
            .or_else(|| from_section(&section.query_memory))
            .or_else(|| from_file(&file.query_memory))
            .unwrap_or_else(|| default(&defaults.query_memory));
        let memory = size::bytes(&query_memory.value).ok_or_else(|| {
            let Setting { value, origin } = query_memory.clone();
            ConfigError::InvalidSize { origin, value }
        })?;
        let mut secrets = references(&file.secrets, &format!("{} [secrets]", path.display()))?;
        if let Some(target) = &target {
            let own = references(
                &section.secrets,
                &format!("{} [target.{}.secrets]", path.display(), target.value),
            )?;
            secrets.extend(own);
        }
        let (secrets, databricks) = (secrets.into_values().collect(), Databricks::read(env)?);
        Ok(Self { lake, actor, output, target, query_memory, memory, secrets, databricks })
    }
}

/// Returns the references of a section by name. An error does not show an invalid value, which may
/// be the secret itself.
fn references(
    section: &BTreeMap<String, String>,
    origin: &str,
) -> Result<BTreeMap<String, SecretReference>, ConfigError> {
    let is_word = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@".contains(c))
    };
    let is_variable =
        |name: &str| name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let reference = |(name, value): (&String, &String)| {
        let parts = value
            .split_once('/')
            .filter(|(scope, key)| is_word(scope) && is_word(key) && is_variable(name));
        let none = || ConfigError::InvalidSecretReference {
            origin: origin.to_owned(),
            name: name.clone(),
        };
        let (scope, key) = parts.ok_or_else(none)?;
        let (scope, key) = (scope.to_owned(), key.to_owned());
        Ok((
            name.clone(),
            SecretReference { name: name.clone(), scope, key, origin: origin.to_owned() },
        ))
    };
    section.iter().map(reference).collect()
}

fn one_of(
    setting: Option<&Setting>,
    what: &'static str,
    known: &'static [&'static str],
) -> Result<(), ConfigError> {
    match setting {
        Some(setting) if !known.contains(&setting.value.as_str()) => {
            Err(ConfigError::UnknownValue {
                origin: setting.origin.clone(),
                value: setting.value.clone(),
                what,
                known,
            })
        }
        _ => Ok(()),
    }
}

fn read(path: &Path, named: bool) -> Result<Settings, ConfigError> {
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
        Ok(_) => parse(path, &text),
        Err(err) if err.kind() == std::io::ErrorKind::NotFound && !named => Ok(Settings::default()),
        Err(source) => Err(ConfigError::Unreadable { path: path.to_owned(), source }),
    }
}

/// Parses a settings file. `target` is both a string at the top level and a family of tables. TOML
/// has one name for both, so the tables are removed before the rest is parsed.
fn parse(path: &Path, text: &str) -> Result<Settings, ConfigError> {
    let malformed = |err: toml::de::Error| ConfigError::Malformed {
        path: path.to_owned(),
        message: position(text, &err),
    };
    let mut table: toml::Table = toml::from_str(text).map_err(malformed)?;
    let sections: BTreeMap<String, TargetSettings> = match table.remove("target") {
        Some(toml::Value::Table(sections)) => {
            toml::Value::Table(sections).try_into().map_err(malformed)?
        }
        Some(word) => {
            table.insert("target".to_owned(), word);
            BTreeMap::new()
        }
        None => BTreeMap::new(),
    };
    let mut settings: Settings = toml::Value::Table(table).try_into().map_err(malformed)?;
    if let Some(unknown) = sections.keys().find(|name| !TARGETS.contains(&name.as_str())) {
        return Err(ConfigError::UnknownValue {
            origin: format!("{}: [target.{unknown}]", path.display()),
            value: unknown.clone(),
            what: "target",
            known: TARGETS,
        });
    }
    settings.target_sections = sections;
    Ok(settings)
}

/// Describes a parse error with its line and column. Never repeats the line or a value, since it
/// may be a secret.
fn position(text: &str, err: &toml::de::Error) -> String {
    let message = without_value(err.message());
    match err.span() {
        Some(span) => {
            let before = text.get(..span.start).unwrap_or(text);
            let line = before.rsplit('\n').next().unwrap_or_default();
            format!(
                "line {}, column {}: {message}",
                before.matches('\n').count() + 1,
                line.chars().count() + 1
            )
        }
        // The text after the message names the key.
        None => {
            let rendered = err.to_string();
            let key = rendered.strip_prefix(err.message()).unwrap_or_default().trim();
            format!("{message} {key}").trim_end().to_owned()
        }
    }
}

/// Removes the value from a serde message: `invalid type: string "…", expected a map`.
fn without_value(message: &str) -> String {
    let repeats =
        ["invalid type: ", "invalid value: "].iter().any(|start| message.starts_with(start));
    match message.rsplit_once(", expected ").filter(|_| repeats) {
        Some((found, expected)) => {
            let kind = found.split(['"', '`']).next().unwrap_or(found).trim_end();
            format!("{kind}, expected {expected}")
        }
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn load(file: &str, flags: Flags, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lakeplan.toml");
        std::fs::write(&path, file).unwrap();
        let env: BTreeMap<String, String> =
            env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Config::load(&Flags { file: Some(path), ..flags }, |name| Ok(env.get(name).cloned()))
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_the_file() {
        let file = "lake = 'file'\n[target.prod]\nlake = 'section'\n";
        let flag = Flags { lake: Some("flag".to_owned()), ..Flags::default() };
        let prod = Flags { target: Some("prod".to_owned()), ..Flags::default() };
        assert_eq!(load(file, flag, &[("LAKEPLAN_LAKE", "env")]).unwrap().lake.value, "flag");
        assert_eq!(
            load(file, Flags::default(), &[("LAKEPLAN_LAKE", "env")]).unwrap().lake.origin,
            "LAKEPLAN_LAKE"
        );
        assert_eq!(load(file, prod, &[]).unwrap().lake.value, "section");
        assert_eq!(load(file, Flags::default(), &[]).unwrap().lake.value, "file");
        assert_eq!(
            load("", Flags::default(), &[]).unwrap().lake,
            Setting { value: "./lake".to_owned(), origin: "default".to_owned() }
        );
    }

    #[test]
    fn an_empty_actor_is_not_replaced() {
        let flags = Flags { actor: Some(String::new()), ..Flags::default() };
        let actor = load("actor = 'file'", flags, &[("LAKEPLAN_ACTOR", "env"), ("USER", "user")])
            .unwrap()
            .actor;
        assert_eq!((actor.value.as_str(), actor.origin.as_str()), ("", "--actor"));
    }

    #[test]
    fn the_memory_of_queries_is_a_setting_like_others() {
        let file = "query_memory = '64MiB'\n[target.dev]\nlake = 'x'\nquery_memory = '2GiB'\n";
        let rendered = |flags: Flags, env: &[(&str, &str)]| {
            let config = load(file, flags, env).unwrap();
            (
                config.memory >> 20,
                config.query_memory.origin.split('/').next_back().unwrap_or_default().to_owned(),
            )
        };
        let flag = Flags { query_memory: Some("32 MiB".to_owned()), ..Flags::default() };
        let dev = Flags { target: Some("dev".to_owned()), ..Flags::default() };
        let env = [("LAKEPLAN_QUERY_MEMORY", "128MiB")];
        assert_eq!(rendered(flag, &env), (32, "--memory".to_owned()));
        assert_eq!(rendered(dev.clone(), &env), (128, "LAKEPLAN_QUERY_MEMORY".to_owned()));
        assert_eq!(rendered(dev, &[]), (2048, "lakeplan.toml [target.dev]".to_owned()));
        assert_eq!(rendered(Flags::default(), &[]), (64, "lakeplan.toml".to_owned()));
        assert_eq!(load("", Flags::default(), &[]).unwrap().memory, 1 << 30);
    }

    #[test]
    fn a_target_has_secrets_of_its_own_beside_those_of_all() {
        let file = "[secrets]\nA = 's/a'\nB = 's/b'\n[target.prod]\nlake = 'x'\n[target.prod.secrets]\nB = 'prod/b'\n";
        let prod = Flags { target: Some("prod".to_owned()), ..Flags::default() };
        let rendered = |flags| -> Vec<String> {
            let secrets = load(file, flags, &[]).unwrap().secrets;
            secrets
                .iter()
                .map(|secret| format!("{}={}/{}", secret.name, secret.scope, secret.key))
                .collect()
        };
        assert_eq!(rendered(prod), ["A=s/a", "B=prod/b"]);
        assert_eq!(rendered(Flags::default()), ["A=s/a", "B=s/b"]);
    }

    #[rstest]
    #[case::a_setting("lakee = 'x'", "lakee")]
    #[case::a_target("[target.moon]\nlake = 'x'", "moon")]
    #[case::a_value("output = 'xml'", "xml")]
    #[case::a_cut_line("lake = ", "line 1")]
    #[case::a_target_without_settings("target = 'prod'", "[target.prod]")]
    #[case::a_size("query_memory = 'much'", "512MiB")]
    #[case::a_secret_in_clear(
        "[secrets]\nAWS_SECRET_ACCESS_KEY = 'hunter2'",
        "AWS_SECRET_ACCESS_KEY"
    )]
    #[case::a_secret_in_lowercase("[secrets]\nlower = 'scope/key'", "lower")]
    #[case::a_secret_without_quotes(
        "[secrets]\nAWS_SECRET_ACCESS_KEY = hunter2\n",
        "line 2, column 25: "
    )]
    #[case::a_word_behind_a_value("lake = \"x\" hunter2", "line 1")]
    #[case::a_text_for_a_section("secrets = 'hunter2'", "secrets")]
    #[case::a_list_for_a_text("lake = [\"hunter2\"]", "lake")]
    #[case::a_text_for_a_target("[target]\ndev = 'hunter2'", "dev")]
    fn what_is_unknown_is_refused_with_its_place(#[case] file: &str, #[case] says: &str) {
        let err = load(file, Flags::default(), &[]).unwrap_err().to_string();
        assert!(err.contains(says) && err.contains("lakeplan.toml"), "{file}: {err}");
        assert!(!err.contains("hunter2"), "{err}");
    }
}
