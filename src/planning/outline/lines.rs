//! Reads the text of items and paragraphs as single lines.

use super::blocks::{Block, Item, Line};
use super::items;

/// Returns the first paragraph of an item as one line, without later paragraphs.
pub(super) fn item_line(item: &Item) -> Option<Line> {
    match item.blocks.first() {
        Some(Block::Paragraph { lines, .. }) if !lines.is_empty() => Some(join(lines)),
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
