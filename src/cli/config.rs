use serde_json::json;

use super::reply::table;
use super::{CliError, Context, Reply};
use crate::config::{Config, Setting};
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
    Reply::new(json!({"defaults": crate::config::DEFAULTS}), crate::config::DEFAULTS)
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
            let rows = settings.iter().filter_map(|(name, setting)| {
                setting.map(|setting| {
                    vec![(*name).to_owned(), setting.value.clone(), setting.origin.clone()]
                })
            });
            Reply::new(json!(config), table(&["setting", "value", "from"], rows))
        }
    })
}

/// Prepares the settings for display: masks credentials in an address, which may contain some
/// before it is opened and refused.
fn shown(config: &Config) -> Config {
    let shown = |setting: &Setting| Setting {
        value: masked(&setting.value).into_owned(),
        origin: setting.origin.clone(),
    };
    Config {
        lake: shown(&config.lake),
        actor: shown(&config.actor),
        output: shown(&config.output),
        target: config.target.as_ref().map(shown),
        query_memory: shown(&config.query_memory),
        ..config.clone()
    }
}
