//! The rows of the table.

mod changes;
mod fold;
mod plan;
mod project;
mod readers;
mod show;
mod size;
mod views;

use super::{Row, lake};

/// Runs the work of a child process that a row started.
pub fn worker(args: &[String]) {
    match args {
        [work, rest @ ..] if work == "commit" => changes::commit_repeatedly(rest),
        [work, rest @ ..] if work == "make" => lake::make(rest),
        [work, rest @ ..] if work == "change" => fold::change(rest),
        _ => panic!("unknown work: {args:?}"),
    }
}

/// Returns every row, in the order of the table.
pub fn all() -> Vec<Row> {
    let mut rows = changes::rows();
    rows.extend(readers::rows());
    rows.extend(fold::rows());
    rows.extend(project::rows());
    rows.extend(show::rows());
    rows.extend(views::rows());
    rows.extend(plan::rows());
    rows.extend(size::rows());
    rows
}

/// Returns the percentile `share` of the times, in milliseconds.
fn percentile(times: &mut [f64], share: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times[((times.len() as f64 * share) as usize).min(times.len() - 1)] * 1000.0
}

fn milliseconds(times: &mut [f64]) -> f64 {
    percentile(times, 0.5)
}
