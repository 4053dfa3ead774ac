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

/// Breaks a line that is too long between words. The rest begins below the last column of the line,
/// if it is in the first half of the width.
pub(in crate::cli) fn fold(line: &str, width: usize) -> Vec<String> {
    let letters: Vec<char> = line.chars().collect();
    let is_column =
        |at: &usize| letters[*at] != ' ' && (*at == 0 || letters[..*at].ends_with(&[' ', ' ']));
    let first = letters.iter().position(|letter| *letter != ' ').unwrap_or(0);
    let column = (first..letters.len().min(width / 2)).rev().find(is_column);
    let indent = column.filter(|column| *column > first).unwrap_or(first + 2);
    let (mut lines, mut rest) = (Vec::new(), letters.as_slice());
    let mut margin = 0;
    while margin + rest.len() > width {
        let room = width - margin;
        let least = if margin == 0 { first } else { 0 };
        let space = rest[..=room].iter().rposition(|letter| *letter == ' ');
        let Some(at) = space.filter(|at| *at > least) else { break };
        let (head, tail) = rest.split_at(at);
        let head: String = head.iter().collect();
        lines.push(format!("{:margin$}{}", "", head.trim_end()));
        let skipped = tail.iter().take_while(|letter| **letter == ' ').count();
        (rest, margin) = (&tail[skipped..], indent);
    }
    lines.push(format!("{:margin$}{}", "", rest.iter().collect::<String>()));
    lines
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::fits("   a line", &["   a line"])]
    #[case::words("1. one two three four five six", &["1. one two three", "  four five six"])]
    #[case::columns("   ab  one two three four", &["   ab  one two", "       three four"])]
    #[case::a_long_word("   abcdefghijklmnopqrstuvwxyz", &["   abcdefghijklmnopqrstuvwxyz"])]
    fn a_long_line_is_broken_below_its_last_column(#[case] line: &str, #[case] lines: &[&str]) {
        assert_eq!(fold(line, 18), lines);
    }
}
