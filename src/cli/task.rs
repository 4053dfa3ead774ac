mod done;
mod fields;
mod filter;

use serde_json::{Value, json};

use super::context::request_by;
use super::{CliError, Context, Reply, show};
use crate::app::App;
use crate::domain::patch::Op;
use crate::domain::record::Entity;
use crate::domain::task::TaskStatus;
use crate::domain::time::{AsOf, Minutes};
use crate::domain::value::{FieldValue, Title};
use crate::exchange::patchset::{RawPatch, RawPlacement, Request};
use crate::planning::effort::Efforts;
use crate::planning::split::Part;
use crate::service::{Service, ServiceError, find};
use fields::TaskFieldArgs;

/// Create, show, change, move and link tasks.
///
/// A task is named by its key, such as PAY-42, or by its id.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan task create \"Move the ledger\" --project PAY --estimate 1d-3d --assignee @ana\n  lakeplan task create \"Beta\" --project PAY --kind milestone --due 2026-12-01\n  lakeplan task list --open --assignee @ana --sort due\n  lakeplan task tree PAY\n  lakeplan task link PAY-3 PAY-1      PAY-3 waits for PAY-1\n  lakeplan task log PAY-3 1.5h"
)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List tasks, filtered and sorted.
    List(filter::Args),
    /// Show a task in full.
    Show {
        task: String,
        /// Read the lake as of a seq, a date or a time.
        #[arg(long, value_name = "SEQ|TIME")]
        as_of: Option<AsOf>,
    },
    /// Show a project, or the subtasks of a task, as a tree.
    Tree {
        /// Project or task; optional if there is one project.
        root: Option<String>,
        /// Deepest level to show, counted from 0.
        #[arg(long, default_value_t = 5)]
        depth: u8,
        /// Read the lake as of a seq, a date or a time.
        #[arg(long, value_name = "SEQ|TIME")]
        as_of: Option<AsOf>,
    },
    /// Create a task.
    Create {
        title: String,
        /// Project of the task; optional if there is one project, or with --parent.
        #[arg(long)]
        project: Option<String>,
        /// Parent task.
        #[arg(long, value_name = "TASK")]
        parent: Option<String>,
        /// Task that must be done first. Repeat for more.
        #[arg(long, value_name = "TASK")]
        depends_on: Vec<String>,
        #[command(flatten)]
        place: PositionArgs,
        #[command(flatten)]
        words: TaskFieldArgs,
    },
    /// Change a task's fields; --clear FIELD empties one.
    Update {
        task: String,
        #[arg(long)]
        title: Option<String>,
        #[arg(long)]
        status: Option<TaskStatus>,
        #[command(flatten)]
        words: TaskFieldArgs,
        /// Field to empty, such as due_date or assignee_id. Repeat for more.
        #[arg(long, value_name = "FIELD")]
        clear: Vec<String>,
    },
    /// Move a task to another parent, position or project.
    Move {
        task: String,
        /// New parent task.
        #[arg(long, value_name = "TASK", conflicts_with = "top")]
        parent: Option<String>,
        /// Move to the top level of the project.
        #[arg(long)]
        top: bool,
        #[arg(long)]
        project: Option<String>,
        #[command(flatten)]
        place: PositionArgs,
    },
    /// Merge two tasks that describe the same work: the first stays, the second is merged into
    /// it.
    Merge { kept: String, gone: String },
    /// Split a task into subtasks; a subtask may state its effort: "Write the reader=3h".
    Split {
        task: String,
        #[arg(required = true, num_args = 2..)]
        parts: Vec<String>,
    },
    /// Start a task: set it to in_progress.
    Start { task: String },
    /// Complete a task; --spent logs the time it took.
    Done {
        task: String,
        /// Time spent, added to the logged time.
        #[arg(long, value_name = "DURATION")]
        spent: Option<Minutes>,
        /// Also complete its open subtasks, at every level.
        #[arg(long)]
        parts: bool,
    },
    /// Log time spent on a task: 2h, 1.5d.
    Log { task: String, spent: Minutes },
    /// Make a task depend on another, or link them in another way.
    Link {
        from: String,
        to: String,
        /// Kind of link: depends_on, relates or duplicates.
        #[arg(long, default_value = "depends_on")]
        kind: crate::domain::link::LinkKind,
        /// Dependency type: FS, SS, FF or SF.
        #[arg(long = "type", value_name = "TYPE")]
        dependency: Option<crate::domain::link::DependencyType>,
        /// Lag, in working time.
        #[arg(long, value_name = "DURATION")]
        lag: Option<Minutes>,
    },
    /// Remove a link between two tasks.
    Unlink {
        from: String,
        to: String,
        #[arg(long)]
        kind: Option<crate::domain::link::LinkKind>,
    },
    /// Delete a task and its subtasks; `restore` brings them back.
    Delete { task: String },
    /// Restore a deleted task, with everything that was deleted with it.
    Restore { task: String },
}

#[derive(Debug, clap::Args)]
struct PositionArgs {
    /// Place it before this sibling.
    #[arg(long, value_name = "TASK", group = "place")]
    before: Option<String>,
    /// Place it after this sibling.
    #[arg(long, value_name = "TASK", group = "place")]
    after: Option<String>,
    /// Place it before all siblings.
    #[arg(long, group = "place")]
    first: bool,
}

impl PositionArgs {
    fn raw(self) -> Option<RawPlacement> {
        let first = self.first.then_some(RawPlacement::First);
        first.or(self.before.map(RawPlacement::Before)).or(self.after.map(RawPlacement::After))
    }
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let app = context.open().await?;
    let reply = answer(args.verb, &app).await;
    app.shutdown().await;
    reply
}

async fn answer(verb: Verb, app: &App) -> Result<Reply, CliError> {
    let service = &app.service;
    let author = request_by(app);
    let change =
        async |patches: Vec<RawPatch>| service.change(&Request::of(patches), &author).await;
    let update = |task: &str| RawPatch::of(Op::Update, Entity::Task, task);
    Ok(match verb {
        Verb::List(args) => filter::run(args, service).await?,
        Verb::Show { task, as_of } => {
            let found = service.show_task(&task, as_of).await?;
            Reply::new(json!(found), show::task_page(&found))
        }
        Verb::Tree { root, depth, as_of } => tree(service, root, depth, as_of).await?,
        Verb::Create { title, project, parent, depends_on, place, words } => {
            create(app, Create { title, project, parent, depends_on, place: place.raw() }, words)
                .await?
        }
        Verb::Update { task, title, status, words, clear } => {
            let mut patch = words.apply(update(&task))?;
            if let Some(title) = title {
                patch = patch.with("title", title);
            }
            if let Some(status) = status {
                patch = patch.with("status", status.json());
            }
            for field in clear {
                if patch.fields.get(&field).is_some_and(|value| !value.is_null()) {
                    return Err(CliError::Usage {
                        message: format!("{field} cannot be given and cleared at once"),
                        hint: Some(format!("leave out --clear {field}, or the flag that sets it")),
                    });
                }
                patch = patch.with(&field, Value::Null);
            }
            if patch.fields.is_empty() {
                return Err(CliError::usage("specify what to change, such as --priority high"));
            }
            show::done(&change(vec![patch]).await?, format!("{task} updated"))
        }
        Verb::Move { task, parent, top, project, place } => {
            let mut patch = RawPatch::of(Op::Move, Entity::Task, task.as_str());
            patch.place = place.raw();
            if let Some(parent) = parent {
                patch = patch.with("parent_id", parent);
            }
            if top {
                patch = patch.with("parent_id", Value::Null);
            }
            if let Some(project) = project {
                patch = patch.with("project_id", project);
            }
            if patch.fields.is_empty() && patch.place.is_none() {
                return Err(CliError::usage(
                    "specify a destination: --parent, --top, --project, --first, --before or --after",
                ));
            }
            let done = change(vec![patch]).await?;
            let new = done.keys.first().map(|(_, key)| key.clone()).filter(|key| *key != task);
            show::done(
                &done,
                new.map_or(format!("{task} moved"), |key| format!("{task} moved, now {key}")),
            )
        }
        Verb::Merge { kept, gone } => {
            let done = service.merge_tasks(&kept, &gone, &author).await?;
            show::done(
                &done,
                format!(
                    "{gone} merged into {kept}; lakeplan undo {} takes it apart again",
                    done.seq
                ),
            )
        }
        Verb::Split { task, parts } => {
            let parts = parts.iter().map(|part| read_part(part)).collect::<Result<Vec<_>, _>>()?;
            let done = service.split_task(&task, &parts, &author).await?;
            let keys: Vec<&str> = done.keys.iter().map(|(_, key)| key.as_str()).collect();
            show::done(&done, format!("{task} split into {}", keys.join(", ")))
        }
        Verb::Start { task } => {
            let patch = update(&task).with("status", TaskStatus::InProgress.json());
            show::done(&change(vec![patch]).await?, format!("{task} started"))
        }
        Verb::Done { task, spent, parts } => {
            done::reply(&task, &service.complete_task(&task, spent, parts, &author).await?)
        }
        Verb::Log { task, spent } => {
            let (total, done) = service.log_work(&task, spent, &author).await?;
            show::done(&done, format!("{task}: {spent} logged, {total} in all"))
        }
        Verb::Link { from, to, kind, dependency, lag } => {
            let mut patch = RawPatch::new(Op::Link, Entity::TaskLink)
                .with("from_id", from.as_str())
                .with("to_id", to.as_str())
                .with("kind", kind.json());
            if let Some(dependency) = dependency {
                patch = patch.with("dependency", dependency.json());
            }
            if let Some(lag) = lag {
                patch = patch.with("lag_minutes", lag.get());
            }
            show::done(&change(vec![patch]).await?, format!("{from} {kind} {to}"))
        }
        Verb::Unlink { from, to, kind } => {
            let mut patch = RawPatch::new(Op::Unlink, Entity::TaskLink)
                .with("from_id", from.as_str())
                .with("to_id", to.as_str());
            if let Some(kind) = kind {
                patch = patch.with("kind", kind.json());
            }
            show::done(&change(vec![patch]).await?, format!("{from} and {to} unlinked"))
        }
        Verb::Delete { task } => {
            let done = change(vec![RawPatch::of(Op::Delete, Entity::Task, task.as_str())]).await?;
            show::done(
                &done,
                format!("{task} deleted; lakeplan task restore {task} brings it back"),
            )
        }
        Verb::Restore { task } => {
            let done = change(vec![RawPatch::of(Op::Restore, Entity::Task, task.as_str())]).await?;
            show::done(&done, format!("{task} restored"))
        }
    })
}

async fn tree(
    service: &Service,
    root: Option<String>,
    depth: u8,
    as_of: Option<AsOf>,
) -> Result<Reply, CliError> {
    let listed = service.task_tree(root.as_deref(), as_of).await?;
    let state = &listed.state;
    let project = state
        .project(listed.project)
        .ok_or_else(|| ServiceError::input("project", "is not there"))?;
    let task = listed.root.and_then(|root| project.task(root)).map(AsRef::as_ref);
    let tree = show::tree(state, project, task, depth, &Efforts::of(project));
    let work = listed.open_work.map(|open| format!("  {} of open work", open.rough()));
    let work = work.unwrap_or_default();
    let head = project
        .project()
        .map(|project| format!("{}  {}{work}\n", project.key, project.name))
        .unwrap_or_default();
    let text = match (task, tree.is_empty()) {
        (Some(_), _) => tree,
        (None, false) => format!("{head}{tree}"),
        (None, true) => format!("{head}no tasks yet; create one with lakeplan task create TITLE"),
    };
    Ok(Reply::new(json!(listed), text))
}

struct Create {
    title: String,
    project: Option<String>,
    parent: Option<String>,
    depends_on: Vec<String>,
    place: Option<RawPlacement>,
}

async fn create(app: &App, wanted: Create, words: TaskFieldArgs) -> Result<Reply, CliError> {
    let named: Vec<&str> =
        wanted.project.iter().chain(&wanted.parent).map(String::as_str).collect();
    let state = app.service.state_for_names(&named).await?;
    let project = match (&wanted.project, &wanted.parent) {
        (Some(project), _) => find::project(&state, project)?.1.id,
        (None, Some(parent)) => find::live_task(&state, parent)?.project_id,
        (None, None) => find::only_project(&state)?.1.id,
    };
    let mut patch = RawPatch::of(Op::Create, Entity::Task, "$new")
        .with("project_id", project.to_string())
        .with("title", wanted.title.as_str());
    patch.place = wanted.place;
    if let Some(parent) = wanted.parent {
        patch = patch.with("parent_id", parent);
    }
    let mut patches = vec![words.apply(patch)?];
    patches.extend(wanted.depends_on.iter().map(|other| {
        RawPatch::new(Op::Link, Entity::TaskLink)
            .with("from_id", "$new")
            .with("to_id", other.as_str())
    }));
    let done = app.service.change(&Request::of(patches), &request_by(app)).await?;
    let key = done.keys.first().map(|(_, key)| key.clone()).unwrap_or_default();
    Ok(show::done(&done, format!("{key}  {}", wanted.title)))
}

fn read_part(text: &str) -> Result<Part, CliError> {
    let (title, estimate) = match text.rsplit_once('=') {
        Some((title, effort)) => match effort.parse::<Minutes>() {
            Ok(estimate) => (title, Some(estimate)),
            Err(_) => (text, None),
        },
        None => (text, None),
    };
    let title = Title::new(title.trim())
        .map_err(|invalid| CliError::usage(format!("the part {text:?} {invalid}")))?;
    Ok(Part { title, estimate })
}
