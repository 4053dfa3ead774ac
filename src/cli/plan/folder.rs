//! Plans every description in a folder, each as if it were named on its own.

use std::collections::BTreeMap;

use serde_json::{Value, json};

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
        files.push(app.service.plan_file(name, text, writes, &request_by(&app)).await?);
    }
    app.close().await;
    reply(&PlannedFolder { folder: folder.to_owned(), applied: writes, files })
}

fn reply(planned: &PlannedFolder) -> Result<Reply, CliError> {
    let FileCounts { new, changed, unchanged, failed } = planned.counts();
    let (json, text) = (whole(planned), text(planned));
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

/// Returns the result as JSON, with the errors in the words of the command line.
fn whole(planned: &PlannedFolder) -> Value {
    let mut json = json!(planned);
    for (index, file) in planned.files.iter().enumerate() {
        if let FileOutcome::Failed(failure) = &file.outcome {
            let json = &mut json["files"][index];
            json["message"] = error_text(&failure.0).into();
            json["hint"] = failure.0.hint().as_ref().map(hint_text).into();
        }
    }
    json
}

fn error_text(err: &ServiceError) -> String {
    match err {
        ServiceError::Refused(violations) => {
            violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        }
        err => service_message(err),
    }
}

fn text(planned: &PlannedFolder) -> String {
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

fn row(file: &PlannedFile, is_applied: bool) -> Vec<String> {
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
fn words(outcome: &FileOutcome) -> (&'static str, String) {
    match outcome {
        FileOutcome::Unchanged => ("as it was", String::new()),
        FileOutcome::ProjectDeleted => {
            ("deleted", "none; lakeplan plan of the file alone creates it again".to_owned())
        }
        FileOutcome::New(tasks) => ("new", numbers(tasks)),
        FileOutcome::Changed(tasks) => ("changed", numbers(tasks)),
        FileOutcome::Failed(failure) => ("failed", error_text(&failure.0)),
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
