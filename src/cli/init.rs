use serde_json::json;

use super::{CliError, Context, Reply};
use crate::app::App;

/// Makes a lake where --lake says: a folder is made where there is none.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  lakeplan init\n  lakeplan --lake /data/team init")]
pub struct Args {}

pub async fn run(_: Args, context: &Context) -> Result<Reply, CliError> {
    let app = App::create(&context.config).await?;
    let root = app.service.store.to_string();
    let head = app.service.store.head().await?;
    app.close().await;
    let json = json!({"lake": root, "seq": head.seq});
    Ok(Reply::new(json, format!("made a lake at {root}\nnext: lakeplan plan FILE, or lakeplan project create \"My project\"")))
}
