//! `task list`: filters, order, pages.

use serde_json::json;

use crate::cli::limit::at_least_one;
use crate::cli::reply::{count, table_without_empty_columns};
use crate::cli::{CliError, Reply, show};
use crate::domain::task::{Priority, TaskKind, TaskStatus};
use crate::domain::time::AsOf;
use crate::exchange::view::task::TaskView;
use crate::service::Service;
use crate::service::list::tasks::{AssigneeFilter, Cursor, Sort, TaskPage, TaskQuery};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only tasks of this project. Repeat for more [default: every project that is not
    /// archived].
    #[arg(long)]
    project: Vec<String>,
    /// Only tasks with this status. Repeat for more.
    #[arg(long)]
    status: Vec<TaskStatus>,
    /// Only tasks of this kind: task or milestone.
    #[arg(long)]
    kind: Option<TaskKind>,
    /// Only tasks that are not completed, cancelled or archived.
    #[arg(long)]
    open: bool,
    /// Only tasks of this user; `none` for unassigned tasks.
    #[arg(long, value_name = "USER")]
    assignee: Option<String>,
    #[arg(long)]
    priority: Vec<Priority>,
    /// Only tasks with this tag. Repeat for more.
    #[arg(long)]
    tag: Vec<String>,
    /// Only subtasks of this task, at every level.
    #[arg(long, value_name = "TASK")]
    below: Option<String>,
    /// Only tasks with this text in the title or description; case does not matter.
    #[arg(long)]
    text: Option<String>,
    /// Only open tasks past their due date.
    #[arg(long)]
    overdue: bool,
    /// Deleted tasks instead of live ones.
    #[arg(long)]
    deleted: bool,
    /// Sort key; prefix with - for descending [default: plan order].
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
    sort: Option<Sort>,
    #[arg(long, default_value_t = TaskQuery::DEFAULT_LIMIT, value_parser = at_least_one)]
    limit: usize,
    /// Cursor of the previous page; the next page reads the same version of the lake.
    #[arg(long)]
    cursor: Option<Cursor>,
    /// Read the lake as of a seq, a date or a time.
    #[arg(long, value_name = "SEQ|TIME", conflicts_with = "cursor")]
    as_of: Option<AsOf>,
}

impl Args {
    fn query(self) -> TaskQuery {
        let assignee = |name: String| match name.as_str() {
            "none" => AssigneeFilter::Unassigned,
            _ => AssigneeFilter::User(name),
        };
        TaskQuery {
            projects: self.project,
            statuses: self.status,
            kind: self.kind,
            open: self.open,
            assignee: self.assignee.map(assignee),
            priorities: self.priority,
            tags: self.tag,
            below: self.below,
            text: self.text,
            overdue: self.overdue,
            deleted: self.deleted,
            sort: self.sort,
            limit: self.limit,
            cursor: self.cursor,
            as_of: self.as_of,
        }
    }
}

pub async fn run(args: Args, service: &Service) -> Result<Reply, CliError> {
    let query = args.query();
    let page = service.list_tasks(&query).await?;
    Ok(Reply::new(json!(page), text(&page, query.sort.is_none())))
}

/// Renders a page as a table; in plan order, subtasks are indented.
fn text(page: &TaskPage, is_in_plan_order: bool) -> String {
    if page.tasks.is_empty() {
        return "no such tasks".to_owned();
    }
    let row = |view: &TaskView| {
        let task = &view.task;
        let indent = if is_in_plan_order { usize::from(task.depth) } else { 0 };
        let text = |value: Option<String>| value.unwrap_or_default();
        vec![
            task.key.to_string(),
            format!("{}{}", "  ".repeat(indent), show::marked_title(task)),
            task.status.to_string(),
            text(task.priority.map(|priority| priority.to_string())),
            text(view.assignee.clone()),
            text(task.estimate().map(|estimate| estimate.to_string())),
            text(task.due_date.map(|day| day.to_string())),
        ]
    };
    let mut text = table_without_empty_columns(
        &["key", "title", "status", "priority", "assignee", "estimate", "due"],
        page.tasks.iter().map(row).collect(),
    );
    text.push_str(&format!("\n{}", count(page.total, "task")));
    if let Some(next) = page.next {
        let (first, last) = (next.offset - page.tasks.len() + 1, next.offset);
        text.push_str(&format!(", {first} to {last} shown; the next page: --cursor {next}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn query(words: &str) -> TaskQuery {
        let line = std::iter::once("list").chain(words.split_whitespace());
        Line::try_parse_from(line).unwrap().args.query()
    }

    #[test]
    fn none_is_no_user() {
        assert_eq!(query("--assignee none").assignee, Some(AssigneeFilter::Unassigned));
        let ana = AssigneeFilter::User("@ana".to_owned());
        assert_eq!(query("--assignee @ana").assignee, Some(ana));
        assert_eq!(query("").assignee, None);
    }

    #[test]
    fn order_and_position_are_read_from_words() {
        let read = query("--sort -due --cursor 7.50");
        assert_eq!(read.sort, "-due".parse().ok());
        assert_eq!(read.cursor, Some(Cursor { seq: 7, offset: 50 }));
        assert_eq!(read.limit, TaskQuery::DEFAULT_LIMIT);
    }
}
