//! Sections on velocity and the quality of estimates.

use super::super::accuracy::{Accuracy, MIN_SAMPLE};
use super::super::chart::{self, Bar};
use super::super::html::{Cell, details, table};
use super::super::{Report, Week, format};
use super::section::{figure, paragraph, section};
use crate::analytics::AnalyticsError;

pub fn velocity(report: &Report) -> Result<String, AnalyticsError> {
    let heading = "Velocity";
    if report.projects.is_empty() {
        return Ok(String::new());
    }
    if report.velocity.is_empty() {
        let says = format!("No task was completed since {}.", format::date(report.since));
        return Ok(section("velocity", heading, &paragraph(&says)));
    }
    let over: Vec<&Week> = report.velocity.iter().filter(|week| week.complete).collect();
    let mean = |of: fn(&Week) -> i64| {
        over.iter().map(|week| of(week)).sum::<i64>() as f64 / over.len() as f64
    };
    let says = match over.len() {
        0 => "The first week is incomplete, so there is no average yet.".to_owned(),
        weeks => format!(
            "Average: {} tasks per week over {}{}. The current week, in a lighter color, is incomplete.",
            format::short(mean(|week| week.tasks)),
            format::count(weeks as i64, "full week"),
            match mean(|week| week.likely_minutes) {
                none if none < 1.0 => String::new(),
                minutes => format!(
                    ", with {} of planned effort per week",
                    format::effort(minutes.round() as i64)
                ),
            }
        ),
    };
    let bars = |of: fn(&Week) -> f64, label: fn(&Week) -> String| -> Vec<Bar> {
        let bar = |week: &Week| Bar {
            name: format::day(week.week),
            value: of(week),
            label: label(week),
            partial: !week.complete,
        };
        report.velocity.iter().map(bar).collect()
    };
    let numbers = table(
        &["Week starting on", "Tasks", "Planned effort", "Logged effort"],
        report.velocity.iter().map(|week| {
            vec![
                Cell::text(
                    format::date(week.week) + if week.complete { "" } else { " (incomplete)" },
                ),
                Cell::number(format::thousands(week.tasks)),
                Cell::number(format::effort(week.likely_minutes)),
                Cell::number(format::effort(week.logged_minutes)),
            ]
        }),
    );
    let tasks = bars(|week| week.tasks as f64, |week| format::thousands(week.tasks));
    let svg = chart::columns(
        "Completed tasks by week",
        &says,
        "completed tasks, by Monday of the week",
        &tasks,
    )?;
    let mut inside = figure("Tasks by week", &says, &svg, &numbers);
    if report.velocity.iter().any(|week| week.likely_minutes > 0) {
        let planned = bars(
            |week| week.likely_minutes as f64 / 480.0,
            |week| format::short(week.likely_minutes as f64 / 480.0),
        );
        let says = "Likely effort of the completed tasks as planned, not the actual effort. Tasks without an estimate are not included.";
        let svg = chart::columns(
            "Planned effort completed by week",
            says,
            "days of planned work completed",
            &planned,
        )?;
        inside.push_str(&figure("Planned effort by week", says, &svg, &numbers));
    }
    Ok(section("velocity", heading, &format!("<div class=\"charts\">\n{inside}</div>\n")))
}

pub fn accuracy(report: &Report) -> Result<String, AnalyticsError> {
    if report.projects.is_empty() {
        return Ok(String::new());
    }
    let known = &report.accuracy;
    let heading = "Planning accuracy";
    let (Some([low, median, high]), Some(bias)) = (known.quartiles, known.bias) else {
        let mut says = "There is no data yet. The accuracy needs completed tasks with an estimate. They also need logged time (lakeplan task log) or a start time (lakeplan task start).".to_owned();
        if known.unknown > 0 {
            says = format!(
                "{says} Completed tasks that lack one of these: {}.",
                format::thousands(known.unknown)
            );
        }
        return Ok(section("accuracy", heading, &paragraph(&says)));
    };
    let bars: Vec<Bar> = known
        .distribution
        .iter()
        .map(|bin| Bar {
            name: bin.ratio.to_owned(),
            value: bin.tasks as f64,
            label: format::thousands(bin.tasks as i64),
            partial: false,
        })
        .collect();
    let says = match known.tasks {
        1 => format!(
            "A single task took {} times its estimate. One task is not a reliable sample.",
            ratio(median)
        ),
        few if few < MIN_SAMPLE => {
            format!(
                "The median actual effort of {few} tasks is {} times the estimate. This sample is too small to be reliable.",
                ratio(median)
            )
        }
        many => format!(
            "The median actual effort of {} tasks is {} times the estimate. The middle half is between {} and {} times.",
            format::thousands(many as i64),
            ratio(median),
            ratio(low),
            ratio(high)
        ),
    };
    let svg = chart::columns(
        "Actual effort ÷ estimate",
        &says,
        "tasks, by actual ÷ estimated effort (1 = as planned)",
        &bars,
    )?;
    let rows = known
        .distribution
        .iter()
        .map(|bin| vec![Cell::text(bin.ratio), Cell::number(format::thousands(bin.tasks as i64))]);
    let chart =
        figure("Actual ÷ estimate", &says, &svg, &table(&["Actual ÷ estimate", "Tasks"], rows));
    let inside = format!(
        "<div class=\"charts\">\n{chart}<div class=\"said\">\n{}</div>\n</div>\n",
        caption(known, bias)
    );
    Ok(section("accuracy", heading, &inside))
}

/// Returns additional facts about the numbers, and their limits.
fn caption(known: &Accuracy, bias: f64) -> String {
    let mut facts = vec![vec![
        Cell::text("Total effort"),
        Cell::text(match bias {
            more if more >= 1.005 => {
                format!("{} more than estimated", format::percent(more - 1.0))
            }
            less if less <= 0.995 => {
                format!("{} less than estimated", format::percent(1.0 - less))
            }
            _ => "as estimated".to_owned(),
        }),
    ]];
    facts.push(vec![
        Cell::text("Within the estimated range"),
        Cell::text(match known.within_interval {
            None => "no estimate is a range".to_owned(),
            Some([low, high]) => format!(
                "{} of {} ({}); 95 % confidence interval: {} to {}",
                known.within,
                format::count(known.ranges as i64, "task"),
                format::percent(known.within as f64 / known.ranges as f64),
                format::percent(low),
                format::percent(high)
            ),
        }),
    ]);
    let guessed = known.tasks - known.logged;
    facts.push(vec![
        Cell::text("Source of actual effort"),
        Cell::text(format!(
            "{} with logged time{}",
            format::count(known.logged as i64, "task"),
            if guessed == 0 {
                String::new()
            } else {
                format!(
                    ", {} by elapsed time from start to completion, counted as 8 of 24 hours (approximate)",
                    format::thousands(guessed as i64)
                )
            }
        )),
    ]);
    facts.push(vec![
        Cell::text("Not included"),
        Cell::text(match known.unknown {
            0 => "none; all completed tasks are included".to_owned(),
            unknown => {
                format!(
                    "{} without an estimate, or with neither logged time nor a start time",
                    format::count(unknown, "completed task")
                )
            }
        }),
    ]);
    let facts = table(&["", ""], facts);
    let few = if known.tasks < MIN_SAMPLE {
        paragraph(&format!(
            "With fewer than {MIN_SAMPLE} tasks, each new task changes these numbers noticeably."
        ))
    } else {
        String::new()
    };
    facts
        + &few
        + &details(
            "Method",
            &paragraph(
                "The numbers include tasks without subtasks that were completed in the period of the charts, including archived ones. The confidence interval is Wilson's interval at 95 %. Open tasks are not included, so work that is far behind plan may be missing.",
            ),
        )
}

fn ratio(number: f64) -> String {
    if number >= 10.0 { format::short(number) } else { format!("{number:.2}") }
}
