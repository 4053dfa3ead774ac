//! The views, whose SQL lives in `schemas/views` in the dialect that DataFusion and Databricks SQL share: no JSON
//! functions, no unnest, no recursion, no now(). "Today" is the one-row view `clock`, and so is now.

/// A view: its name, and a SELECT whose first line says what it shows.
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

/// Every view, those that others read first. A new view is its file and its line here.
pub const VIEWS: &[View] = views![
    "portfolio",
    "open_work",
    "workload_by_project",
    "workload",
    "overdue",
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
    /// What the view shows, in a sentence.
    pub fn doc(&self) -> &'static str {
        self.sql.lines().next().map_or("", |line| line.trim_start_matches("--").trim())
    }
}
