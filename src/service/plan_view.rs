//! The result of planning a description, as JSON.

use serde::Serialize;
use serde_json::Value;

use super::change::Committed;
use super::plan::Preview;
use crate::domain::id::TaskId;
use crate::domain::key::{ProjectKey, TaskKey};
use crate::domain::state::ProjectState;
use crate::exchange::patchset::Request;
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
