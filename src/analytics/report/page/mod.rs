//! Page: a head with the overall state, then a section for each question.
//!
//! The templates in `templates/report` hold the structure and most sentences. This module computes
//! what they show beyond the report itself. A template passes fields by reference, so the functions
//! that it calls take references.

mod lake;
mod listed;
mod plan;
#[cfg(test)]
mod tests;
mod totals;
mod velocity;

use askama::Template;

use self::lake::ChangeSet;
use self::listed::Listed;
use self::plan::BurnUpFigure;
use self::totals::Totals;
use self::velocity::{AccuracyFigure, VelocityFigures};
use super::accuracy::MIN_SAMPLE;
use super::chart::Chart;
use super::{Covered, Project, Report, Risk, format};
use crate::analytics::AnalyticsError;
use crate::text::visible::visible;

/// Number of projects shown before the reader expands the rest.
const PROJECTS: usize = 20;
/// Number of tasks at risk shown before the reader expands more.
const RISKS: usize = 20;
/// Maximum number of rows in a list; the others are in the JSON.
const LISTED: usize = 200;

/// The page, which includes its style. It fetches nothing and runs nothing.
#[derive(Template)]
#[template(path = "report/page.html")]
struct Page<'r> {
    report: &'r Report,
    title: String,
    totals: Totals,
    projects: Listed<'r, Project>,
    at_risk: Listed<'r, Risk>,
    burn_up: Vec<BurnUpFigure>,
    workload: Option<Chart>,
    velocity: Option<VelocityFigures>,
    accuracy: Option<AccuracyFigure>,
    uncovered: Listed<'r, Covered>,
    changes: Vec<ChangeSet<'r>>,
}

/// Returns the whole page.
pub fn page(report: &Report) -> Result<String, AnalyticsError> {
    let is_uncovered = |of: &&Covered| of.coverage == "uncovered";
    let page = Page {
        report,
        title: title(report),
        totals: Totals::of(report),
        projects: Listed::of(&report.projects, PROJECTS, usize::MAX),
        at_risk: Listed::of(&report.at_risk, RISKS, LISTED),
        burn_up: plan::burn_up(report)?,
        workload: plan::workload(report)?,
        velocity: velocity::velocity(report)?,
        accuracy: velocity::accuracy(report)?,
        uncovered: Listed::of(report.requirements.iter().filter(is_uncovered), LISTED, LISTED),
        changes: lake::changes(&report.operations.changes),
    };
    let html = page.render().map_err(|err| AnalyticsError::Encoding(err.into()))?;
    // HTML cannot represent most controls, and direction marks would reorder the text around them.
    Ok(visible(&html).into_owned() + "\n")
}

fn title(report: &Report) -> String {
    match report.projects.as_slice() {
        [only] => format!("{} · plan report", only.name),
        _ if report.asked.is_empty() => "Plan report".to_owned(),
        _ => format!("Plan report · {}", report.asked.join(", ")),
    }
}

impl Page<'_> {
    /// Formats the number of requirements with this coverage.
    fn covered(&self, coverage: &str) -> String {
        let covered = self.report.requirements.iter().filter(|of| of.coverage == coverage);
        format::thousands(&(covered.count() as i64))
    }
}
