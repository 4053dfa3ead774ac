//! Selects the part of a line that is shown as its title, and shortens long titles.

use super::keywords::Keywords;
use super::units::NUMBERING;
use crate::domain::hidden::is_blank;

/// Maximum length of an unshortened title; a longer line is cut at a natural pause.
const COMFORTABLE: usize = 110;

/// Removes the words that only introduce the list below: "Update the tools to:".
pub(super) fn without_lead_in<'t>(keywords: &Keywords, text: &'t str) -> &'t str {
    let is_particle = |word: &str| {
        matches!(
            word,
            "for"
                | "to"
                | "with"
                | "of"
                | "by"
                | "in"
                | "on"
                | "as"
                | "and"
                | "or"
                | "that"
                | "which"
                | "from"
                | "including"
                | "include"
                | "following"
        )
    };
    let mut kept = text.trim_end();
    while let Some((before, last)) =
        kept.rsplit_once(' ').filter(|(before, _)| before.contains(' '))
    {
        let ends_infinitive = before.ends_with(" to") && keywords.kind_of_verb(last).is_some();
        let ends_participle = before.ends_with(',') && last.ends_with("ing");
        if !(is_particle(last) || ends_infinitive || ends_participle) {
            break;
        }
        kept = before.trim_end_matches([',', ' ']);
    }
    kept
}

/// Returns the text without a number or id at its start.
pub(super) fn without_numbering(text: &str) -> &str {
    let text = text.trim_start_matches("[ ]").trim_start_matches("[x]").trim_start();
    let number = NUMBERING.find(text).map_or(0, |found| found.end());
    &text[number..]
}

/// Returns the title of a cleaned line, and whether it omits something.
pub(super) fn title(line: &str, strong: usize) -> (String, bool) {
    let line = line.trim();
    let (mut text, mut shortened) = (line, false);
    let label_end = strong.min(line.len());
    if label_end > 0 && line.is_char_boundary(label_end) {
        let label = line[..label_end].trim_matches([':', ' ', '-']);
        let after = line[label_end..].trim_start_matches([':', ' ', '-', '\u{2013}', '\u{2014}']);
        let long_label = label.split_whitespace().count() >= 2;
        if !after.is_empty()
            && label.contains(char::is_alphanumeric)
            && (long_label || line.len() > COMFORTABLE)
            && !label.chars().next_back().is_some_and(|c| c.is_ascii_digit())
            && line[label.len()..].trim_start().starts_with([':', '-', '\u{2013}', '\u{2014}', '('])
        {
            (text, shortened) = (label, true);
        }
    }
    let sentence = first_sentence(text);
    if sentence.len() < text.len() {
        (text, shortened) = (sentence, true);
    }
    if text.len() > COMFORTABLE {
        let cut = pause(text);
        shortened |= cut.len() < text.len();
        text = cut;
    }
    (clean(text), shortened)
}

/// Converts a text to a title, cut at a pause if it is long.
pub(super) fn short(text: &str) -> String {
    clean(if text.len() > COMFORTABLE { pause(text) } else { text })
}

/// Returns the text up to the first full stop that ends a sentence.
pub(super) fn first_sentence(text: &str) -> &str {
    text.match_indices(['.', '!', '?', ';'])
        .find(|(at, _)| {
            let after = &text[at + 1..];
            let before = &text[..*at];
            let ends = after.starts_with(char::is_whitespace)
                && after.trim_start().starts_with(|c: char| !c.is_lowercase());
            // "Alg. IV", "No. 3", "den 1. Audit"
            let next = after.split_whitespace().next().unwrap_or_default();
            let last = before.rsplit(' ').next().unwrap_or_default();
            let is_number = |word: &str| {
                let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
                !bare.is_empty()
                    && (bare.chars().all(|c| c.is_ascii_digit())
                        || bare.chars().all(|c| matches!(c, 'I' | 'V' | 'X')) && bare.len() > 1)
            };
            let is_short = last.chars().count() <= 4 && last.starts_with(char::is_uppercase);
            let article = before.trim_end_matches(|c: char| c.is_ascii_digit());
            let is_ordinal = article.len() < before.len()
                && ["der ", "die ", "das ", "den ", "dem ", "am ", "vom ", "zum "]
                    .iter()
                    .any(|word| article.to_lowercase().ends_with(word));
            if (is_short && is_number(next)) || is_ordinal {
                return false;
            }
            let abbreviation = [" e.g", " i.e", "(e.g", "(i.e", " etc", " vs", " approx", " No"]
                .iter()
                .any(|end| before.ends_with(end));
            ends && !abbreviation
                && before.matches('(').count() <= before.matches(')').count()
                && before.len() > 3
        })
        .map_or(text, |(at, _)| &text[..at + 1])
}

/// Cuts a long text at its first pause after a few words, or else between words.
fn pause(text: &str) -> &str {
    const MIN_LENGTH: usize = 24;
    let limit = floor_boundary(text, COMFORTABLE);
    let balanced = |at: usize| {
        text[..at].matches('(').count() <= text[..at].matches(')').count()
            && text[..at].matches('`').count().is_multiple_of(2)
    };
    for sign in [" \u{2014} ", " \u{2013} ", "; ", " - ", ": ", " (", ", "] {
        let cut = text[..limit]
            .match_indices(sign)
            .map(|(at, _)| at)
            .find(|at| *at >= MIN_LENGTH && balanced(*at));
        if let Some(cut) = cut {
            return &text[..cut];
        }
    }
    let cut = text[..limit].rfind(char::is_whitespace).unwrap_or(limit);
    &text[..cut]
}

fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Removes markup, repeated spaces, pictures at the ends and closing punctuation.
pub(super) fn clean(text: &str) -> String {
    const MAX_CHARS: usize = 500;
    let bare: String = text.chars().filter(|c| !matches!(c, '`' | '\u{FE0F}')).collect();
    let bare = bare.replace("**", "").replace("\\", "");
    let spaced = bare.split_whitespace().collect::<Vec<_>>().join(" ");
    let trimmed = spaced
        .trim_matches(|c: char| is_picture(c) || c.is_whitespace())
        .trim_start_matches(['-', '*', '#', ':', '.', ',', ' '])
        .trim_end_matches([':', '.', ',', ';', ' ', '-', '\u{2013}', '\u{2014}', '*']);
    let inside = trimmed.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let trimmed = inside.filter(|inside| !inside.contains(['(', ')'])).unwrap_or(trimmed);
    // A text without visible characters is not a title.
    let trimmed = if is_blank(trimmed) { "" } else { trimmed };
    let cut = floor_boundary(trimmed, MAX_CHARS);
    trimmed[..cut].to_owned()
}

/// Returns the text with code replaced by spaces, byte for byte.
pub(super) fn without_code(text: &str) -> String {
    let mut inside = false;
    text.chars()
        .flat_map(|c| {
            let toggles = c == '`';
            inside ^= toggles;
            let blank = inside || toggles;
            let count = if blank { c.len_utf8() } else { 1 };
            std::iter::repeat_n(if blank { ' ' } else { c }, count)
        })
        .collect()
}

/// Whether a character is an emoji, a dingbat or a joiner of those.
pub(super) fn is_picture(c: char) -> bool {
    matches!(u32::from(c), 0x1F000..=0x1FAFF | 0x2600..=0x27BF | 0x2B00..=0x2BFF | 0xFE0F | 0x200D | 0x23E9..=0x23FA)
}
