use clap_complete::Shell;
use serde_json::json;

use super::{CliError, Context, Reply};

/// Print shell completions.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lakeplan completions bash > ~/.local/share/bash-completion/completions/lakeplan"
)]
pub struct Args {
    shell: Shell,
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut (context.definition)(), "lakeplan", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    Ok(Reply::new(json!({"shell": args.shell.to_string(), "script": script}), script))
}
