use std::collections::BTreeMap;

use serde_json::json;

use super::reply::table;
use super::{CliError, Context, Reply};
use crate::app::SECTIONS;
use crate::config::{Config, DEFAULTS, SectionSpec};
use crate::text::masked::masked;

/// Show the active settings and their sources.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan config show\n  lakeplan config defaults > lakeplan.toml"
)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Show each setting, its value, and its source: a flag, a variable, a file or the default.
    Show,
    /// Print the documented defaults, as a starting point for lakeplan.toml.
    Defaults,
    /// Show where the secrets that lakeplan expects in its environment are kept. Prints
    /// references, not values.
    Secrets,
}

impl Args {
    pub fn asks_for_defaults(&self) -> bool {
        matches!(self.verb, Verb::Defaults)
    }
}

pub fn defaults() -> Reply {
    let sections = SECTIONS.iter().map(SectionSpec::defaults);
    let defaults = [DEFAULTS].into_iter().chain(sections).collect::<Vec<_>>().join("\n");
    Reply::new(json!({"defaults": defaults}), defaults)
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let config = &context.config;
    Ok(match args.verb {
        Verb::Defaults => defaults(),
        Verb::Secrets => {
            let rows = config.secrets.iter().map(|secret| {
                vec![
                    secret.name.clone(),
                    format!("{}/{}", secret.scope, secret.key),
                    secret.origin.clone(),
                ]
            });
            Reply::new(
                json!({"secrets": config.secrets}),
                table(&["variable", "scope and key", "from"], rows),
            )
        }
        Verb::Show => {
            let config = &shown(config);
            let settings = [
                ("lake", Some(&config.lake)),
                ("actor", Some(&config.actor)),
                ("output", Some(&config.output)),
                ("target", config.target.as_ref()),
                ("query_memory", Some(&config.query_memory)),
            ];
            let own = settings
                .into_iter()
                .filter_map(|(name, setting)| Some((name.to_owned(), setting?)));
            let of_sections = config.sections.iter().flat_map(|(section, settings)| {
                settings.iter().map(move |(key, setting)| (format!("{section}.{key}"), setting))
            });
            let rows = own
                .chain(of_sections)
                .map(|(name, setting)| vec![name, setting.value.clone(), setting.origin.clone()]);
            Reply::new(json!(config), table(&["setting", "value", "from"], rows))
        }
    })
}

/// Prepares the settings for display: masks credentials in an address, which may contain some
/// before it is opened and refused.
fn shown(config: &Config) -> Config {
    let mut shown = config.clone();
    let own = [&mut shown.lake, &mut shown.actor, &mut shown.output, &mut shown.query_memory];
    let of_sections = shown.sections.values_mut().flat_map(BTreeMap::values_mut);
    for setting in own.into_iter().chain(shown.target.as_mut()).chain(of_sections) {
        setting.value = masked(&setting.value).into_owned();
    }
    shown
}
