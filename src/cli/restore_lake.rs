use super::backup::answer;
use super::{CliError, Context, Reply};
use crate::app::App;
use crate::domain::time::AsOf;

/// Create a lake from a backup, or from another lake at an earlier time.
///
/// Creates the lake at --lake, which must not exist yet. The new lake is a copy until it is
/// adopted: you can read and change it, and it sends nothing to other systems. An interrupted
/// restore says that it is unfinished; run the same command again to continue it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan --lake ./restored restore-lake ../backup-2026-11-20\n  lakeplan --lake ./before restore-lake ./lake --at 41"
)]
pub struct Args {
    /// A backup, or another lake.
    src: String,
    /// Copy only up to a seq, a date or a time.
    #[arg(long, value_name = "SEQ|TIME")]
    at: Option<AsOf>,
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let lake = &context.config.lake.value;
    let (copied, waiting) = App::copy(&context.config, &args.src, lake, args.at).await?;
    Ok(answer(
        &copied,
        waiting,
        &format!("restored to {lake}"),
        &format!("lakeplan --lake {lake} lake adopt makes it the lake, if the other one is gone"),
    ))
}
