//! The numbers of the report.

use chrono::NaiveDate;
use serde::Serialize;

use super::accuracy::Accuracy;
use super::rows::{
    Change, CommandRuns, Covered, Fold, Person, Project, Risk, Run, StatusChange, TableSize,
};
use super::trend::{BurnUp, Week};
use crate::domain::time::Instant;

/// All numbers of the report.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub lake: String,
    pub as_of: Instant,
    /// Sequence number of the last change in it.
    pub seq: i64,
    pub today: NaiveDate,
    /// First day that the charts show.
    pub since: NaiveDate,
    /// Requested projects; empty means every live one.
    pub asked: Vec<String>,
    #[serde(rename = "lately")]
    pub recent_activity: RecentActivity,
    pub projects: Vec<Project>,
    pub burn_up: Vec<BurnUp>,
    pub workload: Vec<Person>,
    pub accuracy: Accuracy,
    pub velocity: Vec<Week>,
    pub at_risk: Vec<Risk>,
    pub requirements: Vec<Covered>,
    pub operations: Operations,
}

/// Changes of the last days.
#[derive(Clone, Debug, Serialize)]
pub struct RecentActivity {
    pub since: NaiveDate,
    /// Number of tasks that entered the scope, minus those that left it.
    pub scope: i64,
    /// Number of tasks completed, minus those reopened.
    pub completed: i64,
    /// Last status changes, latest first.
    pub status_changes: Vec<StatusChange>,
}

/// State of the lake itself.
#[derive(Clone, Debug, Serialize)]
pub struct Operations {
    pub fold: Option<Fold>,
    pub tables: Vec<TableSize>,
    /// Last runs, latest first.
    pub runs: Vec<Run>,
    /// Runs since the first day of the charts, by command.
    pub commands: Vec<CommandRuns>,
    /// Last patch sets, latest first.
    pub changes: Vec<Change>,
}
