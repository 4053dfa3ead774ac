mod story;

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{CliError, Context, Reply};
use crate::analytics::{Session, rows_text};
use crate::app::App;
use crate::domain::patch::{Op, Source};
use crate::domain::record::Entity;
use crate::domain::state::State;
use crate::domain::time::AsOf;
use crate::exchange::patchset::{RawPatch, Request};
use crate::service::ServiceError;
use crate::service::change::Done;
use crate::service::plan::{PlanRequest, Preview};
use crate::store::Scope;
use crate::store::outer::refuse_within;
use crate::text::visible::path_text;

/// Shows in a minute what Lakeplan does, on a lake of its own in ./lakeplan-quickstart: a description becomes a plan,
/// the description changes, the change is taken back. Every line comes from the commands it names. The lake stays, to
/// type on with; running it again starts afresh.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  lakeplan quickstart\n  lakeplan quickstart --within /tmp")]
pub struct Args {
    /// Where the folder of the tour goes.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    within: PathBuf,
}

const FOLDER: &str = "lakeplan-quickstart";
const FILE: &str = "migration.md";
const LAKE: &str = "lake";
/// Tells a folder of ours from one that only has the name.
const MARKER: &str = ".made-by-lakeplan-quickstart";
const TEXT: &str = include_str!("quickstart/description.md");
/// The sentence that changes, before and after.
const SENTENCE: (&str, &str) = (
    "- Copy the exchange rates every night (4 hours), depends on \"Set up service principals and grants\"",
    "- Copy the exchange rates and fuel prices every night (1 day), depends on \"Land the customer export\"",
);
/// The task that is done before the text changes, and the one that the sentence is about.
const DONE: &str = "Set up service principals and grants";
const CHANGED: &str = "Copy the exchange rates";

/// What happened, beat by beat.
struct Story {
    first: Preview,
    planned: Done,
    done_key: String,
    changed_key: String,
    second: Preview,
    replanned: Done,
    undone: Done,
    /// The lake before the change was taken back, read from after it.
    then: State,
    now: State,
    /// The answers of [`QUESTIONS`], each with its rows.
    answers: Vec<Vec<Vec<String>>>,
}

/// What SQL is asked.
const QUESTIONS: [&str; 2] = [
    "SELECT assignee, tasks, remaining_minutes / 60 AS hours FROM workload ORDER BY hours DESC, assignee LIMIT 3",
    "SELECT coverage, count(*) AS requirements FROM requirement_coverage GROUP BY coverage ORDER BY coverage",
];

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let folder = &args.within.join(FOLDER);
    refuse_within(&path_text(folder), folder)?;
    make_room(folder)?;
    let file = folder.join(FILE);
    let mut config = context.config.clone();
    config.lake.value = folder.join(LAKE).display().to_string();
    let app = App::create(&config).await?;
    std::fs::write(&file, TEXT)?;
    let story = tell(&app, &file).await?;
    app.close().await;
    std::fs::write(folder.join(MARKER), commits(folder))?;
    let json = json!({
        "folder": folder,
        "lake": config.lake.value,
        "project": story::key(&story),
        "tasks": story.first.plan.nodes.len(),
        "problems": story.first.plan.problems,
        "changes": story.second.report.items,
        "seqs": [story.planned.seq, story.replanned.seq, story.undone.seq],
    });
    let reply =
        Reply::new(json, story::text(&story)).counting("created", story.first.plan.nodes.len());
    Ok(reply.standing(format!("the tour is in {}", folder.display())))
}

async fn tell(app: &App, file: &Path) -> Result<Story, CliError> {
    let service = &app.service;
    let lost = |what: &str| ServiceError::input("quickstart", format!("{what} did not happen"));
    let (first, planned) = service.apply_plan(&request(TEXT)).await?;
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
    service.change(&Request::of(vec![patch]), Source::Cli).await?;

    let text = TEXT.replace(SENTENCE.0, SENTENCE.1);
    std::fs::write(file, &text)?;
    let (second, replanned) = service.apply_plan(&request(&text)).await?;
    let replanned = replanned.ok_or_else(|| lost("the change"))?;
    let (_, undone) = service.undo(None).await?;
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

/// As `lakeplan plan migration.md` asks in the folder, so that it finds the same project.
fn request(text: &str) -> PlanRequest {
    PlanRequest { source: Some(FILE.to_owned()), text: text.to_owned(), ..PlanRequest::default() }
}

/// An empty folder that is marked as ours; what was there is removed only if it was ours.
fn make_room(folder: &Path) -> Result<(), CliError> {
    if folder.exists() {
        if !folder.join(MARKER).is_file() {
            let message = "is there already and was not made by lakeplan quickstart".to_owned();
            let hint = Some("run it in another folder, or move that one away".to_owned());
            return Err(
                ServiceError::Input { place: folder.display().to_string(), message, hint }.into()
            );
        }
        if !is_untouched(folder) {
            let message =
                "holds work of yours: files of your own, or its lake or its description changed since the tour".to_owned();
            let hint = Some("go on there, or run quickstart in another folder".to_owned());
            return Err(
                ServiceError::Input { place: folder.display().to_string(), message, hint }.into()
            );
        }
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir(folder).map_err(|fault| {
        let hint = Some("run it in a folder that you may write to".to_owned());
        ServiceError::Input {
            place: folder.display().to_string(),
            message: format!("cannot be made: {fault}"),
            hint,
        }
    })?;
    std::fs::write(folder.join(MARKER), "")?;
    Ok(())
}

/// The folder is as the tour left it, or as a tour that broke off did.
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

/// How many commits the lake's journal has, as the marker says it.
fn commits(folder: &Path) -> String {
    let log = std::fs::read_dir(folder.join("lake/journal/_delta_log"));
    let entries = log
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|ending| ending == "json"));
    format!("{} commits\n", entries.count())
}
