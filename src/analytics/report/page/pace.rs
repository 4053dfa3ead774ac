//! How fast the work goes and how good the estimates are.

use super::super::accuracy::{Accuracy, FEW};
use super::super::chart::{self, Bar};
use super::super::html::{Cell, details, table};
use super::super::{Report, Week, words};
use super::{figure, paragraph, section};
use crate::analytics::AnalyticsError;

pub fn velocity(report: &Report) -> Result<String, AnalyticsError> {
    let heading = "Velocity";
    if report.projects.is_empty() {
        return Ok(String::new());
    }
    if report.velocity.is_empty() {
        let says = format!("No task was completed since {}.", words::date(report.since));
        return Ok(section("velocity", heading, &paragraph(&says)));
    }
    let over: Vec<&Week> = report.velocity.iter().filter(|week| week.complete).collect();
    let mean = |of: fn(&Week) -> i64| {
        over.iter().map(|week| of(week)).sum::<i64>() as f64 / over.len() as f64
    };
    let says = match over.len() {
        0 => "The first week is not over, so there is no pace yet.".to_owned(),
        weeks => format!(
            "{} tasks a week on average over {}{}. The current week, in a lighter colour, is not over.",
            words::short(mean(|week| week.tasks)),
            words::count(weeks as i64, "whole week"),
            match mean(|week| week.likely_minutes) {
                none if none < 1.0 => String::new(),
                minutes =>
                    format!(", planned with {} a week", words::effort(minutes.round() as i64)),
            }
        ),
    };
    let bars = |of: fn(&Week) -> f64, label: fn(&Week) -> String| -> Vec<Bar> {
        let bar = |week: &Week| Bar {
            name: words::day(week.week),
            value: of(week),
            label: label(week),
            partial: !week.complete,
        };
        report.velocity.iter().map(bar).collect()
    };
    let numbers = table(
        &["Week from", "Tasks", "Planned with", "Logged"],
        report.velocity.iter().map(|week| {
            vec![
                Cell::text(words::date(week.week) + if week.complete { "" } else { " (not over)" }),
                Cell::number(words::thousands(week.tasks)),
                Cell::number(words::effort(week.likely_minutes)),
                Cell::number(words::effort(week.logged_minutes)),
            ]
        }),
    );
    let tasks = bars(|week| week.tasks as f64, |week| words::thousands(week.tasks));
    let svg = chart::columns(
        "Completed tasks by week",
        &says,
        "tasks completed, by the Monday of the week",
        &tasks,
    )?;
    let mut inside = figure("Tasks by week", &says, &svg, &numbers);
    if report.velocity.iter().any(|week| week.likely_minutes > 0) {
        let planned = bars(
            |week| week.likely_minutes as f64 / 480.0,
            |week| words::short(week.likely_minutes as f64 / 480.0),
        );
        let says = "The likely effort of the completed tasks as it was planned, not the time they took; tasks without an estimate add nothing.";
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
        let mut says = "Nothing is known yet: it takes completed tasks with an estimate, and their logged time (lakeplan task log) or the moment they were started (lakeplan task start).".to_owned();
        if known.unknown > 0 {
            says = format!(
                "{says} {} lack one or the other.",
                words::count(known.unknown, "completed task")
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
            label: words::thousands(bin.tasks as i64),
            partial: false,
        })
        .collect();
    let says = match known.tasks {
        1 => format!("One task says little: it took {} times its estimate.", ratio(median)),
        few if few < FEW => {
            format!(
                "Half of only {few} tasks took at most {} times their estimate. So few say little.",
                ratio(median)
            )
        }
        many => format!(
            "Half of {} tasks took at most {} times their estimate; the middle half between {} and {} times.",
            words::thousands(many as i64),
            ratio(median),
            ratio(low),
            ratio(high)
        ),
    };
    let svg = chart::columns(
        "Actual effort by estimate",
        &says,
        "tasks, by actual ÷ estimated effort (1 = as planned)",
        &bars,
    )?;
    let rows = known
        .distribution
        .iter()
        .map(|bin| vec![Cell::text(bin.ratio), Cell::number(words::thousands(bin.tasks as i64))]);
    let chart =
        figure("Actual ÷ estimate", &says, &svg, &table(&["Actual ÷ estimate", "Tasks"], rows));
    let inside = format!(
        "<div class=\"charts\">\n{chart}<div class=\"said\">\n{}</div>\n</div>\n",
        said(known, bias)
    );
    Ok(section("accuracy", heading, &inside))
}

/// What else the numbers say, and what they do not.
fn said(known: &Accuracy, bias: f64) -> String {
    let mut facts = vec![vec![
        Cell::text("Together"),
        Cell::text(match bias {
            more if more >= 1.005 => {
                format!("the work took {} more than estimated", words::percent(more - 1.0))
            }
            less if less <= 0.995 => {
                format!("the work took {} less than estimated", words::percent(1.0 - less))
            }
            _ => "the work took what was estimated".to_owned(),
        }),
    ]];
    facts.push(vec![
        Cell::text("Within the range"),
        Cell::text(match known.within_interval {
            None => "no estimate was a range".to_owned(),
            Some([low, high]) => format!(
                "{} of {} ({}); the true share may lie between {} and {}",
                known.within,
                words::count(known.ranges as i64, "task"),
                words::percent(known.within as f64 / known.ranges as f64),
                words::percent(low),
                words::percent(high)
            ),
        }),
    ]);
    let guessed = known.tasks - known.logged;
    facts.push(vec![
        Cell::text("Known from"),
        Cell::text(format!(
            "{} with logged time{}",
            words::count(known.logged as i64, "task"),
            if guessed == 0 {
                String::new()
            } else {
                format!(
                    ", {} by the time between start and completion at 8 of 24 hours, which is rough",
                    words::thousands(guessed as i64)
                )
            }
        )),
    ]);
    facts.push(vec![
        Cell::text("Not known"),
        Cell::text(match known.unknown {
            0 => "nothing: every completed task counts here".to_owned(),
            unknown => format!(
                "{} had no estimate, or neither logged time nor a start",
                words::count(unknown, "completed task")
            ),
        }),
    ]);
    let facts = table(&["", ""], facts);
    let few = if known.tasks < FEW {
        paragraph(&format!("Below {FEW} tasks these numbers move with every new one."))
    } else {
        String::new()
    };
    facts
        + &few
        + &details(
            "How this is counted",
            &paragraph(
                "Tasks without parts of their own that were completed in the days of the charts, archived since or not. The range of the true share is Wilson's interval at 95 %: shares that could well have given these tasks. Tasks left open for long weigh nothing here, so work that went badly wrong may still be missing.",
            ),
        )
}

fn ratio(number: f64) -> String {
    if number >= 10.0 { words::short(number) } else { format!("{number:.2}") }
}
