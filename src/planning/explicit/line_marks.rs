//! Finds the marks of one line.

use std::sync::LazyLock;

use regex::Regex;

use super::cells::{self, Column};
use super::mark::{Mark, MarkKind};
use super::notation::{self, Names};
use super::scan::{self, Form, Item, RawLine};
use crate::text::pattern;

static GROUP: LazyLock<Regex> = LazyLock::new(|| pattern(r"[(\[{]([^()\[\]{}]{1,160})[)\]}]"));
static STRUCK: LazyLock<Regex> = LazyLock::new(|| pattern(r"^~~.+~~$"));
/// Words that a mark at the end of a line may have.
const MAX_TAIL_WORDS: usize = 3;

/// Returns the explicit marks of a text, in the order of its lines.
pub fn marks(text: &str) -> Vec<Mark> {
    let lines = scan::lines(text);
    let names = Names::of(&lines);
    lines.iter().flat_map(|line| of(line, &names)).collect()
}

/// Returns the marks of a line.
fn of(line: &RawLine<'_>, names: &Names) -> Vec<Mark> {
    let mark =
        |kind: MarkKind, text: &str| Mark { kind, line: line.number, text: text.trim().to_owned() };
    match &line.form {
        Form::Nothing => Vec::new(),
        Form::Heading(text) => details(text, names).map(|(kind, text)| mark(kind, &text)).collect(),
        Form::Text(text) => {
            let found = notation::labelled(text).filter(|(kind, value)| is_stated(*kind, value));
            found.map(|(kind, _)| mark(kind, text)).into_iter().collect()
        }
        Form::Item(item) => item_marks(item, names).map(|(kind, text)| mark(kind, &text)).collect(),
        Form::Cells { columns, cells } => {
            cell_marks(columns, cells).map(|(kind, text)| mark(kind, text)).collect()
        }
    }
}

fn item_marks<'m>(
    item: &'m Item<'_>,
    names: &'m Names,
) -> impl Iterator<Item = (MarkKind, String)> + 'm {
    let row = match (item.checkbox, item.number) {
        (Some(_), _) => Some(MarkKind::Checkbox),
        (None, Some(_)) => Some(MarkKind::Step),
        (None, None) => None,
    };
    let row = row.map(|kind| (kind, item.content.to_string()));
    // A label in an item states a detail of the item above it.
    let label = notation::labelled(&item.content).filter(|(kind, value)| is_stated(*kind, value));
    let label = label.map(|(kind, _)| (kind, item.content.to_string()));
    let rest = label.is_none().then(|| details(&item.content, names));
    row.into_iter().chain(label).chain(rest.into_iter().flatten())
}

/// Whether the value of a label can be a detail, instead of a sentence.
fn is_stated(kind: MarkKind, value: &str) -> bool {
    const MAX_WORDS: usize = 6;
    !cells::is_empty(value)
        && value.split_whitespace().count() <= MAX_WORDS
        && match kind {
            MarkKind::Effort => notation::kind_of(value) == Some(MarkKind::Effort),
            MarkKind::Date => value.chars().any(|c| c.is_ascii_digit()),
            MarkKind::Dependency => false,
            _ => true,
        }
}

/// Finds the details of a line: in brackets, at its end, and at its start.
fn details(content: &str, names: &Names) -> impl Iterator<Item = (MarkKind, String)> {
    let mut found: Vec<(MarkKind, String)> = Vec::new();
    for group in GROUP.captures_iter(content) {
        found.extend(group_marks(&group[1]));
    }
    let outside = GROUP.replace_all(content, " ");
    let outside = outside.trim();
    found.extend(edge_marks(outside));
    if STRUCK.is_match(outside) {
        found.push((MarkKind::State, outside.to_owned()));
    }
    found.extend(names.dependency(content).map(|text| (MarkKind::Dependency, text.to_owned())));
    found.into_iter()
}

/// Reads "4 days, @jonas, P1": each part between commas, if it is a mark as a whole.
fn group_marks(group: &str) -> Vec<(MarkKind, String)> {
    if let Some(kind) = notation::kind_of(group) {
        return vec![(kind, group.to_owned())];
    }
    let part = |part: &str| {
        let kind = notation::labelled(part)
            .filter(|(kind, value)| is_stated(*kind, value))
            .map(|(kind, _)| kind)
            .or_else(|| notation::kind_of(part))?;
        Some((kind, part.trim().to_owned()))
    };
    group.split([',', ';', '|']).filter_map(part).collect()
}

/// Reads marks at the end of a line, from the last word back, and one at its start.
fn edge_marks(text: &str) -> Vec<(MarkKind, String)> {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let mut found = Vec::new();
    if let Some(first) = words.first()
        && words.len() > 1
        && let Some(kind) = notation::kind_of(first.trim_end_matches(':'))
        && matches!(kind, MarkKind::Owner | MarkKind::Priority | MarkKind::State)
        && !first.chars().all(char::is_alphabetic)
    {
        found.push((kind, words.remove(0).to_owned()));
    }
    'tail: while words.len() > 1 {
        for count in (1..=MAX_TAIL_WORDS.min(words.len() - 1)).rev() {
            let at = words.len() - count;
            let tail = words[at..].join(" ");
            let bare = tail.trim_start_matches(['-', '\u{2013}', '\u{2014}', ',', ';', ' ']);
            let bare = bare.trim_end_matches([',', ';', '.']);
            let before = words[at - 1];
            if let Some(kind) = notation::kind_of(bare)
                && is_mark_at_end(kind, bare, before, tail.len() > bare.len())
            {
                found.push((kind, bare.to_owned()));
                words.truncate(at);
                continue 'tail;
            }
        }
        break;
    }
    found
}

/// Whether an expression at the end of a line is a mark, and not the end of its sentence.
fn is_mark_at_end(kind: MarkKind, text: &str, before: &str, is_set_off: bool) -> bool {
    let is_set_off = is_set_off || before.ends_with([',', ';', ':', '-', '\u{2013}', '\u{2014}']);
    let is_compact = !text.contains(' ');
    match kind {
        MarkKind::Owner => {
            !matches!(before.to_lowercase().as_str(), "to" | "with" | "from" | "via" | "by" | "for")
        }
        MarkKind::Tag => true,
        MarkKind::Date => text.starts_with(|c: char| c.is_alphabetic()) || is_set_off,
        MarkKind::Effort => {
            is_set_off || (is_compact && text.starts_with(['~', '\u{2248}'])) || {
                let is_token = is_compact && text.starts_with(|c: char| c.is_ascii_digit());
                is_token && before.starts_with('@')
            }
        }
        MarkKind::Priority => text.starts_with(['P', '!']) || is_set_off,
        MarkKind::State => !text.chars().any(char::is_lowercase) || is_set_off,
        _ => false,
    }
}

fn cell_marks<'c>(
    columns: &'c [Column],
    cells: &'c [String],
) -> impl Iterator<Item = (MarkKind, &'c str)> {
    let is_work = cells::lists_work(columns);
    let pairs = columns.iter().zip(cells).filter(move |_| is_work);
    let title = pairs.clone().find(|(column, _)| **column == Column::Title);
    let title = title.filter(|(_, cell)| !cells::is_empty(cell) && !is_total(cell));
    let row = title.map(|(_, cell)| (MarkKind::TableRow, cell.as_str()));
    let has_row = row.is_some();
    let details = pairs.filter_map(move |(column, cell)| match column {
        Column::Detail(kind) if has_row && !cells::is_empty(cell) => Some((*kind, cell.as_str())),
        _ => None,
    });
    row.into_iter().chain(details)
}

fn is_total(cell: &str) -> bool {
    let bare = cell.trim_matches(['*', ' ']).to_lowercase();
    matches!(bare.as_str(), "total" | "totals" | "sum" | "subtotal")
}
