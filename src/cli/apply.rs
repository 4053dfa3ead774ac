use std::fs::OpenOptions;
use std::io::Read;
use std::path::PathBuf;

use super::context::request_by;
use super::{CliError, Context, Reply, show};
use crate::config::file::open;
use crate::domain::id::PatchSetId;
use crate::domain::patch::{PatchSet, Source};
use crate::exchange::{json, patchset::Request};
use crate::service::ServiceError;
use crate::text::visible::path_text;

/// Apply a patch set: all of it, or none of it.
///
/// Reads the patch set from a JSON file, or from standard input for `-`. A refusal lists every
/// reason at once. The format is schemas/patchset.schema.json.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan apply plan.json\n  echo '{\"patches\":[{\"op\":\"update\",\"entity\":\"task\",\"id\":\"PAY-1\",\"fields\":{\"status\":\"review\"}}]}' | lakeplan apply -"
)]
pub struct Args {
    /// A JSON file, or - for standard input.
    file: PathBuf,
    /// Id of the patch set (UUIDv7). Sending the same set again with the same id is safe.
    #[arg(long, value_name = "UUID")]
    id: Option<PatchSetId>,
    /// Show what would happen, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    pub fn files(&self) -> Vec<PathBuf> {
        vec![self.file.clone()]
    }
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let place = path_text(&args.file);
    let bytes = read_input(&args.file, 2 * PatchSet::MAX_BYTES as u64)?;
    let value = json::parse(&bytes).map_err(|err| ServiceError::json(&place, &err))?;
    let mut request = Request::from_json(&value).map_err(ServiceError::Refused)?;
    if let (Some(given), Some(stated)) = (args.id, request.id)
        && given != stated
    {
        let message =
            format!("the file has the id {stated}, but --id is {given}; use only one of them");
        return Err(ServiceError::input(place, message).into());
    }
    request.id = args.id.or(request.id);
    let app = context.open().await?;
    // The file may name its author; anyone who can write the lake can name any actor.
    let mut author = request_by(&app).on_behalf_of(request.actor.clone());
    if request.is_of_plan() {
        author = author.through(Source::Plan);
    }
    let committed = if args.dry_run { app.service.committed_before(&request).await? } else { None };
    let reply = if let Some(seq) = committed {
        Reply::new(
            serde_json::json!({"changes": 0, "repeated": true, "seq": seq}),
            format!("would change nothing: it was done before, seq {seq}; nothing was written"),
        )
    } else if args.dry_run {
        let preview = app.service.preview(&request, &author).await?;
        Reply::new(
            serde_json::json!({"changes": preview.len()}),
            format!(
                "would make {}; nothing was written",
                super::reply::count(preview.len(), "change")
            ),
        )
    } else {
        let done = app.service.change(&request, &author).await?;
        let mut text =
            super::reply::count(request.patches.len(), "patch").replace("patchs", "patches");
        text.push_str(" applied");
        for (_, key) in &done.keys {
            text.push_str(&format!("\n  {key}"));
        }
        show::done(&done, text).with_count("patches", request.patches.len())
    };
    app.shutdown().await;
    Ok(reply)
}

/// Reads a file or standard input, up to a maximum size.
pub fn read_input(path: &std::path::Path, most: u64) -> Result<Vec<u8>, CliError> {
    use std::io::ErrorKind::{IsADirectory, NotFound, PermissionDenied};
    let err = |err: std::io::Error| {
        let (message, hint) = match err.kind() {
            NotFound => {
                ("there is no such file".to_owned(), "specify a file, or - for standard input")
            }
            IsADirectory => (
                "is a folder".to_owned(),
                "specify a file in it, or run lakeplan plan --folder to plan all files in a folder",
            ),
            PermissionDenied => {
                ("this user cannot read it".to_owned(), "give this user read access")
            }
            _ => {
                (format!("cannot be read: {err}"), "specify another file, or - for standard input")
            }
        };
        let place = path_text(path);
        CliError::from(ServiceError::Input { place, message, hint: Some(hint.into()) })
    };
    let mut bytes = Vec::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(most + 1).read_to_end(&mut bytes)
    } else {
        open(OpenOptions::new().read(true), path)
            .and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
    };
    read.map_err(err)?;
    if bytes.len() as u64 > most {
        let message = format!("is larger than the limit of {} MiB", most >> 20);
        return Err(ServiceError::input(path_text(path), message).into());
    }
    Ok(bytes)
}
