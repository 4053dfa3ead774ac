//! Rows of the views, as the report reads and shows them.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::time::Instant;

#[derive(Clone, Debug, Default, Deserialize)]
pub struct Clock {
    pub today: NaiveDate,
    pub now: Instant,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct Count {
    pub n: i64,
}

/// Project, from the view `portfolio`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Project {
    pub project: String,
    pub name: String,
    pub status: String,
    pub tasks: i64,
    pub completed: i64,
    pub in_progress: i64,
    pub blocked: i64,
    pub overdue: i64,
    pub without_estimate: i64,
    pub likely_minutes: i64,
    pub completed_minutes: i64,
    pub remaining_minutes: i64,
    /// From 0 to 1; `None` if there is no task.
    pub progress: Option<f64>,
    pub next_due: Option<NaiveDate>,
    pub last_due: Option<NaiveDate>,
    pub last_activity: Instant,
}

/// Day on which the scope or the completed tasks of a project changed, from the view `burn_up`.
#[derive(Clone, Debug, Deserialize)]
pub struct BurnUpDay {
    pub project: String,
    pub day: NaiveDate,
    pub scope: i64,
    pub completed: i64,
}

/// Open work of one person, from the view `workload_by_project`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Person {
    pub assignee: String,
    pub tasks: i64,
    pub in_progress: i64,
    pub likely_minutes: i64,
    pub remaining_minutes: i64,
    pub without_estimate: i64,
    pub first_due: Option<NaiveDate>,
}

/// Completed task with an estimate, from the view `planning_accuracy`.
#[derive(Clone, Debug, Deserialize)]
pub struct Accurate {
    pub estimate_likely: i64,
    pub actual_minutes: i64,
    pub actual_source: String,
    pub ratio: f64,
    pub within_range: Option<i64>,
}

/// Completed tasks of a week, from the view `velocity`.
#[derive(Clone, Debug, Deserialize)]
pub struct Velocity {
    pub week: NaiveDate,
    pub tasks: i64,
    pub likely_minutes: i64,
    pub logged_minutes: i64,
}

/// Task from the view `at_risk`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Risk {
    pub project: String,
    pub task: String,
    pub title: String,
    pub status: String,
    pub assignee: Option<String>,
    pub due_date: Option<NaiveDate>,
    pub estimate_likely: Option<i64>,
    pub estimate_high: Option<i64>,
    pub actual_minutes: Option<i64>,
    pub reason: String,
}

/// Requirement, from the view `requirement_coverage`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Covered {
    pub project: String,
    pub requirement: String,
    pub text: String,
    pub source: Option<String>,
    pub source_line: Option<i64>,
    pub tasks: i64,
    pub completed: i64,
    pub coverage: String,
}

/// Status change of a task, from the view `status_changes`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct StatusChange {
    pub project: String,
    pub task: String,
    pub title: String,
    pub from_value: String,
    pub to_value: Option<String>,
    pub at: Instant,
    pub actor: String,
    pub seq: i64,
}

/// Effect of one patch set on one kind of record, from the view `audit`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Change {
    pub seq: i64,
    pub at: Instant,
    pub actor: String,
    pub source: String,
    pub reason: Option<String>,
    pub op: String,
    pub entity: String,
    pub project: Option<String>,
    pub changes: i64,
}

/// Position up to which the tables are folded, from the view `lag`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Fold {
    pub seq: i64,
    pub head_seq: i64,
    pub sets_behind: i64,
    pub age_minutes: i64,
}

/// Table, from the view `latest_table_state`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct TableSize {
    pub table_name: String,
    pub at: Instant,
    pub files: i64,
    pub bytes: Option<i64>,
    pub version: i64,
}

/// Command that changed the lake, from the view `run_log`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Run {
    pub run_id: String,
    pub started_at: Instant,
    pub duration_ms: i64,
    pub command: String,
    pub actor: String,
    pub seq: i64,
    pub version: String,
}

/// Runs of one command.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct CommandRuns {
    pub command: String,
    pub runs: i64,
    pub median_ms: i64,
    pub longest_ms: i64,
}
