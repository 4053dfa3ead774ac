//! Plans every description in a folder, each as if it were named on its own.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::context::request_by;
use super::super::error::service_message;
use super::super::hint::hint_text;
use super::super::reply::{count, table_without_empty_columns};
use super::super::{CliError, Context, Reply};
use crate::app::App;
use crate::domain::record::Entity;
use crate::domain::state::ProjectState;
use crate::planning::replan::report::Mark;
use crate::service::ServiceError;
use crate::service::plan::{PlanRequest, PlanStatus, Preview};
use crate::store::location::read_only_dir::{Folder, Listed};

const ENDINGS: &[&str] = &[".md", ".markdown", ".txt"];

/// Result for one file.
struct Planned {
    file: String,
    project: String,
    outcome: Outcome,
    /// Other projects of the same file in which nobody worked. They are deleted; in a dry run, they
    /// would be.
    duplicates: Vec<String>,
}

enum Outcome {
    /// The project already matches the file.
    Unchanged,
    /// The project was deleted. The file does not restore it.
    Deleted,
    /// The changes, and the seq of their commit.
    Changes { is_new: bool, tasks: Vec<(&'static str, usize)>, seq: Option<u64> },
    /// The file cannot be planned; the others can.
    Failed(ServiceError),
}

pub async fn run(folder: &str, writes: bool, context: &Context) -> Result<Reply, CliError> {
    let descriptions = Folder::open(folder)?;
    let files = descriptions.files(ENDINGS).await?;
    let app = context.open().await?;
    let mut done = Vec::with_capacity(files.len());
    for file in &files {
        done.push(plan(&app, folder, &descriptions, file, writes).await?);
    }
    app.close().await;
    rendered(folder, &done, writes)
}

/// Plans one file. An error is unrelated to the file and stops the run.
async fn plan(
    app: &App,
    folder: &str,
    descriptions: &Folder,
    file: &Listed,
    writes: bool,
) -> Result<Planned, ServiceError> {
    let (service, author) = (&app.service, request_by(app));
    // Named so that `lakeplan plan FOLDER/FILE` finds the same project.
    let name =
        if folder == "." { file.path().to_owned() } else { format!("{folder}/{}", file.path()) };
    let mut duplicates = Vec::new();
    let tried: Result<(String, Outcome), ServiceError> = async {
        // The file may have been deleted since it was listed.
        let Some(bytes) = descriptions.read(file).await? else {
            return Err(ServiceError::input(&name, "is not there any more"));
        };
        let request =
            PlanRequest { source: Some(name.clone()), ..PlanRequest::read(&name, bytes.to_vec())? };
        if let Some(found) = service.delete_duplicates(&request, writes, &author).await? {
            duplicates = found.deleted;
            if !writes {
                return Ok((found.kept, Outcome::Unchanged));
            }
        }
        match service.standing(&request).await? {
            PlanStatus::UpToDate(key) => return Ok((key, Outcome::Unchanged)),
            PlanStatus::ProjectDeleted(key) => return Ok((key, Outcome::Deleted)),
            PlanStatus::NeedsPlanning => {}
        }
        let (preview, done) = match writes {
            true => service.apply_plan(&request, &author).await?,
            false => (service.plan(&request, &author).await?, None),
        };
        let key = preview.after.project(preview.project).and_then(ProjectState::project);
        let key = key.map(|project| project.key.to_string()).unwrap_or_default();
        Ok((key, changes(&preview, done.map(|done| done.seq))))
    }
    .await;
    let (project, outcome) = match tried {
        Err(
            err @ (ServiceError::Refused(_)
            | ServiceError::Conflicted { .. }
            | ServiceError::Input { .. }
            | ServiceError::NotFound { .. }),
        ) => (String::new(), Outcome::Failed(err)),
        done => done?,
    };
    Ok(Planned { file: name, project, outcome, duplicates })
}

fn changes(preview: &Preview, seq: Option<u64>) -> Outcome {
    if preview.set.patches.is_empty() {
        return Outcome::Unchanged;
    }
    let tasks = [
        (Mark::New, "created"),
        (Mark::Changed, "changed"),
        (Mark::Moved, "moved"),
        (Mark::Gone, "deleted"),
    ];
    let tasks = tasks.map(|(mark, word)| (word, preview.report.count(mark, Entity::Task)));
    Outcome::Changes {
        is_new: preview.is_new,
        tasks: tasks.into_iter().filter(|(_, number)| *number > 0).collect(),
        seq,
    }
}

fn rendered(folder: &str, done: &[Planned], writes: bool) -> Result<Reply, CliError> {
    let of = |wanted: fn(&Outcome) -> bool| {
        done.iter().filter(|planned| wanted(&planned.outcome)).count()
    };
    let new = of(|outcome| matches!(outcome, Outcome::Changes { is_new: true, .. }));
    let changed = of(|outcome| matches!(outcome, Outcome::Changes { is_new: false, .. }));
    let is_kept = |outcome: &Outcome| matches!(outcome, Outcome::Unchanged | Outcome::Deleted);
    let (kept, failed) = (of(is_kept), of(|outcome| matches!(outcome, Outcome::Failed(_))));
    let rows: Vec<Vec<String>> = done
        .iter()
        .map(|planned| {
            let (outcome, mut what) = planned.outcome.words();
            if !planned.duplicates.is_empty() {
                let verb = if writes { "deleted" } else { "would be deleted" };
                let also = if what.is_empty() { "" } else { "; " };
                what.push_str(&format!(
                    "{also}{verb}: {}, planned from the same file",
                    planned.duplicates.join(", ")
                ));
            }
            vec![planned.file.clone(), planned.project.clone(), outcome.to_owned(), what]
        })
        .collect();
    let json = json!({"folder": folder, "applied": writes, "files": done.iter().map(Planned::json).collect::<Vec<_>>()});
    let mut text = match done.is_empty() {
        true => {
            format!(
                "there are no descriptions in {folder}; their names end in {}\n",
                ENDINGS.join(", ")
            )
        }
        false => format!(
            "{}\n\n",
            table_without_empty_columns(&["description", "project", "", "tasks"], rows)
        ),
    };
    if !done.is_empty() {
        text.push_str(&format!(
            "{}: {new} new, {changed} changed, {kept} unchanged",
            count(done.len(), "description")
        ));
        if !writes && new + changed > 0 {
            text.push_str("\nnothing is written yet; run with --yes to write");
        }
    }
    if failed > 0 {
        let of = if failed == 1 { "cannot" } else { "could not" };
        return Err(CliError::Partial {
            message: format!("{} {of} be planned; the others were", count(failed, "description")),
            text,
            counts: BTreeMap::from([
                ("new", new),
                ("changed", changed),
                ("unchanged", kept),
                ("failed", failed),
            ]),
            answer: json,
        });
    }
    let reply = Reply::new(json, text);
    Ok(reply.with_count("new", new).with_count("changed", changed).with_count("unchanged", kept))
}

impl Outcome {
    /// Outcome and detail as text.
    fn words(&self) -> (&'static str, String) {
        match self {
            Self::Unchanged => ("as it was", String::new()),
            Self::Deleted => {
                ("deleted", "none; lakeplan plan of the file alone creates it again".to_owned())
            }
            Self::Changes { is_new, tasks, .. } => {
                let rendered = |(word, number): &(&str, usize)| format!("{number} {word}");
                (
                    if *is_new { "new" } else { "changed" },
                    tasks.iter().map(rendered).collect::<Vec<_>>().join(", "),
                )
            }
            Self::Failed(err) => ("failed", error_text(err)),
        }
    }
}

impl Planned {
    fn json(&self) -> Value {
        let (outcome, _) = self.outcome.words();
        let mut json = json!({"file": self.file, "project": self.project, "outcome": outcome});
        if !self.duplicates.is_empty() {
            json["duplicates"] = json!(self.duplicates);
        }
        match &self.outcome {
            Outcome::Unchanged | Outcome::Deleted => {}
            Outcome::Changes { tasks, seq, .. } => {
                json["seq"] = json!(seq);
                for (word, number) in tasks {
                    json[*word] = json!(number);
                }
            }
            Outcome::Failed(err) => {
                json["message"] = error_text(err).into();
                json["hint"] = err.hint().as_ref().map(hint_text).into();
            }
        }
        json
    }
}

fn error_text(err: &ServiceError) -> String {
    match err {
        ServiceError::Refused(violations) => {
            violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        }
        err => service_message(err),
    }
}
