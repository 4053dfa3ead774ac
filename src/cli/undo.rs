use super::context::request_by;
use super::{CliError, Context, Reply, show};

/// Undo a change: the given one, or your newest change.
///
/// Refused if a field has changed since. The undo is a change too, so it can be undone.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  lakeplan undo\n  lakeplan undo 42")]
pub struct Args {
    /// Seq of the change, as shown by `lakeplan history`.
    seq: Option<u64>,
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let app = context.open().await?;
    let (past, done) = app.service.undo(args.seq, &request_by(&app)).await?;
    app.shutdown().await;
    let what = past.reason.as_ref().map_or_else(String::new, |reason| format!(", {reason}"));
    Ok(show::done(&done, format!("took back {} by {}{what}", past.seq, past.actor)))
}
