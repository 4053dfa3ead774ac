use serde_json::json;

use super::{CliError, Context, Reply};
use crate::app::App;
use crate::domain::time::{AsOf, rfc3339};
use crate::store::copy::Copied;
use crate::store::row::hex;

/// Copies the lake to another place, consistent at one position. Every row of the journal is checked on the way; what
/// commands and planners noted until then goes along, requests in the inbox do not. The copy is a lake that can be read
/// and changed by itself; nothing leaves it until it is adopted.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  lakeplan backup ../backup-2026-11-20\n  lakeplan backup ../as-of-yesterday --at 2026-11-19")]
pub struct Args {
    /// A new or empty place: a folder or a storage URL.
    dest: String,
    /// Only up to here: a seq, a date or a time.
    #[arg(long, value_name = "SEQ|TIME")]
    at: Option<AsOf>,
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let copied = App::copy(&context.config, &context.config.lake.value, &args.dest, args.at).await?;
    Ok(answer(
        &copied,
        &format!("copied to {}", args.dest),
        &format!("lakeplan --lake NEW-PLACE restore-lake {} brings it back", args.dest),
    ))
}

/// What is said of a copy.
pub fn answer(copied: &Copied, done: &str, next: &str) -> Reply {
    let json = json!({"seq": copied.seq, "at": rfc3339(copied.at), "chain": hex(&copied.chain), "rows": copied.rows});
    let text = format!("{done}: seq {} of {}, {} rows, all verified\nnext: {next}", copied.seq, rfc3339(copied.at), copied.rows);
    Reply::new(json, text).standing(done)
}
