use serde_json::{Value, json};

use super::limit::at_least_one;
use super::{CliError, Context, Reply, show};
use crate::domain::task::TaskStatus;
use crate::domain::time::AsOf;
use crate::planning::next::ready;
use crate::service::find;

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
    #[arg(long, default_value_t = 5, value_parser = at_least_one)]
    limit: usize,
    /// Read the lake as of a seq, a date or a time.
    #[arg(long, value_name = "SEQ|TIME")]
    as_of: Option<AsOf>,
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let app = context.open().await?;
    let snapshot = match &args.project {
        Some(project) => app.service.read_projects_of(&[project], args.as_of).await?,
        None => app.service.read_visible(args.as_of).await?,
    };
    // Due dates are judged by the day of the snapshot.
    let today = args.as_of.map_or(app.service.clock.now(), |_| snapshot.at).date_naive();
    app.close().await;
    let state = &snapshot.state;
    let assignee = args
        .assignee
        .as_deref()
        .map(|name| find::user(state, name))
        .transpose()?
        .map(|user| user.id);
    let projects = match &args.project {
        Some(name) => vec![find::project(state, name)?.0],
        None => state
            .projects()
            .filter(|found| found.project().is_some_and(|project| project.is_visible()))
            .collect(),
    };
    let mut found = ready(projects, today, assignee);
    found.truncate(args.limit);
    let (mut lines, mut json) = (Vec::new(), Vec::new());
    for ready in &found {
        let mut line = show::task_line(state, ready.task);
        if let Some(due) = ready.due.filter(|_| ready.due != ready.task.due_date) {
            line.push_str(&format!("  due {due} with the whole"));
        }
        if ready.overdue {
            line.push_str("  overdue");
        }
        if ready.is_whole {
            line.push_str("  all its parts are closed");
        }
        if ready.waiting_tasks > 0 {
            line.push_str(&format!("  holds up {}", ready.waiting_tasks));
        }
        lines.push(line);
        let mut task = show::task_json(state, ready.task);
        if let Value::Object(task) = &mut task {
            task.insert("holds_up".to_owned(), json!(ready.waiting_tasks));
            task.insert("overdue".to_owned(), json!(ready.overdue));
            task.insert("due_with_whole".to_owned(), json!(ready.due));
            task.insert("all_parts_closed".to_owned(), json!(ready.is_whole));
        }
        json.push(task);
    }
    let text = match found.first() {
        None => "nothing is ready; run lakeplan task list --open to see what waits".to_owned(),
        Some(first) => {
            let is_begun = matches!(first.task.status, TaskStatus::InProgress | TaskStatus::Review);
            let verb = if first.is_whole || is_begun { "done" } else { "start" };
            format!("{}\nnext: lakeplan task {verb} {}", lines.join("\n"), first.task.key)
        }
    };
    Ok(Reply::new(json!({"seq": snapshot.seq, "tasks": json}), text))
}
