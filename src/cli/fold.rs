use serde_json::json;

use super::reply::table;
use super::{CliError, Context, Reply};

/// Brings the current tables up to the journal. Every command that changes something does so before it ends; this is
/// for what a process that was killed has left.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lakeplan fold")]
pub struct Args {}

pub async fn run(_: Args, context: &Context) -> Result<Reply, CliError> {
    let app = context.open().await?;
    let report = app.service.store.fold().await?;
    app.close().await;
    let tables: Vec<_> = report.tables.iter().filter(|(_, folded)| folded.files > 0).collect();
    let json: Vec<_> =
        tables.iter().map(|(name, folded)| json!({"table": name, "rows": folded.rows, "files": folded.files})).collect();
    let json = json!({"seq": report.seq, "tables": json});
    if tables.is_empty() {
        return Ok(Reply::new(json, format!("the tables show seq {} already", report.seq)));
    }
    let rows = tables.iter().map(|(name, folded)| vec![(*name).to_owned(), folded.rows.to_string(), folded.files.to_string()]);
    Ok(Reply::new(
        json,
        format!("{}\nthe tables show seq {}", table(&["table", "changed rows", "files written"], rows), report.seq),
    ))
}
