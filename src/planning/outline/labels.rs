//! Reads outline labels that Markdown does not know: "1.1", "a)", "(a)", "II.".
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
        r"^[ \t]*(?P<label>(?P<dotted>\d{1,3}(?:\.\d{1,3}){1,4}\.?)|(?P<number>\d{1,3}[.)])|(?P<roman>[IVX]{1,4}[.)]|[ivx]{2,4}[.)]|\([ivx]{2,4}\))|(?P<letter>[A-Za-z][.)]|\([a-z]\))|(?P<stars>\*{2,4})|(?P<bullet>[-*+]))[ \t]+\S",
    )
});

/// Bullets that people type or paste, which Markdown does not know.
const TYPED_BULLETS: [char; 12] = [
    '\u{2022}', '\u{25aa}', '\u{25e6}', '\u{2023}', '\u{25cf}', '\u{25cb}', '\u{25a0}', '\u{25a1}',
    '\u{25c6}', '\u{2043}', '\u{30fb}', '\u{b7}',
];
/// The space of ideographs, by which East Asian texts indent.
const WIDE_SPACE: char = '\u{3000}';

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
    if let Some(bullet) = text.trim_start().chars().next().filter(|c| TYPED_BULLETS.contains(c)) {
        return Some(Style::Bullet(bullet));
    }
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
    } else if label.trim_start_matches('(').starts_with(char::is_lowercase) {
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
    Some(label.as_str().trim_matches(['.', ')', '(']).to_owned())
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
    let has_bullets = text.lines().any(|line| typed_bullet(line).is_some());
    if !has_stars && !has_bullets && !labels.iter().any(|label| is_outline(label)) {
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
            None if !is_code && typed_bullet(line).is_some() => {
                result.push_str(&with_hyphen(line));
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

/// Returns the bullet that a line begins with, if Markdown does not know it, and its position.
fn typed_bullet(line: &str) -> Option<(usize, char)> {
    let bare = line.trim_start_matches([' ', '\t', WIDE_SPACE]);
    let bullet = bare.chars().next().filter(|c| TYPED_BULLETS.contains(c))?;
    let rest = bare[bullet.len_utf8()..].trim_start_matches(WIDE_SPACE);
    (!rest.trim().is_empty()).then(|| (line.len() - bare.len(), bullet))
}

/// Returns a line of the same length with a hyphen instead of its typed bullet.
fn with_hyphen(line: &str) -> String {
    let Some((at, bullet)) = typed_bullet(line) else { return line.to_owned() };
    let rest = &line[at + bullet.len_utf8()..];
    let mut result = line[..at].replace(WIDE_SPACE, "   ");
    // Four spaces may follow a hyphen; after five, Markdown reads code.
    let pad = bullet.len_utf8() - 1;
    let gap = rest.len() - rest.trim_start_matches(' ').len();
    let extra = (pad + gap).saturating_sub(4).min(gap);
    result.push('-');
    result.push_str(&" ".repeat(pad));
    result.push_str(&rest[..gap - extra]);
    result.push_str(&"\u{c}".repeat(extra));
    result.push_str(&rest[gap..]);
    result
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
    let start = label.strip_prefix('(').map_or("", |_| "(");
    let bare = label.trim_matches(['.', ')', '(']);
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
    Some(format!("{start}{moved}{}", end.map(String::from).unwrap_or_default()))
}
