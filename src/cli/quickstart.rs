mod story;
mod tour;

use std::path::{Path, PathBuf};

use serde_json::json;

use super::context::request_by;
use super::reply::terminal_width;
use super::{CliError, Context, Reply};
use crate::analytics::{Session, rows_text};
use crate::app::App;
use crate::domain::patch::Op;
use crate::domain::record::Entity;
use crate::domain::time::AsOf;
use crate::exchange::patchset::{RawPatch, Request};
use crate::service::ServiceError;
use crate::service::plan::PlanRequest;
use crate::store::Scope;
use crate::store::location::enclosing::check_not_within;
use crate::text::visible::path_text;
use story::{FOLDER, QUESTIONS, SENTENCE, Story, TEXT};

/// Take a one-minute tour in its own lake.
///
/// Creates a lake in ./lakeplan-quickstart, plans a description, changes the description, and
/// undoes the change. Every line is the output of the command it names. The lake stays for you to
/// continue with; running the command again starts over.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  lakeplan quickstart\n  lakeplan quickstart --within /tmp")]
pub struct Args {
    /// Folder in which the tour's folder is created.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    within: PathBuf,
}

const FILE: &str = "migration.md";
const LAKE: &str = "lake";
/// Marker file that identifies a folder created by the tour.
const MARKER: &str = ".made-by-lakeplan-quickstart";
/// Title of the task that is done before the text changes, and of the one that the sentence
/// describes.
const DONE: &str = "Set up service principals and grants";
const CHANGED: &str = "Copy the exchange rates";

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let folder = &args.within.join(FOLDER);
    check_not_within(&path_text(folder), folder)?;
    prepare_folder(folder)?;
    let file = folder.join(FILE);
    let mut config = context.config.clone();
    config.lake.value = folder.join(LAKE).display().to_string();
    let app = App::create(&config).await?;
    std::fs::write(&file, TEXT)?;
    let story = render(&app, &file).await?;
    app.shutdown().await;
    std::fs::write(folder.join(MARKER), commits(folder))?;
    let json = json!({
        "folder": folder,
        "lake": config.lake.value,
        "project": tour::key(&story),
        "tasks": story.first.plan.nodes.len(),
        "problems": story.first.plan.problems,
        "changes": story.second.report.items,
        "seqs": [story.planned.seq, story.replanned.seq, story.undone.seq],
    });
    let text = tour::text(&story, terminal_width().into());
    let reply = Reply::new(json, text).with_count("created", story.first.plan.nodes.len());
    Ok(reply.standing(format!("the tour is in {}", folder.display())))
}

async fn render(app: &App, file: &Path) -> Result<Story, CliError> {
    let service = &app.service;
    let author = request_by(app);
    let lost = |what: &str| ServiceError::input("quickstart", format!("{what} did not happen"));
    let (first, planned) = service.apply_plan(&request(TEXT), &author).await?;
    let planned = planned.ok_or_else(|| lost("the plan"))?;
    let key_of = |title: &str| {
        let tasks =
            first.after.project(first.project).into_iter().flat_map(|project| project.tasks());
        tasks
            .filter(|task| task.title.as_str().starts_with(title))
            .map(|task| task.key.to_string())
            .next()
    };
    let done_key = key_of(DONE).ok_or_else(|| lost(DONE))?;
    let changed_key = key_of(CHANGED).ok_or_else(|| lost(CHANGED))?;
    let patch =
        RawPatch::of(Op::Update, Entity::Task, done_key.as_str()).with("status", "completed");
    service.change(&Request::of(vec![patch]), &author).await?;

    let text = TEXT.replace(SENTENCE.0, SENTENCE.1);
    std::fs::write(file, &text)?;
    let (second, replanned) = service.apply_plan(&request(&text), &author).await?;
    let replanned = replanned.ok_or_else(|| lost("the change"))?;
    let (_, undone) = service.undo(None, &author).await?;
    std::fs::write(file, TEXT)?;
    let then = service.read(&Scope::All, Some(AsOf::Seq(replanned.seq))).await?.state;
    let now = service.state(&Scope::All).await?;
    let answers = ask(app).await?;
    Ok(Story {
        first,
        planned,
        done_key,
        changed_key,
        second,
        replanned,
        undone,
        then,
        now,
        answers,
    })
}

async fn ask(app: &App) -> Result<Vec<Vec<Vec<String>>>, CliError> {
    app.service.store.fold().await?;
    let session =
        Session::open(&app.tables(), app.service.clock.now()).await.map_err(ServiceError::from)?;
    let mut answers = Vec::new();
    for question in QUESTIONS {
        let batches = session.query(question).await.map_err(ServiceError::from)?;
        answers.push(rows_text(&batches).map_err(ServiceError::from)?.1);
    }
    Ok(answers)
}

/// Same request as `lakeplan plan migration.md` in the folder, so that it finds the same project.
fn request(text: &str) -> PlanRequest {
    PlanRequest { source: Some(FILE.to_owned()), text: text.to_owned(), ..PlanRequest::default() }
}

/// Creates an empty folder with the marker. Removes an existing folder only if the tour created it.
fn prepare_folder(folder: &Path) -> Result<(), CliError> {
    if folder.exists() {
        if !folder.join(MARKER).is_file() {
            let message = "already exists and was not created by lakeplan quickstart".to_owned();
            let hint = Some("run it in a different folder, or move that one away".into());
            return Err(
                ServiceError::Input { place: folder.display().to_string(), message, hint }.into()
            );
        }
        if !is_untouched(folder) {
            let message =
                "contains your work: files of your own, or changes to its lake or description since the tour".to_owned();
            let hint = Some("continue there, or run quickstart in another folder".into());
            return Err(
                ServiceError::Input { place: folder.display().to_string(), message, hint }.into()
            );
        }
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir(folder).map_err(|err| {
        let hint = Some("run it in a folder that you can write to".into());
        ServiceError::Input {
            place: folder.display().to_string(),
            message: format!("cannot be made: {err}"),
            hint,
        }
    })?;
    std::fs::write(folder.join(MARKER), "")?;
    Ok(())
}

/// Whether the folder is as a complete or interrupted tour left it.
fn is_untouched(folder: &Path) -> bool {
    let marked = std::fs::read_to_string(folder.join(MARKER)).unwrap_or_default();
    let text = std::fs::read_to_string(folder.join(FILE)).unwrap_or_default();
    let own = [MARKER, FILE, LAKE];
    let holds_more = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| !own.iter().any(|name| entry.file_name() == *name));
    !holds_more && (marked.is_empty() || (marked == commits(folder) && text == TEXT))
}

/// Number of commits in the lake's journal, in the format of the marker.
fn commits(folder: &Path) -> String {
    let log = std::fs::read_dir(folder.join("lake/journal/_delta_log"));
    let entries = log
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|ending| ending == "json"));
    format!("{} commits\n", entries.count())
}
