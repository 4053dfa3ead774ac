use serde_json::json;

use super::limit::at_least_one;
use super::{CliError, Context, Reply, show};
use crate::domain::task::TaskStatus;
use crate::domain::time::AsOf;
use crate::exchange::view::task::ReadyTaskView;
use crate::service::list::next::NextQuery;

/// List tasks that can start now, best first.
///
/// A task is listed if it is open, everything it waits for is done, and its start day has come.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  lakeplan next\n  lakeplan next --assignee @ana --json")]
pub struct Args {
    #[arg(long)]
    project: Option<String>,
    /// Only tasks assigned to this user, or unassigned.
    #[arg(long, value_name = "USER")]
    assignee: Option<String>,
    #[arg(long, default_value_t = NextQuery::DEFAULT_LIMIT, value_parser = at_least_one)]
    limit: usize,
    /// Read the lake as of a seq, a date or a time.
    #[arg(long, value_name = "SEQ|TIME")]
    as_of: Option<AsOf>,
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let app = context.open().await?;
    let Args { project, assignee, limit, as_of } = args;
    let found = app.service.next_tasks(&NextQuery { project, assignee, limit, as_of }).await;
    app.shutdown().await;
    let found = found?;
    let lines: Vec<String> = found.tasks.iter().map(line).collect();
    let text = match found.tasks.first() {
        None => "nothing is ready; run lakeplan task list --open to see what waits".to_owned(),
        Some(first) => {
            let task = &first.view.task;
            let is_begun = matches!(task.status, TaskStatus::InProgress | TaskStatus::Review);
            let verb = if first.all_parts_closed || is_begun { "done" } else { "start" };
            format!("{}\nnext: lakeplan task {verb} {}", lines.join("\n"), task.key)
        }
    };
    Ok(Reply::new(json!(found), text))
}

fn line(ready: &ReadyTaskView) -> String {
    let mut line = show::task_line(&ready.view);
    let whole = ready.due_with_whole.filter(|due| Some(*due) != ready.view.task.due_date);
    if let Some(due) = whole {
        line.push_str(&format!("  due {due} with the whole"));
    }
    if ready.overdue {
        line.push_str("  overdue");
    }
    if ready.all_parts_closed {
        line.push_str("  all its parts are closed");
    }
    if ready.holds_up > 0 {
        line.push_str(&format!("  holds up {}", ready.holds_up));
    }
    line
}
