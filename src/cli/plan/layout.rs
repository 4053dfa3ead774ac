//! Extent and width of a preview, and texts that fit into it.

/// Extent and width of a preview.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Shown {
    pub rows: usize,
    pub is_full: bool,
    pub lists_skipped: bool,
    pub width: usize,
}

/// Cuts a text to a width and marks the cut.
pub(in crate::cli) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        text.to_owned()
    } else {
        text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
    }
}

/// Wraps a list item; lines after the first are indented.
pub(in crate::cli) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
        .iter()
        .enumerate()
        .map(|(at, line)| format!("{}{line}", if at == 0 { "  " } else { "    " }))
        .collect()
}
