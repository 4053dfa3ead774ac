//! `task list`: filters, order, pages.

use std::cmp::Reverse;

use chrono::NaiveDate;
use serde_json::{Value, json};

use crate::cli::limit::at_least_one;
use crate::cli::reply::{count, table_without_empty_columns};
use crate::cli::{CliError, Reply, show};
use crate::domain::project::Project;
use crate::domain::state::State;
use crate::domain::task::{Priority, Task, TaskStatus};
use crate::domain::time::AsOf;
use crate::service::{Service, find};
use crate::store::Scope;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only tasks of this project. Repeat for more [default: every project that is not
    /// archived].
    #[arg(long)]
    project: Vec<String>,
    /// Only tasks with this status. Repeat for more.
    #[arg(long)]
    status: Vec<TaskStatus>,
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
    #[arg(long, default_value_t = 50, value_parser = at_least_one)]
    limit: usize,
    /// Cursor of the previous page; the next page reads the same version of the lake.
    #[arg(long)]
    cursor: Option<Cursor>,
    /// Read the lake as of a seq, a date or a time.
    #[arg(long, value_name = "SEQ|TIME", conflicts_with = "cursor")]
    as_of: Option<AsOf>,
}

#[derive(Clone, Copy, Debug)]
struct Sort {
    by: By,
    reversed: bool,
}

#[derive(Clone, Copy, Debug)]
enum By {
    Key,
    Title,
    Status,
    Priority,
    Due,
    Estimate,
    Created,
    Updated,
}

const SORTS: [(&str, By); 8] = [
    ("key", By::Key),
    ("title", By::Title),
    ("status", By::Status),
    ("priority", By::Priority),
    ("due", By::Due),
    ("estimate", By::Estimate),
    ("created", By::Created),
    ("updated", By::Updated),
];

impl std::str::FromStr for Sort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, reversed) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        let known = SORTS.iter().find(|(known, _)| *known == name);
        let names = || SORTS.map(|(name, _)| name).join(", ");
        known
            .map(|(_, by)| Self { by: *by, reversed })
            .ok_or_else(|| format!("must be one of {}", names()))
    }
}

/// Position of a page: its seq and the number of tasks before it.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    seq: u64,
    offset: usize,
}

impl std::str::FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('.').and_then(|(seq, offset)| {
            Some(Self { seq: seq.parse().ok()?, offset: offset.parse().ok()? })
        });
        parts.ok_or_else(|| "is not a cursor; use the one from the previous page".to_owned())
    }
}

pub async fn run(args: Args, service: &Service) -> Result<Reply, CliError> {
    let as_of = args.cursor.map(|cursor| AsOf::Seq(cursor.seq)).or(args.as_of);
    let words: Vec<&str> = args.project.iter().chain(&args.below).map(String::as_str).collect();
    let snapshot = match words.as_slice() {
        [] if args.deleted => service.read(&Scope::All, as_of).await?,
        [] => service.read_visible(as_of).await?,
        words => service.read_projects_of(words, as_of).await?,
    };
    let state = &snapshot.state;
    let offset = args.cursor.map_or(0, |cursor| cursor.offset);
    let mut found = select(&args, state, service.clock.now().date_naive())?;
    if let Some(sort) = args.sort {
        sort_by(&mut found, sort);
    }
    let total = found.len();
    let page: Vec<&Task> = found.into_iter().skip(offset).take(args.limit).collect();
    let end = offset + page.len();
    let next = (end < total).then(|| format!("{}.{end}", snapshot.seq));
    let json: Vec<Value> = page.iter().map(|task| show::task_json(state, task)).collect();
    let json = json!({"seq": snapshot.seq, "total": total, "tasks": json, "next": next});
    if page.is_empty() {
        return Ok(Reply::new(json, "no such tasks"));
    }
    let rows = page.iter().map(|task| {
        let text = |value: Option<String>| value.unwrap_or_default();
        vec![
            task.key.to_string(),
            format!(
                "{}{}",
                "  ".repeat(if args.sort.is_none() { task.depth.into() } else { 0 }),
                task.title
            ),
            task.status.to_string(),
            text(task.priority.map(|priority| priority.to_string())),
            text(task.assignee_id.map(|id| show::handle(state, id))),
            text(task.estimate().map(|estimate| estimate.to_string())),
            text(task.due_date.map(|day| day.to_string())),
        ]
    });
    let mut text = table_without_empty_columns(
        &["key", "title", "status", "priority", "assignee", "estimate", "due"],
        rows.collect(),
    );
    text.push_str(&format!("\n{}", count(total, "task")));
    if let Some(next) = next {
        text.push_str(&format!(", {} to {end} shown; the next page: --cursor {next}", offset + 1));
    }
    Ok(Reply::new(json, text))
}

/// Returns the tasks that pass every filter, in plan order.
fn select<'s>(args: &Args, state: &'s State, today: NaiveDate) -> Result<Vec<&'s Task>, CliError> {
    let wanted = args
        .project
        .iter()
        .map(|name| find::project(state, name).map(|(_, project)| project.id))
        .collect::<Result<Vec<_>, _>>()?;
    let below = args.below.as_deref().map(|name| find::task(state, name)).transpose()?;
    let assignee = match args.assignee.as_deref() {
        None => None,
        Some("none") => Some(None),
        Some(name) => Some(Some(find::user(state, name)?.id)),
    };
    let text = args.text.as_ref().map(|text| text.to_lowercase());
    let holds = |task: &Task, text: &str| {
        let description =
            task.description.as_ref().map(|description| description.as_str().to_lowercase());
        task.title.as_str().to_lowercase().contains(text)
            || description.is_some_and(|description| description.contains(text))
    };
    let mut found = Vec::new();
    let is_wanted = |project: &Project| match (wanted.as_slice(), below) {
        ([], None) => args.deleted || project.is_visible(),
        (wanted, below) => {
            (wanted.is_empty() || wanted.contains(&project.id))
                && below.is_none_or(|below| below.project_id == project.id)
        }
    };
    for project in
        state.projects().filter(|found| found.project().is_some_and(|project| is_wanted(project)))
    {
        let order = project
            .children(None)
            .flat_map(|top| std::iter::once(top).chain(project.descendants(top.id)));
        found.extend(order.map(AsRef::as_ref).filter(|task: &&Task| {
            task.is_live() != args.deleted
                && (args.status.is_empty() || args.status.contains(&task.status))
                && (!args.open || !task.status.is_closed())
                && assignee.is_none_or(|assignee| task.assignee_id == assignee)
                && (args.priority.is_empty()
                    || task.priority.is_some_and(|priority| args.priority.contains(&priority)))
                && args.tag.iter().all(|tag| task.tags.0.contains(tag))
                && below
                    .is_none_or(|above| task.id != above.id && project.is_within(task.id, above.id))
                && text.as_ref().is_none_or(|text| holds(task, text))
                && (!args.overdue
                    || (!task.status.is_closed() && task.due_date.is_some_and(|due| due < today)))
        }));
    }
    Ok(found)
}

/// Sorts stably. Tasks without a value come last in both directions.
fn sort_by(tasks: &mut [&Task], sort: Sort) {
    fn order<'t, K: Ord>(
        tasks: &mut [&'t Task],
        reversed: bool,
        key: impl Fn(&'t Task) -> Option<K>,
    ) {
        if reversed {
            tasks.sort_by_key(|task| {
                key(task).map_or((true, None), |value| (false, Some(Reverse(value))))
            });
        } else {
            tasks.sort_by_key(|task| key(task).map_or((true, None), |value| (false, Some(value))));
        }
    }
    let reversed = sort.reversed;
    match sort.by {
        By::Key => order(tasks, reversed, |task| Some(&task.key)),
        By::Title => order(tasks, reversed, |task| Some(&task.title)),
        By::Status => order(tasks, reversed, |task| Some(task.status)),
        By::Priority => order(tasks, reversed, |task| task.priority),
        By::Due => order(tasks, reversed, |task| task.due_date),
        By::Estimate => order(tasks, reversed, |task| task.estimate_likely),
        By::Created => order(tasks, reversed, |task| Some(task.created_at)),
        By::Updated => order(tasks, reversed, |task| Some(task.updated_at)),
    }
}
