//! Page: a head with the overall state, then a section for each question.

mod lake;
mod plan;
mod section;
mod velocity;

use super::html::escape;
use super::{Report, format};
use crate::analytics::AnalyticsError;

/// Returns the whole page including its style; it fetches nothing and runs nothing.
pub fn page(report: &Report) -> Result<String, AnalyticsError> {
    let sections = [
        plan::progress(report),
        plan::at_risk(report),
        plan::recent_activity(report),
        plan::burn_up(report)?,
        plan::workload(report)?,
        velocity::velocity(report)?,
        velocity::accuracy(report)?,
        plan::coverage(report),
        lake::operations(report),
    ];
    let title = title(report);
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"generator\" content=\"lakeplan {version}\">\n\
         <title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n{head}<main>\n{sections}</main>\n</body>\n</html>\n",
        version = env!("CARGO_PKG_VERSION"),
        title = escape(&title),
        style = include_str!("page.css"),
        head = head(report, &title),
        sections = sections.join(""),
    ))
}

fn title(report: &Report) -> String {
    match report.projects.as_slice() {
        [only] => format!("{} · plan report", only.name),
        _ if report.asked.is_empty() => "Plan report".to_owned(),
        _ => format!("Plan report · {}", report.asked.join(", ")),
    }
}

fn head(report: &Report, title: &str) -> String {
    format!(
        "<header>\n<h1>{}</h1>\n<p class=\"of\">As of <time datetime=\"{}\">{} UTC</time>, change {} of <code>{}</code>. Charts start on {}. Effort is in days of 8 hours.</p>\n{}</header>\n",
        escape(title),
        report.as_of.format("%Y-%m-%dT%H:%MZ"),
        format::minute(report.as_of),
        format::thousands(report.seq),
        escape(&report.lake),
        format::date(report.since),
        tiles(report),
    )
}

/// Returns the key figures.
fn tiles(report: &Report) -> String {
    if report.projects.is_empty() {
        return String::new();
    }
    let sum = |of: fn(&super::Project) -> i64| report.projects.iter().map(of).sum::<i64>();
    let (tasks, completed, overdue) =
        (sum(|of| of.tasks), sum(|of| of.completed), sum(|of| of.overdue));
    let done = match report.projects.as_slice() {
        [only] => only.progress.map_or_else(|| "–".to_owned(), format::percent),
        _ => {
            if tasks > 0 {
                format::percent(completed as f64 / tasks as f64)
            } else {
                "–".to_owned()
            }
        }
    };
    let remaining = sum(|of| of.remaining_minutes);
    let unknown = report.workload.iter().map(|person| person.without_estimate).sum::<i64>();
    let (left, beside) = match unknown {
        0 => (format::effort(remaining), String::new()),
        _ if remaining == 0 => {
            ("–".to_owned(), format!("{} without an estimate", format::count(unknown, "task")))
        }
        _ => (
            format::effort(remaining),
            format!("and {} without an estimate", format::count(unknown, "task")),
        ),
    };
    let (risky, recent_activity) = (report.at_risk.len() as i64, &report.recent_activity);
    let others =
        risky - report.at_risk.iter().filter(|task| task.reason == "overdue").count() as i64;
    let tile = |name: &str, value: &str, beside: &str, class: &str| {
        format!(
            "<div class=\"tile {class}\"><dt>{name}</dt><dd><b>{value}</b> <span>{}</span></dd></div>\n",
            escape(beside)
        )
    };
    [
        "<dl class=\"tiles\">\n".to_owned(),
        tile(
            "Done",
            &done,
            &format!("{} of {}", format::thousands(completed), format::count(tasks, "task")),
            "",
        ),
        tile("Remaining work", &left, &beside, ""),
        tile(
            "Overdue",
            &format::thousands(overdue),
            &if others == 0 {
                String::new()
            } else {
                format!("and {} more at risk", format::thousands(others))
            },
            if overdue > 0 { "bad" } else { "" },
        ),
        tile(
            &format!("Since {}", format::day(recent_activity.since)),
            &format::thousands(recent_activity.completed),
            &format!("completed, scope {}", format::signed(recent_activity.scope)),
            "",
        ),
        "</dl>\n".to_owned(),
    ]
    .concat()
}
