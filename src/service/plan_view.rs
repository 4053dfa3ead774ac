//! The result of planning a description, as JSON.

use serde::Serialize;
use serde_json::Value;

use super::change::Committed;
use super::plan::Preview;
use crate::domain::id::TaskId;
use crate::domain::key::{ProjectKey, TaskKey};
use crate::domain::state::ProjectState;
use crate::exchange::patchset::Request;
use crate::planning::explicit::Account;
use crate::planning::plan::Plan;
use crate::planning::replan::report::Item;

/// The plan of a description, its changes, and the patch set that makes them.
#[derive(Debug, Serialize)]
pub struct PlanView<'p> {
    project: Option<&'p ProjectKey>,
    is_new: bool,
    applied: bool,
    seq: Option<u64>,
    repeated: bool,
    plan: &'p Plan,
    marks: &'p Account,
    report: ReportView<'p>,
    patch_set: Value,
}

#[derive(Debug, Serialize)]
struct ReportView<'p> {
    items: &'p [Item],
    rows: Vec<RowView<'p>>,
    shifted: usize,
    unchanged: usize,
}

/// A row of the plan with its task.
#[derive(Debug, Serialize)]
struct RowView<'p> {
    row: &'p str,
    task: Option<&'p TaskKey>,
    id: Option<TaskId>,
}

impl<'p> PlanView<'p> {
    /// Returns the view of a preview, which was committed if `done` is given.
    pub fn of(preview: &'p Preview, done: Option<&Committed>) -> Self {
        let tasks = preview.after.project(preview.project);
        let rows = preview.report.rows.iter().map(|row| RowView {
            row: &row.key,
            task: row.task.and_then(|id| tasks?.task(id)).map(|task| &task.key),
            id: row.task,
        });
        Self {
            project: tasks.and_then(ProjectState::project).map(|project| &project.key),
            is_new: preview.is_new,
            applied: done.is_some(),
            seq: done.map(|done| done.seq),
            repeated: done.is_some_and(|done| done.repeated),
            plan: &preview.plan,
            marks: &preview.marks,
            report: ReportView {
                items: &preview.report.items,
                rows: rows.collect(),
                shifted: preview.report.shifted,
                unchanged: preview.report.unchanged,
            },
            patch_set: Request::of_set(&preview.set).to_json(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::plan::PlanRequest;
    use crate::service::testing::{author, service};
    use serde_json::json;

    #[tokio::test]
    async fn a_plan_names_its_tasks_and_the_patch_set_that_makes_it() {
        let service = service();
        let text = "# Ledger\n\n- Build the reader (2d)\n- Test the reader (1d)\n".to_owned();
        let request =
            PlanRequest { source: Some("a.md".to_owned()), text, ..PlanRequest::default() };
        let view =
            json!(PlanView::of(&service.plan(&request, &author(&service)).await.unwrap(), None));
        let names = ["is_new", "applied", "seq", "repeated"].map(|name| view[name].clone());
        assert_eq!(names, [json!(true), json!(false), json!(null), json!(false)]);
        let set = Request::from_json(&view["patch_set"]).unwrap();
        assert!(set.patches.len() > 2 && set.id.is_some(), "{set:?}");
        assert_eq!(view["patch_set"]["reason"], json!("plan of a.md"));

        let (preview, done) = service.apply_plan(&request, &author(&service)).await.unwrap();
        let view = json!(PlanView::of(&preview, done.as_ref()));
        assert_eq!((&view["applied"], &view["seq"]), (&json!(true), &json!(2)));
        let row = &view["report"]["rows"][1];
        assert_eq!(row["row"], view["plan"]["nodes"][1]["key"]);
        let task = service.show_task(row["task"].as_str().unwrap(), None).await.unwrap();
        assert_eq!(row["id"], json!(task.view.view.task.id));
        assert_eq!(view["project"], json!(task.view.view.project));
    }
}
