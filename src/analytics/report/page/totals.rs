//! Key figures over all projects of the report.

use super::super::{Project, Report, format};

pub struct Totals {
    pub tasks: i64,
    pub completed: i64,
    pub overdue: i64,
    pub remaining: i64,
    /// Tasks without an estimate, open or not.
    pub not_estimated: i64,
    /// Open tasks without an estimate.
    pub without_estimate: i64,
    /// Tasks at risk that are not overdue.
    pub others_at_risk: i64,
    /// Share of the work that is done; `None` if there is no task.
    progress: Option<f64>,
}

impl Totals {
    pub fn of(report: &Report) -> Self {
        let sum = |of: fn(&Project) -> i64| report.projects.iter().map(of).sum::<i64>();
        let (tasks, completed) = (sum(|of| of.tasks), sum(|of| of.completed));
        Self {
            tasks,
            completed,
            overdue: sum(|of| of.overdue),
            remaining: sum(|of| of.remaining_minutes),
            not_estimated: sum(|of| of.without_estimate),
            without_estimate: report.workload.iter().map(|person| person.without_estimate).sum(),
            others_at_risk: report.at_risk.iter().filter(|task| task.reason != "overdue").count()
                as i64,
            progress: match report.projects.as_slice() {
                [only] => only.progress,
                _ => (tasks > 0).then(|| completed as f64 / tasks as f64),
            },
        }
    }

    pub fn done(&self) -> String {
        self.progress.map_or_else(|| "–".to_owned(), |share| format::percent(&share))
    }
}
