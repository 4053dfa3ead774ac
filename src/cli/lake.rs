use serde_json::json;

use super::context::request_by;
use super::{CliError, Context, Reply, show};
use crate::domain::time::rfc3339;
use crate::store::Scope;
use crate::store::row::hex;

/// Show what the lake is, or adopt a copy.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  lakeplan lake show\n  lakeplan lake adopt")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Show the lake's location, format, number of changes, and the head of its hash chain.
    Show,
    /// Make a copied lake an original, so that it may send to other systems.
    Adopt,
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let app = context.open().await?;
    let service = &app.service;
    let reply = match args.verb {
        Verb::Show => {
            let head = service.store.head().await?;
            let state = service.state(&Scope::outline()).await?;
            let lake = state.lake.clone().ok_or_else(|| {
                crate::service::ServiceError::input("lake", "has no row of its own")
            })?;
            let place = service.store.to_string();
            let is_copy = lake.root.as_str() != place;
            let json = json!({
                "id": lake.id.to_string(), "root": place, "recorded_root": lake.root.as_str(), "copy": is_copy,
                "format_reader": lake.format_reader, "format_writer": lake.format_writer, "max_depth": lake.max_depth,
                "created_at": rfc3339(lake.created_at), "seq": head.seq, "changed_at": rfc3339(head.at),
                "chain": hex(&head.chain), "version": head.version,
            });
            let mut text = format!(
                "lake {}\n  at           {place}\n  made         {}\n  format       {} to read, {} to write\n  changes      {} (last {})\n  chain        {}:{}",
                lake.id,
                rfc3339(lake.created_at),
                lake.format_reader,
                lake.format_writer,
                head.seq,
                rfc3339(head.at),
                head.seq,
                hex(&head.chain),
            );
            if is_copy {
                text.push_str(&format!(
                    "\n  a copy of    {}\n  it sends nothing to other systems until you run lakeplan lake adopt",
                    lake.root
                ));
            }
            Reply::new(json, text)
        }
        Verb::Adopt => {
            let place = &service.store;
            match service.adopt(&request_by(&app)).await? {
                Some(done) => show::done(&done, format!("the lake at {place} is now independent")),
                None => Reply::new(
                    json!({"seq": null}),
                    format!("the lake at {place} is already independent"),
                ),
            }
        }
    };
    app.shutdown().await;
    Ok(reply)
}
