mod diagnostics;
mod difference;
mod folder;
mod input;
mod layout;
mod marks;
mod tree;

use std::path::PathBuf;

use serde_json::{Value, json};

pub(super) use diagnostics::counts;
pub(super) use difference::difference;
use difference::reason_of;
pub(super) use layout::{Shown, cut, fold, wrap};
pub(super) use tree::{effort, keys};

use input::{Arguments, Given, given};

use super::context::request_by;
use super::reply::count;
use super::{CliError, Context, Reply};
use crate::domain::id::PatchSetId;
use crate::domain::record::Entity;
use crate::domain::state::ProjectState;
use crate::planning::replan::report::Mark;
use crate::service::change::Committed;
use crate::service::plan::{PlanRequest, Preview};
use crate::service::plan_view::PlanView;

/// Turn a description into a plan, or update the plan from it.
///
/// Reads Markdown or plain text; `-` is standard input. Without --yes, only shows what would
/// change. Run it again on the same file to apply what changed in the description: unchanged
/// statements keep their tasks, and completed work and people's edits stay. With --folder, plans
/// every description in a folder.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan plan prd.md\n  lakeplan plan prd.md --yes\n  lakeplan plan prd.md --full --skipped\n  cat notes.txt | lakeplan plan - --project PAY --yes\n  lakeplan plan --folder descriptions --yes"
)]
pub struct Args {
    /// Description: a file, a storage URL, or - for standard input.
    file: Option<String>,
    /// Text of the description.
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// Plan every new or changed description (*.md, *.markdown, *.txt) in a folder or below a
    /// storage URL.
    #[arg(long, value_name = "FOLDER|URI")]
    folder: Option<String>,
    /// Write the plan (the default is a dry run).
    #[arg(long, short)]
    yes: bool,
    /// Project to plan, if it is not the one that was planned from this file.
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// Name of the project, if it differs from the description's title.
    #[arg(long)]
    name: Option<String>,
    /// Id of the patch set (UUIDv7). Sending the same description again with the same id is
    /// safe.
    #[arg(long, value_name = "UUID")]
    id: Option<PatchSetId>,
    /// Cut work of more than two days into equal parts. Without it, the plan only names such work.
    #[arg(long)]
    split: bool,
    /// Show every row.
    #[arg(long)]
    full: bool,
    /// List every statement that was not planned, with its lines and the reason.
    #[arg(long)]
    skipped: bool,
}

impl Args {
    pub fn files(&self) -> Vec<PathBuf> {
        self.file.iter().map(PathBuf::from).collect()
    }
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let arguments = Arguments {
        file: args.file.as_deref(),
        text: args.text.as_deref(),
        folder: args.folder.as_deref(),
        project: args.project.as_deref(),
        name: args.name.as_deref(),
        id: args.id,
        splits: args.split,
    };
    let request = match given(arguments).await? {
        Given::One(request) => request,
        Given::Folder(folder) => return folder::run(&folder, args.yes, context).await,
    };
    let app = context.open().await?;
    let author = request_by(&app);
    let (preview, done) = match args.yes {
        true => app.service.apply_plan(&request, &author).await?,
        false => (app.service.plan(&request, &author).await?, None),
    };
    app.shutdown().await;
    let shown = Shown {
        rows: 40,
        is_full: args.full,
        lists_skipped: args.skipped,
        width: super::reply::terminal_width().clamp(60, 120).into(),
    };
    let text = page(&preview, &request, done.as_ref(), shown);
    let text = format!("{text}\n{}", next(&args, &preview, done.as_ref()));
    let of = |mark| preview.report.count(mark, Entity::Task);
    let reply = Reply::new(whole(&preview, done.as_ref()), text);
    let reply = done
        .iter()
        .fold(reply, |reply, done| reply.standing(format!("seq {} is committed", done.seq)));
    Ok(reply
        .with_count("created", of(Mark::New))
        .with_count("changed", of(Mark::Changed))
        .with_count("moved", of(Mark::Moved))
        .with_count("deleted", of(Mark::Gone)))
}

/// Renders a preview for a person, without the next steps.
pub(super) fn page(
    preview: &Preview,
    request: &PlanRequest,
    done: Option<&Committed>,
    shown: Shown,
) -> String {
    let project = preview.after.project(preview.project).and_then(ProjectState::project);
    let (key, name) = project.map_or_else(Default::default, |project| {
        (project.key.to_string(), project.name.to_string())
    });
    let source = request.source.as_deref().unwrap_or("standard input");
    let mut parts = fold(&format!("{key}  {name}  (from {source})"), shown.width);
    if is_first(preview) {
        parts.push(counts(preview));
        parts.extend(marks::summary(preview, shown));
        parts.extend(
            namesake(preview, done.is_some())
                .filter(|_| preview.is_new)
                .map(|message| wrap(&message, shown.width).join("\n")),
        );
        if !preview.plan.nodes.is_empty() {
            parts.push(String::new());
            parts.push(tree::tree(preview, shown));
        }
        parts.extend(diagnostics::problems(preview, shown));
        parts.extend(diagnostics::skipped(preview, shown));
        parts.extend(marks::unread(preview, shown));
    } else {
        parts.extend(marks::summary(preview, shown));
        parts.push(String::new());
        parts.push(difference(preview, shown));
        let changed = !preview.set.patches.is_empty();
        if shown.is_full {
            parts.push(String::new());
            parts.push(tree::tree(preview, shown));
        }
        if changed || shown.is_full {
            parts.extend(diagnostics::problems(preview, shown));
        }
        if shown.lists_skipped {
            parts.extend(diagnostics::skipped(preview, shown));
            parts.extend(marks::unread(preview, shown));
        }
    }
    if let Some(done) = done {
        let mark = if done.repeated { "was done before" } else { "done" };
        parts.push(String::new());
        parts.push(format!("{}  ({mark}, seq {})", message(preview), done.seq));
    }
    parts.join("\n")
}

/// Whether the plan is all there is to show, because there were no tasks before.
fn is_first(preview: &Preview) -> bool {
    let before = preview.before.project(preview.project);
    preview.is_new
        || before.is_none_or(|project| project.tasks().all(|task| task.deleted_at.is_some()))
}

/// Warns about another live project with the same name, in case the same description has another
/// source.
fn namesake(preview: &Preview, is_done: bool) -> Option<String> {
    let own = preview.after.project(preview.project)?.project()?;
    let projects = preview.before.projects().filter_map(ProjectState::project);
    let other = projects
        .filter(|other| other.id != own.id)
        .find(|other| other.is_visible() && other.name == own.name)?;
    let from =
        other.source.as_ref().map(|source| format!(", planned from {source}")).unwrap_or_default();
    let undo = if is_done { "lakeplan undo takes this one back, and " } else { "" };
    Some(format!(
        "there is {} of this name already{from}; {undo}--project {} plans into that one",
        other.key, other.key
    ))
}

/// Summary of the changes, as a clause.
fn message(preview: &Preview) -> String {
    let of = |mark, noun: &str| match preview.report.count(mark, Entity::Task) {
        0 => None,
        number => Some(format!("{} {noun}", count(number, "task"))),
    };
    let parts: Vec<String> = [
        (Mark::New, "created"),
        (Mark::Changed, "changed"),
        (Mark::Moved, "moved"),
        (Mark::Gone, "deleted"),
    ]
    .into_iter()
    .filter_map(|(mark, noun)| of(mark, noun))
    .collect();
    match parts.is_empty() {
        true => "no task changed, the rest is up to date".to_owned(),
        false => parts.join(", "),
    }
}

fn next(args: &Args, preview: &Preview, done: Option<&Committed>) -> String {
    let project = preview.after.project(preview.project).and_then(ProjectState::project);
    let key = project.map(|project| project.key.to_string()).unwrap_or_default();
    if done.is_some() {
        return format!(
            "next: lakeplan task tree {key} | lakeplan next | change the text and plan it again | lakeplan undo"
        );
    }
    if preview.set.patches.is_empty() {
        return "nothing changed".to_owned();
    }
    let more =
        [("--full", "every row", args.full), ("--skipped", "what was not planned", args.skipped)];
    let more: Vec<String> = more
        .into_iter()
        .filter(|(_, _, given)| !given)
        .map(|(flag, what, _)| format!("{flag} shows {what}"))
        .collect();
    let tail = if more.is_empty() { String::new() } else { format!("; {}", more.join(", ")) };
    format!("\nnothing is written yet; run with --yes to write{tail}")
}

/// Returns the full result as JSON, with the reasons in the words of the command line.
fn whole(preview: &Preview, done: Option<&Committed>) -> Value {
    let mut json = json!(PlanView::of(preview, done));
    for (index, item) in preview.report.items.iter().enumerate() {
        if let (Some(reason), Some(_)) = (reason_of(item), &item.hint) {
            json["report"]["items"][index]["reason"] = reason.into();
        }
    }
    json
}
