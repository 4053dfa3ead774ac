use serde_json::json;

use super::{CliError, Context, Reply, show};

/// Raises the lake to the format of this lakeplan. Older ones can then no longer write to it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lakeplan upgrade")]
pub struct Args {}

pub async fn run(_: Args, context: &Context) -> Result<Reply, CliError> {
    let app = context.open().await?;
    let upgraded = app.service.upgrade(crate::store::Format::default().current()).await?;
    app.close().await;
    Ok(match upgraded {
        Some((from, to, done)) => show::done(&done, format!("raised from format {from} to {to}")),
        None => {
            let current = crate::store::Format::default().current();
            Reply::new(json!({"format": current, "changed": false}), format!("the lake has format {current} already"))
        }
    })
}
