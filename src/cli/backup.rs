use serde_json::json;

use super::{CliError, Context, Reply};
use crate::app::App;
use crate::domain::time::{AsOf, rfc3339};
use crate::store::copy::Copied;
use crate::store::row::hex;

/// Copies the lake to another place, consistent at one position. Every row of the journal is checked on the way; what
/// commands and planners noted until then goes along, requests in the inbox do not. A copy that was interrupted says that
/// it is unfinished; the same command goes on where it stopped. The copy is a lake that can be read and changed by itself;
/// nothing leaves it until it is adopted.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan backup ../backup-2026-11-20\n  lakeplan backup ../as-of-yesterday --at 2026-11-19"
)]
pub struct Args {
    /// A new or empty place, or one with the same copy unfinished: a folder or a storage URL.
    dest: String,
    /// Only up to here: a seq, a date or a time.
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

/// What is said of a copy; so many requests wait in the inbox of the lake that was copied.
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
