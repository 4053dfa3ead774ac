//! Renders which explicit marks of a description a plan holds.

use super::layout::{Shown, cut, wrap};
use super::tree::keys;
use crate::cli::skipped::reason;
use crate::planning::explicit::{Count, Fate, MarkKind, UnreadMark};
use crate::service::plan::Preview;

/// Number of unread marks that the summary names.
const NAMED: usize = 3;
/// Characters of a mark that the summary shows.
const MARK_WIDTH: usize = 40;

/// Returns the lines that say how many of the marks are in the plan; none for a text without marks.
pub(super) fn summary(preview: &Preview, shown: Shown) -> Vec<String> {
    let marks = &preview.marks;
    if marks.counts.is_empty() {
        return Vec::new();
    }
    let counts = marks.counts.iter().map(|count| {
        let verb = if count.kind.is_row() { "planned" } else { "read" };
        let Count { kind, stated, read } = *count;
        format!("{read} of {stated} {} {verb}", kind.noun(stated))
    });
    let mut text = counts.collect::<Vec<_>>().join(", ");
    let unread: Vec<&UnreadMark> = marks.unread.iter().collect();
    if !unread.is_empty() {
        let named = unread.iter().take(NAMED).map(|unread| {
            let mark = &unread.mark;
            format!("L{} `{}`", mark.line, cut(&mark.text, MARK_WIDTH))
        });
        let more = match unread.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more (--skipped lists them)"),
        };
        text.push_str(&format!("; not read: {}{more}", named.collect::<Vec<_>>().join(", ")));
    }
    wrap(&text, shown.width.saturating_sub(4)).iter().map(|line| line.trim().to_owned()).collect()
}

/// Returns a line for every unread mark, with the place where it is kept.
pub(super) fn unread(preview: &Preview, shown: Shown) -> Vec<String> {
    if preview.marks.unread.is_empty() || !shown.lists_skipped {
        return Vec::new();
    }
    let keys = keys(preview);
    let row = |key: &String| keys.get(key.as_str()).cloned().unwrap_or_else(|| key.clone());
    let line = |unread: &UnreadMark| {
        let mark = &unread.mark;
        let fate = match &unread.fate {
            Fate::InText(key) => format!("kept in the text of {}", row(key)),
            Fate::Context(found) => reason(*found),
            Fate::Lost => "lost".to_owned(),
        };
        let kind = kind_of(mark.kind);
        let width = shown.width.saturating_sub(50).max(20);
        format!(
            "  {:<6} {kind:<14} {fate:<28} {}",
            format!("L{}", mark.line),
            cut(&mark.text, width)
        )
    };
    let lines = preview.marks.unread.iter().map(line);
    [String::new(), "not read".to_owned()].into_iter().chain(lines).collect()
}

fn kind_of(kind: MarkKind) -> &'static str {
    kind.noun(1)
}
