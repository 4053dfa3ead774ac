//! Reads "Label: value" fields of a row, written as lines, sections or table cells.

use std::ops::Range;

use super::draft::{Mention, Row};
use super::keywords::{Attribute, Keywords, normalized};
use super::{dates, durations};
use crate::planning::plan::Progress;
use crate::planning::planner::Options;

/// Writes a field's value into the row; ignores unreadable values.
pub(super) fn apply(
    keywords: &Keywords,
    options: Options,
    row: &mut Row,
    field: Attribute,
    value: &str,
    span: Range<usize>,
    year: Option<i32>,
) {
    let value = value.trim();
    let is_ticked = value.starts_with(|c: char| keywords.status.done_marks.contains(&c));
    if keywords.is_empty_value(value) && !(is_ticked && field == Attribute::Status) {
        return;
    }
    match field {
        Attribute::Estimate => {
            let stated = durations::parse(keywords, options.day_minutes, value);
            row.stated = row.stated.take().or(stated);
        }
        Attribute::Depends | Attribute::Blocks => {
            row.mentions.push(Mention {
                text: value.to_owned(),
                span,
                field: Some(field),
                is_title: false,
            });
        }
        Attribute::Priority => row.priority = row.priority.or(keywords.priority(value)),
        Attribute::Owner => {
            // "Lead: Ann. Participants: Bo, Cleo."
            let value = value.split_once(". ").map_or(value, |(first, _)| first);
            for owner in
                value.split([',', '&', '/', '+']).map(owner_name).filter(|owner| !owner.is_empty())
            {
                if !row.owners.contains(&owner) {
                    row.owners.push(owner);
                }
            }
        }
        Attribute::Status => {
            let words = normalized(value);
            let standing = if is_ticked {
                Some(Progress::Done)
            } else {
                keywords.status.standing_at_start(&words)
            };
            row.standing = row.standing.max(standing.unwrap_or_default());
            row.is_cancelled |= keywords.status.calls_off_at_start(&words);
        }
        Attribute::Due => row.window.due = row.window.due.or(dates::window(value, year, true).due),
        Attribute::Start => {
            let start = dates::window(value, year, true);
            row.window.not_before = row.window.not_before.or(start.not_before).or(start.due);
        }
        Attribute::Dates => {
            let window = dates::window(value, year, false);
            row.window.not_before = row.window.not_before.or(window.not_before);
            row.window.due = row.window.due.or(window.due);
            row.weeks = row.weeks.or(dates::weeks(value));
        }
        Attribute::Week => row.weeks = row.weeks.or(dates::week_cell(value)),
        Attribute::Acceptance => {}
    }
}

fn owner_name(text: &str) -> String {
    let outside = text.split('(').next().unwrap_or_default();
    let name = outside.trim_matches(|c: char| !c.is_alphanumeric());
    const NOBODY: [&str; 8] =
        ["tbd", "tba", "to be assigned", "unassigned", "none", "n/a", "nobody", "offen"];
    if NOBODY.contains(&name.to_lowercase().as_str()) {
        return String::new();
    }
    name.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}
