mod sentence;

use sentence::{is_only_remembered, sentence};
use serde_json::json;

use super::limit::at_least_one;
use super::reply::count;
use super::{CliError, Context, Reply};
use crate::domain::time::AsOf;
use crate::exchange::view::change::ChangeView;
use crate::service::list::history::{HistoryPage, HistoryQuery};
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
    #[arg(long, default_value_t = HistoryQuery::DEFAULT_LIMIT, value_parser = at_least_one)]
    limit: usize,
    /// Show only changes up to a seq, a date or a time, with the names of that time.
    #[arg(long, value_name = "SEQ|TIME")]
    as_of: Option<AsOf>,
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let app = context.open().await?;
    let query = HistoryQuery { of: args.of, limit: args.limit, as_of: args.as_of };
    let page = app.service.list_changes(&query).await;
    app.shutdown().await;
    let page = page?;
    Ok(Reply::new(json!(page), text(&page, query.limit)))
}

fn text(page: &HistoryPage, limit: usize) -> String {
    let mut lines = Vec::new();
    for set in &page.changes {
        let reason = set
            .reason
            .as_ref()
            .map_or_else(String::new, |reason| format!("  {}", visible_line(reason.as_str())));
        let at = set.at.format("%Y-%m-%d %H:%M:%S");
        lines.push(format!("{}  {at}  {} ({}){reason}", set.seq, set.actor, set.source));
        let mut shown: Vec<&ChangeView> =
            set.changes.iter().filter(|change| !is_only_remembered(change)).collect();
        if shown.is_empty() {
            shown = set.changes.iter().collect();
        }
        for change in shown.iter().take(5) {
            lines.push(format!("    {}", sentence(&page.state, change)));
        }
        if shown.len() > 5 {
            lines.push(format!("    and {} more", count(shown.len() - 5, "change")));
        }
    }
    if page.has_more {
        lines.push(format!(
            "there are earlier ones; use --limit {} to show more",
            limit.saturating_mul(5)
        ));
    }
    if lines.is_empty() { "nothing yet".to_owned() } else { lines.join("\n") }
}
