//! Reads outline labels that Markdown does not know: "1.1", "a)", "II.".
//!
//! Markdown takes "1." and "1)" as items and everything else as running text. The labels of an
//! outline are rewritten to such numbers before the text is parsed, byte for byte, and the original
//! text says afterwards which style each item has.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use crate::text::pattern;

static LABEL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^[ \t]*(?P<label>(?P<dotted>\d{1,3}(?:\.\d{1,3}){1,4}\.?)|(?P<number>\d{1,3}[.)])|(?P<roman>[IVX]{1,4}[.)]|[ivx]{2,4}[.)])|(?P<letter>[A-Za-z][.)])|(?P<stars>\*{2,4})|(?P<bullet>[-*+]))[ \t]+\S",
    )
});

/// Style of an item's label. Items of one style are siblings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Bullet(char),
    /// "**" and "***" in the markup of wikis: the number of stars.
    Stars(usize),
    /// "1.", "1.1", "1.1.1": the number of parts.
    Numbers(usize),
    Roman(char),
    Lower(char),
    Upper(char),
}

/// Returns the style of the label that begins a text.
pub(super) fn style(text: &str) -> Option<Style> {
    let found = LABEL.captures(text)?;
    let label = found.name("label")?.as_str();
    let last = label.chars().next_back().unwrap_or(' ');
    Some(if found.name("dotted").is_some() {
        Style::Numbers(label.split('.').filter(|part| !part.is_empty()).count())
    } else if found.name("number").is_some() {
        Style::Numbers(1)
    } else if found.name("roman").is_some() {
        Style::Roman(last)
    } else if found.name("stars").is_some() {
        Style::Stars(label.len())
    } else if found.name("bullet").is_some() {
        Style::Bullet(last)
    } else if label.starts_with(char::is_lowercase) {
        Style::Lower(last)
    } else {
        Style::Upper(last)
    })
}

/// Returns the number, letter or dotted number that begins a text, without its end.
pub(super) fn label(text: &str) -> Option<String> {
    let found = LABEL.captures(text)?;
    let is_sign = found.name("bullet").or(found.name("stars")).is_some();
    let label = found.name("label").filter(|_| !is_sign)?;
    Some(label.as_str().trim_end_matches(['.', ')']).to_owned())
}

/// Rewrites the labels of an outline as numbers of the same length.
pub(super) fn as_numbers(text: &str) -> Cow<'_, str> {
    let labels: BTreeSet<&str> = text.lines().filter_map(foreign_label).collect();
    let numbers: BTreeSet<String> = text.lines().filter_map(label).collect();
    let is_outline = |label: &str| {
        successor(label).is_some_and(|next| labels.contains(next.as_str()))
            || predecessor(label).is_some_and(|before| labels.contains(before.as_str()))
            || label
                .trim_end_matches(['.', ')'])
                .rsplit_once('.')
                .is_some_and(|(parent, _)| numbers.contains(parent))
    };
    let has_stars = text.lines().any(|line| stars(line) > 0);
    if !has_stars && !labels.iter().any(|label| is_outline(label)) {
        return Cow::Borrowed(text);
    }
    let mut result = String::with_capacity(text.len());
    let mut is_code = false;
    for line in text.split_inclusive('\n') {
        is_code ^= line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
        let label = foreign_label(line).filter(|label| {
            !is_code && (is_outline(label) || label.contains('.') && label.len() > 2)
        });
        match label {
            Some(label) => {
                let start = line.len() - line.trim_start().len();
                result.push_str(&line[..start]);
                result.push_str(&format!("{:0>width$})", 1, width = label.len() - 1));
                result.push_str(&line[start + label.len()..]);
            }
            None if !is_code && stars(line) > 0 => {
                let start = line.len() - line.trim_start().len();
                let count = stars(line);
                result.push_str(&line[..start]);
                result.push('+');
                result.push_str(&" ".repeat(count - 1));
                result.push_str(&line[start + count..]);
            }
            None => result.push_str(line),
        }
    }
    Cow::Owned(result)
}

/// Returns the number of stars that begin a nested item in the markup of wikis: "** item".
fn stars(line: &str) -> usize {
    let bare = line.trim_start();
    let count = bare.chars().take_while(|c| *c == '*').count();
    let is_item =
        (2..=4).contains(&count) && bare[count..].starts_with(' ') && !bare[count..].contains("**");
    if is_item { count } else { 0 }
}

/// Returns the label of a line, if Markdown does not know it.
fn foreign_label(line: &str) -> Option<&str> {
    let found = LABEL.captures(line)?;
    let is_known = ["number", "bullet", "stars"].iter().any(|name| found.name(name).is_some());
    found.name("label").filter(|_| !is_known).map(|label| label.as_str())
}

/// Returns the label that follows: "1.2" after "1.1", "b)" after "a)", "II." after "I.".
fn successor(label: &str) -> Option<String> {
    shifted(label, 1)
}

fn predecessor(label: &str) -> Option<String> {
    shifted(label, -1)
}

fn shifted(label: &str, by: i32) -> Option<String> {
    const ROMAN: [&str; 12] =
        ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];
    let end = label.chars().next_back().filter(|end| matches!(end, '.' | ')'));
    let bare = label.trim_end_matches(['.', ')']);
    let moved = if let Some((head, last)) = bare.rsplit_once('.') {
        format!("{head}.{}", last.parse::<i32>().ok()? + by)
    } else if let Some(at) = ROMAN.iter().position(|roman| *roman == bare.to_uppercase())
        && (bare.len() > 1 || bare == "I")
    {
        let next = ROMAN.get(usize::try_from(i32::try_from(at).ok()? + by).ok()?)?;
        if bare.starts_with(char::is_lowercase) { next.to_lowercase() } else { (*next).to_owned() }
    } else {
        let letter = bare.chars().next().filter(|_| bare.len() == 1)?;
        char::from_u32(u32::try_from(i32::try_from(u32::from(letter)).ok()? + by).ok()?)?
            .to_string()
    };
    Some(moved + &end.map(String::from).unwrap_or_default())
}
