//! Reads counted parts of a plan: "Phase 2", "Week 3", "Q1", "Task 4", and the numbers of items.

use std::sync::LazyLock;

use regex::Regex;

use super::keywords::Keywords;
use crate::text::pattern;

/// A counted part of the plan, such as "Phase 2" or "Week 3".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) word: String,
    pub(super) number: String,
    pub(super) class: UnitClass,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnitClass {
    Phase,
    Time,
    Task,
    /// A story or requirement; work only if the text has no clearer plan.
    Feature,
}

static UNIT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?P<word>\p{L}+(?: (?:item|package))?)\s*#?(?P<number>\d{1,3}(?:\.\d{1,3})*(?:\s*(?:-|\u{2013}|\u{2014}|to|&|and)\s*\d{1,3}|\+)?)\s*(?P<end>:|\.\s|\.$|-\s|\u{2013}|\u{2014}|\(|\)|$)",
    )
});

static QUARTER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^[Qq](?P<number>[1-4])(?:[ /]+\d{4})?\s*(?P<end>:|-|\u{2013}|\u{2014}|\(|$)")
});

/// Matches "9 months out" and "5 days before".
static COUNTDOWN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^(?P<number>\d{1,3}) (?:days?|weeks?|months?) (?:before|out|prior|after|earlier)\b",
    )
});

/// Matches the number at the start of an item: "2.1 ", "#4 ", "3) ".
pub(super) static NUMBERING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^#?(?:(?P<a>\d{1,3}(?:\.\d{1,3})+)\.?|#(?P<b>\d{1,5}):?|(?P<c>\d{1,3})\\?[.)])\s+")
});

impl Unit {
    /// Returns the word in the singular.
    pub(super) fn noun(&self) -> &str {
        self.word.strip_suffix('s').unwrap_or(&self.word)
    }

    /// Returns the first and the last number: (7, 8) of "Weeks 7-8", (2, 2) of "Phase 2".
    pub(super) fn range(&self) -> Option<(u32, u32)> {
        let mut numbers =
            self.number.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
        let first: u32 = numbers.next()?.parse().ok()?;
        let last = match numbers.next() {
            // "Phase 2.1" is no range.
            Some(_) if self.number.contains('.') => return None,
            Some(last) => last.parse().ok()?,
            None => first,
        };
        (first <= last).then_some((first, last))
    }

    /// Returns the word and number of the first unit that a text speaks of: "Complete Phase 1".
    pub(super) fn mentioned(keywords: &Keywords, text: &str) -> Option<(String, String)> {
        let words: Vec<&str> = text.split_whitespace().collect();
        words.windows(2).find_map(|pair| {
            let word = pair[0].trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
            let number = pair[1].trim_matches(|c: char| !c.is_alphanumeric());
            let units = &keywords.units;
            let is_unit = units.phase.contains(&word) || units.feature.contains(&word);
            let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
            (is_unit && is_number).then(|| (word, number.to_owned()))
        })
    }

    /// Reads "Phase 2: Harvest". Returns the unit and its length in bytes.
    pub(super) fn leading(keywords: &Keywords, text: &str) -> Option<(Self, usize)> {
        if !keywords.knows_words() {
            return None;
        }
        let text_start = text.len() - text.trim_start_matches(['*', ' ', '#']).len();
        let rest = &text[text_start..];
        if let Some(found) = QUARTER.captures(rest) {
            let unit = Self {
                word: "quarter".to_owned(),
                number: found["number"].to_owned(),
                class: UnitClass::Time,
            };
            return Some((unit, text_start + found.name("end").map_or(0, |end| end.start())));
        }
        if let Some(found) = COUNTDOWN.captures(rest) {
            let unit = Self {
                word: "countdown".to_owned(),
                number: found["number"].to_owned(),
                class: UnitClass::Time,
            };
            return Some((unit, text_start + found.get(0).map_or(0, |found| found.end())));
        }
        let found = UNIT.captures(rest)?;
        let word = found["word"].to_lowercase();
        let class = [
            (&keywords.units.phase, UnitClass::Phase),
            (&keywords.units.time, UnitClass::Time),
            (&keywords.units.task, UnitClass::Task),
            (&keywords.units.feature, UnitClass::Feature),
        ]
        .into_iter()
        .find(|(words, _)| words.contains(&word))
        .map(|(_, class)| class)?;
        let end = found.name("end").map_or(0, |end| end.start());
        Some((Self { word, number: found["number"].to_owned(), class }, text_start + end))
    }
}
