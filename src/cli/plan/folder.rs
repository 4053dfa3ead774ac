//! Plans every description in a folder, each as if it were named on its own.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use super::super::context::request_by;
use super::super::error::service_message;
use super::super::hint::hint_text;
use super::super::reply::{count, table_without_empty_columns};
use super::super::{CliError, Context, Reply};
use crate::service::ServiceError;
use crate::service::plan_folder::{
    FileCounts, FileOutcome, PlannedFile, PlannedFolder, TaskChanges,
};
use crate::store::location::read_only_dir::Folder;

const ENDINGS: &[&str] = &[".md", ".markdown", ".txt"];

/// Reason for which a description cannot be planned.
#[derive(Debug, Serialize)]
struct Failure {
    message: String,
    hint: Option<String>,
}

pub async fn run(folder: &str, writes: bool, context: &Context) -> Result<Reply, CliError> {
    let descriptions = Folder::open(folder)?;
    let listed = descriptions.files(ENDINGS).await?;
    let app = context.open().await?;
    let mut files = Vec::with_capacity(listed.len());
    for file in &listed {
        // Named so that `lakeplan plan FOLDER/FILE` finds the same project.
        let name = match folder {
            "." => file.path().to_owned(),
            folder => format!("{folder}/{}", file.path()),
        };
        let text = descriptions.read(file).await?.map(|text| text.to_vec());
        let planned = app.service.plan_file(name, text, writes, &request_by(&app)).await?;
        files.push(planned.map_failure(|err| Failure::of(&err)));
    }
    app.shutdown().await;
    reply(&PlannedFolder { folder: folder.to_owned(), applied: writes, files })
}

impl Failure {
    fn of(err: &ServiceError) -> Self {
        let joined = |parts: Vec<String>| parts.join("; ");
        let message = match err {
            ServiceError::Refused(violations) => {
                joined(violations.iter().map(ToString::to_string).collect())
            }
            ServiceError::InvalidPlan { problems, .. } => {
                let problems = problems.iter().map(ToString::to_string);
                joined(std::iter::once(service_message(err)).chain(problems).collect())
            }
            err => service_message(err),
        };
        Self { message, hint: err.hint().map(|hint| hint_text(&hint).into_owned()) }
    }
}

fn reply(planned: &PlannedFolder<Failure>) -> Result<Reply, CliError> {
    let FileCounts { new, changed, unchanged, failed } = planned.counts();
    let (json, text) = (json!(planned), text(planned));
    if failed > 0 {
        let of = if failed == 1 { "cannot" } else { "could not" };
        return Err(CliError::Partial {
            message: format!("{} {of} be planned; the others were", count(failed, "description")),
            text,
            counts: BTreeMap::from([
                ("new", new),
                ("changed", changed),
                ("unchanged", unchanged),
                ("failed", failed),
            ]),
            answer: json,
        });
    }
    let reply = Reply::new(json, text);
    Ok(reply
        .with_count("new", new)
        .with_count("changed", changed)
        .with_count("unchanged", unchanged))
}

fn text(planned: &PlannedFolder<Failure>) -> String {
    if planned.files.is_empty() {
        return format!(
            "there are no descriptions in {}; their names end in {}\n",
            planned.folder,
            ENDINGS.join(", ")
        );
    }
    let rows = planned.files.iter().map(|file| row(file, planned.applied)).collect();
    let table = table_without_empty_columns(&["description", "project", "", "tasks"], rows);
    let FileCounts { new, changed, unchanged, .. } = planned.counts();
    let mut text = format!(
        "{table}\n\n{}: {new} new, {changed} changed, {unchanged} unchanged",
        count(planned.files.len(), "description")
    );
    if !planned.applied && new + changed > 0 {
        text.push_str("\nnothing is written yet; run with --yes to write");
    }
    text
}

fn row(file: &PlannedFile<Failure>, is_applied: bool) -> Vec<String> {
    let (outcome, mut what) = words(&file.outcome);
    if !file.duplicates.is_empty() {
        let verb = if is_applied { "deleted" } else { "would be deleted" };
        let also = if what.is_empty() { "" } else { "; " };
        what.push_str(&format!(
            "{also}{verb}: {}, planned from the same file",
            file.duplicates.join(", ")
        ));
    }
    vec![file.file.clone(), file.project.clone(), outcome.to_owned(), what]
}

/// Returns an outcome and its detail as text.
fn words(outcome: &FileOutcome<Failure>) -> (&'static str, String) {
    match outcome {
        FileOutcome::Unchanged => ("as it was", String::new()),
        FileOutcome::ProjectDeleted => {
            ("deleted", "none; lakeplan plan of the file alone creates it again".to_owned())
        }
        FileOutcome::New(tasks) => ("new", numbers(tasks)),
        FileOutcome::Changed(tasks) => ("changed", numbers(tasks)),
        FileOutcome::Failed(failure) => ("failed", failure.message.clone()),
    }
}

fn numbers(tasks: &TaskChanges) -> String {
    let numbers = [
        (tasks.created, "created"),
        (tasks.changed, "changed"),
        (tasks.moved, "moved"),
        (tasks.deleted, "deleted"),
    ];
    let stated = numbers.into_iter().filter(|(number, _)| *number > 0);
    stated.map(|(number, word)| format!("{number} {word}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::violation::{Rule, Violation};

    #[test]
    fn a_refusal_states_every_violation() {
        let violations = ["one", "two"].map(|message| Violation::new(0, Rule::Shape, message));
        let expected = violations.each_ref().map(ToString::to_string).join("; ");
        let failure = Failure::of(&ServiceError::Refused(violations.to_vec()));
        assert_eq!((failure.message, failure.hint), (expected, None));
    }
}
