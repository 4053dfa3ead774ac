//! Sections on the plan: progress, tasks at risk, burn-up, workload, requirement coverage.

use super::super::chart::{self, Bar};
use super::super::html::{Cell, details, escape, table};
use super::super::trend::{Day, together};
use super::super::{Project, Report, Risk, format};
use super::section::{figure, first, paragraph, section};
use crate::analytics::AnalyticsError;

/// Number of projects shown before the reader expands the rest.
const PROJECTS: usize = 20;
/// Maximum number of burn-up charts of single projects.
const CHARTS: usize = 12;
/// Maximum number of bars for people.
const PEOPLE: usize = 15;
/// Number of tasks at risk shown before the reader expands more.
const RISKS: usize = 20;
/// Maximum number of rows in a list; the others are in the JSON.
const LISTED: usize = 200;
/// Explanation of which tasks the projects' numbers count.
const COUNTED: &str = "Only tasks without subtasks count, and cancelled tasks do not. Overdue includes all open tasks whose own due date has passed. In progress includes tasks in review.";

pub fn progress(report: &Report) -> String {
    if report.projects.is_empty() {
        return section(
            "progress",
            "Progress",
            "<p>There is no project yet. To create one from a description, run <code>lakeplan plan FILE --yes</code>. To create one manually, run <code>lakeplan project create NAME</code>.</p>\n",
        );
    }
    let header = [
        "Project",
        "Done",
        "Tasks",
        "In progress",
        "Blocked",
        "Overdue",
        "Remaining work",
        "Next due date",
        "Last due date",
        "Last change",
    ];
    let row = |of: &Project| {
        let due = |day: Option<chrono::NaiveDate>| day.map_or_else(|| "–".to_owned(), format::date);
        let key = match of.status.as_str() {
            "active" => of.project.clone(),
            status => format!("{} · {}", of.project, status.replace('_', " ")),
        };
        let left = match (of.remaining_minutes, of.tasks - of.completed) {
            _ if of.tasks == 0 => "–".to_owned(),
            (0, open) if open > 0 => "not estimated".to_owned(),
            (minutes, _) => format::effort(minutes),
        };
        vec![
            Cell::Named(of.name.clone(), key),
            Cell::Html(of.progress.map_or_else(|| "no tasks".to_owned(), bar)),
            Cell::number(format!(
                "{} of {}",
                format::thousands(of.completed),
                format::thousands(of.tasks)
            )),
            Cell::number(zero(of.in_progress)),
            Cell::number(zero(of.blocked)),
            if of.overdue > 0 {
                Cell::Bad(format::thousands(of.overdue))
            } else {
                Cell::number("–")
            },
            Cell::number(left),
            Cell::short(due(of.next_due)),
            Cell::short(due(of.last_due)),
            Cell::short(format::from_today(of.last_activity.date_naive(), report.today)),
        ]
    };
    let shown = &report.projects[..report.projects.len().min(PROJECTS)];
    let mut inside = table(&header, shown.iter().map(row));
    if let rest @ [_, ..] = &report.projects[shown.len()..] {
        inside.push_str(&details(
            &format::count(rest.len() as i64, "more project"),
            &table(&header, rest.iter().map(row)),
        ));
    }
    let (tasks, unknown) = report
        .projects
        .iter()
        .fold((0, 0), |(tasks, unknown), of| (tasks + of.tasks, unknown + of.without_estimate));
    inside.push_str(&paragraph(&match unknown {
        _ if tasks == 0 => "No project has a task yet.".to_owned(),
        0 => format!("Progress is by likely effort. {COUNTED}"),
        _ if unknown == tasks => format!("No task has an estimate, so progress is by number of tasks. {COUNTED}"),
        _ => format!(
            "Progress is by likely effort. A task without an estimate has the average weight of its project (tasks without an estimate: {}). {COUNTED}",
            format::thousands(unknown)
        ),
    }));
    section("progress", "Progress", &inside)
}

fn bar(share: f64) -> String {
    format!(
        "<span class=\"done\"><span class=\"bar\" aria-hidden=\"true\"><i style=\"width:{:.1}%\"></i></span> {}</span>",
        (share * 100.0).clamp(0.0, 100.0),
        format::percent(share)
    )
}

fn zero(number: i64) -> String {
    if number == 0 { "–".to_owned() } else { format::thousands(number) }
}

pub fn at_risk(report: &Report) -> String {
    if report.projects.is_empty() {
        return String::new();
    }
    let heading = "Overdue and at risk";
    if report.at_risk.is_empty() {
        return section(
            "risk",
            heading,
            &paragraph(
                "No open task is overdue, blocked, over its estimate, or due within 7 days and not started.",
            ),
        );
    }
    let row = |of: &Risk| {
        vec![
            Cell::Html(format!(
                "<span class=\"{}\">{}</span>",
                if of.reason == "overdue" { "bad" } else { "" },
                escape(&why(of, report.today))
            )),
            Cell::Named(of.title.clone(), of.task.clone()),
            Cell::short(
                of.assignee
                    .as_ref()
                    .map_or_else(|| "Unassigned".to_owned(), |handle| format!("@{handle}")),
            ),
            Cell::short(of.due_date.map_or_else(|| "–".to_owned(), format::date)),
            Cell::short(of.status.replace('_', " ")),
        ]
    };
    let header = ["Reason", "Task", "Assignee", "Due", "Status"];
    let (listed, note) = first(&report.at_risk, LISTED);
    let (shown, rest) = listed.split_at(listed.len().min(RISKS));
    let mut inside = table(&header, shown.iter().map(row));
    if !rest.is_empty() {
        let more = table(&header, rest.iter().map(row)) + &note;
        inside.push_str(&details(
            &format::count((report.at_risk.len() - shown.len()) as i64, "more task"),
            &more,
        ));
    }
    section("risk", heading, &inside)
}

pub fn recent_activity(report: &Report) -> String {
    let changes = &report.recent_activity.status_changes;
    if changes.is_empty() {
        return String::new();
    }
    let rows = changes.iter().map(|change| {
        let now = change.to_value.as_deref().unwrap_or("–");
        vec![
            Cell::short(format::from_today(change.at.date_naive(), report.today)),
            Cell::Named(change.title.clone(), change.task.clone()),
            Cell::short(format!(
                "{} → {}",
                change.from_value.replace('_', " "),
                now.replace('_', " ")
            )),
            Cell::text(&change.actor),
        ]
    });
    section("lately", "Latest status changes", &table(&["Day", "Task", "Status", "By"], rows))
}

fn why(risk: &Risk, today: chrono::NaiveDate) -> String {
    match (risk.reason.as_str(), risk.due_date) {
        ("overdue", Some(due)) => {
            format!("{} overdue", format::count((today - due).num_days(), "day"))
        }
        ("due_soon", Some(due)) => format!("due {}, not started", format::from_today(due, today)),
        ("over_estimate", _) => {
            let spent = format::effort(risk.actual_minutes.unwrap_or(0));
            let most = format::effort(risk.estimate_high.or(risk.estimate_likely).unwrap_or(0));
            format!("{spent} logged, estimate at most {most}")
        }
        (reason, _) => reason.replace('_', " "),
    }
}

pub fn burn_up(report: &Report) -> Result<String, AnalyticsError> {
    if report.burn_up.is_empty() {
        return Ok(String::new());
    }
    let mut inside = String::new();
    if report.burn_up.len() > 1 {
        inside.push_str(&burned("All projects", &together(&report.burn_up))?);
    }
    // Projects with the latest activity.
    let mut latest: Vec<&Project> = report.projects.iter().collect();
    latest.sort_by_key(|of| std::cmp::Reverse(of.last_activity));
    for of in latest.iter().take(CHARTS) {
        let Some(burn_up) = report.burn_up.iter().find(|burn_up| burn_up.project == of.project)
        else {
            continue;
        };
        let heading = if report.burn_up.len() > 1 { &of.name } else { "" };
        inside.push_str(&burned(heading, &burn_up.days)?);
    }
    let mut inside = format!("<div class=\"charts\">\n{inside}</div>\n");
    if report.burn_up.len() > CHARTS {
        inside.push_str(&paragraph(&format!(
            "The charts show the {CHARTS} most recently changed projects. To see another project, use --project KEY."
        )));
    }
    Ok(section("burn-up", "Burn-up: completed tasks and scope", &inside))
}

fn burned(name: &str, days: &[Day]) -> Result<String, AnalyticsError> {
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return Ok(String::new()) };
    let mut says = format!(
        "{} of {} done.",
        format::thousands(last.completed),
        format::count(last.scope, "task")
    );
    if first.day < last.day {
        let (done, scope) = (last.completed - first.completed, last.scope - first.scope);
        let grown = format!(
            " Since {}: {} done, scope {}.",
            format::date(first.day),
            format::thousands(done),
            format::signed(scope)
        );
        says.push_str(&grown);
    }
    let numbers = table(
        &["Day", "Tasks", "Done"],
        days.iter().map(|day| {
            vec![
                Cell::short(format::date(day.day)),
                Cell::number(format::thousands(day.scope)),
                Cell::number(format::thousands(day.completed)),
            ]
        }),
    );
    let svg = chart::steps(if name.is_empty() { "Burn-up" } else { name }, &says, days)?;
    Ok(figure(name, &says, &svg, &numbers))
}

pub fn workload(report: &Report) -> Result<String, AnalyticsError> {
    if report.workload.is_empty() {
        return Ok(String::new());
    }
    let by_effort = report.workload.iter().any(|person| person.remaining_minutes > 0);
    let bars: Vec<Bar> = report
        .workload
        .iter()
        .take(PEOPLE)
        .map(|person| {
            let tasks = format::count(person.tasks, "task");
            let unknown = if person.without_estimate == 0 {
                String::new()
            } else {
                format!(", {} without an estimate", person.without_estimate)
            };
            Bar {
                name: if person.assignee == "nobody" {
                    "Unassigned".to_owned()
                } else {
                    format!("@{}", person.assignee)
                },
                value: if by_effort {
                    person.remaining_minutes as f64
                } else {
                    person.tasks as f64
                },
                label: if by_effort {
                    format!("{}, {tasks}{unknown}", format::effort(person.remaining_minutes))
                } else {
                    tasks
                },
                partial: person.assignee == "nobody",
            }
        })
        .collect();
    let total: i64 = report.workload.iter().map(|person| person.remaining_minutes).sum();
    let rest = report.workload.len().saturating_sub(PEOPLE);
    let says = format!(
        "{}{}",
        if by_effort {
            format!("Remaining open work by person: {} in total.", format::effort(total))
        } else {
            "No open task has an estimate, so the chart shows the number of open tasks by person."
                .to_owned()
        },
        if rest == 0 {
            String::new()
        } else {
            format!(
                " The chart shows the {PEOPLE} people with the most work, out of {}.",
                format::thousands(report.workload.len() as i64)
            )
        }
    );
    let numbers = table(
        &[
            "Person",
            "Open tasks",
            "In progress",
            "Remaining work",
            "Total likely effort",
            "Without an estimate",
            "First due date",
        ],
        report.workload.iter().map(|person| {
            vec![
                Cell::text(if person.assignee == "nobody" {
                    "Unassigned"
                } else {
                    person.assignee.as_str()
                }),
                Cell::number(format::thousands(person.tasks)),
                Cell::number(format::thousands(person.in_progress)),
                Cell::number(format::effort(person.remaining_minutes)),
                Cell::number(format::effort(person.likely_minutes)),
                Cell::number(format::thousands(person.without_estimate)),
                Cell::short(person.first_due.map_or_else(|| "–".to_owned(), format::date)),
            ]
        }),
    );
    let svg = chart::rows("Open work by person", &says, &bars)?;
    Ok(section(
        "workload",
        "Workload",
        &format!("<div class=\"charts\">\n{}</div>\n", figure("", &says, &svg, &numbers)),
    ))
}

pub fn coverage(report: &Report) -> String {
    if report.requirements.is_empty() {
        return String::new();
    }
    let standing = |coverage: &str| {
        report.requirements.iter().filter(|of| of.coverage == coverage).count() as i64
    };
    let [done, started, planned, open] = ["done", "started", "planned", "uncovered"].map(standing);
    let mut inside = paragraph(&format!(
        "{}: {} done, {} started, {} planned, {} not covered.",
        format::count(report.requirements.len() as i64, "requirement"),
        format::thousands(done),
        format::thousands(started),
        format::thousands(planned),
        format::thousands(open)
    ));
    let uncovered: Vec<_> =
        report.requirements.iter().filter(|of| of.coverage == "uncovered").collect();
    if !uncovered.is_empty() {
        let (shown, note) = first(&uncovered, LISTED);
        let rows = shown.iter().map(|of| {
            let place = of.source.as_ref().map_or_else(
                || "–".to_owned(),
                |source| match of.source_line {
                    Some(line) => format!("{source}, line {line}"),
                    None => source.clone(),
                },
            );
            vec![
                Cell::text(&of.project),
                Cell::text(&of.requirement),
                Cell::text(&of.text),
                Cell::text(place),
            ]
        });
        inside.push_str("<h3>Requirements without a task</h3>\n");
        inside.push_str(&table(&["Project", "No.", "Requirement", "Source"], rows));
        inside.push_str(&note);
    }
    section("requirements", "Requirements", &inside)
}
