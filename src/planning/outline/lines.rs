//! Reads the text of items and paragraphs as single lines.

use super::blocks::{Block, Item, Line};
use super::items;
use super::keywords::normalized;

/// Returns the first paragraph of an item as one line, without later paragraphs.
pub(super) fn item_line(item: &Item) -> Option<Line> {
    match item.blocks.first() {
        // A line in italics below the first one is a note: "_Requirements: 1.1_".
        Some(Block::Paragraph { lines, .. }) if !lines.is_empty() => {
            let count = lines.iter().skip(1).take_while(|line| !line.is_emphasized).count();
            Some(join(&lines[..=count]))
        }
        _ => None,
    }
}

/// Joins soft-wrapped lines into one.
pub(super) fn join(lines: &[Line]) -> Line {
    let mut whole = lines.first().cloned().unwrap_or_default();
    for line in lines.iter().skip(1) {
        whole.text.push(' ');
        whole.text.push_str(line.text.trim());
        whole.span.end = whole.span.end.max(line.span.end);
        whole.struck &= line.struck;
    }
    whole
}

/// Whether a text is a template instruction in brackets.
pub(super) fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    let text = items::checkbox(text).map_or(text, |(_, bytes)| &text[bytes..]);
    text.starts_with('[')
        && text.ends_with(']')
        && !text.contains("](")
        && text.split_whitespace().count() > 3
}

pub(super) fn first_word(text: &str) -> String {
    crate::text::stem::words(text).next().unwrap_or_default()
}

/// Whether a heading says that something is not done: "Not in this release", "What it does NOT do".
pub(super) fn is_negated(heading: &str) -> bool {
    let heading = heading.split(':').next().unwrap_or(heading);
    let words = format!(" {} ", normalized(heading));
    let is_state = words.contains(" not started ") || words.contains(" not done ");
    let says_not =
        words.contains(" not ") || words.starts_with(" no ") || words.contains(" won t ");
    says_not && !is_state && !heading.trim_end().ends_with('?')
}
