//! How the plan stands: progress, what is at risk, burn-up, who has how much, which requirements are answered.

use super::super::chart::{self, Bar};
use super::super::html::{Cell, details, escape, table};
use super::super::trend::{Day, together};
use super::super::{Project, Report, Risk, words};
use super::{figure, first, paragraph, section};
use crate::analytics::AnalyticsError;

/// Projects that are shown before the reader asks for all.
const PROJECTS: usize = 20;
/// Burn-up charts of single projects.
const CHARTS: usize = 12;
/// Bars of people.
const PEOPLE: usize = 15;
/// Tasks at risk that are shown before the reader asks for more.
const RISKS: usize = 20;
/// Rows of a list; the others are in the JSON.
const LISTED: usize = 200;
/// Which tasks the numbers of the projects count.
const COUNTED: &str = "Tasks with parts are counted by their parts, cancelled ones are left out; overdue is every open task whose own due date has passed, and in progress is what is in review too.";

pub fn progress(report: &Report) -> String {
    if report.projects.is_empty() {
        return section(
            "progress",
            "Progress",
            "<p>There is no project yet. <code>lakeplan plan FILE --yes</code> makes one from a description, <code>lakeplan project create NAME</code> by hand.</p>\n",
        );
    }
    let header = [
        "Project",
        "Done",
        "Tasks",
        "In progress",
        "Blocked",
        "Overdue",
        "Work left",
        "Next due",
        "Last due",
        "Last change",
    ];
    let row = |of: &Project| {
        let due = |day: Option<chrono::NaiveDate>| day.map_or_else(|| "–".to_owned(), words::date);
        let key = match of.status.as_str() {
            "active" => of.project.clone(),
            status => format!("{} · {}", of.project, status.replace('_', " ")),
        };
        let left = match (of.remaining_minutes, of.tasks - of.completed) {
            _ if of.tasks == 0 => "–".to_owned(),
            (0, open) if open > 0 => "not estimated".to_owned(),
            (minutes, _) => words::effort(minutes),
        };
        vec![
            Cell::Named(of.name.clone(), key),
            Cell::Html(of.progress.map_or_else(|| "no tasks".to_owned(), bar)),
            Cell::number(format!(
                "{} of {}",
                words::thousands(of.completed),
                words::thousands(of.tasks)
            )),
            Cell::number(zero(of.in_progress)),
            Cell::number(zero(of.blocked)),
            if of.overdue > 0 {
                Cell::Bad(words::thousands(of.overdue))
            } else {
                Cell::number("–")
            },
            Cell::number(left),
            Cell::short(due(of.next_due)),
            Cell::short(due(of.last_due)),
            Cell::short(words::from_today(of.last_activity.date_naive(), report.today)),
        ]
    };
    let shown = &report.projects[..report.projects.len().min(PROJECTS)];
    let mut inside = table(&header, shown.iter().map(row));
    if let rest @ [_, ..] = &report.projects[shown.len()..] {
        inside.push_str(&details(
            &format!("{} more", words::count(rest.len() as i64, "project")),
            &table(&header, rest.iter().map(row)),
        ));
    }
    let (tasks, unknown) = report
        .projects
        .iter()
        .fold((0, 0), |(tasks, unknown), of| (tasks + of.tasks, unknown + of.without_estimate));
    inside.push_str(&paragraph(&match unknown {
        _ if tasks == 0 => "No project has a task yet.".to_owned(),
        0 => format!("Done is by likely effort. {COUNTED}"),
        _ if unknown == tasks => format!("No task has an estimate, so done is by count. {COUNTED}"),
        _ => format!(
            "Done is by likely effort; a task without an estimate, of which there are {}, weighs as much as the average of its project. {COUNTED}",
            words::thousands(unknown)
        ),
    }));
    section("progress", "Progress", &inside)
}

fn bar(share: f64) -> String {
    format!(
        "<span class=\"done\"><span class=\"bar\" aria-hidden=\"true\"><i style=\"width:{:.1}%\"></i></span> {}</span>",
        (share * 100.0).clamp(0.0, 100.0),
        words::percent(share)
    )
}

fn zero(number: i64) -> String {
    if number == 0 { "–".to_owned() } else { words::thousands(number) }
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
                "No open task is overdue, blocked, over its estimate, or due within a week and not begun.",
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
                    .map_or_else(|| "nobody".to_owned(), |handle| format!("@{handle}")),
            ),
            Cell::short(of.due_date.map_or_else(|| "–".to_owned(), words::date)),
            Cell::short(of.status.replace('_', " ")),
        ]
    };
    let header = ["Why", "Task", "Who", "Due", "Status"];
    let (listed, note) = first(&report.at_risk, LISTED);
    let (shown, rest) = listed.split_at(listed.len().min(RISKS));
    let mut inside = table(&header, shown.iter().map(row));
    if !rest.is_empty() {
        let more = table(&header, rest.iter().map(row)) + &note;
        inside.push_str(&details(
            &format!("{} more", words::thousands((report.at_risk.len() - shown.len()) as i64)),
            &more,
        ));
    }
    section("risk", heading, &inside)
}

pub fn lately(report: &Report) -> String {
    let changes = &report.lately.status_changes;
    if changes.is_empty() {
        return String::new();
    }
    let rows = changes.iter().map(|change| {
        let now = change.to_value.as_deref().unwrap_or("–");
        vec![
            Cell::short(words::from_today(change.at.date_naive(), report.today)),
            Cell::Named(change.title.clone(), change.task.clone()),
            Cell::short(format!(
                "{} → {}",
                change.from_value.replace('_', " "),
                now.replace('_', " ")
            )),
            Cell::text(&change.actor),
        ]
    });
    section("lately", "What changed last", &table(&["When", "Task", "Status", "By"], rows))
}

fn why(risk: &Risk, today: chrono::NaiveDate) -> String {
    match (risk.reason.as_str(), risk.due_date) {
        ("overdue", Some(due)) => {
            format!("{} overdue", words::count((today - due).num_days(), "day"))
        }
        ("due_soon", Some(due)) => format!("due {}, not begun", words::from_today(due, today)),
        ("over_estimate", _) => {
            let spent = words::effort(risk.actual_minutes.unwrap_or(0));
            let most = words::effort(risk.estimate_high.or(risk.estimate_likely).unwrap_or(0));
            format!("{spent} spent of at most {most}")
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
    // Those that something happened in last.
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
            "The {CHARTS} projects that changed last; --project KEY shows another."
        )));
    }
    Ok(section("burn-up", "Burn-up: completed tasks against scope", &inside))
}

fn burned(name: &str, days: &[Day]) -> Result<String, AnalyticsError> {
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return Ok(String::new()) };
    let mut says = format!(
        "{} of {} done.",
        words::thousands(last.completed),
        words::count(last.scope, "task")
    );
    if first.day < last.day {
        let (done, scope) = (last.completed - first.completed, last.scope - first.scope);
        let grown = format!(
            " Since {}: {} done, scope {}.",
            words::date(first.day),
            words::thousands(done),
            words::signed(scope)
        );
        says.push_str(&grown);
    }
    let numbers = table(
        &["Day", "Tasks", "Done"],
        days.iter().map(|day| {
            vec![
                Cell::short(words::date(day.day)),
                Cell::number(words::thousands(day.scope)),
                Cell::number(words::thousands(day.completed)),
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
            let tasks = words::count(person.tasks, "task");
            let unknown = if person.without_estimate == 0 {
                String::new()
            } else {
                format!(", {} not estimated", person.without_estimate)
            };
            Bar {
                name: if person.assignee == "nobody" {
                    "nobody yet".to_owned()
                } else {
                    format!("@{}", person.assignee)
                },
                value: if by_effort {
                    person.remaining_minutes as f64
                } else {
                    person.tasks as f64
                },
                label: if by_effort {
                    format!("{}, {tasks}{unknown}", words::effort(person.remaining_minutes))
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
            format!("{} of open work left, by who has it.", words::effort(total))
        } else {
            "No open task has an estimate, so these are tasks, by who has them.".to_owned()
        },
        if rest == 0 {
            String::new()
        } else {
            format!(
                " The {PEOPLE} with the most of {}.",
                words::thousands(report.workload.len() as i64)
            )
        }
    );
    let numbers = table(
        &[
            "Who",
            "Open tasks",
            "In progress",
            "Work left",
            "Likely in all",
            "Not estimated",
            "First due",
        ],
        report.workload.iter().map(|person| {
            vec![
                Cell::text(&person.assignee),
                Cell::number(words::thousands(person.tasks)),
                Cell::number(words::thousands(person.in_progress)),
                Cell::number(words::effort(person.remaining_minutes)),
                Cell::number(words::effort(person.likely_minutes)),
                Cell::number(words::thousands(person.without_estimate)),
                Cell::short(person.first_due.map_or_else(|| "–".to_owned(), words::date)),
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
        "{}: {} done, {} started, {} planned, {} that no task answers.",
        words::count(report.requirements.len() as i64, "requirement"),
        words::thousands(done),
        words::thousands(started),
        words::thousands(planned),
        words::thousands(open)
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
        inside.push_str("<h3>No task answers</h3>\n");
        inside.push_str(&table(&["Project", "No.", "Requirement", "Stated in"], rows));
        inside.push_str(&note);
    }
    section("requirements", "Requirements", &inside)
}
