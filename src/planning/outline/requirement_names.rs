//! Reads the ids of statements, and the ids that rows refer to: "_Requirements: 1.2, 3.1_".

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::draft::{Draft, Statement};
use crate::text::pattern;

static LEADING_ID: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^[\s>|*_\x{2022}-]*/?(?P<id>\p{Lu}{1,5}-?\d{1,4}(?:\.\d{1,3})*)/?(?:[*_:.)\]\s|]|$)")
});
static ID: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?:^|[^\p{L}\d-])(?P<id>\p{Lu}{1,5}-?\d{1,4}(?:\.\d{1,3})*)\b"));
/// "Requirements: 1.2, 3.1", "covers 2.1 and 2.2".
static NUMBERS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(?:^|[^\p{L}])(?:requirements?|reqs?|anforderung(?:en)?|exigences?|requisitos?|satisf(?:y|ies)|covers?|implements?|validates?|stor(?:y|ies))\b[\s:*_]{1,4}(?P<list>\d+(?:\.\d+)*(?:(?:\s*[,;&/]\s*|\s+and\s+)\d+(?:\.\d+)*)*)",
    )
});
static NUMBER: LazyLock<Regex> = LazyLock::new(|| pattern(r"\d+(?:\.\d+)*"));
/// "### Requirement 3: Matching", "## Story 2".
static GROUP_NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^(?:requirement|user story|story|need|anforderung|exigence|requisito)\s+(?P<number>\d{1,3})\b",
    )
});
static ITEM_NUMBER: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^[\s>*_]*(?P<number>\d{1,3})[.)]\s"));

/// Returns the id that a line begins with: "KR1.1", "LF010", "R-3".
pub(super) fn leading_id(text: &str) -> Option<&str> {
    LEADING_ID.captures(text).and_then(|found| found.name("id")).map(|id| id.as_str())
}

/// The names of a statement.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Names {
    /// Its own name, such as "R-3" or "1.2".
    pub(super) own: Option<String>,
    /// The name of the story or requirement that its section is about, such as "US-1" or "1".
    pub(super) group: Option<String>,
}

/// Returns the names of all statements.
pub(super) fn names(text: &str, statements: &[Statement]) -> Vec<Names> {
    let groups = groups(text);
    let of = |statement: &Statement| {
        let before = groups.partition_point(|(start, _)| *start <= statement.span.start);
        let group = before.checked_sub(1).and_then(|at| groups[at].1.clone());
        let raw = &text[line_start(text, statement.span.start)..statement.span.end];
        let numbered = || {
            let number = ITEM_NUMBER.captures(raw)?.name("number")?.as_str();
            let group = group.as_ref().filter(|group| group.chars().all(|c| c.is_numeric()))?;
            Some(format!("{group}.{number}"))
        };
        let own = leading_id(raw).map(str::to_owned).or_else(numbered);
        Names { own, group }
    };
    statements.iter().map(of).collect()
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |end| end + 1)
}

/// Returns the start of each heading, with the name of the story or requirement that it is below.
fn groups(text: &str) -> Vec<(usize, Option<String>)> {
    let mut found = Vec::new();
    let mut group: Option<(usize, String)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let level = line.len() - line.trim_start_matches('#').len();
        if (1..=6).contains(&level) {
            let heading = line[level..].trim();
            if group.as_ref().is_some_and(|(outer, _)| level <= *outer) {
                group = None;
            }
            let number = || {
                let found = GROUP_NUMBER.captures(heading)?;
                Some(found["number"].to_owned())
            };
            if let Some(name) = leading_id(heading).map(str::to_owned).or_else(number) {
                group = Some((level, name));
            }
            found.push((at, group.as_ref().map(|(_, name)| name.clone())));
        }
        at += line.len();
    }
    found
}

/// Returns the rows whose own text names each statement or group.
pub(super) fn references<'n>(
    text: &str,
    draft: &Draft,
    names: &'n [Names],
) -> BTreeMap<&'n str, BTreeSet<usize>> {
    let known: BTreeSet<&str> = names
        .iter()
        .flat_map(|name| name.own.iter().chain(&name.group))
        .map(String::as_str)
        .collect();
    let rows_named: BTreeSet<&str> =
        draft.rows.iter().flat_map(|row| &row.names).map(String::as_str).collect();
    let mut found: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    if known.is_empty() {
        return found;
    }
    for index in 0..draft.rows.len() {
        for own in own_text(draft, index) {
            let Some(own) = text.get(own) else { continue };
            let ids = ID.captures_iter(own).filter_map(|found| found.name("id"));
            let ids = ids.map(|id| id.as_str());
            let ids = ids.filter(|id| !rows_named.contains(id));
            let numbers = NUMBERS
                .captures_iter(own)
                .filter_map(|found| found.name("list"))
                .flat_map(|list| NUMBER.find_iter(list.as_str()).map(|number| number.as_str()));
            for name in ids.chain(numbers) {
                if let Some(name) = known.get(name) {
                    found.entry(name).or_default().insert(index);
                }
            }
        }
    }
    found
}

/// Returns the parts of a row's text that are not of its children.
fn own_text(draft: &Draft, row: usize) -> Vec<Range<usize>> {
    let whole = &draft.rows[row].span;
    let mut children: Vec<Range<usize>> =
        draft.rows[row].children.iter().map(|child| draft.rows[*child].span.clone()).collect();
    children.sort_by_key(|range| range.start);
    let mut parts = Vec::new();
    let mut at = whole.start;
    for child in children {
        if child.start > at {
            parts.push(at..child.start);
        }
        at = at.max(child.end);
    }
    if whole.end > at {
        parts.push(at..whole.end);
    }
    parts
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::key_result("KR1.1 No double charge", Some("KR1.1"))]
    #[case::slashes("/LF010/ Eltern können", Some("LF010"))]
    #[case::bullet("- R1. An upload", Some("R1"))]
    #[case::bold("**FR-3**: Export", Some("FR-3"))]
    #[case::cell("| R-1 | The page loads |", Some("R-1"))]
    #[case::dash("O1 – Stock estimates", Some("O1"))]
    #[case::word("Q3 results", Some("Q3"))]
    #[case::lower_case("v1.2 is out", None)]
    #[case::inside("See R1", None)]
    fn a_line_begins_with_an_id(#[case] text: &str, #[case] id: Option<&str>) {
        assert_eq!(leading_id(text), id);
    }
}
