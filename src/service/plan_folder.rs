//! Plans the descriptions of a folder, each as if it were named on its own.
//!
//! `E` is the error of a description that cannot be planned, in the form that an interface returns.

use serde::Serialize;

use super::plan::{PlanRequest, PlanStatus, Preview};
use super::{RequestContext, Service, ServiceError};
use crate::domain::record::Entity;
use crate::domain::state::ProjectState;
use crate::planning::planner::PlannerError;
use crate::planning::replan::report::Mark;

/// Results for all descriptions of a folder.
#[derive(Debug, Serialize)]
pub struct PlannedFolder<E> {
    pub folder: String,
    /// Whether the plans were written. In a dry run, the results are what would happen.
    pub applied: bool,
    pub files: Vec<PlannedFile<E>>,
}

/// Result for one description.
#[derive(Debug, Serialize)]
pub struct PlannedFile<E> {
    pub file: String,
    /// Key of the project; empty if the description cannot be planned.
    pub project: String,
    #[serde(flatten)]
    pub outcome: FileOutcome<E>,
    /// Keys of other projects of the same description in which nobody worked. They are deleted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub duplicates: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "outcome")]
pub enum FileOutcome<E> {
    /// The project already matches the description.
    #[serde(rename = "as it was")]
    Unchanged,
    /// The project was deleted. The description does not restore it.
    #[serde(rename = "deleted")]
    ProjectDeleted,
    /// A new project.
    #[serde(rename = "new")]
    New(TaskChanges),
    #[serde(rename = "changed")]
    Changed(TaskChanges),
    /// The description cannot be planned; the others can.
    #[serde(rename = "failed")]
    Failed(E),
}

/// Numbers of changed tasks, and the seq of the commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskChanges {
    pub seq: Option<u64>,
    #[serde(skip_serializing_if = "is_zero")]
    pub created: usize,
    #[serde(skip_serializing_if = "is_zero")]
    pub changed: usize,
    #[serde(skip_serializing_if = "is_zero")]
    pub moved: usize,
    #[serde(skip_serializing_if = "is_zero")]
    pub deleted: usize,
}

/// Numbers of descriptions by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileCounts {
    pub new: usize,
    pub changed: usize,
    pub unchanged: usize,
    pub failed: usize,
}

impl Service {
    /// Plans one description, or fails for a reason that is unrelated to it. `text` is `None` if
    /// the file was deleted since it was listed.
    pub async fn plan_file(
        &self,
        file: String,
        text: Option<Vec<u8>>,
        writes: bool,
        context: &RequestContext,
    ) -> Result<PlannedFile<ServiceError>, ServiceError> {
        let mut duplicates = Vec::new();
        let planned = self.plan_named(&file, text, writes, context, &mut duplicates).await;
        let (project, outcome) = match planned {
            Err(
                err @ (ServiceError::Refused(_)
                | ServiceError::Conflicted { .. }
                | ServiceError::NoWork { .. }
                | ServiceError::Input { .. }
                | ServiceError::Parameter { .. }
                | ServiceError::InvalidPlan { .. }
                | ServiceError::Planner(
                    PlannerError::Refused { .. } | PlannerError::NoPlan { .. },
                )
                | ServiceError::NotFound { .. }),
            ) => (String::new(), FileOutcome::Failed(err)),
            done => done?,
        };
        Ok(PlannedFile { file, project, outcome, duplicates })
    }

    /// Returns the project and the outcome. Duplicates are stated even if planning fails later.
    async fn plan_named(
        &self,
        file: &str,
        text: Option<Vec<u8>>,
        writes: bool,
        context: &RequestContext,
        duplicates: &mut Vec<String>,
    ) -> Result<(String, FileOutcome<ServiceError>), ServiceError> {
        let text = text.ok_or_else(|| ServiceError::input(file, "is not there any more"))?;
        let request =
            PlanRequest { source: Some(file.to_owned()), ..PlanRequest::read(file, text)? };
        if let Some(found) = self.delete_duplicates(&request, writes, context).await? {
            *duplicates = found.deleted;
            if !writes {
                return Ok((found.kept, FileOutcome::Unchanged));
            }
        }
        match self.standing(&request).await? {
            PlanStatus::UpToDate(key) => return Ok((key, FileOutcome::Unchanged)),
            PlanStatus::ProjectDeleted(key) => return Ok((key, FileOutcome::ProjectDeleted)),
            PlanStatus::NeedsPlanning => {}
        }
        let (preview, done) = match writes {
            true => self.apply_plan(&request, context).await?,
            false => (self.plan(&request, context).await?, None),
        };
        let key = preview.after.project(preview.project).and_then(ProjectState::project);
        let key = key.map(|project| project.key.to_string()).unwrap_or_default();
        Ok((key, FileOutcome::of(&preview, done.map(|done| done.seq))))
    }
}

impl<E> PlannedFolder<E> {
    pub fn counts(&self) -> FileCounts {
        self.files.iter().fold(FileCounts::default(), |mut counts, file| {
            *match &file.outcome {
                FileOutcome::Unchanged | FileOutcome::ProjectDeleted => &mut counts.unchanged,
                FileOutcome::New(_) => &mut counts.new,
                FileOutcome::Changed(_) => &mut counts.changed,
                FileOutcome::Failed(_) => &mut counts.failed,
            } += 1;
            counts
        })
    }
}

impl PlannedFile<ServiceError> {
    /// Converts the error of a description that cannot be planned.
    pub fn map_failure<E>(self, convert: impl FnOnce(ServiceError) -> E) -> PlannedFile<E> {
        let outcome = match self.outcome {
            FileOutcome::Unchanged => FileOutcome::Unchanged,
            FileOutcome::ProjectDeleted => FileOutcome::ProjectDeleted,
            FileOutcome::New(tasks) => FileOutcome::New(tasks),
            FileOutcome::Changed(tasks) => FileOutcome::Changed(tasks),
            FileOutcome::Failed(err) => FileOutcome::Failed(convert(err)),
        };
        let Self { file, project, duplicates, .. } = self;
        PlannedFile { file, project, outcome, duplicates }
    }
}

impl<E> FileOutcome<E> {
    fn of(preview: &Preview, seq: Option<u64>) -> Self {
        if preview.set.patches.is_empty() {
            return Self::Unchanged;
        }
        let of = |mark| preview.report.count(mark, Entity::Task);
        let tasks = TaskChanges {
            seq,
            created: of(Mark::New),
            changed: of(Mark::Changed),
            moved: of(Mark::Moved),
            deleted: of(Mark::Gone),
        };
        if preview.is_new { Self::New(tasks) } else { Self::Changed(tasks) }
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::testing::{author, service};
    use serde_json::{Value, json};

    fn file(outcome: FileOutcome<Value>, duplicates: &[&str]) -> PlannedFile<Value> {
        let duplicates = duplicates.iter().map(|key| (*key).to_owned()).collect();
        PlannedFile { file: "a.md".to_owned(), project: "PAY".to_owned(), outcome, duplicates }
    }

    fn changes(seq: Option<u64>) -> TaskChanges {
        TaskChanges { seq, created: 2, changed: 0, moved: 1, deleted: 0 }
    }

    #[test]
    fn a_file_states_its_outcome_and_only_the_changes_that_it_makes() {
        let of = |outcome| json!(file(outcome, &[]));
        let base = |outcome: &str| json!({"file": "a.md", "project": "PAY", "outcome": outcome});
        assert_eq!(of(FileOutcome::Unchanged), base("as it was"));
        assert_eq!(of(FileOutcome::ProjectDeleted), base("deleted"));
        let mut new = base("new");
        new["seq"] = json!(null);
        new["created"] = json!(2);
        new["moved"] = json!(1);
        assert_eq!(of(FileOutcome::New(changes(None))), new);
        let mut changed = new;
        changed["outcome"] = json!("changed");
        changed["seq"] = json!(7);
        assert_eq!(of(FileOutcome::Changed(changes(Some(7)))), changed);
        let mut failed = base("failed");
        failed["message"] = json!("is empty");
        assert_eq!(of(FileOutcome::Failed(json!({"message": "is empty"}))), failed);
        let duplicates = json!(file(FileOutcome::Unchanged, &["OLD"]))["duplicates"].clone();
        assert_eq!(duplicates, json!(["OLD"]));
    }

    #[test]
    fn files_are_counted_by_outcome() {
        let failed = || FileOutcome::Failed(json!({}));
        let outcomes = [
            FileOutcome::Unchanged,
            FileOutcome::ProjectDeleted,
            FileOutcome::New(changes(None)),
            FileOutcome::Changed(changes(None)),
            FileOutcome::Changed(changes(None)),
            FileOutcome::Changed(changes(None)),
            failed(),
            failed(),
            failed(),
            failed(),
        ];
        let files = outcomes.into_iter().map(|outcome| file(outcome, &[])).collect();
        let folder = PlannedFolder { folder: ".".to_owned(), applied: false, files };
        let expected = FileCounts { new: 1, changed: 3, unchanged: 2, failed: 4 };
        assert_eq!(folder.counts(), expected);
    }

    #[tokio::test]
    async fn a_description_is_new_then_unchanged_then_changed() {
        let service = service();
        let plan = async |text: Option<&str>, writes| {
            let text = text.map(|text| text.as_bytes().to_vec());
            let planned = service
                .plan_file("f/a.md".to_owned(), text, writes, &author(&service))
                .await
                .unwrap();
            json!(planned.map_failure(|err| json!({"message": err.to_string()})))
        };
        let text = "# Ledger\n\n- Build the reader\n- Test the reader\n";
        let dry = plan(Some(text), false).await;
        assert_eq!((&dry["outcome"], &dry["seq"]), (&json!("new"), &json!(null)));
        let written = plan(Some(text), true).await;
        assert_eq!((&written["outcome"], &written["seq"]), (&json!("new"), &json!(2)));
        assert_eq!((&written["created"], &written["file"]), (&json!(2), &json!("f/a.md")));
        assert_eq!(plan(Some(text), true).await["outcome"], json!("as it was"));
        let more = plan(Some(&format!("{text}- Ship the reader\n")), true).await;
        assert_eq!((&more["outcome"], &more["created"]), (&json!("changed"), &json!(1)));
        let gone = plan(None, true).await;
        assert_eq!((&gone["outcome"], &gone["project"]), (&json!("failed"), &json!("")));
        assert_eq!(gone["message"], json!("f/a.md: is not there any more"));
    }
}
