use serde_json::json;

use super::{CliError, Context, Reply};
use crate::app::App;
use crate::domain::time::{AsOf, rfc3339};
use crate::store::backup::Copied;
use crate::store::row::hex;

/// Copy the lake to another location.
///
/// The copy is consistent at one version, and every journal row is checked on the way. Rows that
/// commands and planners logged are copied too; requests in the inbox are not. An interrupted
/// copy says that it is unfinished; run the same command again to continue it. The copy is an
/// independent lake that you can read and change. It sends nothing to other systems until it is
/// adopted.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan backup ../backup-2026-11-20\n  lakeplan backup ../as-of-yesterday --at 2026-11-19"
)]
pub struct Args {
    /// Destination: a new or empty folder or storage URL, or one that holds the same unfinished
    /// copy.
    dest: String,
    /// Copy only up to a seq, a date or a time.
    #[arg(long, value_name = "SEQ|TIME")]
    at: Option<AsOf>,
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let lake = &context.config.lake.value;
    let (copied, waiting) = App::copy(&context.config, lake, &args.dest, args.at).await?;
    Ok(answer(
        &copied,
        waiting,
        &format!("copied to {}", args.dest),
        &format!("lakeplan --lake NEW-PLACE restore-lake {} brings it back", args.dest),
    ))
}

/// Builds the reply for a copy; `waiting` is the number of requests in the inbox of the copied
/// lake.
pub fn answer(copied: &Copied, waiting: usize, done: &str, next: &str) -> Reply {
    let json = json!({
        "seq": copied.seq, "at": rfc3339(copied.at), "chain": hex(&copied.chain), "rows": copied.rows, "waiting": waiting,
    });
    let stays = match waiting {
        0 => String::new(),
        1 => "\nnot copied: 1 request that waits in the inbox and stays there".to_owned(),
        number => format!("\nnot copied: {number} requests that wait in the inbox and stay there"),
    };
    let text = format!(
        "{done}: seq {} of {}, {} rows, all verified{stays}\nnext: {next}",
        copied.seq,
        rfc3339(copied.at),
        copied.rows
    );
    Reply::new(json, text).standing(done)
}
