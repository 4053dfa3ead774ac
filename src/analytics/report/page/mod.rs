//! The page: a head that says how things stand, then a section for each question.

mod lake;
mod pace;
mod plan;

use super::html::escape;
use super::{Report, minute, words};
use crate::analytics::AnalyticsError;

/// The whole page, its style in it; it fetches nothing and runs nothing.
pub fn page(report: &Report) -> Result<String, AnalyticsError> {
    let sections = [
        plan::progress(report),
        plan::at_risk(report),
        plan::lately(report),
        plan::burn_up(report)?,
        plan::workload(report)?,
        pace::velocity(report)?,
        pace::accuracy(report)?,
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
        "<header>\n<h1>{}</h1>\n<p class=\"of\">As of <time datetime=\"{}\">{} UTC</time>, change {} of <code>{}</code>. Charts look back to {}. Work is in days of 8 hours.</p>\n{}</header>\n",
        escape(title),
        report.as_of.format("%Y-%m-%dT%H:%MZ"),
        minute(report.as_of),
        words::thousands(report.seq),
        escape(&report.lake),
        words::date(report.since),
        tiles(report),
    )
}

/// The few numbers that a reader takes along.
fn tiles(report: &Report) -> String {
    if report.projects.is_empty() {
        return String::new();
    }
    let sum = |of: fn(&super::Project) -> i64| report.projects.iter().map(of).sum::<i64>();
    let (tasks, completed, overdue) =
        (sum(|of| of.tasks), sum(|of| of.completed), sum(|of| of.overdue));
    let done = match report.projects.as_slice() {
        [only] => only.progress.map_or_else(|| "–".to_owned(), words::percent),
        _ => {
            if tasks > 0 {
                words::percent(completed as f64 / tasks as f64)
            } else {
                "–".to_owned()
            }
        }
    };
    let remaining = sum(|of| of.remaining_minutes);
    let unknown = report.workload.iter().map(|person| person.without_estimate).sum::<i64>();
    let (left, beside) = match unknown {
        0 => (words::effort(remaining), String::new()),
        _ if remaining == 0 => {
            ("–".to_owned(), format!("{} without an estimate", words::count(unknown, "task")))
        }
        _ => (
            words::effort(remaining),
            format!("and {} without an estimate", words::count(unknown, "task")),
        ),
    };
    let (risky, lately) = (report.at_risk.len() as i64, &report.lately);
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
            &format!("{} of {}", words::thousands(completed), words::count(tasks, "task")),
            "",
        ),
        tile("Work left", &left, &beside, ""),
        tile(
            "Overdue",
            &words::thousands(overdue),
            &if others == 0 {
                String::new()
            } else {
                format!("and {} at risk otherwise", words::thousands(others))
            },
            if overdue > 0 { "bad" } else { "" },
        ),
        tile(
            &format!("Since {}", words::day(lately.since)),
            &words::thousands(lately.completed),
            &format!("completed, scope {}", words::signed(lately.scope)),
            "",
        ),
        "</dl>\n".to_owned(),
    ]
    .concat()
}

/// A section with its heading.
fn section(id: &str, heading: &str, inside: &str) -> String {
    format!("<section id=\"{id}\">\n<h2>{}</h2>\n{inside}</section>\n", escape(heading))
}

/// A chart with what it says in a sentence, and its numbers for who wants them as such.
fn figure(heading: &str, says: &str, svg: &str, numbers: &str) -> String {
    let heading =
        if heading.is_empty() { String::new() } else { format!("<h3>{}</h3>", escape(heading)) };
    let numbers = super::html::details("The numbers", numbers);
    format!(
        "<figure><figcaption>{heading}<p>{}</p></figcaption>\n{svg}{numbers}</figure>\n",
        escape(says)
    )
}

/// A paragraph of plain text.
fn paragraph(text: &str) -> String {
    format!("<p>{}</p>\n", escape(text))
}

/// The first `most` of many; how many there are besides is said below.
fn first<T>(all: &[T], most: usize) -> (&[T], String) {
    let shown = &all[..all.len().min(most)];
    let rest = all.len() - shown.len();
    let note = if rest == 0 {
        String::new()
    } else {
        paragraph(&format!(
            "and {} more; the JSON beside this page has all of them",
            words::thousands(rest as i64)
        ))
    };
    (shown, note)
}
