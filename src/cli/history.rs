mod sentence;

use sentence::sentence;
use serde_json::{Value, json};

use super::limit::at_least_one;
use super::reply::count;
use super::{CliError, Context, Reply};
use crate::domain::any_record::AnyRecord;
use crate::domain::record::Fields;
use crate::domain::state::State;
use crate::domain::time::{AsOf, rfc3339};
use crate::service::history::{HistoryEntry, concerns, subject};
use crate::service::{Service, ServiceError, find};
use crate::store::row::Row;
use crate::store::{Scope, Snapshot, StoreError};
use crate::text::visible::visible_line;

/// Show changes, newest first.
///
/// Of the whole lake, of a project, or of a task.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan history\n  lakeplan history PAY-42\n  lakeplan history PAY --limit 100 --json\n  lakeplan history --as-of 2026-11-20      what had happened by then"
)]
pub struct Args {
    /// Project or task.
    of: Option<String>,
    #[arg(long, default_value_t = 20, value_parser = at_least_one)]
    limit: usize,
    /// Show only changes up to a seq, a date or a time, with the names of that time.
    #[arg(long, value_name = "SEQ|TIME")]
    as_of: Option<AsOf>,
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let app = context.open().await?;
    let reply = history_reply(&args, &app.service).await;
    app.close().await;
    reply
}

async fn history_reply(args: &Args, service: &Service) -> Result<Reply, CliError> {
    let words: Vec<&str> = args.of.iter().map(String::as_str).collect();
    let Snapshot { seq, state, .. } = service.read_projects_of(&words, args.as_of).await?;
    let (project, record) = match args.of.as_deref() {
        None => (None, None),
        Some(name) => match find::project(&state, name) {
            Ok((_, project)) => (Some(project.id), None),
            Err(_) => (None, Some(AnyRecord::Task(find::task(&state, name)?.clone()))),
        },
    };
    // A task may have been in other projects.
    let scope = project.map_or(Scope::All, |project| Scope::of([project]));
    let mut past = service.past(&scope).await?;
    let mut shown: Vec<HistoryEntry> = Vec::new();
    let mut is_more = false;
    while let Some(mut set) = past.next().await.map_err(ServiceError::from)? {
        if set.seq > seq {
            continue;
        }
        set.rows.retain(|row| concerns(row, project, record.as_ref()));
        if set.rows.is_empty() {
            continue;
        }
        if shown.len() == args.limit {
            is_more = true;
            break;
        }
        shown.push(set);
    }
    let state = service
        .read(&Scope::of(shown.iter().flat_map(HistoryEntry::projects)), args.as_of)
        .await?
        .state;
    let mut lines = Vec::new();
    let mut sets = Vec::new();
    for past in &shown {
        let reason = past
            .reason
            .as_ref()
            .map_or_else(String::new, |reason| format!("  {}", visible_line(reason.as_str())));
        let at = past.at.format("%Y-%m-%d %H:%M:%S");
        lines.push(format!("{}  {at}  {} ({}){reason}", past.seq, past.actor, past.source));
        for row in past.rows.iter().take(5) {
            let (before, after) = fields(row)?;
            lines.push(format!("    {}", sentence(&state, row, &before, &after)));
        }
        if past.rows.len() > 5 {
            lines.push(format!("    and {} more", count(past.rows.len() - 5, "change")));
        }
        sets.push(set_json(&state, past)?);
    }
    if is_more {
        lines.push(format!(
            "there are earlier ones; use --limit {} to show more",
            args.limit.saturating_mul(5)
        ));
    }
    let text = if lines.is_empty() { "nothing yet".to_owned() } else { lines.join("\n") };
    Ok(Reply::new(json!({"seq": seq, "changes": sets, "more": is_more}), text))
}

fn set_json(state: &State, past: &HistoryEntry) -> Result<Value, CliError> {
    let rows = past.rows.iter().map(|row| row_json(state, row)).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({
        "seq": past.seq, "patch_set_id": past.id.to_string(), "at": rfc3339(past.at), "actor": past.actor,
        "source": past.source, "reason": past.reason, "changes": rows,
    }))
}

fn row_json(state: &State, row: &Row) -> Result<Value, CliError> {
    let (before, after) = fields(row)?;
    Ok(json!({
        "op": row.op, "entity": row.entity, "id": row.entity_id.to_string(), "name": subject(state, row),
        "erased": row.is_erased(),
        "before": before, "after": after,
    }))
}

/// Returns the touched fields of a row before and after the change.
fn fields(row: &Row) -> Result<(Fields, Fields), ServiceError> {
    let damaged = |err: serde_json::Error| StoreError::Damaged {
        path: format!("journal row {}.{}", row.seq, row.ordinal),
        what: err.to_string(),
    };
    Ok((row.before_fields().map_err(damaged)?, row.after_fields().map_err(damaged)?))
}
