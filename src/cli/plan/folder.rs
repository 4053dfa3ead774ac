//! Every description of a folder, each planned as if it had been named by itself.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::reply::{count, table_of_said};
use super::super::{CliError, Context, Reply};
use crate::domain::record::Entity;
use crate::domain::state::ProjectState;
use crate::planning::replan::report::Mark;
use crate::service::plan::{PlanRequest, Preview, Standing};
use crate::service::{Service, ServiceError};
use crate::store::folder::{Folder, Listed};

const ENDINGS: &[&str] = &[".md", ".markdown", ".txt"];

/// What became of a file.
struct Planned {
    file: String,
    project: String,
    outcome: Outcome,
    /// Other projects of the same file in which nobody worked; they were deleted, or would be.
    duplicates: Vec<String>,
}

enum Outcome {
    /// Its project says what it says already.
    AsItWas,
    /// Its project was deleted, which a file that still lies there does not take back.
    Deleted,
    /// What it changes, and where that was committed.
    Changes { is_new: bool, tasks: Vec<(&'static str, usize)>, seq: Option<u64> },
    /// It cannot be planned; the others can.
    Failed(ServiceError),
}

pub async fn run(folder: &str, writes: bool, context: &Context) -> Result<Reply, CliError> {
    let descriptions = Folder::open(folder)?;
    let files = descriptions.files(ENDINGS).await?;
    let app = context.open().await?;
    let mut done = Vec::with_capacity(files.len());
    for file in &files {
        done.push(plan(&app.service, folder, &descriptions, file, writes).await?);
    }
    app.close().await;
    told(folder, &done, writes)
}

/// Plans one file. An error is one that says nothing of the file, and stops the run.
async fn plan(
    service: &Service,
    folder: &str,
    descriptions: &Folder,
    file: &Listed,
    writes: bool,
) -> Result<Planned, ServiceError> {
    // Named so that the file by itself, lakeplan plan FOLDER/FILE, finds the same project.
    let name =
        if folder == "." { file.path().to_owned() } else { format!("{folder}/{}", file.path()) };
    let mut duplicates = Vec::new();
    let tried: Result<(String, Outcome), ServiceError> = async {
        // It may have gone since it was listed.
        let Some(bytes) = descriptions.read(file).await? else {
            return Err(ServiceError::input(&name, "is not there any more"));
        };
        let request =
            PlanRequest { source: Some(name.clone()), ..PlanRequest::read(&name, bytes.to_vec())? };
        if let Some(found) = service.end_duplicates(&request, writes).await? {
            duplicates = found.deleted;
            if !writes {
                return Ok((found.kept, Outcome::AsItWas));
            }
        }
        match service.standing(&request).await? {
            Standing::AsItIs(key) => return Ok((key, Outcome::AsItWas)),
            Standing::Deleted(key) => return Ok((key, Outcome::Deleted)),
            Standing::ToPlan => {}
        }
        let (preview, done) = match writes {
            true => service.apply_plan(&request).await?,
            false => (service.plan(&request).await?, None),
        };
        let key = preview.after.project(preview.project).and_then(ProjectState::project);
        let key = key.map(|project| project.key.to_string()).unwrap_or_default();
        Ok((key, changes(&preview, done.map(|done| done.seq))))
    }
    .await;
    let (project, outcome) = match tried {
        Err(
            fault @ (ServiceError::Refused(_)
            | ServiceError::Conflicted { .. }
            | ServiceError::Input { .. }
            | ServiceError::NotFound { .. }),
        ) => (String::new(), Outcome::Failed(fault)),
        done => done?,
    };
    Ok(Planned { file: name, project, outcome, duplicates })
}

fn changes(preview: &Preview, seq: Option<u64>) -> Outcome {
    if preview.set.patches.is_empty() {
        return Outcome::AsItWas;
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

fn told(folder: &str, done: &[Planned], writes: bool) -> Result<Reply, CliError> {
    let of = |wanted: fn(&Outcome) -> bool| {
        done.iter().filter(|planned| wanted(&planned.outcome)).count()
    };
    let new = of(|outcome| matches!(outcome, Outcome::Changes { is_new: true, .. }));
    let changed = of(|outcome| matches!(outcome, Outcome::Changes { is_new: false, .. }));
    let is_kept = |outcome: &Outcome| matches!(outcome, Outcome::AsItWas | Outcome::Deleted);
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
            format!("no description lies in {folder}; their names end in {}\n", ENDINGS.join(", "))
        }
        false => format!("{}\n\n", table_of_said(&["description", "project", "", "tasks"], rows)),
    };
    if !done.is_empty() {
        text.push_str(&format!(
            "{}: {new} new, {changed} changed, {kept} as they were",
            count(done.len(), "description")
        ));
        if !writes && new + changed > 0 {
            text.push_str("\nnothing is written yet; --yes does it");
        }
    }
    if failed > 0 {
        let of = if failed == 1 { "cannot" } else { "could not" };
        return Err(CliError::Partly {
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
    Ok(reply.counting("new", new).counting("changed", changed).counting("unchanged", kept))
}

impl Outcome {
    /// What became of it, and what of it there is to say.
    fn words(&self) -> (&'static str, String) {
        match self {
            Self::AsItWas => ("as it was", String::new()),
            Self::Deleted => {
                ("deleted", "none; lakeplan plan of the file alone begins it anew".to_owned())
            }
            Self::Changes { is_new, tasks, .. } => {
                let told = |(word, number): &(&str, usize)| format!("{number} {word}");
                (
                    if *is_new { "new" } else { "changed" },
                    tasks.iter().map(told).collect::<Vec<_>>().join(", "),
                )
            }
            Self::Failed(fault) => ("failed", fault_text(fault)),
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
            Outcome::AsItWas | Outcome::Deleted => {}
            Outcome::Changes { tasks, seq, .. } => {
                json["seq"] = json!(seq);
                for (word, number) in tasks {
                    json[*word] = json!(number);
                }
            }
            Outcome::Failed(fault) => {
                json["message"] = fault_text(fault).into();
                json["hint"] = fault.hint().into();
            }
        }
        json
    }
}

fn fault_text(fault: &ServiceError) -> String {
    match fault {
        ServiceError::Refused(violations) => {
            violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        }
        fault => fault.to_string(),
    }
}
