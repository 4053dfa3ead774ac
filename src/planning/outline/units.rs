//! Reads counted parts of a plan: "Phase 2", "Week 3", "Q1", "Task 4", and the numbers of items.

use std::sync::LazyLock;

use regex::Regex;

use super::keywords::{Keywords, pattern};

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

/// Matches the number at the start of an item: "2.1 ", "#4 ", "3) ".
pub(super) static NUMBERING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^#?(?:(?P<a>\d{1,3}(?:\.\d{1,3})+)\.?|#(?P<b>\d{1,5}):?|(?P<c>\d{1,3})\\?[.)])\s+")
});

impl Unit {
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
