//! Views, whose SQL is in `schemas/views` in the dialect that DataFusion and Databricks SQL share:
//! no JSON functions, no unnest, no recursion, no now(). The one-row view `clock` provides today
//! and now.

/// View: its name, and a SELECT whose first line describes it.
#[derive(Clone, Copy, Debug)]
pub struct View {
    pub name: &'static str,
    pub sql: &'static str,
}

macro_rules! views {
    ($($name:literal),+ $(,)?) => {
        &[$(View { name: $name, sql: include_str!(concat!("../../schemas/views/", $name, ".sql")) }),+]
    };
}

/// All views, each after those that it reads. A new view needs its file and a line here.
pub const VIEWS: &[View] = views![
    "portfolio",
    "open_work",
    "workload_by_project",
    "workload",
    "overdue",
    "milestones",
    "at_risk",
    "burn_up",
    "burn_up_line",
    "status_over_time",
    "status_changes",
    "cycle_time",
    "planning_accuracy",
    "velocity",
    "requirement_coverage",
    "audit",
    "requests",
    "run_log",
    "agent_runs",
    "latest_table_state",
    "lag",
];

impl View {
    /// Returns a sentence that describes the view.
    pub fn doc(&self) -> &'static str {
        self.sql.lines().next().map_or("", |line| line.trim_start_matches("--").trim())
    }
}
