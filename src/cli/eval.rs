use std::path::{Path, PathBuf};

use serde_json::json;

use super::reply::{count, table};
use super::{CliError, Context, Reply};
use crate::app;
use crate::planning::eval::{Gold, Score, Tally};
use crate::service::ServiceError;
use crate::service::evaluate::evaluate;
use crate::service::plan::PlanRequest;
use crate::text::visible::path_text;

/// End of the name of a file with the right plan of the description beside it.
const GOLD: &str = ".gold.json";

/// Measure how well a planner reads descriptions.
///
/// Needs no lake and writes nothing.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan eval plans descriptions\n  lakeplan eval plans descriptions --json"
)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Compare the plans of descriptions with known answers.
    ///
    /// The folder holds pairs of files: a description NAME.md or NAME.txt, and NAME.gold.json with
    /// the lines that are work, their parents, the dependencies and the requirements.
    Plans {
        /// Folder with the descriptions.
        folder: PathBuf,
    },
}

pub async fn run(args: Args, _: &Context) -> Result<Reply, CliError> {
    let Verb::Plans { folder } = args.verb;
    let planner = app::planner();
    let mut total = Score::default();
    let mut scores = Vec::new();
    for (name, gold_file) in answers(&folder)? {
        let gold: Gold = serde_json::from_slice(&read(&gold_file)?)
            .map_err(|err| input(&gold_file, format!("is not a right plan: {err}")))?;
        let file = description(&gold_file)?;
        let text = PlanRequest::read(&path_text(&file), read(&file)?)?.text;
        let score = evaluate(planner.as_ref(), &text, &gold).await?;
        total.add(&score);
        scores.push((name, score));
    }
    let header = [
        "description",
        "precision",
        "recall",
        "f1",
        "parents",
        "coverage",
        "edges",
        "marks",
        "verdicts",
    ];
    let lines = scores.iter().map(|(name, score)| line(name, score));
    let all = line(&count(scores.len(), "description"), &total);
    let text = table(&header, lines.chain([all]));
    let each: Vec<_> =
        scores.iter().map(|(name, score)| json!({"name": name, "score": score})).collect();
    Ok(Reply::new(json!({"descriptions": each, "total": total}), text))
}

fn line(name: &str, score: &Score) -> Vec<String> {
    let percent = |share: f64| format!("{:.0}%", share * 100.0);
    let recall =
        |tally: Tally| if tally.wanted == 0 { String::new() } else { percent(tally.recall()) };
    let edges = match (score.edges.wanted, score.edges.given) {
        (0, 0) => String::new(),
        _ => percent(score.edges.f1()),
    };
    vec![
        name.to_owned(),
        percent(score.nodes.precision()),
        percent(score.nodes.recall()),
        percent(score.nodes.f1()),
        recall(score.parents),
        recall(score.coverage),
        edges,
        recall(score.explicit),
        recall(score.verdicts),
    ]
}

/// Returns the right plans in a folder, by the name of their description.
fn answers(folder: &Path) -> Result<Vec<(String, PathBuf)>, CliError> {
    let entries =
        std::fs::read_dir(folder).map_err(|err| input(folder, format!("cannot be read: {err}")))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|err| input(folder, format!("cannot be read: {err}")))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(name) = name.and_then(|name| name.strip_suffix(GOLD)) {
            found.push((name.to_owned(), path.clone()));
        }
    }
    found.sort();
    match found.is_empty() {
        true => Err(input(folder, format!("holds no file *{GOLD}"))),
        false => Ok(found),
    }
}

fn description(gold: &Path) -> Result<PathBuf, CliError> {
    let path = gold.to_string_lossy();
    let stem = path.strip_suffix(GOLD).unwrap_or(&path);
    let candidates = ["md", "txt"].map(|ending| PathBuf::from(format!("{stem}.{ending}")));
    let found = candidates.into_iter().find(|file| file.is_file());
    found
        .ok_or_else(|| input(gold, "has no description beside it, neither .md nor .txt".to_owned()))
}

fn read(file: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(file).map_err(|err| input(file, format!("cannot be read: {err}")))
}

fn input(place: &Path, message: String) -> CliError {
    let hint = "each description NAME.md needs a file NAME.gold.json beside it";
    let hint = Some(hint.into());
    CliError::from(ServiceError::Input { place: path_text(place), message, hint })
}
