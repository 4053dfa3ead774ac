//! What the sections on the plan show: burn-up, workload, and words for tasks and projects.

use std::cmp::Reverse;

use chrono::NaiveDate;

use super::super::chart::{self, Bar, Chart};
use super::super::trend::{Day, together};
use super::super::{Person, Project, Report, Risk, format};
use crate::analytics::AnalyticsError;

/// Maximum number of burn-up charts of single projects.
pub const CHARTS: usize = 12;
/// Maximum number of bars for people.
const PEOPLE: usize = 15;

impl Project {
    pub fn remaining_work(&self) -> String {
        match (self.remaining_minutes, self.tasks - self.completed) {
            _ if self.tasks == 0 => "–".to_owned(),
            (0, open) if open > 0 => "not estimated".to_owned(),
            (minutes, _) => format::effort(&minutes),
        }
    }
}

impl Risk {
    /// Words the reason.
    pub fn why(&self, today: &NaiveDate) -> String {
        match (self.reason.as_str(), self.due_date) {
            ("overdue", Some(due)) => {
                format!("{} overdue", format::count(&(*today - due).num_days(), "day"))
            }
            ("due_soon", Some(due)) => {
                format!("due {}, not started", format::from_today(&due, today))
            }
            ("over_estimate", _) => {
                let spent = format::effort(&self.actual_minutes.unwrap_or(0));
                let most = self.estimate_high.or(self.estimate_likely).unwrap_or(0);
                format!("{spent} logged, estimate at most {}", format::effort(&most))
            }
            (reason, _) => format::words(reason),
        }
    }
}

impl Person {
    /// Whether this is the work that is assigned to nobody.
    pub fn is_nobody(&self) -> bool {
        self.assignee == "nobody"
    }
}

pub struct BurnUpFigure {
    /// Empty if the report has only one project.
    pub heading: String,
    pub chart: Chart,
    pub days: Vec<Day>,
}

/// Returns the burn-up of all projects together, and of those with the latest activity.
pub fn burn_up(report: &Report) -> Result<Vec<BurnUpFigure>, AnalyticsError> {
    let is_single = report.burn_up.len() <= 1;
    let mut burn_ups = Vec::new();
    if !is_single {
        burn_ups.push(("All projects".to_owned(), together(&report.burn_up)));
    }
    let mut latest: Vec<&Project> = report.projects.iter().collect();
    latest.sort_by_key(|of| Reverse(of.last_activity));
    for of in latest.into_iter().take(CHARTS) {
        if let Some(found) = report.burn_up.iter().find(|found| found.project == of.project) {
            let heading = if is_single { String::new() } else { of.name.clone() };
            burn_ups.push((heading, found.days.clone()));
        }
    }
    burn_ups.into_iter().filter(|(_, days)| !days.is_empty()).map(BurnUpFigure::of).collect()
}

impl BurnUpFigure {
    fn of((heading, days): (String, Vec<Day>)) -> Result<Self, AnalyticsError> {
        let name = if heading.is_empty() { "Burn-up" } else { heading.as_str() };
        Ok(Self { chart: chart::steps(name, burned(&days), &days)?, heading, days })
    }
}

/// Words what the burn-up of these days shows.
fn burned(days: &[Day]) -> String {
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return String::new() };
    let mut says = format!(
        "{} of {} done.",
        format::thousands(&last.completed),
        format::count(&last.scope, "task")
    );
    if first.day < last.day {
        says.push_str(&format!(
            " Since {}: {} done, scope {}.",
            format::date(&first.day),
            format::thousands(&(last.completed - first.completed)),
            format::signed(&(last.scope - first.scope))
        ));
    }
    says
}

pub fn workload(report: &Report) -> Result<Option<Chart>, AnalyticsError> {
    if report.workload.is_empty() {
        return Ok(None);
    }
    let total: i64 = report.workload.iter().map(|person| person.remaining_minutes).sum();
    let by_effort = report.workload.iter().any(|person| person.remaining_minutes > 0);
    let bars: Vec<Bar> =
        report.workload.iter().take(PEOPLE).map(|person| bar(person, by_effort)).collect();
    let mut says = if by_effort {
        format!("Remaining open work by person: {} in total.", format::effort(&total))
    } else {
        "No open task has an estimate, so the chart shows the number of open tasks by person."
            .to_owned()
    };
    if report.workload.len() > PEOPLE {
        says.push_str(&format!(
            " The chart shows the {PEOPLE} people with the most work, out of {}.",
            format::thousands(&(report.workload.len() as i64))
        ));
    }
    chart::rows("Open work by person", says, &bars).map(Some)
}

fn bar(person: &Person, by_effort: bool) -> Bar {
    let tasks = format::count(&person.tasks, "task");
    let name = match person.is_nobody() {
        true => "Unassigned".to_owned(),
        false => format!("@{}", person.assignee),
    };
    let (value, label) = if by_effort {
        let mut label = format!("{}, {tasks}", format::effort(&person.remaining_minutes));
        if person.without_estimate > 0 {
            label.push_str(&format!(", {} without an estimate", person.without_estimate));
        }
        (person.remaining_minutes, label)
    } else {
        (person.tasks, tasks)
    };
    Bar { name, value: value as f64, label, partial: person.is_nobody() }
}
