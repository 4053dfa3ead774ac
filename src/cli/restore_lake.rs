use super::backup::answer;
use super::{CliError, Context, Reply};
use crate::app::App;
use crate::domain::time::AsOf;

/// Makes the lake that --lake names, which must not exist yet, from a backup or another lake, as it is or as it was.
/// It is a copy until it is adopted: it can be read and changed, and nothing leaves it. A restore that was interrupted
/// says that it is unfinished; the same command goes on where it stopped.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan --lake ./restored restore-lake ../backup-2026-11-20\n  lakeplan --lake ./before restore-lake ./lake --at 41"
)]
pub struct Args {
    /// A backup, or a lake.
    src: String,
    /// Only up to here: a seq, a date or a time.
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
