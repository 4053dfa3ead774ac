//! What the sections on velocity and the quality of estimates show.

use super::super::accuracy::{Accuracy, Bin, MIN_SAMPLE};
use super::super::chart::{self, Bar, Chart};
use super::super::{Report, Week, format};
use crate::analytics::AnalyticsError;

pub struct VelocityFigures {
    pub tasks: Chart,
    /// `None` if no completed task has an estimate.
    pub effort: Option<Chart>,
}

/// Returns nothing if no task was completed.
pub fn velocity(report: &Report) -> Result<Option<VelocityFigures>, AnalyticsError> {
    let weeks = report.velocity.as_slice();
    if weeks.is_empty() {
        return Ok(None);
    }
    let bars = |of: fn(&Week) -> f64| -> Vec<Bar> {
        let bar = |week: &Week| Bar {
            name: format::day(&week.week),
            value: of(week),
            label: format::short(of(week)),
            partial: !week.complete,
        };
        weeks.iter().map(bar).collect()
    };
    let tasks = chart::columns(
        "Completed tasks by week",
        average(weeks),
        "completed tasks, by Monday of the week",
        &bars(|week| week.tasks as f64),
    )?;
    let effort = || {
        chart::columns(
            "Planned effort completed by week",
            "Likely effort of the completed tasks as planned, not the actual effort. Tasks without an estimate are not included.".to_owned(),
            "days of planned work completed",
            &bars(|week| week.likely_minutes as f64 / 480.0),
        )
    };
    let has_effort = weeks.iter().any(|week| week.likely_minutes > 0);
    Ok(Some(VelocityFigures { tasks, effort: has_effort.then(effort).transpose()? }))
}

/// Words the average of the full weeks.
fn average(weeks: &[Week]) -> String {
    let over: Vec<&Week> = weeks.iter().filter(|week| week.complete).collect();
    if over.is_empty() {
        return "The first week is incomplete, so there is no average yet.".to_owned();
    }
    let mean = |of: fn(&Week) -> i64| {
        over.iter().map(|week| of(week)).sum::<i64>() as f64 / over.len() as f64
    };
    let effort = match mean(|week| week.likely_minutes) {
        none if none < 1.0 => String::new(),
        minutes => {
            let effort = format::effort(&(minutes.round() as i64));
            format!(", with {effort} of planned effort per week")
        }
    };
    format!(
        "Average: {} tasks per week over {}{effort}. The current week, in a lighter color, is incomplete.",
        format::short(mean(|week| week.tasks)),
        format::count(&(over.len() as i64), "full week"),
    )
}

pub struct AccuracyFigure {
    pub chart: Chart,
    /// Comparison of the total effort with the estimates.
    pub bias: String,
}

/// Returns nothing if no completed task has both an estimate and a known effort.
pub fn accuracy(report: &Report) -> Result<Option<AccuracyFigure>, AnalyticsError> {
    let known = &report.accuracy;
    let (Some(quartiles), Some(bias)) = (known.quartiles, known.bias) else { return Ok(None) };
    let bar = |bin: &Bin| Bar {
        name: bin.ratio.to_owned(),
        value: bin.tasks as f64,
        label: format::thousands(&(bin.tasks as i64)),
        partial: false,
    };
    let bars: Vec<Bar> = known.distribution.iter().map(bar).collect();
    let chart = chart::columns(
        "Actual effort ÷ estimate",
        sample(known, quartiles),
        "tasks, by actual ÷ estimated effort (1 = as planned)",
        &bars,
    )?;
    let bias = match bias {
        more if more >= 1.005 => format!("{} more than estimated", format::percent(&(more - 1.0))),
        less if less <= 0.995 => format!("{} less than estimated", format::percent(&(1.0 - less))),
        _ => "as estimated".to_owned(),
    };
    Ok(Some(AccuracyFigure { chart, bias }))
}

/// Words the ratios of the sample, and whether it is reliable.
fn sample(known: &Accuracy, quartiles: [f64; 3]) -> String {
    let [low, median, high] = quartiles.map(ratio);
    match known.tasks {
        1 => format!(
            "A single task took {median} times its estimate. One task is not a reliable sample."
        ),
        few if few < MIN_SAMPLE => format!(
            "The median actual effort of {few} tasks is {median} times the estimate. This sample is too small to be reliable."
        ),
        many => format!(
            "The median actual effort of {} tasks is {median} times the estimate. The middle half is between {low} and {high} times.",
            format::thousands(&(many as i64)),
        ),
    }
}

fn ratio(number: f64) -> String {
    if number >= 10.0 { format::short(number) } else { format!("{number:.2}") }
}
