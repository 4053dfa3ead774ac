//! Renders what else a person should know about a plan: counts, problems, skipped parts.

use std::collections::BTreeMap;

use super::layout::{Shown, fold, wrap};
use super::tree::keys;
use crate::cli::reply::count;
use crate::cli::skipped::{line_range, one_line, reason};
use crate::domain::time::Minutes;
use crate::planning::plan::{Problem, ProblemCode, SkipReason};
use crate::service::plan::Preview;

const MAX_LINES: usize = 8;

pub(in crate::cli) fn counts(preview: &Preview) -> String {
    let stats = &preview.plan.stats;
    let kinds = [(stats.phases, "phase"), (stats.tasks, "task"), (stats.subtasks, "subtask")];
    let mut parts: Vec<String> = kinds
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, noun)| count(number, noun))
        .collect();
    if parts.is_empty() {
        parts.push("no tasks".to_owned());
    }
    if stats.done > 0 {
        parts.push(format!("{} done already", stats.done));
    }
    if stats.links > 0 {
        parts.push(count(stats.links, "dependency").replace("dependencys", "dependencies"));
    }
    if stats.requirements > 0 {
        parts.push(format!(
            "{} of {} covered",
            stats.covered,
            count(stats.requirements, "requirement")
        ));
    }
    let tops = preview.plan.nodes.iter().filter(|node| node.parent.is_none());
    let sum = |of: fn(&crate::domain::time::Estimate) -> Minutes| {
        tops.clone().fold(Minutes::new(0), |sum, node| sum.saturating_add(of(&node.estimate.range)))
    };
    let (low, high) = (sum(|range| range.low), sum(|range| range.high));
    if high > Minutes::new(0) {
        let (low, high) = (days(low), days(high));
        parts.push(if low == high {
            format!("effort {low}")
        } else {
            format!("effort {low} to {high}")
        });
    }
    parts.join(", ")
}

/// Formats a sum in days, because it is not known to the hour.
fn days(minutes: Minutes) -> String {
    match minutes.begun_days() {
        0 | 1 => minutes.to_string(),
        days => format!("{days}d"),
    }
}

pub(super) fn problems(preview: &Preview, shown: Shown) -> Vec<String> {
    let mut rendered = Vec::new();
    let (open, others): (Vec<&Problem>, Vec<&Problem>) = preview
        .plan
        .problems
        .iter()
        .partition(|problem| problem.code == ProblemCode::UncoveredRequirement);
    rendered.extend(section(
        &count(others.len(), "problem"),
        others.iter().map(|problem| problem.message.as_str()),
        shown,
    ));
    let title = format!("{} not covered by a task", count(open.len(), "requirement"));
    let texts: Vec<String> = open.iter().map(|problem| uncovered(preview, problem)).collect();
    rendered.extend(section(&title, texts.iter().map(String::as_str), shown));
    let keys = keys(preview);
    let unresolved: Vec<String> = (preview.plan.unresolved.iter())
        .map(|open| {
            let row = |key: &str| keys.get(key).cloned().unwrap_or_else(|| key.to_owned());
            let guess = open
                .best_guess
                .as_deref()
                .map(|guess| format!("; perhaps {}", row(guess)))
                .unwrap_or_default();
            let text = open.text.split_whitespace().collect::<Vec<_>>().join(" ");
            let place = open.span.map(|span| format!("line {}: ", span.start_line));
            let place = place.unwrap_or_default();
            format!("{place}{} waits for {text:?}{guess}", row(&open.from))
        })
        .collect();
    let title = count(unresolved.len(), "dependency").replace("dependencys", "dependencies");
    rendered.extend(section(
        &format!("{title} on something the plan has no task for"),
        unresolved.iter().map(String::as_str),
        shown,
    ));
    if let Some(note) = &preview.plan.language_note {
        rendered.push(String::new());
        rendered.push(note.clone());
    }
    rendered
}

fn uncovered(preview: &Preview, problem: &Problem) -> String {
    let line = problem.lines.first().copied().unwrap_or_default();
    let entry = (preview.plan.requirements.iter())
        .find(|requirement| requirement.span.is_some_and(|span| span.start_line == line));
    match entry {
        Some(requirement) => format!(
            "line {line}: {}",
            requirement.text.split_whitespace().collect::<Vec<_>>().join(" ")
        ),
        None => problem.message.clone(),
    }
}

fn section<'t>(
    title: &str,
    texts: impl ExactSizeIterator<Item = &'t str>,
    shown: Shown,
) -> Vec<String> {
    let length = texts.len();
    if length == 0 {
        return Vec::new();
    }
    let most = if shown.is_full { length } else { MAX_LINES };
    let mut rendered = vec![String::new(), title.to_owned()];
    for text in texts.take(most) {
        rendered.extend(wrap(text, shown.width.saturating_sub(4)));
    }
    if length > most {
        rendered.push(format!("  … {} more; --full shows them", length - most));
    }
    rendered
}

pub(super) fn skipped(preview: &Preview, shown: Shown) -> Vec<String> {
    // Container headings and bare markup would hide the relevant entries.
    let entry: Vec<_> = (preview.plan.skipped.iter())
        .filter(|skipped| {
            !matches!(
                skipped.reason,
                SkipReason::Markup | SkipReason::Container | SkipReason::Restated
            )
        })
        .filter(|skipped| {
            skipped.reason != SkipReason::PlannedElsewhere
                || skipped.span.is_some_and(|span| span.end_line > span.start_line)
        })
        .collect();
    if entry.is_empty() {
        return Vec::new();
    }
    if shown.lists_skipped {
        let rows = preview.plan.skipped.iter().flat_map(|skipped| {
            let what = one_line(&skipped.what);
            let place = skipped.span.map(line_range).unwrap_or_default();
            let row = format!("  {place:<10} {:<22} {what}", reason(skipped.reason));
            fold(&row, shown.width)
        });
        return [String::new(), "not planned".to_owned()].into_iter().chain(rows).collect();
    }
    let mut counted: BTreeMap<SkipReason, Vec<String>> = BTreeMap::new();
    for skipped in &entry {
        let place = skipped.span.map(line_range).unwrap_or_default();
        counted.entry(skipped.reason).or_default().push(place);
    }
    let mut reasons: Vec<(&SkipReason, &Vec<String>)> = counted.iter().collect();
    reasons.sort_by_key(|(found, places)| {
        (**found == SkipReason::Prose, std::cmp::Reverse(places.len()))
    });
    let parts: Vec<String> = (reasons.iter())
        .map(|(found, places)| match places.len() {
            1..=2 if places.iter().all(|place| !place.is_empty()) => {
                format!("{} ({})", reason(**found), places.join(", "))
            }
            number => format!("{} ({number}×)", reason(**found)),
        })
        .collect();
    let text = format!("not planned: {}", parts.join(", "));
    std::iter::once(String::new())
        .chain(wrap(&text, shown.width - 4).iter().map(|line| line.trim_end()[2..].to_owned()))
        .collect()
}
